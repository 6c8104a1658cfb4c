"""Draw a varied scene. docs/synthetic.md documents the resulting statistics."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from ....geometry.polygon import clip_to_image
from ....structures import Image
from ...geometric import shift
from .. import warp
from ..background import crop_photo, draw_background, paint_background
from ..colour import draw_tint
from ..compose import draw_panel_look
from ..corpus import Corpus
from ..fonts import Face, Fonts, Script
from ..layout import BASE_SIDE, Layout
from ..props import draw_props
from ..region import Region
from ..render import MIN_PIECE_PX2, MIN_VISIBLE, choose_levels, draw_panel, word_outline
from ..scene import Block, Line, Word
from .kinds import FILLING, BlockKind, draw_kind, draw_texts
from .legibility import Drawn, Painted, judge, thickness
from .lettering import Inks, draw_painter
from .light import OCCLUDED_SHARE, apply_light, occlude
from .setting import Style, canvas_of, set_texts

EMPTY_SHARE = 0.05  # of images have no text
FILLING_SHARE = 0.04  # of images have one word that fills them
MAX_MISSES = 2  # consecutive blocks without a free position: the image is full
OTHER_SCRIPT_SHARE = 0.3  # of blocks are Chinese or Japanese, if fonts and texts have them
FACES_PER_SCENE = 3  # few, as in one street; also quicker, because glyphs are reused

MEDIAN_CAP_PX = 26.0  # median height of capitals at BASE_SIDE
CAP_SPREAD = 0.55  # standard deviation of its logarithm
CAP_RANGE_PX = (8.0, 110.0)  # at BASE_SIDE
SMALL_SHARE = 0.07  # of blocks are small print
SMALL_CAP_PX = (4.0, 9.0)
SIZE_GROWTH = 0.35  # the median grows with the side to this power
TOP_GROWTH = 0.6  # the same for the largest text

MARGIN_PER_HEIGHT = 0.8  # space around a block for shadows and glow
CURVE_STEPS = 7  # vertices along the top and the bottom of a bent word


class Palette(NamedTuple):
    """What a scene letters with."""

    faces: tuple[tuple[Script, Face], ...]
    corpus: Corpus
    scripts: tuple[Script, ...]


def draw_scene(
    rng: np.random.Generator, height: int, width: int, fonts: Fonts, corpus: Corpus, photos: tuple[Path, ...] = ()
) -> tuple[Image, list[Region]]:
    """A scene of height × width px: (height, width, 3) RGB, and its regions.

    photos: backgrounds; drawn ones if there are none."""
    background = draw_background(rng)
    if photos:
        image = crop_photo(background, photos[background.seed % len(photos)], height, width)
    else:
        image = paint_background(background, height, width)
    layout, palette = Layout(height, width), draw_palette(rng, fonts, corpus)
    blocks = _draw_blocks(rng, layout, palette)
    for prop in draw_props(rng, layout):
        prop.paint(image)
    for block, _ in blocks:
        if block.panel is not None:
            draw_panel(image, block, block.panel)
    drawn = [region for block, kind in blocks for region in _paint_block(rng, image, block, kind)]
    heights = [one.region.height for one in drawn if one.region.height >= 8] or [15.0]
    typical = float(np.percentile(heights, 25))
    if rng.random() < OCCLUDED_SHARE:
        occlude(rng, image, typical)
    image, light = apply_light(rng, image, typical)
    return image, [judge(one, light, height, width) for one in drawn]


def draw_palette(rng: np.random.Generator, fonts: Fonts, corpus: Corpus) -> Palette:
    """A few faces for one scene: Latin ones, and a Chinese or Japanese one in the end if there is any."""
    scripts = tuple(script for script in fonts.scripts if script in corpus.lines)
    others = [script for script in scripts if script != "latin"]
    faces: list[tuple[Script, Face]] = [("latin", fonts.draw(rng, "latin")) for _ in range(FACES_PER_SCENE)]
    if others:
        other = others[int(rng.integers(len(others)))]
        faces.append((other, fonts.draw(rng, other)))
    return Palette(tuple(faces), corpus, scripts)


def _draw_blocks(rng: np.random.Generator, layout: Layout, palette: Palette) -> list[tuple[Block, BlockKind]]:
    blocks: list[tuple[Block, BlockKind]] = []
    regions, misses = 0, 0
    fill = rng.random() < FILLING_SHARE
    wanted = 0 if rng.random() < EMPTY_SHARE else max(1, round(rng.uniform(1.5, 12.0) * layout.growth))
    while regions < wanted and misses < MAX_MISSES:
        kind = FILLING if fill and not blocks else draw_kind(rng, palette.scripts)
        block = draw_block(rng, kind, palette, layout)
        if block is None:
            misses += 1
            fill = False
        else:
            misses = 0
            blocks.append((block, kind))
            regions += sum(len(line.words) for line in block.lines)
    return blocks


def draw_block(rng: np.random.Generator, kind: BlockKind, palette: Palette, layout: Layout) -> Block | None:
    """A block on a free position; None if there is none, or if nothing fits."""
    script, face = palette.faces[int(rng.integers(FACES_PER_SCENE))]
    if len(palette.faces) > FACES_PER_SCENE and (kind.setting == "columns" or rng.random() < OTHER_SCRIPT_SHARE):
        script, face = palette.faces[-1]
    filling = kind is FILLING
    angle = _draw_angle(rng) if not filling else float(rng.normal(0.0, 4.0))
    view = _draw_view(rng)
    cos, sin = abs(math.cos(math.radians(angle))), abs(math.sin(math.radians(angle)))
    share = float(rng.uniform(0.6, 0.97)) if filling else 0.85
    across = share * min(layout.width / max(cos, 1e-6), layout.height / max(sin, 1e-6))
    down = share * min(layout.height / max(cos, 1e-6), layout.width / max(sin, 1e-6))
    texts = draw_texts(rng, kind, script, face, palette.corpus)
    style = _draw_style(rng, kind, script, face, math.sqrt(layout.height * layout.width))
    if filling:
        wide = 0.9 * len(texts[0][0]) if script != "latin" else 0.75 * len(texts[0][0])
        style = style._replace(cap_height=min(across / wide, 0.7 * down), padding=0.1, tracking=0.0)
    canvas = set_texts(texts, kind.setting, style, (across, down))
    bend_draw, upwards = rng.random(2)
    panel = draw_panel_look(rng) if rng.random() < kind.panel else None
    overhang = 0.3 if rng.random() < 0.06 else 0.0
    ink = rng.random(4)
    tint = draw_tint(rng)
    if canvas is None:
        return None
    bend, size = None, canvas.size
    strongest = min(2.4, canvas.size[0] / (1.3 * canvas.size[1]))  # radians; above it the inside of letters folds
    if bend_draw < kind.bend and strongest >= 0.5:
        bend = warp.Bend(canvas.size[0] / (0.4 + bend_draw / kind.bend * (strongest - 0.4)), bool(upwards < 0.65))
        size = warp.bent_size(canvas.size, bend)
    outline = warp.canvas_quad(size, warp.placement_matrix(size, canvas.scale, (0.0, 0.0), angle, view))
    centre = layout.place(rng, outline, overhang)
    if centre is None:
        return None
    matrix = warp.placement_matrix(size, canvas.scale, centre, angle, view)
    contrast = 20 + 40 * float(ink[0]) if ink[1] < 0.25 else 55 + 140 * float(ink[0])
    lines = tuple(Line(tuple(line), contrast, bool(ink[2] < 0.5), tint, False) for line in canvas.lines if line)
    return Block(lines, size, matrix, canvas.scale, angle, "clear", bend, canvas.size, panel)


def _draw_style(rng: np.random.Generator, kind: BlockKind, script: Script, face: Face, side: float) -> Style:
    growth = max(1.0, side / BASE_SIDE)
    cap = MEDIAN_CAP_PX * kind.size * growth**SIZE_GROWTH * math.exp(CAP_SPREAD * float(rng.standard_normal()))
    cap = min(max(cap, CAP_RANGE_PX[0]), CAP_RANGE_PX[1] * growth**TOP_GROWTH)
    if rng.random() < SMALL_SHARE:
        cap = float(rng.uniform(*SMALL_CAP_PX))
    tracking = float(rng.uniform(0.08, 0.4)) if rng.random() < 0.12 else 0.0
    word_gap = (0.16, 0.3, 0.55, 1.3)
    band = int(rng.choice(3, p=(0.35, 0.45, 0.2)))
    return Style(
        face,
        script,
        cap,
        tracking,
        word_gap=float(rng.uniform(word_gap[band], word_gap[band + 1])) + (0.15 if script != "latin" else 0.0),
        line_gap=float(rng.uniform(0.15, 0.9)),
        padding=float(rng.uniform(0.2, 0.8)),
        align=(0.0, 0.0, 0.5, 0.5, 1.0)[int(rng.integers(5))],
    )


def _draw_angle(rng: np.random.Generator) -> float:
    """Degrees: most text is nearly horizontal, some turned by any angle, some by a quarter."""
    kind = rng.random()
    if kind < 0.45:
        return float(rng.normal(0.0, 3.0))
    for share, reach in ((0.62, 10.0), (0.78, 30.0), (0.87, 45.0)):
        if kind < share:
            return float(rng.uniform(-reach, reach))
    if kind < 0.95:
        return float(rng.choice((-90.0, 90.0)) + rng.normal(0.0, 4.0))
    return float(rng.uniform(-180.0, 180.0))


def _draw_view(rng: np.random.Generator) -> tuple[float, float, float]:
    """Shear and perspective, see `warp.placement_matrix`; none for four in ten blocks, strong for one in six."""
    strength, lean, across, down = (float(share) - 0.5 for share in rng.random(4))
    if strength < -0.1:
        return 0.0, 0.0, 0.0
    reach = 1.5 if strength > 0.33 else 1.0
    return 0.6 * reach * lean, 0.6 * reach * across, 0.4 * reach * down


def _paint_block(rng: np.random.Generator, image: Image, block: Block, kind: BlockKind) -> list[Drawn]:
    """Paint the words of a block; returns those of which a part is in the image."""
    words = [word for line in block.lines for word in line.words]
    canvas = canvas_of(words, block.flat_size)
    if block.bend is not None:
        canvas = warp.bend_mask(canvas, block.bend)
    tallest = max(min(word.mask.shape) for word in words) * block.scale
    quad = warp.canvas_quad(block.size, block.to_image)
    margin = 2 + math.ceil(MARGIN_PER_HEIGHT * tallest)
    low = np.maximum(np.floor(quad.min(axis=0)).astype(int) - margin, 0)
    high = np.minimum(np.ceil(quad.max(axis=0)).astype(int) + margin + 1, image.shape[1::-1])
    if (high <= low).any():
        return []
    box = (slice(low[1], high[1]), slice(low[0], high[0]))
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    mask = cv2.warpPerspective(canvas, shift(-low[0], -low[1]) @ block.to_image, size)
    patch = image[box]
    before = cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY)
    ink, rim, _ = choose_levels(before, mask, block.lines[0], block)
    inks = Inks(ink, rim, (ink + rim) / 2, block.lines[0].tint)
    draw_painter(rng)(patch, mask, inks, tallest, rng)
    painted = Painted(mask, before, cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY), low)
    return [drawn for word in words if (drawn := _label(word, block, kind, painted, image)) is not None]


def _label(word: Word, block: Block, kind: BlockKind, painted: Painted, image: Image) -> Drawn | None:
    """The region of a word with the contrast that painting gave it; None outside the image."""
    outline = word_outline(word, block, CURVE_STEPS)
    pieces = clip_to_image(outline, image.shape[0], image.shape[1])
    visible = cv2.contourArea(pieces[0]) if pieces else 0.0
    if visible < MIN_PIECE_PX2:
        return None
    contrast, clutter = painted.contrast(pieces[0])
    is_column = kind.setting in ("stacked", "columns")
    height = (word.mask.shape[1] if is_column else word.mask.shape[0]) * block.scale
    cut = visible < MIN_VISIBLE * cv2.contourArea(outline)
    region = Region(pieces[0], cut, word.text, height, kind.name, contrast, block.angle)
    return Drawn(region, thickness(outline, is_column), clutter)
