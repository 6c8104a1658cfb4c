"""A page with the texts of an image, each where it stands in the image."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from ..data.synthetic.glyphs import CHINESE_FACE, glyph
from ..structures import Image, Polygon

SIZES = (16, 32, 64)  # px per em, in which letters are drawn before they are scaled
HEIGHT_PER_EM = 1.3  # of a line with its ascenders and descenders
WEIGHT = 400
STANDS = 1.5  # times as high as wide: the text runs down
UNSURE = np.array([255, 0, 0])  # color of a text of confidence 0; one of confidence 1 is black


def text_page(height: int, width: int, texts: Iterable[tuple[Polygon, str, float]]) -> Image:
    """(height, width, 3), white, with texts.

    texts: of each the quad, clockwise from its top-left, the text, and its confidence, 0..1: the lower, the redder."""
    page = np.full((height, width, 3), 255, np.uint8)
    for quad, text, confidence in texts:
        low = np.floor(quad.min(axis=0)).clip(0).astype(int)
        high = np.ceil(quad.max(axis=0)).astype(int) + 1
        part = page[low[1] : high[1], low[0] : high[0]]
        if part.size:
            ink = _placed(text, quad - low, part.shape[0], part.shape[1])[..., None] / 255
            part[:] = np.minimum(part, np.rint(255 - ink * (255 - UNSURE * (1 - confidence))))
    return page


def _placed(text: str, quad: Polygon, height: int, width: int) -> NDArray[np.uint8]:
    """The text in its quad, as large as it fits: (height, width), 255 where a letter is."""
    start, right, _, down = quad
    along, across = right - start, down - start
    if np.hypot(*across) >= STANDS * np.hypot(*along) and len(text) > 1:
        start, along, across = right, across, -along
    length, short = max(float(np.hypot(*along)), 1.0), max(float(np.hypot(*across)), 1.0)
    line = _line(text, next((size for size in SIZES if size * HEIGHT_PER_EM >= short), SIZES[-1]))
    scale = min(short / line.shape[0], length / line.shape[1])
    along, across = along / length * scale, across / short * scale
    start = start + across * (short / scale - line.shape[0]) / 2
    turn = np.column_stack([along, across, start]).astype(np.float64)
    return np.asarray(cv2.warpAffine(line, turn, (width, height), flags=cv2.INTER_LINEAR), np.uint8)


def _line(text: str, size: int) -> NDArray[np.uint8]:
    """Letters one after the other, size px per em: (h, w), 255 where a letter is."""
    letters = [glyph(CHINESE_FACE, letter, size, WEIGHT) for letter in text]
    ends = np.cumsum([size // 4, *(letter.advance for letter in letters)])
    line = np.zeros((round(size * HEIGHT_PER_EM), int(ends[-1]) + size // 4), np.uint8)
    for letter, pen in zip(letters, ends[:-1].tolist(), strict=True):
        top, left = max(size + letter.top, 0), max(pen + letter.left, 0)
        place = line[top : top + letter.mask.shape[0], left : left + letter.mask.shape[1]]
        np.maximum(place, letter.mask[: place.shape[0], : place.shape[1]], out=place)
    return line
