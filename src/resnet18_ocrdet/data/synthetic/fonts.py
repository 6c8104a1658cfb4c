"""A folder of fonts as families and the scripts that they can draw, and text drawn in one of their faces."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from itertools import count
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
from numpy.typing import NDArray

from ...errors import UserError
from .coverage import CHARACTERS, covered
from .files import find_files
from .glyphs import (
    FONT_SUFFIXES,
    INK_LEVEL,
    LATIN_FACES,
    OPENCV_DRAWS,
    WEIGHTS,
    glyph,
    open_font,
    opencv_face,
    pillow_font,
)

Script = Literal["latin", "chinese", "japanese"]

SAMPLES: Mapping[Script, str] = {  # a face draws a script if it has all of these characters, the first three different
    "latin": "AGHKQRWZabefgkqxyz0123456789.,-",
    "chinese": "这国的一不了我在有",  # the first two in simplified form
    "japanese": "のあいがアイエー国",
}
CAPITALS: Mapping[Script, str] = {"latin": "H", "chinese": "国", "japanese": "国"}
TEST_SIZE = 32  # px per em, for coverage
MISSING = "\U0010fffd"  # a private character, which fonts draw as a missing one
PILLOW_DRAWS = (*range(0x21, 0x7F), *range(0xA1, 0x100))  # Latin-1, of Pillow's own font
FILE_SUM = 0xB1B0AFBA  # of the 32-bit words of a font file (OpenType specification, checkSumAdjustment in "head")
BUILT_IN = -1  # number of a face without a file
LARGEST_OPENCV_BYTES = 1_500_000  # OpenCV reads a whole font file into memory, Pillow the parts that it needs


class Face(NamedTuple):
    """One style of a family."""

    path: str  # of the font file, or a built-in name
    number: int  # in a collection of faces; BUILT_IN without a file
    family: str
    style: str
    scripts: tuple[Script, ...]
    weight: int  # 100..900, of the built-in faces
    opencv: bool  # drawn by OpenCV, which keeps glyphs and is several times as fast as Pillow


class Ink(NamedTuple):
    """A drawn text."""

    mask: NDArray[np.uint8]  # (h, w) coverage 0..255, cropped to the ink
    left: int  # of the mask, relative to the pen, px
    top: int  # of the mask, relative to the baseline, px
    advance: int  # of the pen, px


class Fonts(NamedTuple):
    """Faces by script and family."""

    families: Mapping[Script, tuple[tuple[Face, ...], ...]]
    files: tuple[Path, ...]  # none for the built-in faces

    @property
    def scripts(self) -> tuple[Script, ...]:
        """The scripts that at least one face draws."""
        return tuple(self.families)

    def draw(self, rng: np.random.Generator, script: Script) -> Face:
        """A random face of a random family: a family with many files is not drawn more often. KeyError for a script
        without a face."""
        families = self.families[script]
        family = families[int(rng.integers(len(families)))]
        return family[int(rng.integers(len(family)))]


@lru_cache(maxsize=4)
def find_fonts(folder: Path | None) -> Fonts:
    """The faces below a folder, or the built-in ones for None.

    Faces that draw none of the scripts are left out. A folder is read once: later changes of its files are not seen,
    here and in what is kept of a face by its path. Raises UserError for a folder without fonts, for a file that is
    not a font or is damaged, and if nothing draws Latin."""
    if folder is None:
        return Fonts(_by_script(_built_in()), ())
    files = find_files(folder, FONT_SUFFIXES, "fonts")
    fonts = Fonts(_by_script([face for path in files for face in read_faces(path)]), files)
    _font.cache_clear()  # most of the open files are not used soon
    if "latin" not in fonts.families:
        raise UserError(f"fonts: no font below {folder} has all Latin letters and digits")
    return fonts


def can_draw(face: Face, text: str) -> bool:
    """Whether a face has a glyph for every character; blanks do not count."""
    codes = [ord(character) for character in text if not character.isspace()]
    if face.number == BUILT_IN:
        return all(_drawn_by_opencv(face, chr(code)) if face.opencv else code in PILLOW_DRAWS for code in codes)
    has = _covered(face.path, face.number)
    return all(code < CHARACTERS and has[code >> 3] >> (code & 7) & 1 for code in codes)


@lru_cache(maxsize=2048)  # pages repeat words; 4 to 16 MB
def draw_text(face: Face, text: str, size: int) -> Ink:
    """Draw a text in one line, kerned. A text without ink has a mask of (0, 0).

    size: px per em in Pillow; OpenCV scales the height from descenders to ascenders, so compare `capital_height`.
    Glyphs that an OpenCV face lacks are taken from its built-in `uni`; Pillow draws a box. UserError: damaged file."""
    drawn, left, top, advance = (_opencv_text if face.opencv else _pillow_text)(face, text, size)
    _, ink = cv2.threshold(drawn, INK_LEVEL, 255, cv2.THRESH_BINARY)
    x, y, width, height = cv2.boundingRect(ink)
    return Ink(drawn[y : y + height, x : x + width].copy(), left + x, top + y, advance)


def _opencv_text(face: Face, text: str, size: int) -> tuple[NDArray[np.uint8], int, int, int]:
    """A canvas with the text, its position relative to pen and baseline, and the advance."""
    font, above = opencv_face(face.path), 3 * size // 2
    width = size * len(text)
    while True:  # measuring first would cost more than drawing again
        canvas = np.zeros((above + size, width + 2 * size), np.uint8)
        end, _ = cv2.putText(canvas, text, (size, above), (255,), font, size, face.weight)
        if end[0] <= width + size:
            return canvas, -size, -above, end[0] - size
        width = end[0]


def _pillow_text(face: Face, text: str, size: int) -> tuple[NDArray[np.uint8], int, int, int]:
    try:
        font = _font(face.path, face.number, size)
        left, top, right, bottom = (round(side) for side in font.getbbox(text, anchor="ls"))
        canvas = PIL.Image.new("L", (max(right - left, 1), max(bottom - top, 1)))
        PIL.ImageDraw.Draw(canvas).text((-left, -top), text, fill=255, font=font, anchor="ls")
        return np.asarray(canvas), left, top, round(font.getlength(text))
    except OSError as error:  # of FreeType
        raise UserError(f"fonts: {face.path} is damaged, it cannot draw {text!r}: {error}") from None


@lru_cache(maxsize=4096)
def capital_height(face: Face, script: Script) -> float:
    """Height of a capital, or of a Chinese character, in em."""
    size = 4 * TEST_SIZE
    return len(draw_text.__wrapped__(face, CAPITALS[script], size).mask) / size


def _built_in() -> list[Face]:
    """The faces of OpenCV 5, which draw Latin, Chinese and Japanese; otherwise Pillow's."""
    if not OPENCV_DRAWS:
        return [Face(LATIN_FACES[0], BUILT_IN, "built-in", "", ("latin",), WEIGHTS[0], False)]
    scripts: tuple[Script, ...] = ("latin", "chinese", "japanese")
    return [
        Face(name, BUILT_IN, name, str(weight), scripts, weight, True) for name in LATIN_FACES for weight in WEIGHTS
    ]


