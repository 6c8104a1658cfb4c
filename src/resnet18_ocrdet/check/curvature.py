"""Curved text: by its pixels in a box with four corners, or by its polygon.

The box is rectified to a strip of STRIP_ROWS rows whose columns follow the text. The ink of a curved line bends in it.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry.polygon import min_area_quad
from ..structures import Polygon
from .sharpness import Grey, averaged, window_of

STRIP_ROWS = 32
MIN_STRIP_ASPECT = 1.8  # length / height: shorter boxes have too few letters
MAX_STRIP_ASPECT = 16  # longer boxes are scaled to it
MIN_HEIGHT = 14.0  # px: smaller letters have too few pixels
LETTER = np.ones((1, 21), np.uint8)  # about one letter wide: its highest and lowest ink are the edges of the line
MIN_CONTRAST = 40  # levels between ink and paper


class InkCurve(NamedTuple):
    """The bend of the ink in a box."""

    top: float  # rise of the upper edge of the ink from its ends to its middle / height of the box
    bottom: float  # the same for the lower edge; same sign if the line is curved
    fit: float  # 0..1: explained variance of the edges
    letters: float  # letter height / height of the box


MIN_BEND = 0.15  # of the box's height, for both edges
MAX_UNEVEN = 2.0  # ratio of the bends of the two edges; a tall first letter bends only one
MIN_FIT = 0.6
MAX_LETTERS = 0.66  # of the box's height: larger letters have no room to bend
# Of 2,046 large and clear boxes in photos 1-900 of ICDAR 2015, these limits report one, and it is curved.
BEND_PX = 96  # length to which a polygon is scaled before its bend is measured


def is_curved(grey: Grey, quad: Polygon) -> bool:
    """Whether the text in a box with four corners is curved. grey: the whole image."""
    strip = strip_of(grey, quad)
    return strip is not None and (found := fit_curve(strip)) is not None and is_line_curved(found)


def is_line_curved(found: InkCurve) -> bool:
    """Whether the line bends, and not only some letters: both edges alike, a close fit, and room to bend."""
    if found.top * found.bottom <= 0:
        return False
    less, more = sorted((abs(found.top), abs(found.bottom)))
    even = less >= MIN_BEND and more <= MAX_UNEVEN * less
    return even and found.fit >= MIN_FIT and found.letters <= MAX_LETTERS


def strip_of(grey: Grey, quad: Polygon) -> Grey | None:
    """Rectify a quad, its longer sides horizontal: (STRIP_ROWS, columns); None if it is too short or too low."""
    quad = np.asarray(quad, np.float32)
    sides = np.linalg.norm(np.roll(quad, -1, axis=0) - quad, axis=1)
    length, height = float(sides[0] + sides[2]) / 2, float(sides[1] + sides[3]) / 2
    if length < height:
        quad, length, height = np.roll(quad, -1, axis=0), height, length
    if height < MIN_HEIGHT or length < MIN_STRIP_ASPECT * height:
        return None
    columns = round(STRIP_ROWS * min(length / height, MAX_STRIP_ASPECT))
    right, low = columns - 1, STRIP_ROWS - 1
    target = np.array([[0, 0], [right, 0], [right, low], [0, low]], np.float32)
    if height > 2 * STRIP_ROWS:  # sampling with a large step would pick noise
        window, corners = window_of(grey, quad)
        if min(window.shape) >= 2:
            grey = averaged(window, STRIP_ROWS / height, least=2)
            factors = np.array(grey.shape[::-1]) / np.array(window.shape[::-1])
            quad = ((corners + 0.5) * factors - 0.5).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(quad, target)
    strip = cv2.warpPerspective(grey, matrix, (columns, STRIP_ROWS), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(strip, np.uint8)


def fit_curve(strip: Grey) -> InkCurve | None:
    """Fit a parabola to the upper and to the lower edge of the ink; None without a clear contrast."""
    _, binary = cv2.threshold(strip, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    bright = binary.astype(bool)
    if not 0 < bright.mean() < 1 or strip[bright].mean() - strip[~bright].mean() < MIN_CONTRAST:
        return None
    border = np.concatenate([bright[0], bright[-1]])
    ink = ~bright if border.mean() >= 0.5 else bright
    filled = ink.sum(axis=0) >= 2
    if filled.sum() < STRIP_ROWS:
        return None
    rows = np.where(filled, ink.argmax(axis=0), STRIP_ROWS).astype(np.uint8)[None]
    upper = cv2.erode(rows, LETTER, borderType=cv2.BORDER_REPLICATE)[0].astype(np.float64)
    rows = np.where(filled, STRIP_ROWS - 1 - ink[::-1].argmax(axis=0), 0).astype(np.uint8)[None]
    lower = cv2.dilate(rows, LETTER, borderType=cv2.BORDER_REPLICATE)[0].astype(np.float64)
    known = upper < lower
    if known.sum() < STRIP_ROWS:
        return None
    across = np.linspace(-1, 1, strip.shape[1])[known]
    top, top_fit = _bend(across, upper[known])
    bottom, bottom_fit = _bend(across, lower[known])
    letters = float(np.median(lower[known] - upper[known] + 1)) / STRIP_ROWS
    return InkCurve(top / STRIP_ROWS, bottom / STRIP_ROWS, min(top_fit, bottom_fit), letters)


def _bend(across: NDArray[np.float64], edge: NDArray[np.float64]) -> tuple[float, float]:
    """Rise of a fitted parabola from its ends to its middle (rows, positive upwards), and the fraction of the residual
    variance of a straight line that it explains."""
    straight = edge - np.polyval(np.polyfit(across, edge, 1), across)
    factors = np.polyfit(across, edge, 2)
    bent = edge - np.polyval(factors, across)
    left = float(np.square(straight).sum())
    return float(factors[0]), 1 - float(np.square(bent).sum()) / left if left > 0 else 0.0


def bend_of(polygon: Polygon) -> float:
    """How far the center line of an elongated polygon deviates from a straight line, in units of its thickness.

    0 for a bar, about 1 for an arc that rises by the height of its letters."""
    quad, height = min_area_quad(polygon)
    if np.linalg.norm(quad[1] - quad[0]) < np.linalg.norm(quad[3] - quad[0]):
        quad = np.roll(quad, -1, axis=0)
    length = float(np.linalg.norm(quad[1] - quad[0]))
    along = (quad[1] - quad[0]) / max(length, 1e-6)
    scale = BEND_PX / max(length, 1e-6)
    local = (polygon - quad[0]) @ np.stack([along, [-along[1], along[0]]], axis=1) * scale
    local[:, 1] -= local[:, 1].min()
    mask = np.zeros((int(np.ceil(height * scale)) + 2, BEND_PX + 1), np.uint8)
    cv2.fillPoly(mask, [np.rint(local).astype(np.int32)], 1)
    thickness = mask.sum(axis=0, dtype=np.float64)
    columns = np.flatnonzero(thickness > 0)
    if len(columns) < 2:
        return 0.0
    middle = (mask * np.arange(len(mask))[:, None]).sum(axis=0)[columns] / thickness[columns]
    straight = np.polyval(np.polyfit(columns, middle, 1), columns)
    return float(np.ptp(middle - straight) / np.median(thickness[columns]))
