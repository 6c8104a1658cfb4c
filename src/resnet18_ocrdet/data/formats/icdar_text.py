"""Label lines as in ICDAR 2015: `x1,y1,x2,y2,x3,y3,x4,y4,transcription`, or 2N numbers and a transcription.

The text is everything after the numbers and other columns, commas included. A region without a text is not don't-care.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..record import LabelRecord, Region
from ..text_file import TextLine, quoted
from .columns import PLAIN, TEXT, Columns, read_columns
from .location import LabelError, Location
from .points import flat_polygon

ICDAR_IGNORE_MARKS = ("###",)  # don't-care if it is the whole text; readme of Challenge 4
QUAD_NUMBERS = 8  # x and y of 4 corners
TRIANGLE_NUMBERS = 6
BOX_NUMBERS = 4
POLYGON_NUMBERS = 12  # 6 vertices; a quad with the text "1,000,000" has 11 numbers
POLYGON_SHARE = 0.01  # of lines with that many numbers; above it the data set has polygons

_NUMBER = r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
_SEPARATORS = (r"\s*,\s*", r"\s*;\s*", r"\s*，\s*", r" *\t *", r"\s+")  # the first that fits a line is used
TAB, BLANKS = 3, 4  # in _SEPARATORS
_FIELDS = [re.compile(rf"\s*{_NUMBER}(?:{separator}|\s*$)") for separator in _SEPARATORS]
_BRACKETED = re.compile(rf"[\s\[({{\"']*{_NUMBER}[\s\])}}\"']*(?:[,;\t，]|\s|$)\s*")  # "12", or [[12, 13], or (12,13)
_NAME = re.compile(r"[A-Za-z_]\w*")
_COORDINATE = re.compile(
    r"(?i)[xy]_?(?:min|max|[0-9]|left|right|top|bottom)|left|top|right|bottom|[ltrbxywh]|width|height"
)
_NOT_FINITE = re.compile(r"[+-]?(nan|inf(inity)?)", re.IGNORECASE)
_FIELD_END = re.compile(r"[,;\t，]|\s")
_BEFORE_TAB = re.compile(rf" *{_NUMBER} *\t\s*(?=\S)")


class Numbers(NamedTuple):
    """The numbers at the start of a line."""

    values: list[float]
    starts: list[int]  # position of each in the line, and of the rest of the line: one more
    separator: int  # index of the separator between them; -1: none of the usual ones


def parse_lines(
    label: Location,
    lines: Sequence[TextLine] | None,
    marks: Sequence[str] = ICDAR_IGNORE_MARKS,
    quads: bool = True,
    columns: Columns = PLAIN,
) -> LabelRecord:
    """Parse the lines of a label file. lines: None for a file that could not be read: one region is lost.

    quads: every line starts with 8 numbers. Otherwise the longest run of 2N >= 6 numbers is used. columns: those after
    the corners. Lines that cannot be parsed are reported and counted as lost, see also `without_headings`."""
    if lines is None:
        return label.record([None])
    if label.too_many(len(lines)):
        return label.record([None] * len(lines))
    regions: list[Region | None] = []
    scores: list[TextLine] = []
    seen: set[str] = set()
    has_columns = columns != PLAIN

    def once(code: str, line: TextLine, detail: str) -> None:
        """Report a line that is unusual but can be parsed: the first one of each kind in a file."""
        if code not in seen:
            seen.add(code)
            label.add(code, detail, line.number)

    for line in without_headings(label, lines):
        numbers = label_numbers(line.text, QUAD_NUMBERS if quads else len(line.text))
        used, code, why = coordinate_count(line.text, numbers, quads)
        if code:
            label.add(code, why, line.number)
            regions.append(None)
            continue
        if numbers.separator != 0:
            once("GT015" if numbers.separator > 0 else "GT016", line, quoted(line.text))
        text, flag = line.text[numbers.starts[used] :].strip(), ""
        if has_columns:
            try:
                text, flag = read_columns(text, columns, numbers.separator == BLANKS)
            except LabelError as error:
                label.add(error.code, error.detail, line.number)
                regions.append(None)
                continue
        if not text:
            if TEXT in columns.names:
                once("GT010", line, "")
        elif re.fullmatch(_NUMBER, text) and "." in text:
            scores.append(line)
        regions.append(Region(flat_polygon(numbers.values[:used]), text, text in marks, line.number, flag))
    if 2 * len(scores) > len(regions) - regions.count(None):  # a decimal number after one region of many is a price
        once("GT009", scores[0], "treated as the text")
    return label.record(regions)


def coordinate_count(text: str, numbers: Numbers, quads: bool) -> tuple[int, str, str]:
    """Return how many of the leading numbers of a line are coordinates: 8, or an even count >= 6 if not `quads`.

    A line of only 6 numbers is a triangle. An extra number at the end of the line is a score or the text.
    Returns the count, and the code and detail of a finding if the line cannot be parsed."""
    found = len(numbers.values)
    rest = text[numbers.starts[-1] :].strip()
    used = QUAD_NUMBERS if quads and (found != TRIANGLE_NUMBERS or rest) else found - found % 2
    if found >= used >= TRIANGLE_NUMBERS and (used == found or quads or not rest):
        return used, "", ""
    wanted = "8 numbers x1,y1,...,x4,y4" if quads else "2 numbers for each of 3 or more vertices"
    field = _FIELD_END.split(rest, maxsplit=1)[0]
    stop = f"number {found + 1} is {quoted(field)}" if rest else f"got only {found}"
    column = numbers.starts[-1] + 1
    why = f"column {column}: a region needs {wanted}, {stop}: {quoted(text)}"
    if rest and _NOT_FINITE.fullmatch(field):
        return 0, "GT021", why
    if rest and (quads or found < TRIANGLE_NUMBERS):
        return 0, "GT020", why
    return 0, "GT019" if found % 2 else "GT018", why


def without_headings(label: Location, lines: Iterable[TextLine]) -> list[TextLine]:
    """The lines of regions. Comments, and headers before the first region, are reported."""
    kept: list[TextLine] = []
    for line in lines:
        if is_comment(line.text) or (not kept and is_heading(line.text)):
            label.add("GT017", f"{quoted(line.text)}: skipped", line.number)
        else:
            kept.append(line)
    return kept


def is_heading(text: str) -> bool:
    """Whether a line is a header: `x1,y1,x2,...` with at least 6 fields, all of them names, or `left top right bottom`
    and more, with any separator."""
    bare = text.strip().lstrip("#")
    fields = [field.strip(" \"'") for field in re.split(r"[,;\t，]" if re.search(r"[,;\t，]", bare) else r"\s+", bare)]
    fields = [field for field in fields if field]
    if not all(_NAME.fullmatch(field) for field in fields):
        return False
    first = fields[:BOX_NUMBERS]
    is_box = len(first) == BOX_NUMBERS and all(_COORDINATE.fullmatch(field) for field in first)
    return is_box or (len(fields) >= TRIANGLE_NUMBERS and any(sign in bare for sign in ",;\t，"))


def is_comment(text: str) -> bool:
    """Whether a line without a region is a comment; `###` alone is a don't-care mark without coordinates."""
    stripped = text.strip()
    return stripped.startswith(("# ", "//")) or (stripped.startswith("#") and len(stripped.strip("#")) > 0)