def read_faces(path: Path) -> list[Face]:
    """The faces of a file that draw one of the scripts. UserError: the file is not a font, or damaged."""
    font = open_font(path, TEST_SIZE)
    opencv = OPENCV_DRAWS and path.stat().st_size <= LARGEST_OPENCV_BYTES and _opencv_draws(path)
    faces = []
    for index in count(1):
        family, style = font.getname()
        face = Face(str(path), index - 1, family or path.stem, style or "", (), 400, opencv)
        scripts = tuple(script for script, sample in SAMPLES.items() if _draws(face, sample))
        if scripts:
            faces.append(face._replace(scripts=scripts))
        try:
            font = PIL.ImageFont.truetype(str(path), TEST_SIZE, index)
        except OSError:  # no more faces
            return faces
    raise AssertionError("unreachable")


def _by_script(faces: list[Face]) -> dict[Script, tuple[tuple[Face, ...], ...]]:
    """Faces by script and family. Latin leaves out fonts of Chinese and Japanese if there are others: they are large
    and slow, and their Latin letters resemble each other."""
    found: dict[Script, tuple[tuple[Face, ...], ...]] = {}
    latin_only = [face for face in faces if face.scripts == ("latin",)]
    for script in SAMPLES:
        families: dict[str, list[Face]] = {}
        for face in latin_only if script == "latin" and latin_only else faces:
            if script in face.scripts:
                families.setdefault(face.family, []).append(face)
        if families:
            found[script] = tuple(tuple(families[name]) for name in sorted(families))
    return found


def _draws(face: Face, sample: str) -> bool:
    """Whether a face has every character, and draws different ones for the first three."""
    if not can_draw(face, sample):
        return False
    letters = [_pillow_text(face, character, TEST_SIZE)[0] for character in sample[:3]]
    return len({letter.tobytes() for letter in letters}) == 3 and all(letter.any() for letter in letters)


def _opencv_draws(path: Path) -> bool:
    """Whether a file is undamaged, because others crash OpenCV 5.0.0, and OpenCV draws a letter of it: from a few it
    draws nothing, or moves the pen by millions of px. Collections have no sum and are left to Pillow."""
    data = path.read_bytes()
    words = np.frombuffer(data + bytes(-len(data) % 4), ">u4")
    if words.sum(dtype=np.uint32) != FILE_SUM:
        return False
    canvas = np.zeros((2 * TEST_SIZE, 4 * TEST_SIZE), np.uint8)
    end, _ = cv2.putText(canvas, "x", (0, TEST_SIZE), (255,), cv2.FontFace(str(path)), TEST_SIZE, 400)
    return bool(canvas.any()) and 0 < end[0] < 3 * TEST_SIZE


@cache
def _covered(path: str, number: int) -> bytes:
    """One bit per character, 8 KB."""
    return np.packbits(covered(Path(path), number), bitorder="little").tobytes()


@lru_cache(maxsize=16384)
def _drawn_by_opencv(face: Face, character: str) -> bool:
    """Whether a built-in face of OpenCV has a character; a question mark is drawn for those that are missing."""
    drawn, missing = (glyph(face.path, letter, TEST_SIZE, face.weight).mask for letter in (character, MISSING))
    return character == "?" or not np.array_equal(drawn, missing)


@lru_cache(maxsize=32)  # an open face has some MB; opening it again takes less than a millisecond
def _font(path: str, index: int, size: int) -> PIL.ImageFont.FreeTypeFont:
    """An open font. Basic layout: the result does not depend on whether Pillow has Raqm."""
    if index == BUILT_IN:
        return pillow_font(path, size)
    return PIL.ImageFont.truetype(path, size, index, layout_engine=PIL.ImageFont.Layout.BASIC)
