"""Draw the parts of a scene that are not text: background, props and camera effects. See docs/synthetic.md."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from resnet18_ocrdet.data.synthetic import warp
from resnet18_ocrdet.data.synthetic.clutter import PAINTERS
from resnet18_ocrdet.data.synthetic.colour import draw_tint
from resnet18_ocrdet.data.synthetic.layout import Occupancy, place
from resnet18_ocrdet.data.synthetic.props import DRAWERS
from resnet18_ocrdet.data.synthetic.scene import Background, Block, Effects, Prop, Shadow

NOISE_SHIFTS = 2**16  # random offsets of the noise tile
SEED_RANGE = 2**31  # of the painters' generators

SMOOTH_SHARE = 0.30  # share of images with a background without clutter: walls, sky, boards
SHADOW_SHARE = 0.25
BLUR_SHARE = 0.25
MOTION_SHARE = 0.06
NOISE_SHARE = 0.55
JPEG_SHARE = 0.35

PROPS_PER_BASE = (0, 5)  # smallest and largest number tried on 256 × 256 px
BASE_AREA = 256 * 256
BLUR_PER_HEIGHT = 0.07  # of the smallest clear text: it stays readable with a Gaussian of 1/14 of its height


def draw_background(rng: np.random.Generator) -> Background:
    """A surface with up to three layers of clutter."""
    smooth = rng.random() < SMOOTH_SHARE
    layers = 0 if smooth else int(rng.integers(1, 4))
    names = tuple(PAINTERS)
    clutter = tuple(names[int(i)] for i in rng.integers(len(names), size=layers))
    return Background(
        seed=int(rng.integers(SEED_RANGE)),
        luminance=float(rng.uniform(45.0, 215.0)),
        spread=float(rng.uniform(5.0, 70.0)),
        texture=float(rng.uniform(0.0, 22.0)) if rng.random() < 0.7 else 0.0,
        clutter=clutter,
    )


def draw_props(rng: np.random.Generator, height: int, width: int, occupied: Occupancy) -> tuple[Prop, ...]:
    """Objects in the gaps between the texts."""
    names = tuple(DRAWERS)
    growth = (height * width / BASE_AREA) ** 0.7
    count = round(int(rng.integers(PROPS_PER_BASE[0], PROPS_PER_BASE[1] + 1)) * growth)
    props = []
    for _ in range(count):
        long_side = float(rng.uniform(14.0, 80.0) * growth**0.3)
        size = (long_side, long_side * float(rng.uniform(0.25, 1.0)))
        angle = float(rng.normal(0.0, 12.0))
        quad = warp.canvas_quad(size, warp.placement_matrix(size, 1.0, (0.0, 0.0), angle))
        centre = place(rng, quad, height, width, occupied, overhang=0.2)
        kind = names[int(rng.integers(len(names)))]
        luminance, seed = float(rng.uniform(0.0, 255.0)), int(rng.integers(SEED_RANGE))
        tint = draw_tint(rng)
        if centre is not None:
            props.append(Prop(kind, centre, size, angle, luminance, tint, seed))
    return tuple(props)


def draw_effects(rng: np.random.Generator, blocks: Sequence[Block]) -> Effects:
    """Camera and light effects; the blur is limited by the smallest clear text."""
    clear = [block for block in blocks if block.legibility == "clear"]
    smallest = min((b.scale * len(word.mask) for b in clear for line in b.lines for word in line.words), default=15.0)
    blur = float(rng.uniform(0.4, max(0.6, BLUR_PER_HEIGHT * smallest)))
    motion = int(rng.integers(2, 4 if smallest < 16 else 6)), float(rng.uniform(0.0, 180.0))
    switches = rng.random(5)
    noise_level = float(rng.uniform(2.0, 11.0))
    quality = int(rng.integers(30, 91))
    y, x = rng.integers(NOISE_SHIFTS, size=2)
    shadow = _draw_shadow(rng)
    return Effects(
        gain=float(rng.uniform(0.85, 1.08)),
        shadow=shadow if switches[0] < SHADOW_SHARE else None,
        blur=blur if switches[1] < BLUR_SHARE else 0.0,
        motion=motion if switches[2] < MOTION_SHARE else None,
        noise=noise_level if switches[3] < NOISE_SHARE else 0.0,
        noise_shift=(int(y), int(x)),
        jpeg=quality if switches[4] < JPEG_SHARE else 0,
    )


def _draw_shadow(rng: np.random.Generator) -> Shadow:
    """A polygon of three to five corners around a point, large enough to cross the image."""
    corners = int(rng.integers(3, 6))
    turn, x, y = float(rng.uniform(0, 2 * math.pi)), float(rng.random()), float(rng.random())
    angles = [turn + 2 * math.pi * i / corners for i in range(corners)]
    radii = rng.uniform(0.25, 0.8, corners).tolist()
    outline = tuple((x + r * math.cos(a), y + r * math.sin(a)) for r, a in zip(radii, angles, strict=True))
    return Shadow(outline, strength=float(rng.uniform(0.5, 0.85)), softness=float(rng.uniform(0.004, 0.05)))
