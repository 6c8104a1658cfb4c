"""Fonts, and drawing one word. OpenCV 5 has built-in faces, so no font file is needed.

In OpenCV 5.0.0: "sans", "italic" and "uni" exist ("serif" silently becomes "sans"); only the first two are variable
fonts, "uni" ignores the weight; missing glyphs are taken from "uni", so every face draws Chinese; a file that is not a
font crashes the process, so its first bytes are checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.runtime.regular_file import open_regular

FONT_SUFFIXES = (".ttf", ".otf", ".ttc")
FONT_MAGICS = (b"\x00\x01\x00\x00", b"OTTO", b"true", b"ttcf")  # first 4 bytes, OpenType specification
INK_LEVEL = 64  # of 255; fainter anti-aliased pixels are not counted as ink


@dataclass(frozen=True, slots=True)
class Typeface:
    """A face by name; the OpenCV object is created where it is used, because it cannot be pickled."""

    source: str  # built-in name or path of a font file


class Ink(NamedTuple):
    """One word, cropped to its ink."""

    mask: NDArray[np.uint8]  # (h, w), 0..255 coverage
    top: int  # first row relative to the baseline, px; negative is above


LATIN_FACES = (Typeface("sans"), Typeface("italic"), Typeface("uni"))
CHINESE_FACE = Typeface("uni")


def load_typefaces(folder: Path) -> tuple[Typeface, ...]:
    """All font files below a folder, sorted. Raises UserError if there are none, or OpenCV cannot read one."""
    if not folder.is_dir():
        raise UserError(f"fonts: {folder} is not a folder")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in FONT_SUFFIXES)
    if not files:
        raise UserError(f"fonts: no {', '.join('*' + suffix for suffix in FONT_SUFFIXES)} file below {folder}")
    for path in files:
        try:
            with open_regular(path) as file:
                magic = file.read(4)
        except OSError as error:
            raise UserError(f"fonts: {path}: cannot be read: {error.strerror or error}") from None
        if magic not in FONT_MAGICS or not cv2.FontFace().set(str(path)):
            raise UserError(f"fonts: {path} is not a TrueType or OpenType font that OpenCV can read")
    return tuple(Typeface(str(path)) for path in files)


def draw_word(text: str, face: Typeface, size: int, weight: int, tracking: int = 0) -> Ink:
    """Draw a word letter by letter. size: px per em; weight: 100..900; tracking: px added between letters."""
    glyphs = [_glyph(face.source, letter, size, weight) for letter in text]
    origin = size  # of the first letter: space for parts to its left
    canvas = np.zeros((3 * size, 2 * size + sum(glyph.advance + tracking for glyph in glyphs)), np.uint8)
    x = origin
    for glyph in glyphs:
        height, width = glyph.mask.shape
        top, left = 2 * size + glyph.top, x + glyph.left
        patch = canvas[top : top + height, left : left + width]
        np.maximum(patch, glyph.mask, out=patch)
        x += glyph.advance + tracking
    _, ink = cv2.threshold(canvas, INK_LEVEL, 255, cv2.THRESH_BINARY)
    left, top, width, height = cv2.boundingRect(ink)
    return Ink(canvas[top : top + height, left : left + width].copy(), top - 2 * size)


class _Glyph(NamedTuple):
    mask: NDArray[np.uint8]  # (h, w), cropped to non-zero pixels
    left: int  # of the mask, relative to the pen, px
    top: int  # of the mask, relative to the baseline, px
    advance: int  # of the pen, px


@lru_cache(maxsize=16384)  # OpenCV's own cache holds about a thousand; here 16384 glyphs are about 50 MB
def _glyph(source: str, letter: str, size: int, weight: int) -> _Glyph:
    canvas = np.zeros((3 * size, 4 * size), np.uint8)
    end, _ = cv2.putText(canvas, letter, (size, 2 * size), (255,), _opened(source), size, weight)
    left, top, width, height = cv2.boundingRect(canvas)
    return _Glyph(canvas[top : top + height, left : left + width].copy(), left - size, top - 2 * size, end[0] - size)


@cache
def _opened(source: str) -> cv2.FontFace:
    return cv2.FontFace(source)
