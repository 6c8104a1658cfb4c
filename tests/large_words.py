"""Images with one large word, and detectors that are tried on them."""

from __future__ import annotations

from itertools import cycle

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WORDS = ("Sale", "Open", "Exit", "Hotel", "Taxi", "Menu", "Bread", "Shop")
COLOURS = (((255, 255, 255), (20, 20, 20)), ((30, 60, 120), (250, 250, 240)), ((220, 200, 40), (150, 20, 20)))


def word_image(height: int, width: int, word: str, size: int, colours: tuple[tuple[int, ...], ...]) -> np.ndarray:
    """(height, width, 3) uint8 with a word in the middle. size: of the font, px. colours: of ground and letters."""
    image = Image.new("RGB", (width, height), colours[0])
    font = ImageFont.load_default(size)
    ImageDraw.Draw(image).text((width / 2, height / 2), word, colours[1], font, anchor="mm")
    return np.asarray(image)


def single_words(height: int, width: int, sizes: tuple[int, ...]) -> list[np.ndarray]:
    """An image for each size of the font."""
    choices = zip(sizes, cycle(WORDS), cycle(COLOURS), strict=False)
    return [word_image(height, width, word, size, colours) for size, word, colours in choices]


def ink_box(image: np.ndarray) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of what differs from the corner pixel."""
    rows, columns = np.nonzero((image != image[0, 0]).any(axis=2))
    return float(columns.min()), float(rows.min()), float(columns.max()), float(rows.max())


def overlap(box: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    """Intersection over union of two upright boxes."""
    sides = [min(box[i + 2], other[i + 2]) - max(box[i], other[i]) for i in (0, 1)]
    if min(sides) <= 0:
        return 0.0
    areas = [(each[2] - each[0]) * (each[3] - each[1]) for each in (box, other)]
    return sides[0] * sides[1] / (sum(areas) - sides[0] * sides[1])
