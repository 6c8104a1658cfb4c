"""Total-Text: words as polygons of any number of corners (https://github.com/cs-chan/Total-Text-Dataset).

    Images/Train/img11.jpg    Groundtruth/Polygon/Train/poly_gt_img11.txt, or .mat; the same in Test/
    train_images/img11.jpg    train_gts/img11.jpg.txt, or img11.txt;                the same with test_

An entry of a text file is what Python 2 printed of numpy arrays, long ones over several lines:

    x: [[115 503 494 115]], y: [[322 346 426 404]], ornt: [u'm'], transcriptions: [u'nauGHTY']

`polygt` of a MATLAB file has such an entry in each row, as 'x:', numbers, 'y:', numbers, text, orientation. Text or
orientation `#` means don't-care.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats.matlab import Cell, read_cells
from resnet18_ocrdet.data.formats.pairing import (
    PartFolders,
    RegionError,
    find_folder,
    parse_each,
    peek_files,
    read_numbers,
    read_parts,
    to_polygon,
)
from resnet18_ocrdet.data.record import LabelRecord, Region, to_record
from resnet18_ocrdet.data.text_file import label_bytes, label_text, lines_of, shown
from resnet18_ocrdet.structures import Polygon

NAME = "Total-Text"
IGNORE_MARKS = ("#",)
LAYOUT = {
    part: PartFolders(
        (f"images/{part}", f"{part}_images"),
        (f"groundtruth/polygon/{part}", f"groundtruth/{part}", f"gt/{part}", f"txt_format/{part}", f"{part}_gts"),
    )
    for part in ("train", "val", "test")
}
_STEMS = ("poly_gt_{stem}", "gt_{stem}", "{stem}", "{name}")
LABEL_NAMES = (*(stem + ".txt" for stem in _STEMS), *(stem + ".mat" for stem in _STEMS))
MAT_VARIABLE = "polygt"
MAT_COLUMNS = 5  # 'x:', numbers, 'y:', numbers, text; the orientation may be missing

_ENTRY_BEGIN = re.compile(r"^[ \t\ufeff]*+x[ \t]*+:", re.MULTILINE)
# Every repetition is possessive (*+, ++): what it has taken it does not give back, so that no line takes long.
_COORDINATES = re.compile(r"\s*+x\s*+:\s*+\[++([^\]]*+)\]++[\s,]*+y\s*+:\s*+\[++([^\]]*+)\]++[\s,]*+")
_ORIENTATION = re.compile(r"""ornt\s*+:\s*+\[\s*+u?['"]?([^\[\]'"]*+)['"]?\s*+\]""")
_WORDS_BEGIN = re.compile(r"transcriptions?\s*+:\s*+\[")
_QUOTE = re.compile(r"\s*+u?(['\"])")
# The bracket behind a transcription ends the line, or another key follows: a text may hold brackets itself.
_END = r"\](?:\s*+(?=,\s*+\w++\s*+:)|[^\S\n]*+(?=\n|\Z))"
_QUOTED_END = {quote: re.compile(rf"{quote}\s*+{_END}") for quote in "'\""}
_UNQUOTED_END = re.compile(_END)
_ESCAPE = re.compile(r"""\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(['"\\]))""")
_RECOGNISED = re.compile(rb"(?:\xef\xbb\xbf)?\s*+x\s*+:\s*+\[\[[^\]]*+\]\]\s*+,?\s*+y\s*+:\s*+\[\[")
_MAT_BEGIN = b"MATLAB 5.0 MAT-file"


def recognise(root: Path) -> str | None:
    """Say which text file begins with an entry of this kind, or which MATLAB file is called poly_gt_*.mat."""
    for folders in LAYOUT.values():
        for name in folders.labels:
            folder = find_folder(root, (name,))
            for path, head in peek_files(folder, ".txt") if folder else []:
                if _RECOGNISED.match(head):
                    return f"{path.relative_to(root).as_posix()} begins with 'x: [['"
            for path, head in peek_files(folder, ".mat") if folder else []:
                if path.name.startswith("poly_gt_") and head.startswith(_MAT_BEGIN):
                    return f"{path.relative_to(root).as_posix()} is a MATLAB file of this name"
    return None


def read(root: Path, report: Report, marks: Sequence[str] = IGNORE_MARKS) -> dict[str, list[LabelRecord]]:
    """Read the parts that are there; a text or an orientation that is one of `marks` is don't-care.

    Of a text file and a MATLAB file for one image, the former is read. Raises UserError for no images."""

    def read_one(image: Path, label: Path) -> LabelRecord | None:
        read_file = _read_mat if label.suffix == ".mat" else _read_entries
        return read_file(image, label, report, marks)

    return read_parts(root, LAYOUT, LABEL_NAMES, report, read_one)


def parse_entry(text: str, marks: Sequence[str] = IGNORE_MARKS, line: int = 0) -> Region:
    """Turn one entry, of one or more lines, into a region.

    Raises RegionError where it has no x and y, not as many of the one as of the other, too few, or no numbers."""
    if not (coordinates := _COORDINATES.match(text)):
        raise RegionError("GT022", f"needs 'x: [[...]], y: [[...]]', got {shown(' '.join(text.split()))}")
    rest = text[coordinates.end() :]
    orientation = _ORIENTATION.search(rest)
    words = _find_words(rest)
    polygon = _zip(*(read_numbers(coordinates[axis].replace(",", " ").split()) for axis in (1, 2)))
    written = _unescape(words.text).strip() if words else ""
    ignore = written in marks or (orientation is not None and orientation[1].strip() in marks)
    return Region(polygon, written, ignore, line)


def _read_entries(image: Path, label: Path, report: Report, marks: Sequence[str]) -> LabelRecord | None:
    text = label_text(label, report, image)
    if text is None:
        return None

    def parse(entry: str, line: int) -> Region:
        return parse_entry(entry, marks, line)

    regions, lost = parse_each(_entries(text), parse, label, image, report)
    return to_record(image, label, regions, lost)


class _Words(NamedTuple):
    text: str
    end: int  # in the entry, behind the closing bracket


def _find_words(entry: str) -> _Words | None:
    """Find the transcription of an entry, with or without quotes; None without one, or where it does not end."""
    if not (begin := _WORDS_BEGIN.search(entry)):
        return None
    if (quote := _QUOTE.match(entry, begin.end())) and (end := _QUOTED_END[quote[1]].search(entry, quote.end())):
        return _Words(entry[quote.end() : end.start()], end.end())
    line_end = entry.find("\n", begin.end())
    end = _UNQUOTED_END.search(entry, begin.end())
    if end is None or end.start() > line_end >= 0:
        return None
    return _Words(entry[begin.end() : end.start()], end.end())


def _entries(text: str) -> Iterator[tuple[int, str]]:
    """Cut a file into entries, and lines that belong to none: pairs of a line number, from 1, and the piece."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    line, start = 1, 0
    for stop in chain((match.start() for match in _ENTRY_BEGIN.finditer(text)), [len(text)]):
        piece = text[start:stop]
        entry, rest = _split_entry(piece) if _ENTRY_BEGIN.match(piece) else ("", piece)
        if entry:
            yield line, entry
        line += entry.count("\n")
        yield from lines_of(rest, line)
        line += rest.count("\n")
        start = stop


def _split_entry(piece: str) -> tuple[str, str]:
    """Cut behind the line in which the transcription ends; an entry without one reaches to the end."""
    words = _find_words(piece)
    stop = piece.find("\n", words.end) if words else -1
    return (piece[:stop], piece[stop:]) if stop >= 0 else (piece, "")


def _zip(x: Sequence[float], y: Sequence[float]) -> Polygon:
    """Make (V, 2) of the numbers of x and of y. Raises RegionError."""
    if len(x) != len(y):
        raise RegionError("GT019", f"{len(x)} numbers of x, {len(y)} of y: a corner needs both")
    return to_polygon([number for corner in zip(x, y, strict=True) for number in corner])


def _unescape(text: str) -> str:
    """Undo the escapes of Python 2's repr; all else stays as it is. Half a sign becomes a replacement sign."""

    def character(match: re.Match[str]) -> str:
        code = match[1] or match[2] or match[3]
        return chr(int(code, 16)) if code and int(code, 16) <= 0x10FFFF else match[4] or match[0]

    halves = _ESCAPE.sub(character, text)  # a build of 16 bits a sign writes two of them for one
    return halves.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _read_mat(image: Path, label: Path, report: Report, marks: Sequence[str]) -> LabelRecord | None:
    data = label_bytes(label, report, image)
    if data is None:
        return None
    try:
        rows = read_cells(data, MAT_VARIABLE)
    except ValueError as error:
        report.add("GT006", label, detail=f"no MATLAB file that can be read: {error}", image=image)
        return None
    if not rows:
        report.add("GT002", label, image=image)

    def parse(row: list[Cell], number: int) -> Region:
        return _parse_row(row, marks, number)

    regions, lost = parse_each(enumerate(rows, start=1), parse, label, image, report)
    return to_record(image, label, regions, lost)


def _parse_row(row: list[Cell], marks: Sequence[str], number: int) -> Region:
    if len(row) < MAT_COLUMNS or not isinstance(row[1], list) or not isinstance(row[3], list):
        raise RegionError("GT022", "needs 'x:', numbers, 'y:', numbers, text and orientation")
    words, *orientation = (cell.strip() if isinstance(cell, str) else "" for cell in row[4:6])
    ignore = words in marks or any(mark in marks for mark in orientation if mark)
    return Region(_zip(row[1], row[3]), words, ignore, number)
