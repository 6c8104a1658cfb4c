"""Pages laid out by a browser, with the ink of every word as truth.

The page is photographed twice: as it is, and in black with each word in a colour of its own, so that the ink of a word
is known however it is turned, bent or placed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.structures import Image

from .browser import Browser
from .ink import HALF, Points, ribbon, turned_rectangle
from .page import Page, Word
from .words import is_scored

MEASURE = Path(__file__).with_name("measure.js")
COLOURS = 7  # each the sum of red 1, green 2, blue 4
INK = 51  # of 255: a fifth of full ink, as in `ink.FAINT`
MARGIN = 0.15  # of the box's shorter side: slanted letters lean out of their box
MOST = 0.8  # of a word must be seen and lie in the picture, or it is don't-care


class Sheet(NamedTuple):
    """A page to lay out."""

    html: str
    width: int  # CSS px
    height: int
    scale: float = 1.0  # px of the picture per CSS px


def shoot(browser: Browser, sheet: Sheet) -> Page:
    """Raises UserError for a page on which a word has no ink, or is moved by measuring it."""
    browser.open(sheet.html, sheet.width, sheet.height, sheet.scale)
    regions = browser.run(MEASURE.read_text(encoding="utf-8"))
    image = browser.picture()
    browser.run("document.documentElement.classList.add('truth')")
    return Page(image, read_words(browser.picture(), regions, sheet.scale))


def read_words(truth: Image, regions: list[dict[str, Any]], scale: float) -> tuple[Word, ...]:
    """The words in the second picture. regions: the value of measure.js. Raises UserError for a word without ink."""
    bits = ((truth > INK) * np.array([1, 2, 4], np.uint8)).sum(axis=2)
    height, width = bits.shape
    words = []
    for number, region in enumerate(regions):
        left, top, right, bottom = (value * scale for value in region["box"])
        inside = max(min(right, width) - max(left, 0), 0) * max(min(bottom, height) - max(top, 0), 0)
        share = inside / max((right - left) * (bottom - top), 1e-6)
        if not region["seen"] or not share:
            continue
        text, points = region["text"], _ink(bits, (left, top, right, bottom), number % COLOURS + 1)
        if not len(points):
            if share > MOST and region["seen"] > MOST and is_scored(text):
                raise UserError(f"{text!r} has no ink: its font lacks the characters, or something hides it")
            continue
        if region["baseline"]:
            polygon = ribbon(points, np.asarray(region["baseline"], np.float64) * scale - HALF)
        else:
            polygon = turned_rectangle(points, region["degrees"])
        words.append(Word(polygon, text, not is_scored(text) or min(region["seen"], share) < MOST))
    return tuple(words)


def _ink(bits: NDArray[np.uint8], box: tuple[float, ...], colour: int) -> Points:
    """(N, 2): the pixels of one colour in a box and its margin."""
    left, top, right, bottom = box
    margin = MARGIN * min(right - left, bottom - top)
    x, y = max(int(left - margin), 0), max(int(top - margin), 0)
    window = bits[y : int(np.ceil(bottom + margin)), x : int(np.ceil(right + margin))]
    rows, columns = np.nonzero(window == colour)
    return np.stack([columns + x, rows + y], axis=1).astype(np.float64)
