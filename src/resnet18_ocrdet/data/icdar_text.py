"""Label files in the style of ICDAR 2015: one region a line, `x1,y1,x2,y2,x3,y3,x4,y4,transcription`.

The text is whatever follows the numbers, commas included. It may be missing, which makes the region no don't-care.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.structures import Polygon

ICDAR_IGNORE_MARKS = ("###",)  # don't-care, when it is the whole text; readme of Challenge 4
QUAD_NUMBERS = 8  # x and y of 4 corners
MAX_COORDINATE = 2**20  # px; OpenCV opens no image wider or higher (CV_IO_MAX_IMAGE_WIDTH)
POLYGON_NUMBERS = 12  # 6 vertices; a quad with the text "1,000,000" has 11 numbers
POLYGON_SHARE = 0.01  # of the lines with so many numbers; above, the set is one of polygons

_NUMBER = r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
_SEPARATORS = (r"\s*,\s*", r"\s*;\s*", r"\s*，\s*", r" *\t *", r"\s+")  # the first that fits a line rules it
_FIELDS = [re.compile(rf"\s*{_NUMBER}(?:{separator}|\s*$)") for separator in _SEPARATORS]
_LINE_END = re.compile(r"\r\n|\r|\n")  # not str.splitlines: it also breaks at signs that a transcription may hold


class IcdarText(NamedTuple):
    """The K regions of one label file."""

    polygons: tuple[Polygon, ...]  # K of (V, 2) float32, px
    ignore: NDArray[np.bool_]  # (K,)
    texts: tuple[str, ...]  # K; "" where there is none


class TextLine(NamedTuple):
    """A line that is not blank."""

    number: int  # from 1
    text: str


def parse_icdar_text(path: Path, ignore_marks: Sequence[str] = ICDAR_IGNORE_MARKS, quads: bool = True) -> IcdarText:
    """Read one label file; an empty one gives no regions.

    quads: every line begins with 8 numbers, what follows is text. Otherwise the longest run of 2N >= 6 numbers is
    taken. Raises UserError with file, line, column and value for anything else."""
    return parse_lines(path, read_lines(path), ignore_marks, quads)


def parse_lines(path: Path, lines: Iterable[TextLine], ignore_marks: Sequence[str], quads: bool) -> IcdarText:
    """Turn the lines of `path` into regions, see `parse_icdar_text`."""
    polygons, texts = [], []
    for line in lines:
        numbers, starts = leading_numbers(line.text, QUAD_NUMBERS if quads else len(line.text))
        used = coordinate_count(path, line, len(numbers), starts, quads)
        for value, start in zip(numbers[:used], starts, strict=False):
            if not abs(value) <= MAX_COORDINATE:
                where = f"{path}:{line.number}: column {start + 1}"
                raise UserError(f"{where}: {value:g} lies outside of any image (limit {MAX_COORDINATE} px)")
        polygons.append(np.array(numbers[:used], np.float32).reshape(-1, 2))
        texts.append(line.text[starts[used] :].strip())
    ignore = np.array([text in ignore_marks for text in texts], bool)
    return IcdarText(tuple(polygons), ignore, tuple(texts))


def coordinate_count(path: Path, line: TextLine, found: int, starts: Sequence[int], quads: bool) -> int:
    """Tell how many of the numbers that a line begins with are coordinates: 8, or, unless quads, an even count >= 6.

    One number too many is a score or the text when it ends the line. Raises UserError for too few, and for an odd
    count with a text after it: one coordinate is missing, which one is unknown."""
    rest = line.text[starts[-1] :].strip()
    used = QUAD_NUMBERS if quads else found - found % 2
    if found >= used >= 6 and (used == found or quads or not rest):
        return used
    wanted = "8 numbers x1,y1,...,x4,y4" if quads else "2 numbers for each of 3 or more vertices"
    word = re.split(r"[,;，\s]", rest)[0]
    stop = f"number {found + 1} is {shown(word)}" if rest else f"got only {found}"
    raise UserError(
        f"{path}:{line.number}: column {starts[-1] + 1}: a region needs {wanted}, {stop}: {shown(line.text)}"
    )


def looks_like_quads(lines: Iterable[TextLine]) -> bool:
    """Tell by all lines of a set whether it has quads with a text, or polygons, whose vertex counts vary.

    A single line cannot tell: `...,1,000` may be a price or a fifth vertex."""
    counts = np.array([len(leading_numbers(line.text, POLYGON_NUMBERS)[0]) for line in lines])
    return not len(counts) or bool((counts >= POLYGON_NUMBERS).mean() <= POLYGON_SHARE)


def leading_numbers(text: str, limit: int) -> tuple[list[float], list[int]]:
    """Find the numbers, at most `limit`, that a line begins with, all separated in the same way.

    Returns them and where each starts; one more start says where the rest of the line begins."""
    text = text.rstrip()
    start = len(text) - len(text.lstrip())
    field = next((field for field in _FIELDS if field.match(text)), None)
    numbers: list[float] = []
    starts = [start]
    while field and len(numbers) < limit and (match := field.match(text, starts[-1])):
        numbers.append(float(match[1]))
        starts.append(match.end())
    return numbers, starts


def read_lines(path: Path) -> list[TextLine]:
    """Read the lines of a text file that are not blank. Raises UserError when it cannot be read or is no text."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    return text_lines(data, str(path))


def text_lines(data: bytes, where: str) -> list[TextLine]:
    """Cut the content of a text file, in any encoding of `decode_text`, into its lines that are not blank."""
    numbered = enumerate(_LINE_END.split(decode_text(data, where)), start=1)
    return [TextLine(number, text) for number, text in numbered if text.strip()]


def decode_text(data: bytes, where: str) -> str:
    """Decode UTF-8 or, by its byte order mark, UTF-16; all else as GB 18030, of which ASCII is a part.

    Bytes that fit none become replacement characters: numbers are not affected. Raises UserError, which begins with
    `where`, for something else than text."""
    try:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return data.decode("utf-16")
        if b"\0" in data:
            raise UserError(f"{where}: not a text file: it holds NUL bytes and starts with {data[:12]!r}")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("gb18030", errors="replace")


def shown(text: str) -> str:
    """Quote a piece of a file for a message, on one line and not too long."""
    return repr(text if len(text) <= 60 else text[:57] + "...")