def looks_like_quads(lines: Iterable[TextLine]) -> bool:
    """Decide from all lines of a data set whether it has quads with a text, or polygons with varying vertex counts.

    A single line is ambiguous: `...,1,000` may be a price or a fifth vertex."""
    return are_quads(np.array([len(label_numbers(line.text, POLYGON_NUMBERS).values) for line in lines]))


def are_quads(counts: NDArray[np.int64]) -> bool:
    """The same by the count of leading numbers of each line, (L,)."""
    return not len(counts) or bool((counts >= POLYGON_NUMBERS).mean() <= POLYGON_SHARE)


def label_numbers(text: str, limit: int) -> Numbers:
    """`leading_numbers`, and the last y if a tab stands between it and the text instead of the usual separator."""
    numbers = leading_numbers(text, limit)
    last = None
    if 0 <= numbers.separator != TAB and len(numbers.values) % 2 and len(numbers.values) < limit:
        last = _BEFORE_TAB.match(text, numbers.starts[-1])
    return numbers if last is None else Numbers([*numbers.values, float(last[1])], [*numbers.starts, last.end()], TAB)


def leading_numbers(text: str, limit: int) -> Numbers:
    """Find the numbers at the start of a line, at most `limit`, all with the same separator, or in brackets."""
    text = text.rstrip()
    start = len(text) - len(text.lstrip())
    kind = next((kind for kind, field in enumerate(_FIELDS) if field.match(text)), -1)
    found = _run(text, start, _FIELDS[kind] if kind >= 0 else _BRACKETED, limit)
    if kind >= 0 and len(found.values) < TRIANGLE_NUMBERS:  # "10,20 30,40": pairs, written by some tools
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
