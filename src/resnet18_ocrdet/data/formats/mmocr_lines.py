"""Annotation files of MMOCR 0.x: one JSON object a line, for one image. WildReceipt is published in this form.

    {"file_name": "1.jpg", "height": 720, "width": 1280, "annotations": [
        {"iscrowd": 0, "category_id": 1, "bbox": [x, y, width, height], "segmentation": [[x1, y1, x2, y2, ...]]}]}
    {"file_name": "image_files/1.jpeg", "height": 1200, "width": 1600, "annotations": [
        {"box": [x1, y1, x2, y2, x3, y3, x4, y4], "text": "SAFEWAY", "label": 1}]}

The first kind is for text detection (tools/data/textdet/coco_to_line_dict.py of MMOCR 0.x), the second for key
information extraction. Its labels are classes, with their names in class_list.txt; label 0 is don't-care, as in
mmocr/datasets/preparers/parsers/wildreceipt_parser.py of MMOCR 1.x. Files are read line by line.
https://mmocr.readthedocs.io/en/v0.6.3
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from ...errors import UserError
from ...runtime.regular_file import open_regular
from ..file_names import is_file
from ..findings import Report
from ..record import LabelRecord, Region
from ..text_file import lines_of, read_lines
from ..text_stream import label_stream
from .image_index import FindByName, ImageIndex, read_label_files
from .json_file import describe, is_set, parse_json, stated_size, text_of
from .json_stream import MAX_VALUE
from .locate import check_root, files_in, folders_in, image_folders, locate
from .location import LabelError, Location, numbered
from .points import to_polygon, to_rectangle
from .split_names import ListedImage, split_of

KEY = "mmocr_lines"
NAME = "MMOCR 0.x"
IGNORE_MARKS = ("###",)
IGNORE_FLAGS = ("iscrowd", "ignore")
CLASS_FILE = "class_list.txt"  # lines such as "1 Store_name_value"
OPEN_SET = "openset_"  # before the name of a file: the same regions, with other classes
OPEN_CLASSES = {"0": "bg", "1": "key", "2": "value", "3": "other"}
SUFFIXES = (".jsonl", ".txt", ".json")
MAX_CLASS_MB = 1
MAX_PEEKED = 8  # files that `recognise` opens
PEEK_BYTES = 2**20  # of each of them: an entry is a whole image
PEEK_LINES = 3
_NAMED = re.compile("label|instance|annotation", re.IGNORECASE)
_OUTLINES = ("polygon", "segmentation", "box", "points")


class Common(NamedTuple):
    """What all lines of a file have in common."""

    folders: Sequence[Path]  # that may hold images
    find: FindByName  # searches the whole data set
    marks: Sequence[str]
    classes: Mapping[str, str]  # names by label


def recognise(root: Path) -> str | None:
    """Report the first label file with a line in the format."""
    found = next((path for path in label_files(root)[:MAX_PEEKED] if _is_label_file(path)), None)
    return None if found is None else f"{found.relative_to(root).as_posix()}: lines with file_name and annotations"


def read(root: Path, report: Report, marks: Sequence[str]) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist. Raises UserError if `root` cannot be listed."""
    check_root(root)
    files = [path for path in label_files(root) if _is_label_file(path)]
    closed = {path.stem for path in files if not path.stem.startswith(OPEN_SET)}
    files = [path for path in files if path.stem in closed or path.stem.removeprefix(OPEN_SET) not in closed]
    return read_label_files(
        root, files, report, lambda path, split, index: read_label_file(root, path, split, report, marks, index)
    )


def label_files(root: Path) -> list[Path]:
    """List the files that may hold labels: all .jsonl files, and those that are named after labels or a split."""
    below = [folder for folder in folders_in(root) if folder.name == "annotations" or split_of(folder.name)]
    files = [path for folder in (root, *below) for path in files_in(folder, "") if path.suffix in SUFFIXES]
    named = [path for path in files if path.suffix == SUFFIXES[0] or split_of(path.stem) or _NAMED.search(path.stem)]
    return sorted(named, key=lambda path: SUFFIXES.index(path.suffix))


def read_label_file(
    root: Path, path: Path, split: str | None, report: Report, marks: Sequence[str], index: ImageIndex
) -> list[ListedImage]:
    """Read all lines of one label file; lines that cannot be read are reported and their images skipped."""
    is_open = path.stem.startswith(OPEN_SET)
    classes = OPEN_CLASSES if is_open else _read_classes(root / CLASS_FILE)
    common = Common(image_folders(root, path, (split or "train",)), index.of(split), marks, classes)
    with label_stream(path, report) as text:
        if text is None:
            return []
        whole = Location(report, path)
        return whole.attempt(_read_lines, text, whole, common, split) or []


