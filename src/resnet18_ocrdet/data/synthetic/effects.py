"""Light and camera effects: drawn, then applied to the image, (H, W, 3) uint8."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import cv2
import numpy as np

from ...structures import Image
from ..photometric import NOISE_TILE, Change, add_noise, blur, compress
from .scene import Block

SHADOW_SHARE = 0.25
BLUR_SHARE = 0.25
MOTION_SHARE = 0.06
NOISE_SHARE = 0.55
JPEG_SHARE = 0.35

BLUR_PER_HEIGHT = 0.07  # of the smallest clear text: it stays readable with a Gaussian of 1/14 of its height
NOISE_SHIFTS = 2**16  # random offsets of the noise tile
SHADOW_SHRINK = 8  # factor by which the shadow is drawn smaller: its edge is soft


def draw_effects(rng: np.random.Generator, blocks: Sequence[Block], height: int, width: int) -> tuple[Change, ...]:
    """Effects of an image in the order from the light to the file; the blur is limited by the smallest clear text."""
    clear = [block for block in blocks if block.legibility == "clear"]
    smallest = min((b.scale * len(word.mask) for b in clear for line in b.lines for word in line.words), default=15.0)
    std = float(rng.uniform(0.4, max(0.6, BLUR_PER_HEIGHT * smallest)))
    length, direction = int(rng.integers(2, 4 if smallest < 16 else 6)), float(rng.uniform(0.0, 180.0))
    switches = rng.random(5)
    noise = float(rng.uniform(2.0, 11.0))
    quality = int(rng.integers(30, 91))
    y, x = rng.integers(NOISE_SHIFTS, size=2).tolist()
    row, column = y % max(1, NOISE_TILE - height), x % max(1, NOISE_TILE - width)
    shadow = draw_shadow(rng)
    gain = float(rng.uniform(0.85, 1.08))
    noisy = partial(add_noise, std=noise, row=row, column=column, gain=gain)
    drawn: list[tuple[bool, Change]] = [
        (switches[0] < SHADOW_SHARE, shadow),
        (switches[1] < BLUR_SHARE, partial(blur, std=std, side=0)),
        (switches[2] < MOTION_SHARE, partial(blur_motion, length=length, direction=direction)),
        (True, noisy if switches[3] < NOISE_SHARE else partial(expose, gain=gain)),
        (switches[4] < JPEG_SHARE, partial(compress, quality=quality)),
    ]
    return tuple(change for is_on, change in drawn if is_on)


def draw_shadow(rng: np.random.Generator) -> Change:
    """A polygon of three to five corners around a point, large enough to cross the image."""
    corners = int(rng.integers(3, 6))
    turn, x, y = float(rng.uniform(0, 2 * math.pi)), float(rng.random()), float(rng.random())
    angles = [turn + 2 * math.pi * i / corners for i in range(corners)]
    radii = rng.uniform(0.25, 0.8, corners).tolist()
    outline = [(x + r * math.cos(a), y + r * math.sin(a)) for r, a in zip(radii, angles, strict=True)]
    strength, softness = float(rng.uniform(0.5, 0.85)), float(rng.uniform(0.004, 0.05))
    return partial(cast_shadow, outline=outline, strength=strength, softness=softness)


def cast_shadow(image: Image, outline: list[tuple[float, float]], strength: float, softness: float) -> Image:
    """Darken a part of the image with a soft edge.

    outline: (x, y) as fractions of the image. strength: remaining light, 0..1. softness: standard deviation of the
    edge, as a fraction of the shorter side."""
    height, width = image.shape[:2]
    small_height, small_width = max(4, height // SHADOW_SHRINK), max(4, width // SHADOW_SHRINK)
    light = np.full((small_height, small_width), 255, np.uint8)
    corners = np.rint(np.array(outline) * (small_width, small_height)).astype(np.int32)
    cv2.fillPoly(light, [corners], round(255 * strength))
    light = cv2.GaussianBlur(light, (0, 0), max(0.5, softness * min(small_height, small_width)))
    large = cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR)
    return cv2.multiply(image, cv2.merge([large] * 3), scale=1 / 255)  # type: ignore[return-value]


def blur_motion(image: Image, length: int, direction: float) -> Image:
    """Blur along a line of `length` px, with a (5, 5) or (7, 7) kernel. direction: degrees.

    Weights are multiples of 1/256 that sum to 1: their products with bytes are exact, for any order of summation."""
    side = 5 if length <= 4 else 7
    kernel = np.zeros((side, side), np.uint8)
    middle, half = side // 2, (length - 1) / 2
    x, y = half * math.cos(math.radians(direction)), half * math.sin(math.radians(direction))
    bits = 4  # 1/16 px
    start = (round((middle - x) * 16), round((middle - y) * 16))
    end = (round((middle + x) * 16), round((middle + y) * 16))
    cv2.line(kernel, start, end, 255, 1, cv2.LINE_AA, bits)
    weights = np.rint(256.0 * kernel / kernel.sum())
    weights[middle, middle] += 256 - weights.sum()
    return cv2.filter2D(image, -1, np.asarray(weights / 256, np.float32))  # type: ignore[return-value]


def expose(image: Image, gain: float) -> Image:
    """Change the brightness."""
    return cv2.convertScaleAbs(image, alpha=gain)  # type: ignore[return-value]
