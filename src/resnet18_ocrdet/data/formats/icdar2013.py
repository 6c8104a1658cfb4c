"""ICDAR 2013, Challenge 2 "Focused Scene Text", Task 1 (https://rrc.cvc.uab.es/?ch=2), and boxes in the same format.

    38, 43, 920, 215, "Tiredness"       left, top, right, bottom and the text; test set
    158 128 411 181 "Footpath"          training set

The text may be in double quotes, in which a backslash escapes a quote or a backslash.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ..file_names import is_folder
from ..findings import Report
from ..record import LabelRecord, Region
from ..text_file import lines_of
from .icdar_text import BOX_NUMBERS, leading_numbers, without_headings
from .location import LabelError, Location
from .pairing import SplitFolders, read_numbers, read_splits, read_text
from .points import polygon_of

KEY = "icdar2013"
NAME = "ICDAR 2013"
IGNORE_MARKS = ("###",)
IGNORE_FLAGS: tuple[str, ...] = ()
LAYOUT = {
    "train": SplitFolders(
        ("Challenge2_Training_Task12_Images", "train_images"),
        ("Challenge2_Training_Task1_GT", "train_gts", "train_labels"),
    ),
    "val": SplitFolders(("val_images",), ("val_gts", "val_labels")),
    "test": SplitFolders(
        ("Challenge2_Test_Task12_Images", "test_images"),
        ("Challenge2_Test_Task1_GT", "test_gts", "test_labels"),
    ),
}
LABEL_NAMES = ("gt_{stem}.txt", "{stem}.txt", "{name}.txt")

_SEPARATOR = re.compile(r"\s*[,;]\s*|\s+")
_QUOTED = re.compile(r'"(.*)"', re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\])')


def recognise(root: Path) -> str | None:
    """Report the official image folder.

    Boxes in other folders are read by `folders`, and here on request."""
    official = (folders.images[0] for folders in LAYOUT.values() if folders.images[0].startswith("Challenge2"))
    return next((f"{name}/" for name in official if is_folder(root / name)), None)


def read(root: Path, report: Report, marks: Sequence[str] = IGNORE_MARKS) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist. Raises UserError if there are no images."""
    return read_splits(root, LAYOUT, LABEL_NAMES, report, partial(_read_file, marks=marks))


def _read_file(label: Location, marks: Sequence[str]) -> LabelRecord | None:
    parse = partial(parse_line, marks=marks)
    return read_text(label, parse, lambda text: without_headings(label, lines_of(text)))


def parse_line(text: str, line: int = 0, marks: Sequence[str] = IGNORE_MARKS) -> Region:
    """Parse one line: the corners of its box, clockwise from the top left.

    Raises LabelError for fewer than 4 numbers, and for 8 or more, which are a quad."""
    fields = _SEPARATOR.split(text.strip(), maxsplit=BOX_NUMBERS)
    rest = fields.pop() if len(fields) > BOX_NUMBERS or not fields[-1] else ""
    if len(fields) < BOX_NUMBERS:
        raise LabelError("GT018", f"{len(fields)} fields: a box needs 4 numbers, left top right bottom")
    left, top, right, bottom = read_numbers(fields)
    more = leading_numbers(rest, BOX_NUMBERS)
    if more.separator >= 0 and len(more.values) == BOX_NUMBERS:
        raise LabelError("GT022", "8 numbers: a box has 4, left top right bottom")
    quoted = _QUOTED.fullmatch(rest.strip())
    text = _ESCAPED.sub(r"\1", quoted[1]) if quoted else rest.strip()
    return Region(polygon_of([left, top, right, top, right, bottom, left, bottom]), text, text in marks, line)
