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
CAP_PER_EM = 0.7  # height of capitals in the built-in faces, Pillow's too
FONT_MAGICS = (b"\x00\x01\x00\x00", b"OTTO", b"true", b"ttcf")  # first 4 bytes, OpenType specification
OPENCV_DRAWS = hasattr(cv2, "FontFace")  # OpenCV 5
DRAWS_CHINESE = HAS_WEIGHTS = OPENCV_DRAWS


def check_font(path: Path) -> None:
    """Raise UserError for a file that cannot be used as a font."""
    try:
        with open_regular(path) as file:
            magic = file.read(4)
    except OSError as error:
        raise UserError(f"fonts: {path}: cannot be read: {error.strerror or error}") from None
    if magic not in FONT_MAGICS or not _opens(str(path)):
        library = "OpenCV" if OPENCV_DRAWS else "Pillow"
        raise UserError(f"fonts: {path} is not a TrueType or OpenType font that {library} can read")


def _opens(path: str) -> bool:
    if OPENCV_DRAWS:
        return bool(cv2.FontFace().set(path))
    try:
        PIL.ImageFont.truetype(path)
    except OSError:
        return False
    return True


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
    end, _ = cv2.putText(canvas, letter, (size, 2 * size), (255,), _opencv_face(face), size, weight)
    return canvas, end[0] - size


def pillow_letter(face: str, letter: str, size: int, weight: int) -> tuple[NDArray[np.uint8], int]:
    """The same with Pillow, which ignores the weight."""
    canvas = PIL.Image.new("L", (4 * size, 3 * size))
    font = _pillow_font(face, size)
    PIL.ImageDraw.Draw(canvas).text((size, 2 * size), letter, fill=255, font=font, anchor="ls")
    return np.asarray(canvas), round(font.getlength(letter))


@cache
def _opencv_face(face: str) -> cv2.FontFace:
    return cv2.FontFace(face)  # cannot be pickled, so faces are passed by name


@cache
def _pillow_font(face: str, size: int) -> PIL.ImageFont.FreeTypeFont:
    if face not in LATIN_FACES:
        return PIL.ImageFont.truetype(face, size)
    font = PIL.ImageFont.load_default(size)
    assert isinstance(font, PIL.ImageFont.FreeTypeFont)  # Pillow's wheels bring FreeType
    return font
