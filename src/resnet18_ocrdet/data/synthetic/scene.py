"""Description of the text in a scene, drawn before it is rendered.

Two coordinate frames: a *block* (a sign, a line, a paragraph) is typeset on a flat canvas, larger than in the image;
`to_image` maps canvas pixels (x, y) to image pixels. Luminance is 0..255, Rec. 601 weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .colour import Colour, Tint
from .warp import Bend

Legibility = Literal["clear", "tiny", "faint", "smeared"]
"""Whether text is readable; all but "clear" is labelled don't-care."""


@dataclass(frozen=True, slots=True, eq=False)
class Word:
    """One region."""

    text: str
    mask: NDArray[np.uint8]  # (h, w) coverage 0..255, cropped to the ink
    x: int  # canvas px of the mask's left column
    y: int  # canvas px of the mask's top row


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """Words in one ink."""

    words: tuple[Word, ...]
    contrast: float  # |text - background| in luminance
    lighter: bool  # text lighter than the background; reversed if the background is too light or dark for it
    tint: Tint
    outline: bool  # thin outline, darker than the background for light text and vice versa


class Panel(NamedTuple):
    """The board behind a block."""

    colour: Colour
    opacity: float  # 0..1
    border: int  # width in image px, 0 for none
    rim: Colour  # of the border


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
