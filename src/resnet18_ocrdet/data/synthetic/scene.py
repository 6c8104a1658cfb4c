"""What a scene will hold, decided before the first pixel: records without behaviour.

Two frames: a *block* (a sign, a line, a paragraph) is set on its own flat canvas, larger than it will appear;
`to_image` carries canvas pixels (x, y) to image pixels. Luminance is 0..255, Rec. 601 weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Legibility = Literal["clear", "tiny", "faint", "smeared"]
"""Why a person can or cannot read it; everything but "clear" is labelled don't-care."""

Tint = tuple[float, float, float]
"""Colour without luminance, RGB, about -1..1: added to a grey level it gives the colour."""


@dataclass(frozen=True, slots=True, eq=False)
class Word:
    """One region."""

    text: str
    mask: NDArray[np.uint8]  # (h, w) coverage 0..255, cut to the ink
    x: int  # canvas px of the mask's left column
    y: int  # canvas px of the mask's top row
    chinese: bool


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """Words in one ink."""

    words: tuple[Word, ...]
    contrast: float  # wanted |text - background| in luminance
    lighter: bool  # wanted side; the other one is taken where the background leaves no room
    tint: Tint
    outline: bool  # a thin rim on the opposite side of the background


@dataclass(frozen=True, slots=True)
class Bend:
    """A straight canvas laid on a circle."""

    radius: float  # of the canvas' middle row, canvas px
    upwards: bool  # the middle of the line is its highest point


@dataclass(frozen=True, slots=True)
class Panel:
    """The board behind a block."""

    luminance: float
    tint: Tint
    opacity: float  # 0..1
    border: int  # rim width in image px, 0 for none
    border_luminance: float


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Lines that share one surface."""

    lines: tuple[Line, ...]
    size: tuple[int, int]  # canvas (width, height), after bending
    to_image: NDArray[np.float64]  # (3, 3)
    scale: float  # image px per canvas px at the centre
    angle: float  # of the reading direction, degrees, clockwise on screen
    legibility: Legibility
    bend: Bend | None
    flat_size: tuple[int, int]  # canvas (width, height) before bending; equal to `size` without a bend
    panel: Panel | None


@dataclass(frozen=True, slots=True)
class Background:
    """What lies behind everything."""

    seed: int  # of the generator that paints it
    luminance: float  # mean, 0..255
    spread: float  # largest departure of the base from the mean
    texture: float  # amplitude of the surface's grain, grey levels
    clutter: tuple[str, ...]  # names of painters in clutter.py, in order


@dataclass(frozen=True, slots=True, eq=False)
class Prop:
    """Something that looks like text to a threshold and is none; drawn where no text is."""

    kind: str  # a painter in props.py
    centre: tuple[float, float]  # image px
    size: tuple[float, float]  # image px (width, height)
    angle: float  # degrees
    luminance: float
    tint: Tint
    seed: int


@dataclass(frozen=True, slots=True)
class Shadow:
    """A darker part of the picture with a soft edge."""

    outline: tuple[tuple[float, float], ...]  # (x, y) as fractions of the image
    strength: float  # light left inside, 0..1
    softness: float  # standard deviation of the edge, fraction of the shorter side


@dataclass(frozen=True, slots=True)
class Effects:
    """What the camera adds; zero or None switches a part off."""

    gain: float
    shadow: Shadow | None
    blur: float  # standard deviation of a Gaussian, px
    motion: tuple[int, float] | None  # length in px, direction in degrees
    noise: float  # standard deviation, grey levels
    noise_shift: tuple[int, int]  # where the noise tile starts
    jpeg: int  # quality 1..100, 0 for none


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One image, not yet drawn."""

    height: int
    width: int
    background: Background
    blocks: tuple[Block, ...]
    props: tuple[Prop, ...]
    effects: Effects
