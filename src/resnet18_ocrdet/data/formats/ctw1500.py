"""SCUT-CTW1500: curved text lines with 14 corners (https://github.com/Yuliang-Liu/Curve-Text-Detector).

    train_images/0001.jpg  ctw1500_train_labels/0001.xml    <segs>x1,y1,...,x14,y14</segs> in <box> in <image>
    test_images/1001.jpg   gt_ctw1500/0001001.txt           x1,y1,...,x14,y14,####text
    train/text_image/...   train/text_label_curve/0001.txt  the first release: xmin,ymin,xmax,ymax and 14 offsets from
                                                            xmin,ymin, without a text; same in test/

Boxes with another number of corners are read if <segs> or #### shows where the numbers end.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from xml.parsers import expat

from resnet18_ocrdet.data.findings import MAX_REGIONS, Report
from resnet18_ocrdet.data.formats.pairing import (
    RegionError,
    SplitFolders,
    find_folder,
    parse_entries,
    peek_files,
    read_numbers,
    read_splits,
    read_text,
    to_polygon,
)
from resnet18_ocrdet.data.record import LabelRecord, Region
from resnet18_ocrdet.data.text_file import label_bytes, lines_of

KEY = "ctw1500"
NAME = "SCUT-CTW1500"
IGNORE_MARKS = ("###",)
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

_XML_TAGS = (b"<Annotations", b"<image", b"<box", b"<segs>")  # in this order


def recognise(root: Path) -> str | None:
    """Report the first label file that starts like one of the three kinds.

    32 numbers alone could also be 16 corners: they count only in a folder text_label_curve/."""
    for folders in LAYOUT.values():
        for name in folders.labels:
            if (folder := find_folder(root, (name,))) and (sign := _recognise_folder(folder)):
                return f"{sign[0].relative_to(root).as_posix()} {sign[1]}"
    return None


def _recognise_folder(folder: Path) -> tuple[Path, str] | None:
    """The first label file that shows the format, and what shows it."""
    for path, head in peek_files(folder, ".xml"):
        position = 0
        for tag in _XML_TAGS:
            position = head.find(tag, position) if position >= 0 else -1
        if position >= 0:
            return path, "has <Annotations>, <image>, <box> and <segs>"
    for path, head in peek_files(folder, ".txt"):
        first = next(lines_of(head.decode("utf-8-sig", "replace")), None)
        numbers, mark, _ = first.text.partition(TEXT_MARK) if first else ("", "", "")
        fields = [field for field in numbers.split(",") if field.strip()]
        wanted = BOX_NUMBERS + CURVE_NUMBERS if folder.name.casefold() == OLD_LABELS else None
        if len(fields) != (CURVE_NUMBERS if mark else wanted):
            continue
        try:
            read_numbers(fields)
        except RegionError:
            continue
        return path, f"starts with {len(fields)} numbers{' and ####' if mark else ''}"
    return None


def read(root: Path, report: Report, marks: Sequence[str] = IGNORE_MARKS) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist. Raises UserError if there are no images."""

    def read_file(image: Path, label: Path) -> LabelRecord | None:
        if label.suffix == ".xml":
            return _read_xml(image, label, report, marks)
        return read_text(image, label, report, partial(parse_line, marks=marks))

    return read_splits(root, LAYOUT, LABEL_NAMES, report, read_file, by_number=True)


def parse_line(text: str, line: int = 0, marks: Sequence[str] = IGNORE_MARKS) -> Region:
    """Parse one line of a text file: numbers and ####text, 28 numbers, or 32 with 14 offsets.

    Raises RegionError for another count of numbers, and for a field that is not a number."""
    front, mark, words = text.partition(TEXT_MARK)
    fields = front.strip().rstrip(",").split(",")
    if mark or len(fields) == CURVE_NUMBERS:
        words = words.strip()
        return Region(to_polygon(read_numbers(fields)), words, words in marks, line)
    if len(fields) == BOX_NUMBERS + CURVE_NUMBERS:
        numbers = read_numbers(fields)
        corner = numbers[:2]
        shifted = [offset + corner[position % 2] for position, offset in enumerate(numbers[BOX_NUMBERS:])]
        return Region(to_polygon(shifted), line=line)
    read_numbers(fields)
    code = "GT019" if len(fields) % 2 else "GT018" if len(fields) < CURVE_NUMBERS else "GT022"
    raise RegionError(code, f"{len(fields)} numbers: a line has 28 and ####text, or 32")


class _Box:
    """One <box> while it is parsed: its line, and the text of its children in pieces, by tag."""

    def __init__(self, line: int) -> None:
        self.line = line
        self.pieces: dict[str, list[str]] = {}

    def text(self, tag: str) -> str:
        """The text of all children with a tag."""
        return "".join(self.pieces.get(tag, ())).strip()


class _Refused(Exception):  # noqa: N818  raised through the parser
    """The file declares a document type."""


def _read_xml(image: Path, label: Path, report: Report, marks: Sequence[str]) -> LabelRecord | None:
    data = label_bytes(label, report, image)
    if data is None:
        return None
    try:
        boxes = _boxes(data)
    except _Refused:
        detail = "declares a document type, whose entities can expand without limit: not read"
        report.add("GT006", label, detail=detail, image=image)
        return None
    except (expat.ExpatError, LookupError, ValueError) as error:  # the latter two: unknown encoding
        report.add("GT006", label, getattr(error, "lineno", 0), f"not valid XML: {error}", image)
        return None
    if boxes is None:
        report.add(
            "GT006", label, detail="no <Annotations> with an <image>: not a label file of this format", image=image
        )
        return None
    if not boxes:
        report.add("GT002", label, image=image)

    return parse_entries(((box.line, box) for box in boxes), partial(_parse_box, marks=marks), image, label, report)


def _parse_box(box: _Box, line: int, marks: Sequence[str]) -> Region:
    segs = box.text("segs").rstrip(",")
    if not segs:
        raise RegionError("GT022", "a <box> without <segs>, its corners")
    words = box.text("label")
    return Region(to_polygon(read_numbers(segs.split(","))), words, words in marks, line)


def _boxes(data: bytes) -> list[_Box] | None:
    """Read the boxes of an XML file; None if it has no <image>. Raises ExpatError, or _Refused for a DOCTYPE.

    Reads at most one box more than an image may have. Expat does not load other files; without a DOCTYPE there are no
    entities that could expand."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    path: list[str] = []
    boxes: list[_Box] = []
    seen_image = False

    def refuse(*_: object) -> None:
        raise _Refused

    def start(tag: str, _: dict[str, str]) -> None:
        nonlocal seen_image
        path.append(tag)
        seen_image = seen_image or path == ["Annotations", "image"]
        if path == ["Annotations", "image", "box"] and len(boxes) <= MAX_REGIONS:
            boxes.append(_Box(parser.CurrentLineNumber))

    def end(_: str) -> None:
        path.pop()

    def add_text(text: str) -> None:
        if len(path) == 4 and path[2] == "box":
            boxes[-1].pieces.setdefault(path[3], []).append(text)

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = add_text
    parser.Parse(data, True)
    return boxes if seen_image else None
