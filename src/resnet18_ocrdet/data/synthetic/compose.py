"""Draw the content of a scene from a random generator. docs/synthetic.md documents the resulting statistics."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ..photometric import Change
from . import warp
from .background import Background, draw_background
from .colour import GREY, draw_tint, tinted
from .effects import draw_effects
from .glyphs import CHINESE_FACE, DRAWS_CHINESE, LATIN_FACES, WEIGHTS
from .layout import BASE_SIDE, Layout
from .props import Prop, draw_props
from .scene import Block, Legibility, Line, Panel, Word
from .typeset import Style, set_block
from .words import draw_chinese_run, draw_latin_word

MAX_MISSES = 4  # consecutive blocks without a free position: the image is full
EMPTY_SHARE = 0.065  # share of images without text
DONT_CARE_SHARE = 0.06  # of blocks
UNCLEAR: tuple[Legibility, ...] = ("tiny", "faint", "smeared")
CHINESE_SHARE = 0.2  # of blocks
CUT_SHARE = 0.05  # of blocks may extend beyond the image, by CUT_OVERHANG of their box
CUT_OVERHANG = 0.3

MEDIAN_CAP_PX = 24.0  # median height of capitals at BASE_SIDE; gives the word heights of ICDAR2015
CAP_SPREAD = 0.50  # standard deviation of its logarithm
CAP_RANGE_PX = (13.0, 62.0)  # at BASE_SIDE
MIN_INK_PX = 12.0  # height of a word's ink: the 5 % quantile of ICDAR2015's care words
SIZE_GROWTH = 0.35  # the median grows with the side to this power; the smallest text does not grow
TOP_GROWTH = 0.5  # the same for the largest text

LOW_CONTRAST_SHARE = 0.25  # of lines
LOW_CONTRAST = (30.0, 55.0)  # luminance difference; at least 30 for a region that is scored
FULL_CONTRAST = (55.0, 190.0)
ONE_INK_SHARE = 0.75  # of blocks use one ink for all lines
FAINT_CONTRAST = (6.0, 13.0)  # don't-care: hard to read


class BlockKind(NamedTuple):
    """A kind of text block."""

    share: float  # of blocks
    lines: tuple[int, int]  # smallest, largest number
    words: tuple[int, int]  # per line
    panel: float  # probability of a board behind it
    bend: float  # probability of bending, if the line is long enough
    size: float  # factor for the height of capitals


KINDS = (
    BlockKind(0.38, (1, 3), (1, 3), panel=1.0, bend=0.0, size=1.0),  # a sign
    BlockKind(0.50, (1, 1), (1, 3), panel=0.0, bend=0.36, size=1.15),  # a single line
    BlockKind(0.12, (2, 5), (2, 4), panel=0.5, bend=0.0, size=0.8),  # a paragraph
)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One image, not rendered yet."""

    height: int
    width: int
    background: Background
    blocks: tuple[Block, ...]
    props: tuple[Prop, ...]
    effects: tuple[Change, ...]


def draw_scene(rng: np.random.Generator, height: int, width: int, faces: tuple[str, ...] = LATIN_FACES) -> Scene:
    """Draw the content of a scene of height × width px."""
    background = draw_background(rng)
    layout = Layout(height, width)
    blocks: list[Block] = []
    regions, misses = 0, 0
    wanted = 0 if rng.random() < EMPTY_SHARE else max(1, round(rng.uniform(1.5, 9.0) * layout.growth))
    while regions < wanted and misses < MAX_MISSES:
        block = _draw_block(rng, faces, layout)
        if block is None:
            misses += 1
        else:
            misses = 0
            blocks.append(block)
            regions += sum(len(line.words) for line in block.lines)
    props = draw_props(rng, layout)
    return Scene(height, width, background, tuple(blocks), props, draw_effects(rng, blocks, height, width))


def _draw_block(rng: np.random.Generator, faces: tuple[str, ...], layout: Layout) -> Block | None:
    kind = KINDS[int(rng.choice(len(KINDS), p=[kind.share for kind in KINDS]))]
    legibility: Legibility = "clear"
    if rng.random() < DONT_CARE_SHARE:
        legibility = UNCLEAR[int(rng.integers(len(UNCLEAR)))]
    chinese = bool(rng.random() < CHINESE_SHARE) and DRAWS_CHINESE
    style = _draw_style(rng, kind, legibility == "tiny", chinese, faces, math.sqrt(layout.height * layout.width))
    angle = _draw_angle(rng)
    texts = _draw_texts(rng, kind, legibility, chinese)
    panel = draw_panel_look(rng) if rng.random() < kind.panel else None
    bend_draw, bend_upwards = rng.random(2)
    view = _draw_view(rng)
    overhang = CUT_OVERHANG if rng.random() < CUT_SHARE else 0.0
    cos, sin = abs(math.cos(math.radians(angle))), abs(math.sin(math.radians(angle)))
    reach = 0.85 * min(layout.width / max(cos, 1e-6), layout.height / max(sin, 1e-6))  # of a line in the image
    setting = set_block(texts, style, chinese, reach, 0.0 if legibility == "tiny" else MIN_INK_PX)
    if setting is None:
        return None
    words, flat_size, scale = setting
    strongest = min(1.9, flat_size[0] / (1.3 * flat_size[1]))  # radians; above it the inner side of the letters folds
    bend, size = None, flat_size
    if bend_draw < kind.bend and legibility == "clear" and strongest >= 0.6:  # not for a short line
        turn = 0.5 + bend_draw / kind.bend * (strongest - 0.5)
        bend = warp.Bend(flat_size[0] / turn, upwards=bool(bend_upwards < 0.65))
        size = warp.bent_size(flat_size, bend)
    outline = warp.canvas_quad(size, warp.placement_matrix(size, scale, (0.0, 0.0), angle, view))
    centre = layout.place(rng, outline, overhang)
    if centre is None:
        return None
    matrix = warp.placement_matrix(size, scale, centre, angle, view)
    lines = _draw_inks(rng, words, legibility)
    return Block(lines, size, matrix, scale, angle, legibility, bend, flat_size, panel)


