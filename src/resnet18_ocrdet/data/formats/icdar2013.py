"""ICDAR 2013, Challenge 2 "Focused Scene Text", Task 1 (https://rrc.cvc.uab.es/?ch=2), and boxes written like it.

    38, 43, 920, 215, "Tiredness"       left, top, right, bottom and the text; the test half
    158 128 411 181 "Footpath"          the training half

The text may stand in double quotes, before which, and before itself, a backslash is an escape.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from resnet18_ocrdet.data.file_names import is_folder
from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats.icdar_text import leading_numbers
from resnet18_ocrdet.data.formats.pairing import (
    PartFolders,
    RegionError,
    parse_each,
    read_numbers,
    read_parts,
    to_polygon,
)
from resnet18_ocrdet.data.record import LabelRecord, Region, to_record
from resnet18_ocrdet.data.text_file import label_text, lines_of

NAME = "ICDAR 2013"
IGNORE_MARKS = ("###",)
LAYOUT = {
    "train": PartFolders(
        ("Challenge2_Training_Task12_Images", "train_images"),
        ("Challenge2_Training_Task1_GT", "train_gts", "train_labels"),
    ),
    "val": PartFolders(("val_images",), ("val_gts", "val_labels")),
    "test": PartFolders(
        ("Challenge2_Test_Task12_Images", "test_images"),
        ("Challenge2_Test_Task1_GT", "test_gts", "test_labels"),
    ),
}
LABEL_NAMES = ("gt_{stem}.txt", "{stem}.txt", "{name}.txt")
BOX_NUMBERS = 4

_SEPARATOR = re.compile(r"\s*[,;]\s*|\s+")
_ESCAPED = re.compile(r'\\(["\\])')


def recognise(root: Path) -> str | None:
    """What in this folder shows the official layout.

    Boxes in other folders are read where they are asked for: four numbers alone may be a quad that is cut short."""
    official = (folders.images[0] for folders in LAYOUT.values() if folders.images[0].startswith("Challenge2"))
    return next((f"{name}/" for name in official if is_folder(root / name)), None)


def read(root: Path, report: Report, marks: Sequence[str] = IGNORE_MARKS) -> dict[str, list[LabelRecord]]:
    """Read the parts that are there; a text that is one of `marks` is don't-care. Raises UserError for no images."""
    return read_parts(root, LAYOUT, LABEL_NAMES, report, lambda image, label: _read_one(image, label, report, marks))


def parse_line(text: str, marks: Sequence[str] = IGNORE_MARKS, line: int = 0) -> Region:
    """Turn one line into a region: the corners of its box, clockwise from the top left.

    Raises RegionError for fewer than 4 numbers, and for 8 or more: that is a quad."""
    *fields, rest = _cut(text.strip())
    if len(fields) < BOX_NUMBERS:
        raise RegionError("GT018", f"{len(fields)} fields: a box needs 4 numbers, left top right bottom")
    left, top, right, bottom = read_numbers(fields)
    more = leading_numbers(rest, BOX_NUMBERS)
    if more.separator >= 0 and len(more.values) == BOX_NUMBERS:
        raise RegionError("GT022", "8 numbers: a box has 4, left top right bottom")
    words = _unquote(rest)
    return Region(to_polygon([left, top, right, top, right, bottom, left, bottom]), words, words in marks, line)


def _cut(text: str) -> list[str]:
    """Cut off up to four fields, separated by commas or spaces; what is left comes last, "" if nothing is."""
    fields: list[str] = []
    while text and len(fields) < BOX_NUMBERS:
        field, *rest = _SEPARATOR.split(text, maxsplit=1)
        fields.append(field)
        text = rest[0] if rest else ""
    return [*fields, text]


def _unquote(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text.startswith('"') and text.endswith('"'):
        return _ESCAPED.sub(r"\1", text[1:-1])
    return text


def _read_one(image: Path, label: Path, report: Report, marks: Sequence[str]) -> LabelRecord | None:
    text = label_text(label, report, image)
    if text is None:
        return None

    def parse(entry: str, line: int) -> Region:
        return parse_line(entry, marks, line)

    regions, lost = parse_each(lines_of(text), parse, label, image, report)
    return to_record(image, label, regions, lost)
