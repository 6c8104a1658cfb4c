"""Total-Text: words as polygons with any number of corners (https://github.com/cs-chan/Total-Text-Dataset).

    Images/Train/img11.jpg    Groundtruth/Polygon/Train/poly_gt_img11.txt, or .mat; the same in Test/
    train_images/img11.jpg    train_gts/img11.jpg.txt, or img11.txt;                the same with test_

An entry of a text file is numpy arrays as printed by Python 2, long ones over several lines:

    x: [[115 503 494 115]], y: [[322 346 426 404]], ornt: [u'm'], transcriptions: [u'nauGHTY']

Each row of `polygt` in a MATLAB file is such an entry: 'x:', numbers, 'y:', numbers, text, orientation. A text or
orientation `#` means don't-care.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

from ...structures import Polygon
from ..findings import Report
from ..record import LabelRecord, Region
from ..text_file import lines_of, quoted
from .location import LabelError, Location
from .matlab import Cell, read_cells
from .pairing import SplitFolders, read_numbers, read_packed, read_splits, read_text, recognise_labels
from .points import polygon_of

KEY = "totaltext"
NAME = "Total-Text"
IGNORE_MARKS = ("#",)
IGNORE_FLAGS: tuple[str, ...] = ()
LAYOUT = {
    split: SplitFolders(
        (f"images/{split}", f"{split}_images"),
        (f"groundtruth/polygon/{split}", f"groundtruth/{split}", f"gt/{split}", f"txt_format/{split}", f"{split}_gts"),
    )
    for split in ("train", "val", "test")
}
_STEMS = ("poly_gt_{stem}", "gt_{stem}", "{stem}", "{name}")
LABEL_NAMES = (*(stem + ".txt" for stem in _STEMS), *(stem + ".mat" for stem in _STEMS))
MAT_VARIABLE = "polygt"
MAT_COLUMNS = 5  # 'x:', numbers, 'y:', numbers, text; the orientation may be missing

_ENTRY_BEGIN = re.compile(r"^[ \t\ufeff]*+x[ \t]*+:", re.MULTILINE)
# Every repetition is possessive (*+, ++), so that no line causes long backtracking.
_COORDINATES = re.compile(r"\s*+x\s*+:\s*+\[++([^\]]*+)\]++[\s,]*+y\s*+:\s*+\[++([^\]]*+)\]++[\s,]*+")
_ORIENTATION = re.compile(r"""ornt\s*+:\s*+\[\s*+u?['"]?([^\[\]'"]*+)['"]?\s*+\]""")
_WORDS_BEGIN = re.compile(r"transcriptions?\s*+:\s*+\[")
_QUOTE = re.compile(r"\s*+u?(['\"])")
# A text may contain brackets: the closing one ends the line, or another key follows it.
_END = r"\](?:\s*+(?=,\s*+\w++\s*+:)|[^\S\n]*+(?=\n|\Z))"
_QUOTED_END = {quote: re.compile(rf"{quote}\s*+{_END}") for quote in "'\""}
_UNQUOTED_END = re.compile(_END)
_ESCAPE = re.compile(r"""\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(['"\\]))""")
_RECOGNISED = re.compile(r"\s*+x\s*+:\s*+\[\[[^\]]*+\]\]\s*+,?\s*+y\s*+:\s*+\[\[", re.ASCII)
_MAT_BEGIN = "MATLAB 5.0 MAT-file"


def recognise(root: Path) -> str | None:
    """Report the first text file that starts with such an entry, or MATLAB file named poly_gt_*.mat."""
    return recognise_labels(root, LAYOUT, (".txt", ".mat"), _sign_of)


def _sign_of(path: Path, head: str) -> str:
    if _RECOGNISED.match(head):
        return "starts with 'x: [['"
    is_mat = path.name.startswith("poly_gt_") and head.startswith(_MAT_BEGIN)
    return "is a MATLAB file of this name" if is_mat else ""


def read(root: Path, report: Report, marks: Sequence[str] = IGNORE_MARKS) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist; a text or an orientation in `marks` is don't-care.

    If an image has a text file and a MATLAB file, the text file is read. Raises UserError if there are no images."""

    def read_file(label: Location) -> LabelRecord | None:
        if label.path.suffix.lower() == ".mat":
            return read_packed(label, partial(_parse_row, marks=marks), _rows)
        return read_text(label, partial(parse_entry, marks=marks), _entries)

    return read_splits(root, LAYOUT, LABEL_NAMES, report, read_file)


def parse_entry(text: str, line: int = 0, marks: Sequence[str] = IGNORE_MARKS) -> Region:
    """Parse one entry of one or more lines.

    Raises LabelError if x or y is missing, their counts differ, there are too few, or one is not a number."""
    if not (coordinates := _COORDINATES.match(text)):
        raise LabelError("GT022", f"needs 'x: [[...]], y: [[...]]', got {quoted(' '.join(text.split()))}")
    rest = text[coordinates.end() :]
    orientation = _ORIENTATION.search(rest)
    words = _find_words(rest)
    polygon = _zip(*(read_numbers(coordinates[axis].replace(",", " ").split()) for axis in (1, 2)))
    written = _unescape(words[0]).strip() if words else ""
    ignore = written in marks or (orientation is not None and orientation[1].strip() in marks)
    return Region(polygon, written, ignore, line)


def _find_words(entry: str) -> tuple[str, int] | None:
    """Find the transcription of an entry, with or without quotes, and the position after its closing bracket.

    None if there is none, or it does not end."""
    if not (begin := _WORDS_BEGIN.search(entry)):
        return None
    if (quote := _QUOTE.match(entry, begin.end())) and (end := _QUOTED_END[quote[1]].search(entry, quote.end())):
        return entry[quote.end() : end.start()], end.end()
    line_end = entry.find("\n", begin.end())
    end = _UNQUOTED_END.search(entry, begin.end())
    if end is None or end.start() > line_end >= 0:
        return None
    return entry[begin.end() : end.start()], end.end()


def _entries(text: str) -> Iterator[tuple[int, str]]:
    """Split a file into entries, and lines outside of entries: pairs of a line number, from 1, and the text.

    An entry ends with the line in which its transcription ends; one without a transcription extends to the next."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    line, start = 1, 0
    for stop in chain((match.start() for match in _ENTRY_BEGIN.finditer(text)), [len(text)]):
        piece = text[start:stop]
        entry = piece if _ENTRY_BEGIN.match(piece) else ""
        if (words := _find_words(entry)) and (end := entry.find("\n", words[1])) >= 0:
            entry = entry[:end]
        if entry:
            yield line, entry
        line += entry.count("\n")
        rest = piece[len(entry) :]
        yield from lines_of(rest, line)
        line += rest.count("\n")
        start = stop


def _zip(x: Sequence[float], y: Sequence[float]) -> Polygon:
    """(V, 2) from the x and the y coordinates. Raises LabelError."""
    if len(x) != len(y):
        raise LabelError("GT019", f"{len(x)} numbers of x, {len(y)} of y: a corner needs both")
    return polygon_of([number for corner in zip(x, y, strict=True) for number in corner])


def _unescape(text: str) -> str:
    """Undo the escapes of Python 2's repr. Half of a surrogate pair becomes a replacement character."""

    def character(match: re.Match[str]) -> str:
        code = match[1] or match[2] or match[3]
        return chr(int(code, 16)) if code and int(code, 16) <= 0x10FFFF else match[4] or match[0]

    halves = _ESCAPE.sub(character, text)  # a narrow build of Python 2 writes surrogate pairs
    return halves.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _rows(data: bytes) -> list[tuple[int, list[Cell]]]:
    """The rows of a MATLAB file, numbered from 1. Raises LabelError."""
    try:
        return list(enumerate(read_cells(data, MAT_VARIABLE), start=1))
    except ValueError as error:
        raise LabelError("GT006", f"not a readable MATLAB file: {error}") from None


def _parse_row(row: list[Cell], number: int, marks: Sequence[str]) -> Region:
    if len(row) < MAT_COLUMNS or not isinstance(row[1], list) or not isinstance(row[3], list):
        raise LabelError("GT022", "needs 'x:', numbers, 'y:', numbers, text and orientation")
    words, *orientation = (cell.strip() if isinstance(cell, str) else "" for cell in row[4:6])
    ignore = words in marks or any(mark in marks for mark in orientation if mark)
    return Region(_zip(row[1], row[3]), words, ignore, number)
