"""Label lines in the style of ICDAR 2015: `x1,y1,x2,y2,x3,y3,x4,y4,transcription`, or 2N numbers and a transcription.

The text is whatever follows the numbers, commas included. It may be missing, which makes the region no don't-care.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from resnet18_ocrdet.data.findings import MAX_REGIONS, TOO_MANY, Report
from resnet18_ocrdet.data.record import LabelRecord, Region, to_record
from resnet18_ocrdet.data.text_file import TextLine, label_lines, shown

ICDAR_IGNORE_MARKS = ("###",)  # don't-care, when it is the whole text; readme of Challenge 4
QUAD_NUMBERS = 8  # x and y of 4 corners
TRIANGLE_NUMBERS = 6
MAX_COORDINATE = 2**20  # px; OpenCV opens no image wider or higher (CV_IO_MAX_IMAGE_WIDTH)
POLYGON_NUMBERS = 12  # 6 vertices; a quad with the text "1,000,000" has 11 numbers
POLYGON_SHARE = 0.01  # of the lines with so many numbers; above, the set is one of polygons

_NUMBER = r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
_SEPARATORS = (r"\s*,\s*", r"\s*;\s*", r"\s*，\s*", r" *\t *", r"\s+")  # the first that fits a line rules it
_FIELDS = [re.compile(rf"\s*{_NUMBER}(?:{separator}|\s*$)") for separator in _SEPARATORS]
_BRACKETED = re.compile(rf"[\s\[({{\"']*{_NUMBER}[\s\])}}\"']*(?:[,;\t，]|\s|$)\s*")  # "12", or [[12, 13], or (12,13)
_NOT_FINITE = re.compile(r"[+-]?(nan|inf(inity)?)", re.IGNORECASE)
_FIELD_END = re.compile(r"[,;\t，]|\s")


class Numbers(NamedTuple):
    """What a line begins with."""

    values: list[float]
    starts: list[int]  # where each stands in the line, and where the rest of the line begins: one more
    separator: int  # which of the usual separators stands between them; -1: none does


def parse_icdar_text(
    image: Path, path: Path, report: Report, marks: Sequence[str] = ICDAR_IGNORE_MARKS, quads: bool = True
) -> LabelRecord:
    """Read one label file; an empty one gives no regions. See `parse_lines`.

    A file that cannot be read is reported; its record has no regions, and one that is lost."""
    lines = label_lines(path, report, image)
    return parse_lines(image, path, lines, report, marks, quads)


def parse_lines(
    image: Path, path: Path, lines: Sequence[TextLine] | None, report: Report, marks: Sequence[str], quads: bool
) -> LabelRecord:
    """Turn the lines of the label file `path` into regions; None stands for a file that cannot be read.

    quads: every line begins with 8 numbers, what follows is text. Otherwise the longest run of 2N >= 6 numbers is
    taken. What cannot be understood is reported with its line and counted as lost."""
    if lines is None:
        return to_record(image, path, [], lost=1)
    if len(lines) > MAX_REGIONS:
        report.add("GT028", path, detail=TOO_MANY, image=image)
        return to_record(image, path, [], lost=len(lines))
    regions: list[Region] = []
    lost = 0
    seen = _Seen(report, path, image)
    for line in lines:
        if not regions and not lost and is_heading(line.text):
            report.add("GT017", path, line.number, f"{shown(line.text)}: left out", image)
            continue
        numbers = leading_numbers(line.text, QUAD_NUMBERS if quads else len(line.text))
        used, code, why = coordinate_count(line.text, numbers, quads)
        if code:
            if is_comment(line.text):
                report.add("GT017", path, line.number, f"{shown(line.text)}: left out", image)
                continue
            report.add(code, path, line.number, why, image)
            lost += 1
            continue
        text = line.text[numbers.starts[used] :].strip()
        seen.oddities(line, numbers, used, text)
        with np.errstate(over="ignore"):  # 1e300 becomes infinite, and is then found to be so
            polygon = np.array(numbers.values[:used], np.float64).astype(np.float32).reshape(-1, 2)
        regions.append(Region(polygon, text, text in marks, line.number))
    seen.scores(len(regions))
    return to_record(image, path, regions, lost)


class _Seen:
    """Reports what is unusual in a file, but understood: the first line of each kind."""

    def __init__(self, report: Report, path: Path, image: Path) -> None:
        self._report, self._path, self._image = report, path, image
        self._codes: set[str] = set()
        self._scores: list[TextLine] = []

    def oddities(self, line: TextLine, numbers: Numbers, used: int, text: str) -> None:
        if numbers.separator > 0:
            self._once("GT015", line, f"{shown(line.text)}")
        if numbers.separator < 0:
            self._once("GT016", line, f"{shown(line.text)}")
        if not text:
            self._once("GT010", line, "")
        elif re.fullmatch(_NUMBER, text) and "." in text:
            self._scores.append(line)

    def scores(self, regions: int) -> None:
        """A decimal number behind most regions is a score; behind one of many it is a price."""
        if 2 * len(self._scores) > regions:
            self._once("GT009", self._scores[0], "taken for the text")

    def _once(self, code: str, line: TextLine, detail: str) -> None:
        if code not in self._codes:
            self._codes.add(code)
            self._report.add(code, self._path, line.number, detail, self._image)


def coordinate_count(text: str, numbers: Numbers, quads: bool) -> tuple[int, str, str]:
    """Tell how many of the numbers that a line begins with are coordinates: 8, or, unless quads, an even count >= 6.

    A line of 6 numbers and nothing else is a triangle. One number too many is a score or the text when it ends the
    line. Returns the count, and for a line that has no such count the code and the words of a finding."""
    found = len(numbers.values)
    rest = text[numbers.starts[-1] :].strip()
    used = QUAD_NUMBERS if quads and (found != TRIANGLE_NUMBERS or rest) else found - found % 2
    if found >= used >= TRIANGLE_NUMBERS and (used == found or quads or not rest):
        return used, "", ""
    wanted = "8 numbers x1,y1,...,x4,y4" if quads else "2 numbers for each of 3 or more vertices"
    word = _FIELD_END.split(rest, maxsplit=1)[0]
    stop = f"number {found + 1} is {shown(word)}" if rest else f"got only {found}"
    column = numbers.starts[-1] + 1
    why = f"column {column}: a region needs {wanted}, {stop}: {shown(text)}"
    if rest and _NOT_FINITE.fullmatch(word):
        return 0, "GT021", why
    if rest and (quads or found < TRIANGLE_NUMBERS):
        return 0, "GT020", why
    return 0, "GT019" if found % 2 else "GT018", why


def is_heading(text: str) -> bool:
    """Whether a line names columns, `x1,y1,x2,...`: no field is a number, and there are at least 6."""
    fields = [field for field in re.split(r"[,;\t，]", text.strip().lstrip("#")) if field.strip()]
    return len(fields) >= TRIANGLE_NUMBERS and all(re.fullmatch(r"\s*[A-Za-z_]\w*\s*", field) for field in fields)


def is_comment(text: str) -> bool:
    """Whether a line that holds no region begins with a sign of comments; `###` alone is a mark without a place."""
    stripped = text.strip()
    return stripped.startswith(("# ", "//")) or (stripped.startswith("#") and len(stripped.strip("#")) > 0)


def looks_like_quads(lines: Iterable[TextLine]) -> bool:
    """Tell by all lines of a set whether it has quads with a text, or polygons, whose vertex counts vary.

    A single line cannot tell: `...,1,000` may be a price or a fifth vertex."""
    counts = np.array([len(leading_numbers(line.text, POLYGON_NUMBERS).values) for line in lines])
    return not len(counts) or bool((counts >= POLYGON_NUMBERS).mean() <= POLYGON_SHARE)


def leading_numbers(text: str, limit: int) -> Numbers:
    """Find the numbers, at most `limit`, that a line begins with, all separated in the same way, or in brackets."""
    text = text.rstrip()
    start = len(text) - len(text.lstrip())
    kind = next((kind for kind, field in enumerate(_FIELDS) if field.match(text)), -1)
    found = _run(text, start, _FIELDS[kind] if kind >= 0 else _BRACKETED, limit)
    if kind >= 0 and len(found.values) < TRIANGLE_NUMBERS:  # "10,20 30,40": pairs, as some tools write
        pairs = _run(text, start, _BRACKETED, limit)
        if len(pairs.values) >= TRIANGLE_NUMBERS and len(pairs.values) > len(found.values):
            return pairs
    return found._replace(separator=kind)


def _run(text: str, start: int, field: re.Pattern[str], limit: int) -> Numbers:
    values: list[float] = []
    starts = [start]
    while len(values) < limit and (match := field.match(text, starts[-1])):
        values.append(float(match[1]))
        starts.append(match.end())
    return Numbers(values, starts, -1)