def _draw_style(
    rng: np.random.Generator, kind: BlockKind, is_tiny: bool, chinese: bool, faces: tuple[str, ...], side: float
) -> Style:
    growth = max(1.0, side / BASE_SIDE)
    cap = MEDIAN_CAP_PX * kind.size * growth**SIZE_GROWTH * math.exp(CAP_SPREAD * float(rng.standard_normal()))
    cap = min(max(cap, CAP_RANGE_PX[0]), CAP_RANGE_PX[1] * growth**TOP_GROWTH)
    if is_tiny:
        cap = float(rng.uniform(3.5, 5.0))
    face = faces[int(rng.integers(len(faces)))]
    tracking = float(rng.uniform(0.1, 0.35)) if rng.random() < 0.12 and not is_tiny else 0.0
    return Style(
        face=CHINESE_FACE if chinese and face in LATIN_FACES else face,
        cap_height=cap,
        weight=WEIGHTS[int(rng.integers(len(WEIGHTS)))],
        tracking=tracking,
        word_gap=float(rng.uniform(0.7, 1.0)),
        line_gap=float(rng.uniform(0.45, 1.0)),
        padding=float(rng.uniform(0.35, 0.9)) if kind.panel else 0.35,
        centred=bool(rng.random() < 0.6),
    )


def _draw_angle(rng: np.random.Generator) -> float:
    """Degrees: most text is horizontal, some is slanted, little is vertical."""
    kind = rng.random()
    if kind < 0.60:
        return float(rng.normal(0.0, 3.0))
    if kind < 0.90:
        return float(rng.uniform(-25.0, 25.0))
    if kind < 0.96:
        return float(rng.uniform(-60.0, 60.0))
    return float(rng.choice((-90.0, 90.0)) + rng.normal(0.0, 3.0))


def _draw_texts(rng: np.random.Generator, kind: BlockKind, legibility: Legibility, chinese: bool) -> list[list[str]]:
    case = ("upper", "title", "lower")[int(rng.integers(3))]
    lines = []
    for _ in range(int(rng.integers(kind.lines[0], kind.lines[1] + 1))):
        count = int(rng.integers(kind.words[0], kind.words[1] + 1))
        words = [draw_chinese_run(rng) if chinese else draw_latin_word(rng, case) for _ in range(count)]
        lines.append([" ".join(words)] if legibility == "tiny" else words)  # unreadably small print is one region
    return lines


def _draw_view(rng: np.random.Generator) -> tuple[float, float, float]:
    """Shear and perspective, see `warp.placement_matrix`; none for half of the blocks."""
    strength, lean, across, down = (float(share) for share in rng.random(4))
    if strength < 0.5:
        return 0.0, 0.0, 0.0
    return 0.5 * (lean - 0.5), 0.5 * (across - 0.5), 0.3 * (down - 0.5)


def draw_panel_look(rng: np.random.Generator) -> Panel:
    """A board, opaque in most draws, sometimes with a rim."""
    return Panel(
        colour=tinted(float(rng.uniform(20.0, 238.0)), draw_tint(rng)),
        opacity=1.0 if rng.random() < 0.75 else float(rng.uniform(0.55, 0.9)),
        border=int(rng.integers(1, 4)) if rng.random() < 0.4 else 0,
        rim=tinted(float(rng.uniform(10.0, 245.0)), GREY),
    )


def _draw_inks(rng: np.random.Generator, lines: list[list[Word]], legibility: Legibility) -> tuple[Line, ...]:
    """Ink for each line; most blocks use one ink for all lines."""
    drawn = []
    for words in lines:
        low = rng.random() < LOW_CONTRAST_SHARE
        contrast = float(rng.uniform(*(LOW_CONTRAST if low else FULL_CONTRAST)))
        if legibility == "faint":
            contrast = float(rng.uniform(*FAINT_CONTRAST))
        outline = bool(rng.random() < 0.12) and legibility == "clear"
        drawn.append(Line(tuple(words), contrast, bool(rng.random() < 0.5), draw_tint(rng), outline))
    if rng.random() < ONE_INK_SHARE:
        drawn = [replace(drawn[0], words=line.words) for line in drawn]
    return tuple(drawn)