def _read_lines(text: TextIO, whole: Location, common: Common, split: str | None) -> list[ListedImage]:
    """Raises LabelError for a file that cannot be read to its end, or has too many images."""
    listed = []
    for _, (number, line) in numbered(_lines(text)):
        location = replace(whole, line=number)
        if record := location.attempt(_read_line, line, location, common):
            listed.append(ListedImage(split, number, record))
    return listed


def _lines(text: TextIO) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank, and their numbers, from 1; of a long line only MAX_VALUE + 1 characters."""
    number = 0
    try:
        while line := text.readline(MAX_VALUE + 1):
            number += 1
            rest = line
            while rest and not rest.endswith("\n"):
                rest = text.readline(MAX_VALUE)
            if line.strip():
                yield number, line
    except OSError as error:
        raise LabelError("GT006", f"cannot be read: {error.strerror or error}") from None


def _read_line(line: str, location: Location, common: Common) -> LabelRecord:
    """Read the regions of one image. Raises LabelError if they or the image are missing."""
    if len(line) > MAX_VALUE:
        raise LabelError("GT006", f"a line of more than {MAX_VALUE} characters")
    entry = parse_json(line.rstrip(), location.line)
    if not isinstance(entry, dict):
        raise LabelError("GT022", f"needs an object with file_name and annotations, got {describe(entry)}")
    location.image = locate(entry.get("file_name"), common.folders, "file_name", find=common.find)
    annotations = entry.get("annotations")
    if not isinstance(annotations, list):
        raise LabelError("GT022", f"needs annotations, a list of regions, got {describe(annotations)}")
    stated = stated_size(entry.get("height"), entry.get("width"))
    if location.too_many(len(annotations)):
        return location.record([None] * len(annotations), stated)
    regions: list[Region | None] = []
    for number, annotation in enumerate(annotations, start=1):
        where = replace(location, entry=f"annotation {number}")
        regions += where.attempt(_read_annotation, annotation, where, common) or [None]
    return location.record(regions, stated)


def _read_annotation(annotation: Any, location: Location, common: Common) -> list[Region | None]:
    """Read one annotation: a region for each piece of its segmentation; None, reported, for one that cannot be read.

    Raises LabelError if it has no position."""
    if not isinstance(annotation, dict):
        raise LabelError("GT022", f"needs box, segmentation or bbox, got {describe(annotation)}")
    key = next((key for key in _OUTLINES if annotation.get(key)), "bbox")
    value = annotation.get(key)
    if value is None:
        raise LabelError("GT022", "needs box, segmentation or bbox, has none of them")
    is_nested = key == "segmentation" and isinstance(value, list) and isinstance(value[0], list)
    if key == "bbox":
        polygons = [location.attempt(to_rectangle, value, "size")]
    else:
        polygons = [location.attempt(to_polygon, piece, key) for piece in (value if is_nested else [value])]
    text = text_of(annotation.get("text", annotation.get("transcription")))
    label = text_of(annotation.get("label"))
    is_ignored = label == "0" and common.classes.get(label, "ignore").lower() == "ignore"
    flag = next((name for name in IGNORE_FLAGS if is_set(annotation.get(name))), "ignore" if is_ignored else "")
    about = (text, text in common.marks, location.line, flag, common.classes.get(label, label))
    return [None if polygon is None else Region(polygon, *about) for polygon in polygons]


def _read_classes(path: Path) -> dict[str, str]:
    """Names of classes by label; none if there is no such file, or it is not text."""
    try:
        pairs = [line.text.split(maxsplit=1) for line in read_lines(path, MAX_CLASS_MB)] if is_file(path) else []
    except UserError:
        return {}
    return {pair[0]: pair[1].strip() for pair in pairs if len(pair) == 2}


def _is_label_file(path: Path) -> bool:
    """Whether one of the first lines is an entry, or would be one without a syntax error."""
    try:
        with open_regular(path) as file:
            data = file.read(PEEK_BYTES)
    except OSError:
        return False
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    lines = list(islice(lines_of(data.decode("utf-16" if wide else "utf-8-sig", "replace")), PEEK_LINES + 1))
    if len(data) == PEEK_BYTES and len(lines) <= PEEK_LINES:
        lines = lines[:-1]  # it is not complete
    return any(_is_entry(line.text) for line in lines[:PEEK_LINES])


def _is_entry(line: str) -> bool:
    if not line.lstrip().startswith("{"):
        return False
    try:
        entry = parse_json(line)
    except LabelError:
        return '"file_name"' in line and '"annotations"' in line
    return isinstance(entry.get("file_name"), str) and isinstance(entry.get("annotations"), list)
