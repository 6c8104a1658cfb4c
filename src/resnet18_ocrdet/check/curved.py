"""Curved text in a box of four corners, told by the pixels: the ink of a curved line bows inside a straight box.

Legend: the box is straightened to a strip of BAND rows; its columns run along the text.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from resnet18_ocrdet.check.measure import Grey
from resnet18_ocrdet.structures import Polygon

BAND = 32  # rows of the strip
LEAST_ASPECT = 1.8  # length over height: shorter boxes hold too few letters to show a line
LONGEST_ASPECT = 16  # what is longer is scaled to it
LEAST_HEIGHT = 14.0  # px: below that, a letter is too few pixels high
LETTER = np.ones((1, 21), np.uint8)  # columns of about one letter: its highest and lowest ink stand for the edges
LEAST_CONTRAST = 40  # levels between ink and paper


class Bow(NamedTuple):
    """How the ink of a box bends."""

    top: float  # rise of the upper edge of the ink from the ends to the middle, as a share of the box's height
    bottom: float  # the same of its lower edge; both of one sign for a bent line
    fit: float  # 0..1: share of the edges' ups and downs that the bend explains
    letters: float  # height of a letter, as a share of the box's height
    filled: float  # 0..1: share of the columns with ink


LEAST_BEND = 0.15  # of the box's height, for both edges of the ink
MOST_UNEVEN = 2.0  # times: between the bends of the two edges; a long first letter bends only one
LEAST_FIT = 0.6
MOST_LETTERS = 0.66  # of the box's height: letters that fill their box leave no room to bend
# Of 2,046 boxes of photos 1-900 of ICDAR 2015 that are large and clear enough, these limits name one: it is bent.


def is_curved(grey: Grey, quad: Polygon) -> bool:
    """Whether the text in a box of four corners bends. grey: the whole image."""
    strip = strip_of(grey, quad)
    found = bow(strip) if strip is not None else None
    return found is not None and bends(found)


def bends(found: Bow) -> bool:
    """Whether a bow is one of the line, not of its letters: both edges alike, closely fitted, with room to bend."""
    if found.top * found.bottom <= 0:
        return False
    less, more = sorted((abs(found.top), abs(found.bottom)))
    even = less >= LEAST_BEND and more <= MOST_UNEVEN * less
    return even and found.fit >= LEAST_FIT and found.letters <= MOST_LETTERS


def strip_of(grey: Grey, quad: Polygon) -> Grey | None:
    """Straighten a quad, its longer pair of sides across: (BAND, columns); None for what is too short or too low."""
    quad = np.asarray(quad, np.float32)
    sides = np.linalg.norm(np.roll(quad, -1, axis=0) - quad, axis=1)
    length, height = float(sides[0] + sides[2]) / 2, float(sides[1] + sides[3]) / 2
    if length < height:
        quad, length, height = np.roll(quad, -1, axis=0), height, length
    if height < LEAST_HEIGHT or length < LEAST_ASPECT * height:
        return None
    columns = round(BAND * min(length / height, LONGEST_ASPECT))
    right, low = columns - 1, BAND - 1
    target = np.array([[0, 0], [right, 0], [right, low], [0, low]], np.float32)
    matrix = cv2.getPerspectiveTransform(quad, target)
    if height > 2 * BAND:  # a large step between the pixels would pick noise
        grey, matrix = _halved(grey, quad, target, height)
    return np.asarray(cv2.warpPerspective(grey, matrix, (columns, BAND), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def bow(strip: Grey) -> Bow | None:
    """Fit a parabola to the upper and to the lower edge of the ink; None where ink and paper are not told apart."""
    _, binary = cv2.threshold(strip, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    bright = binary.astype(bool)
    if not 0 < bright.mean() < 1 or strip[bright].mean() - strip[~bright].mean() < LEAST_CONTRAST:
        return None
    border = np.concatenate([bright[0], bright[-1]])
    ink = ~bright if border.mean() >= 0.5 else bright
    filled = ink.sum(axis=0) >= 2
    if filled.sum() < BAND:
        return None
    rows = np.where(filled, ink.argmax(axis=0), BAND).astype(np.uint8)[None]
    upper = cv2.erode(rows, LETTER, borderType=cv2.BORDER_REPLICATE)[0].astype(np.float64)
    rows = np.where(filled, BAND - 1 - ink[::-1].argmax(axis=0), 0).astype(np.uint8)[None]
    lower = cv2.dilate(rows, LETTER, borderType=cv2.BORDER_REPLICATE)[0].astype(np.float64)
    known = upper < lower
    if known.sum() < BAND:
        return None
    across = np.linspace(-1, 1, strip.shape[1])[known]
    top, top_fit = _bend(across, upper[known])
    bottom, bottom_fit = _bend(across, lower[known])
    letters = float(np.median(lower[known] - upper[known] + 1)) / BAND
    return Bow(top / BAND, bottom / BAND, min(top_fit, bottom_fit), letters, float(known.mean()))


def _bend(across: NDArray[np.float64], edge: NDArray[np.float64]) -> tuple[float, float]:
    """Rise of a parabola from its ends to its middle, rows, positive upwards; and the share of the variance it takes
    from what a straight line leaves."""
    straight = edge - np.polyval(np.polyfit(across, edge, 1), across)
    factors = np.polyfit(across, edge, 2)
    bent = edge - np.polyval(factors, across)
    left = float(np.square(straight).sum())
    return float(factors[0]), 1 - float(np.square(bent).sum()) / left if left > 0 else 0.0


def _halved(
    grey: Grey, quad: NDArray[np.float32], target: NDArray[np.float32], height: float
) -> tuple[Grey, NDArray[np.float64]]:
    """A reduced window round a large quad, and its matrix."""
    low = np.maximum(np.floor(quad.min(axis=0)).astype(int), 0)
    high = np.ceil(quad.max(axis=0)).astype(int) + 1
    window = grey[low[1] : high[1], low[0] : high[0]]
    if min(window.shape) < 2:
        return grey, np.asarray(cv2.getPerspectiveTransform(quad, target))
    scale = BAND / height
    size = (max(2, round(window.shape[1] * scale)), max(2, round(window.shape[0] * scale)))
    small = np.asarray(cv2.resize(window, size, interpolation=cv2.INTER_AREA), np.uint8)
    factors = np.array([size[0] / window.shape[1], size[1] / window.shape[0]])
    corners = ((quad - low + 0.5) * factors - 0.5).astype(np.float32)
    return small, np.asarray(cv2.getPerspectiveTransform(corners, target))
