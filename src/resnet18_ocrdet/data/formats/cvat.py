"""CVAT for images 1.1: all images of a task or project in annotations.xml, beside images/.

    <annotations><version>1.1</version><meta>...</meta>
      <image id="0" name="1.jpg" subset="Train" width="640" height="480">
        <box label="text" occluded="0" xtl="37" ytl="57" xbr="171" ybr="105" rotation="35.00">
          <attribute name="text">EXIT</attribute></box>
        <polygon label="text" points="37.00,57.00;171.00,57.00;171.00,105.00"/>
        <mask label="text" rle="2, 5, 3" left="40" top="60" width="5" height="2"/></image></annotations>

A box and an <ellipse> (cx, cy, rx, ry) are turned around their centre by `rotation`, in degrees, clockwise: CVAT,
cvat/apps/dataset_manager/formats/transformations.py, RotatedBoxesToPolygons. A mask is a box with run lengths in rows,
zeros first; each of its pieces is a region. A <polyline> is read if its ends meet. The label is the class. The
transcription is the attribute with a name of `attributes.TEXT_NAMES`, else the only one whose <input_type> in <meta> is
text. `subset` is the split, and the folder of the image in images/. Exports of videos, with <track>, are not read.
https://docs.cvat.ai/docs/other/xml_format; the writer is dump_as_cvat_annotation in formats/cvat.py
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np

from ...structures import Polygon
from ..findings import Report
from ..record import LabelRecord, Region
from ..text_file import quoted
from .attributes import FLAG_NAMES, OCCLUDED, read_attributes
from .image_index import FindByName, ImageIndex
from .json_file import first_shown, labels_among, stated_size
from .locate import IMAGE_FOLDERS, check_root, files_near, image_folders, locate
from .location import LabelError, Location
from .pairing import read_numbers
from .points import polygon_of, to_number
from .run_lengths import row_outlines
from .shapes import closed_line, ellipse, turned_box
from .split_names import SPLITS, ListedImage, group_by_split, split_of, splits_of_files
from .xml_file import Element, read_entries

KEY = "cvat"
NAME = "CVAT"
IGNORE_MARKS = ("###",)
IGNORE_FLAGS = FLAG_NAMES  # attributes that the user ticked; `occluded` is text
ROOT = "annotations"
FILE_NAME = "annotations.xml"
MAX_PEEKED = 8  # files that `recognise` opens
MAX_IN_FOLDER = 2  # of them in one folder

_START = re.compile(r"<annotations>\s*+(?:<version>|<meta>|<image\b|<track\b)")
_RUN = re.compile(r"\s*([0-9]{1,9})\s*")


def recognise(root: Path) -> str | None:
    """Report the first of a few XML files with the elements of the format."""
    paths = files_near(root, ".xml", MAX_IN_FOLDER)[:MAX_PEEKED]
    return first_shown(root, paths, _is_annotation_file, "has <annotations> with images")


def read(root: Path, report: Report, marks: Sequence[str]) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist. Raises UserError if `root` cannot be listed."""
    check_root(root)
    files = labels_among(files_near(root, ".xml"), _is_annotation_file, lambda path: path.name == FILE_NAME)
    index = ImageIndex(root)
    splits = splits_of_files(root, files)
    listed = [e for path in files for e in read_annotation_file(root, path, splits[path], report, marks, index)]
    report.notes += index.notes()
    return group_by_split({entry.split for entry in listed} or {None}, listed, report, root)


def read_annotation_file(
    root: Path, path: Path, of_file: str | None, report: Report, marks: Sequence[str], index: ImageIndex
) -> list[ListedImage]:
    """Read all images of one file; images that cannot be read are reported and skipped.

    of_file: the split of images without a subset."""
    whole = Location(report, path)
    listed: list[ListedImage] = []
    texts: set[str] = set()  # names of attributes with a text
    seen: set[str] = set()
    folders = cache(partial(_image_folders, root, path))  # by subset

    def visit(entry: Element) -> None:
        seen.add(entry.tag)
        if entry.tag == "meta":
            texts.update(_text_attributes(entry))
        elif entry.tag == "image":
            location = replace(whole, line=entry.line)
            split = split_of(entry.attributes.get("subset", "")) or of_file
            if record := location.attempt(_read_image, entry, location, folders, index.of(split), texts, marks):
                listed.append(ListedImage(split, entry.line, record))

    if not read_entries(whole, ROOT, visit):
        return []
    if "image" not in seen:
        is_video = "track" in seen
        whole.add("GT006", f"{'holds the tracks of a video' if is_video else 'no <image>'}; export CVAT for images")
    return listed


