"""Single letters as coverage masks: in the faces of OpenCV 5, or with Pillow's font where OpenCV is 4.

No font file is needed. In OpenCV 5.0.0 "sans", "italic" and "uni" exist ("serif" silently becomes "sans"); only the
first two are variable fonts, "uni" ignores the weight; missing glyphs are taken from "uni", so every face draws
Chinese; a file that is not a font crashes the process, so its first bytes are checked. Pillow's own font has one
weight and no Chinese; it stands for all three faces.
"""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
from numpy.typing import NDArray

from ...errors import UserError
from ...runtime.regular_file import open_regular

LATIN_FACES = ("sans", "italic", "uni")
CHINESE_FACE = "uni"
WEIGHTS = (300, 500, 700, 900)  # light to black; few, so that drawn glyphs are reused
FONT_SUFFIXES = (".ttf", ".otf", ".ttc")
CAP_PER_EM = 0.7  # height of capitals in the built-in faces, Pillow's too
FONT_MAGICS = (b"\x00\x01\x00\x00", b"OTTO", b"true", b"ttcf")  # first 4 bytes, OpenType specification
CHECKED_SIZE = 32  # px per em
INK_LEVEL = 64  # of 255; fainter anti-aliased pixels are not counted as ink
OPENCV_DRAWS = hasattr(cv2, "FontFace")  # OpenCV 5
DRAWS_CHINESE = HAS_WEIGHTS = OPENCV_DRAWS


def check_font(path: Path) -> None:
    """Raise UserError for a file that cannot be used as a font in plain scenes."""
    if not OPENCV_DRAWS:
        open_font(path, CHECKED_SIZE)
    elif not has_magic(path) or not cv2.FontFace().set(str(path)):
        raise UserError(f"fonts: {path} is not a TrueType or OpenType font that OpenCV can read")


def has_magic(path: Path) -> bool:
    """Whether a file begins like a font. Raises UserError if it cannot be read."""
    try:
        with open_regular(path) as file:
            return file.read(4) in FONT_MAGICS
    except OSError as error:
        raise UserError(f"fonts: {path}: cannot be read: {error.strerror or error}") from None


def open_font(path: Path, size: int) -> PIL.ImageFont.FreeTypeFont:
    """The first face of a font file in Pillow. size: px per em. Raises UserError for anything else."""
    try:
        if has_magic(path):
            return PIL.ImageFont.truetype(str(path), size)
    except OSError:
        pass
    raise UserError(f"fonts: {path} is not a TrueType or OpenType font that Pillow can read")


class Glyph(NamedTuple):
    """A drawn letter."""

    mask: NDArray[np.uint8]  # (h, w), cropped to non-zero pixels
    left: int  # of the mask, relative to the pen, px
    top: int  # of the mask, relative to the baseline, px
    advance: int  # of the pen, px


@lru_cache(maxsize=16384)  # OpenCV's own cache holds about a thousand; here 16384 glyphs are about 50 MB
def glyph(face: str, letter: str, size: int, weight: int) -> Glyph:
    """Draw a letter. face: built-in name or path of a font file; size: px per em; weight: 100..900."""
    canvas, advance = (opencv_letter if OPENCV_DRAWS else pillow_letter)(face, letter, size, weight)
    left, top, width, height = cv2.boundingRect(canvas)
    return Glyph(canvas[top : top + height, left : left + width].copy(), left - size, top - 2 * size, advance)


def opencv_letter(face: str, letter: str, size: int, weight: int) -> tuple[NDArray[np.uint8], int]:
    """A letter on a canvas of 3 × 4 em with the pen 1 em from the left and 2 em from the top, and its advance, px."""
    canvas = np.zeros((3 * size, 4 * size), np.uint8)
    end, _ = cv2.putText(canvas, letter, (size, 2 * size), (255,), opencv_face(face), size, weight)
    return canvas, end[0] - size


def pillow_letter(face: str, letter: str, size: int, weight: int) -> tuple[NDArray[np.uint8], int]:
    """The same with Pillow, which ignores the weight."""
    canvas = PIL.Image.new("L", (4 * size, 3 * size))
    font = pillow_font(face, size)
    PIL.ImageDraw.Draw(canvas).text((size, 2 * size), letter, fill=255, font=font, anchor="ls")
    return np.asarray(canvas), round(font.getlength(letter))


@lru_cache(maxsize=256)  # OpenCV holds the file of an open face in memory, 0.2 MB on average
def opencv_face(face: str) -> cv2.FontFace:
    """An open face. face: built-in name or path of a font file."""
    return cv2.FontFace(face)  # cannot be pickled, so faces are passed by name


@cache
def pillow_font(face: str, size: int) -> PIL.ImageFont.FreeTypeFont:
    """An open font. size: px per em."""
    if face not in LATIN_FACES:
        return PIL.ImageFont.truetype(face, size)
    font = PIL.ImageFont.load_default(size)
    assert isinstance(font, PIL.ImageFont.FreeTypeFont)  # Pillow's wheels bring FreeType
    return font
