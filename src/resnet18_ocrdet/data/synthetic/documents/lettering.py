"""Words drawn at once, by OpenCV where it can: its cache of glyphs makes a word cost microseconds."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ..fonts import Face, draw_text
from ..glyphs import INK_LEVEL, opencv_face

LEAST_SPACE = 0.24  # em; the advance of a blank is rounded
LEAST_GAP = 2  # px between the inks of two words, as far as rounding allows
OVERHANGING = "jf"  # letters whose ink extends beyond their advance, to the left and to the right
LARGE_SIZE = 100  # px per em, at which a fraction of a pixel does not matter
TALLEST = "Åbdfgjpqy(|"  # the highest and the lowest parts of Latin letters


class Font(NamedTuple):
    """A face at a size."""

    face: Face
    size: int  # px per em


class Metrics(NamedTuple):
    """Measures of a font, px."""

    ascent: int  # of the highest ink above the baseline
    descent: int  # of the lowest ink below it
    x_height: float
    space: int  # advance of a blank

    @property
    def height(self) -> int:
        """From the highest to the lowest ink."""
        return self.ascent + self.descent


def put(canvas: NDArray[np.uint8], text: str, x: int, baseline: int, font: Font) -> int:
    """Draw a text in 255 on a (H, W) canvas. Returns the x of the pen after it."""
    face = font.face
    if face.opencv:
        end, _ = cv2.putText(canvas, text, (x, baseline), (255,), opencv_face(face.path), font.size, face.weight)
        return int(end[0])
    ink = draw_text(face, text, font.size)
    top, left = max(baseline + ink.top, 0), max(x + ink.left, 0)
    mask = ink.mask[top - baseline - ink.top :, left - x - ink.left :]
    part = canvas[top : top + len(mask), left : left + mask.shape[1]]
    np.maximum(part, mask[: part.shape[0], : part.shape[1]], out=part)
    return x + ink.advance


@lru_cache(maxsize=65536)  # strings and numbers: about 10 MB
def advance(text: str, font: Font) -> int:
    """Width of a text with its side bearings, px."""
    return put(np.zeros((1, 1), np.uint8), text, 0, 0, font)


@lru_cache(maxsize=16384)
def metrics(font: Font) -> Metrics:
    """Measures of a font."""
    ascent, descent, x_height, blank, overhang = (share * font.size for share in _shares(font.face))
    space = max(blank, LEAST_SPACE * font.size, overhang + LEAST_GAP)
    return Metrics(math.ceil(ascent), math.ceil(descent), x_height, math.ceil(space))


@lru_cache(maxsize=4096)
def _shares(face: Face) -> tuple[float, float, float, float, float]:
    """Ascent, descent, x-height, blank and overhang of a face, in em."""
    font = Font(face, LARGE_SIZE)
    _, top, _, bottom = _ink(TALLEST if face.scripts == ("latin",) else TALLEST + "国", font)
    space = advance("n n", font) - advance("nn", font)
    left, _, right, _ = _ink(OVERHANGING, font)
    overhang = right - left - advance(OVERHANGING, font)
    measures = (-top, bottom, -_ink("x", font)[1], space, max(overhang, 0))
    ascent, descent, x_height, blank, beyond = (measure / LARGE_SIZE for measure in measures)
    return ascent, descent, x_height, blank, beyond


def _ink(text: str, font: Font) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a text's ink, relative to the pen on the baseline, px; the last two exclusive."""
    canvas = np.zeros((4 * font.size, (len(text) + 2) * 2 * font.size), np.uint8)
    put(canvas, text, font.size, 2 * font.size, font)
    _, ink = cv2.threshold(canvas, INK_LEVEL, 255, cv2.THRESH_BINARY)
    left, top, width, height = cv2.boundingRect(ink)
    left, top = left - font.size, top - 2 * font.size
    return left, top, left + width, top + height