def _text_attributes(meta: Element) -> set[str]:
    """Names, in lower case, of the attributes of labels that are the only ones to hold a text."""
    found: set[str] = set()
    waiting = [meta]
    while waiting:
        element = waiting.pop()
        waiting += element.children
        inputs = [child for child in element.children if child.value("input_type") == "text"]
        if element.tag == "attributes" and len(inputs) == 1:
            found.add((inputs[0].value("name") or "").lower())
    return found


def _read_image(
    image: Element,
    location: Location,
    folders: Callable[[str], list[Path]],
    find: FindByName,
    texts: Collection[str],
    marks: Sequence[str],
) -> LabelRecord:
    """Read the regions of one image. Raises LabelError if the image does not exist."""
    inside = folders(image.attributes.get("subset", ""))
    location.image = locate(image.attributes.get("name"), inside, "name", inside, find)
    shapes = [shape for shape in image.children if shape.tag != "tag"]  # a tag is about the whole image
    if location.too_many(len(shapes)):
        return location.record([None] * len(shapes))
    regions: list[Region | None] = []
    for shape in shapes:
        where = replace(location, line=shape.line)
        regions += where.attempt(_read_shape, shape, texts, marks) or [None]
    sides = [to_number(image.attributes.get(side)) for side in ("height", "width")]
    return location.record(regions, stated=stated_size(*sides))


def _image_folders(root: Path, path: Path, subset: str) -> list[Path]:
    """Folders that may hold the images of a subset, its own first."""
    split = split_of(subset) or split_of(path.stem)
    folders = [path.parent / name for name in IMAGE_FOLDERS]
    folders += image_folders(root, path, SPLITS if split is None else (split,))
    own = [folder / subset for folder in folders] if subset else []
    return list(dict.fromkeys([*own, *folders]))


def _read_shape(shape: Element, texts: Collection[str], marks: Sequence[str]) -> list[Region]:
    """Read one shape: a region, or one for each piece of a mask. Raises LabelError if its position cannot be read."""
    attributes = [child for child in shape.children if child.tag == "attribute"]
    values = {child.attributes.get("name", ""): child.text.strip() for child in attributes}
    values.setdefault(OCCLUDED, shape.attributes.get(OCCLUDED, ""))
    text, _, flag = read_attributes(values, sorted(texts))
    category = shape.attributes.get("label", "").strip()
    is_marked = text in marks or category in marks
    outlines = _outlines(shape)
    return [Region(outline, text, is_marked, shape.line, flag, category) for outline in outlines]


def _outlines(shape: Element) -> list[Polygon]:
    if shape.tag == "mask":
        return _mask_outlines(shape)
    if shape.tag in ("polygon", "polyline"):
        numbers = read_numbers(re.split("[;,]", _attribute(shape, "points")))
        polygon = polygon_of(numbers, "points holds ")
        return [polygon if shape.tag == "polygon" else closed_line(polygon)]
    if shape.tag not in ("box", "ellipse"):
        raise LabelError("GT022", f"<{quoted(shape.tag)[1:-1]}> does not enclose a region")
    angle = math.radians(_number(shape, "rotation") if "rotation" in shape.attributes else 0)
    if shape.tag == "ellipse":
        x, y, across, down = (_number(shape, name) for name in ("cx", "cy", "rx", "ry"))
        return [ellipse((x, y), (across, down), angle)]
    left, top, right, bottom = (_number(shape, name) for name in ("xtl", "ytl", "xbr", "ybr"))
    return [turned_box(left, top, right, bottom, angle)]


def _mask_outlines(shape: Element) -> list[Polygon]:
    fields = _attribute(shape, "rle").split(",")
    matches = [_RUN.fullmatch(field) for field in fields]
    if None in matches:
        raise LabelError("GT020", f"run {matches.index(None) + 1} of rle is {quoted(fields[matches.index(None)])}")
    runs = [int(match[1]) for match in matches if match]
    corner = np.array([_number(shape, "left"), _number(shape, "top")])
    outlines = row_outlines(runs, _number(shape, "height"), _number(shape, "width"))
    with np.errstate(over="ignore"):
        return [(outline + corner).astype(np.float32) for outline in outlines]


def _attribute(shape: Element, name: str) -> str:
    if name not in shape.attributes:
        raise LabelError("GT022", f"<{shape.tag}> without {name}")
    return shape.attributes[name]


def _number(shape: Element, name: str) -> float:
    """The number in an attribute. Raises LabelError if it is missing or is not a number."""
    text = _attribute(shape, name)
    number = to_number(text)
    if number is None:
        raise LabelError("GT020", f"{name} is {quoted(text)}, not a number")
    return number


def _is_annotation_file(text: str) -> bool:
    """Whether the start of a file shows the elements of the format."""
    return _START.search(text) is not None
