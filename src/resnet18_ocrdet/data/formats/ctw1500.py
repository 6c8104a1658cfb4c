"""SCUT-CTW1500: curved text lines with 14 corners (https://github.com/Yuliang-Liu/Curve-Text-Detector).

    train_images/0001.jpg  ctw1500_train_labels/0001.xml    <segs>x1,y1,...,x14,y14</segs> in <box> in <image>
    test_images/1001.jpg   gt_ctw1500/0001001.txt           x1,y1,...,x14,y14,####text
    train/text_image/...   train/text_label_curve/0001.txt  the first release: xmin,ymin,xmax,ymax and 14 offsets from
                                                            xmin,ymin, without a text; same in test/

Boxes with another number of corners are read if <segs> or #### shows where the numbers end.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from xml.parsers import expat

from ..findings import MAX_REGIONS, Report
from ..record import LabelRecord, Region
from ..text_file import lines_of
from .location import LabelError, Location
from .pairing import SplitFolders, are_numbers, read_numbers, read_packed, read_splits, read_text, recognise_labels
from .points import polygon_of

KEY = "ctw1500"
NAME = "SCUT-CTW1500"
IGNORE_MARKS = ("###",)
IGNORE_FLAGS: tuple[str, ...] = ()
OLD_LABELS = "text_label_curve"
LAYOUT = {
    "train": SplitFolders(
        ("train_images", "train/text_image"),
        (
            "ctw1500_train_labels",
            "train_labels/ctw1500_train_labels",
            "train_labels",
            "train_gts",
            f"train/{OLD_LABELS}",
        ),
    ),
    "test": SplitFolders(
        ("test_images", "test/text_image"),
        ("gt_ctw1500", "gt_ctw_1500", "ctw1500_test_labels", "test_labels", "test_gts", f"test/{OLD_LABELS}"),
    ),
}
LABEL_NAMES = ("{stem}.xml", "{stem}.txt", "{name}.txt")
CURVE_NUMBERS = 28  # 14 corners
BOX_NUMBERS = 4  # xmin, ymin, xmax, ymax before the offsets
TEXT_MARK = "####"  # between the numbers and the text

_XML_TAGS = re.compile(r"<Annotations(?>.*?<image)(?>.*?<box).*?<segs", re.DOTALL)  # atomic: no long backtracking
_Box = defaultdict[str, list[str]]  # the text of its children in pieces, by tag


def recognise(root: Path) -> str | None:
    """Report the first label file that starts like one of the three kinds."""
    return recognise_labels(root, LAYOUT, (".xml", ".txt"), _sign_of)


def _sign_of(path: Path, head: str) -> str:
    """What shows the format in the beginning of a label file; "" for nothing.

    32 numbers alone could also be 16 corners: they count only in a folder text_label_curve/."""
    if path.suffix.lower() == ".xml":
        return "has <Annotations>, <image>, <box> and <segs>" if _XML_TAGS.search(head) else ""
    first = next((line.text for line in lines_of(head)), "")
    numbers, mark, _ = first.partition(TEXT_MARK)
    fields = [field for field in numbers.split(",") if field.strip()]
    wanted = BOX_NUMBERS + CURVE_NUMBERS if path.parent.name.casefold() == OLD_LABELS else None
    is_line = len(fields) == (CURVE_NUMBERS if mark else wanted) and are_numbers(fields)
    return f"starts with {len(fields)} numbers{' and ####' if mark else ''}" if is_line else ""


def read(root: Path, report: Report, marks: Sequence[str] = IGNORE_MARKS) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist. Raises UserError if there are no images."""

    def read_file(label: Location) -> LabelRecord | None:
        if label.path.suffix.lower() == ".xml":
            return read_packed(label, partial(_parse_box, marks=marks), _boxes)
        return read_text(label, partial(parse_line, marks=marks))

    return read_splits(root, LAYOUT, LABEL_NAMES, report, read_file, by_number=True)


def parse_line(text: str, line: int = 0, marks: Sequence[str] = IGNORE_MARKS) -> Region:
    """Parse one line of a text file: numbers and ####text, 28 numbers, or 32 with 14 offsets.

    Raises LabelError for another count of numbers, and for a field that is not a number."""
    front, mark, words = text.partition(TEXT_MARK)
    fields = front.strip().rstrip(",").split(",")
    if mark or len(fields) == CURVE_NUMBERS:
        words = words.strip()
        return Region(polygon_of(read_numbers(fields)), words, words in marks, line)
    if len(fields) == BOX_NUMBERS + CURVE_NUMBERS:
        numbers = read_numbers(fields)
        corner = numbers[:2]
        shifted = [offset + corner[position % 2] for position, offset in enumerate(numbers[BOX_NUMBERS:])]
        return Region(polygon_of(shifted), line=line)
    read_numbers(fields)
    code = "GT019" if len(fields) % 2 else "GT018" if len(fields) < CURVE_NUMBERS else "GT022"
    raise LabelError(code, f"{len(fields)} numbers: a line has 28 and ####text, or 32")


def _parse_box(box: _Box, line: int, marks: Sequence[str]) -> Region:
    segs, words = ("".join(box[tag]).strip() for tag in ("segs", "label"))
    if not (segs := segs.rstrip(",")):
        raise LabelError("GT022", "a <box> without <segs>, its corners")
    return Region(polygon_of(read_numbers(segs.split(","))), words, words in marks, line)


def _boxes(data: bytes) -> list[tuple[int, _Box]]:
    """The boxes of an XML file and their lines. Raises LabelError if it is not valid, has no <image>, or a DOCTYPE.

    Reads at most one box more than an image may have. Expat does not load other files; without a DOCTYPE there are no
    entities that could expand."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    path: list[str] = []
    boxes: list[tuple[int, _Box]] = []
    seen_image = False

    def refuse(*_: object) -> None:
        raise LabelError("GT006", "declares a document type, whose entities can expand without limit: not read")

    def start(tag: str, _: dict[str, str]) -> None:
        nonlocal seen_image
        path.append(tag)
        seen_image = seen_image or path == ["Annotations", "image"]
        if path == ["Annotations", "image", "box"] and len(boxes) <= MAX_REGIONS:
            boxes.append((parser.CurrentLineNumber, defaultdict(list)))

    def add_text(text: str) -> None:
        if len(path) == 4 and path[2] == "box":
            boxes[-1][1][path[3]].append(text)

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: path.pop()
    parser.CharacterDataHandler = add_text
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # the latter two: unknown encoding
        raise LabelError("GT006", f"not valid XML: {error}", getattr(error, "lineno", 0)) from None
    if not seen_image:
        raise LabelError("GT006", "no <Annotations> with an <image>: not a label file of this format")
    return boxes
