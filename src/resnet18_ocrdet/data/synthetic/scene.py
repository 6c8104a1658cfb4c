"""Description of a scene, drawn before it is rendered.

Two coordinate frames: a *block* (a sign, a line, a paragraph) is typeset on a flat canvas, larger than in the image;
`to_image` maps canvas pixels (x, y) to image pixels. Luminance is 0..255, Rec. 601 weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Legibility = Literal["clear", "tiny", "faint", "smeared"]
"""Whether text is readable; all but "clear" is labelled don't-care."""

Tint = tuple[float, float, float]
"""Colour without luminance, RGB, about -1..1, to be added to a grey level."""


@dataclass(frozen=True, slots=True, eq=False)
class Word:
    """One region."""

    text: str
    mask: NDArray[np.uint8]  # (h, w) coverage 0..255, cropped to the ink
    x: int  # canvas px of the mask's left column
    y: int  # canvas px of the mask's top row
    chinese: bool


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """Words in one ink."""

    words: tuple[Word, ...]
    contrast: float  # |text - background| in luminance
    lighter: bool  # text lighter than the background; reversed if the background is too light or dark for it
    tint: Tint
    outline: bool  # thin outline, darker than the background for light text and vice versa


@dataclass(frozen=True, slots=True)
class Bend:
    """A canvas bent along a circle."""

    radius: float  # of the canvas's middle row, canvas px
    upwards: bool  # the middle of the line is its highest point


@dataclass(frozen=True, slots=True)
class Panel:
    """The board behind a block."""

    luminance: float
    tint: Tint
    opacity: float  # 0..1
    border: int  # width in image px, 0 for none
    border_luminance: float


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Lines on one surface."""

    lines: tuple[Line, ...]
    size: tuple[int, int]  # canvas (width, height), after bending
    to_image: NDArray[np.float64]  # (3, 3)
    scale: float  # image px per canvas px at the centre
    angle: float  # of the reading direction, degrees, clockwise on screen
    legibility: Legibility
    bend: Bend | None
    flat_size: tuple[int, int]  # canvas (width, height) before bending
    panel: Panel | None


@dataclass(frozen=True, slots=True)
class Background:
    """The background of a scene."""

    seed: int  # of the random generator that paints it
    luminance: float  # mean, 0..255
    spread: float  # largest deviation from the mean
    texture: float  # amplitude of the surface's grain, grey levels
    clutter: tuple[str, ...]  # names of painters in clutter.py, in drawing order


@dataclass(frozen=True, slots=True, eq=False)
class Prop:
    """An object that a threshold may mistake for text; drawn where there is no text."""

    kind: str  # a painter in props.py
    centre: tuple[float, float]  # image px
    size: tuple[float, float]  # image px (width, height)
    angle: float  # degrees
    luminance: float
    tint: Tint
    seed: int


@dataclass(frozen=True, slots=True)
class Shadow:
    """A darker part of the image with a soft edge."""

    outline: tuple[tuple[float, float], ...]  # (x, y) as fractions of the image
    strength: float  # remaining light, 0..1
    softness: float  # standard deviation of the edge, fraction of the shorter side


@dataclass(frozen=True, slots=True)
class Effects:
    """Camera effects; 0 or None switches one off."""

    gain: float
    shadow: Shadow | None
    blur: float  # standard deviation of a Gaussian, px
    motion: tuple[int, float] | None  # length in px, direction in degrees
    noise: float  # standard deviation, grey levels
    noise_shift: tuple[int, int]  # offset of the noise tile
    jpeg: int  # quality 1..100, 0 for none


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One image, not rendered yet."""

    height: int
    width: int
    background: Background
    blocks: tuple[Block, ...]
    props: tuple[Prop, ...]
    effects: Effects
