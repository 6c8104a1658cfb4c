"""VGG Image Annotator, versions 1 and 2: a project, or exported annotations in JSON or CSV.

    {"1.jpg64321": {"filename": "1.jpg", "size": 64321, "file_attributes": {}, "regions": [
      {"shape_attributes": {"name": "rect", "x": 37, "y": 57, "width": 134, "height": 48},
       "region_attributes": {"text": "EXIT"}}]}}

A project holds this object as `_via_img_metadata`. Version 1 numbers the regions, {"0": {...}}, and repeats the first
corner of a polygon as its last one. A CSV export has a line for each region, with both kinds of attributes as JSON.
Shapes: rect; polygon and polyline (all_points_x, all_points_y), the latter if its ends meet; circle (cx, cy, r);
ellipse (cx, cy, rx, ry, theta), turned around its centre by theta, in radians, clockwise: via.js sets it with
Math.atan2(y - cy, x - cx), y pointing down. The attributes of a region are named by the user: see `attributes` for what
is its text, its class, or a flag.
https://www.robots.ox.ac.uk/~vgg/software/via, https://gitlab.com/vgg/via
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from ...structures import Polygon
from ..findings import MAX_REGIONS, Report
from ..record import LabelRecord, Region
from ..text_file import label_text, lines_of, quoted
from .attributes import FLAG_NAMES, read_free_attributes, settle_labels, value_of
from .image_index import ImageIndex
from .json_file import describe, first_shown, has_key, labels_among, parse_json, read_object
from .locate import IMAGE_FOLDERS, check_root, files_near, image_folders
from .location import LabelError, Location
from .points import to_number, to_polygon, to_rectangle
from .served import locate_served, upload_name
from .shapes import closed_line, ellipse, without_end
from .split_names import SPLITS, ListedImage, group_by_split, splits_of_files

KEY = "via"
NAME = "VIA"
IGNORE_MARKS = ("###",)
IGNORE_FLAGS = FLAG_NAMES  # attributes that the user ticked
PROJECT = "_via_img_metadata"
MAX_PEEKED = 8  # files that `recognise` opens
MAX_IN_FOLDER = 2  # of them in one folder
COLUMNS = ("filename", "region_shape_attributes", "region_attributes")  # of a CSV file; the others are not used


class Entry(NamedTuple):
    """A region as written."""

    line: int  # of the CSV file, or number of the region in its image, from 1
    value: Any  # shape_attributes and region_attributes: an object, or a pair of texts; or why it cannot be read


class Sheet(NamedTuple):
    """The regions of one image as written."""

    line: int  # of the CSV file, or number of the image in the JSON file, from 1
    name: Any  # of the image
    entries: list[Entry] | None  # None: there is no list of regions


def recognise(root: Path) -> str | None:
    """Report the first of a few JSON and CSV files with the keys of the format."""
    found = (files_near(root, suffix, MAX_IN_FOLDER)[:MAX_PEEKED] for suffix in (".json", ".csv"))
    return first_shown(root, chain(*found), _is_annotation_file, "has regions with shape_attributes")


def read(root: Path, report: Report, marks: Sequence[str]) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist. Raises UserError if `root` cannot be listed."""
    check_root(root)
    paths = chain(files_near(root, ".json"), files_near(root, ".csv"))
    files = labels_among(paths, _is_annotation_file, lambda path: path.stem.startswith("via_"))
    index = ImageIndex(root, upload_name)
    listed = []
    for path, split in splits_of_files(root, files).items():
        folders = image_folders(root, path, SPLITS if split is None else (split,))
        folders += [path.parent / name for name in IMAGE_FOLDERS]
        whole = Location(report, path)
        for sheet in _csv_sheets(whole) if path.suffix.lower() == ".csv" else _json_sheets(whole):
            location = replace(whole, line=sheet.line)
            if record := location.attempt(_read_sheet, sheet, location, folders, index, split, marks):
                listed.append(ListedImage(split, sheet.line, record))
    report.notes += index.notes()
    return group_by_split({entry.split for entry in listed} or {None}, settle_labels(listed), report, root)


def _json_sheets(whole: Location) -> Iterator[Sheet]:
    """The images of a JSON file."""
    data = read_object(whole) or {}
    data = data[PROJECT] if isinstance(data.get(PROJECT), dict) else data
    for number, image in enumerate(data.values(), start=1):
        image = image if isinstance(image, dict) else {}
        regions = image.get("regions")
        if isinstance(regions, dict):
            regions = list(regions.values())
        entries = None
        if isinstance(regions, list):
            entries = [Entry(place, region) for place, region in enumerate(regions, start=1)]
        yield Sheet(number, image.get("filename"), entries)


def _csv_sheets(whole: Location) -> list[Sheet]:
    """The images of a CSV file. A line that cannot be read is a region of the image that it begins with."""
    lines = lines_of(label_text(whole.path, whole.report, None, blank="") or "")
    heading = next((line.text for line in lines), "")
    separator = next((sign for sign in ",;\t" if sign in heading), ",")
    names = [name.strip().lstrip("#") for name in whole.attempt(_fields, heading, separator) or []]
    if missing := [name for name in COLUMNS if name not in names]:
        whole.add("GT006", f"the first line names no column {missing[0]}", 1)
        return []
    places = [names.index(name) for name in COLUMNS]
    sheets: dict[str, list[Entry]] = {}
    first: dict[str, int] = {}
    for number, line in lines:
        try:
            fields = _fields(line, separator)
            if len(fields) != len(names):
                raise LabelError("GT022", f"{len(fields)} columns, the first line has {len(names)}: {quoted(line)}")
            name, shape, attributes = (fields[place] for place in places)
            entry = Entry(number, (shape, attributes or "{}")) if shape.strip() not in ("", "{}") else None
        except LabelError as error:
            name, entry = line.split(separator, 1)[0].strip('"'), Entry(number, error)
        entries = sheets.setdefault(name, [])
        first.setdefault(name, number)
        if entry is not None and len(entries) <= MAX_REGIONS:  # None: an image without regions
            entries.append(entry)
    return [Sheet(first[name], name, entries) for name, entries in sheets.items()]


def _fields(line: str, separator: str) -> list[str]:
    """The columns of a line of CSV. Raises LabelError if a quote does not end, and for a very long column."""
    try:
        return next(csv.reader([line], delimiter=separator, strict=True), [])
    except csv.Error as error:
        raise LabelError("GT022", f"not a line of CSV: {error}: {quoted(line)}") from None


def _read_sheet(
    sheet: Sheet,
    location: Location,
    folders: Sequence[Path],
    index: ImageIndex,
    split: str | None,
    marks: Sequence[str],
) -> LabelRecord:
    """Read the regions of one image. Raises LabelError if the image does not exist."""
    location.image = locate_served(sheet.name, folders, index, split, "filename")
    if sheet.entries is None:
        raise LabelError("GT022", "needs regions, a list or an object")
    if location.too_many(len(sheet.entries)):
        return location.record([None] * len(sheet.entries))
    is_csv = location.path.suffix.lower() == ".csv"
    regions = []
    for entry in sheet.entries:
        name = "" if is_csv else f"region {entry.line} of {quoted(str(sheet.name))}"
        regions.append(replace(location, line=entry.line, entry=name).attempt(_read_region, entry, marks))
    return location.record(regions)


def _read_region(entry: Entry, marks: Sequence[str]) -> Region:
    """Read one region. Raises LabelError if its position cannot be read."""
    if isinstance(entry.value, LabelError):
        raise entry.value
    if isinstance(entry.value, tuple):
        shape, attributes = (parse_json(text, entry.line) for text in entry.value)
    elif isinstance(entry.value, dict):
        shape, attributes = entry.value.get("shape_attributes"), entry.value.get("region_attributes")
    else:
        raise LabelError("GT022", f"needs shape_attributes, got {describe(entry.value)}")
    if not isinstance(shape, dict):
        raise LabelError("GT022", f"needs shape_attributes, an object, got {describe(shape)}")
    attributes = attributes if isinstance(attributes, dict) else {}
    text, category, flag = read_free_attributes(attributes)
    is_marked = text in marks or any(value_of(value) in marks for value in attributes.values())  # whatever its name
    return Region(_outline(shape), text, is_marked, entry.line, flag, category)


def _outline(shape: dict[str, Any]) -> Polygon:
    """The corners of a shape. Raises LabelError if they cannot be read."""
    kind = shape.get("name")
    if kind == "rect":
        return to_rectangle([shape.get(key) for key in ("x", "y", "width", "height")], "size", "rect")
    if kind in ("polygon", "polyline"):
        x, y = shape.get("all_points_x"), shape.get("all_points_y")
        if not isinstance(x, list) or not isinstance(y, list) or len(x) != len(y):
            raise LabelError("GT022", f"needs all_points_x and _y of equal length, got {describe(x)}, {describe(y)}")
        polygon = to_polygon([list(point) for point in zip(x, y, strict=True)], kind)
        return closed_line(polygon) if kind == "polyline" else without_end(polygon)
    if kind not in ("circle", "ellipse"):
        raise LabelError("GT022", f"the shape is {describe(kind)}, which does not enclose a region")
    across, down = ("r", "r") if kind == "circle" else ("rx", "ry")
    x, y, width, height, angle = (_number(shape, key) for key in ("cx", "cy", across, down, "theta"))
    return ellipse((x, y), (width, height), angle)


def _number(shape: dict[str, Any], key: str) -> float:
    """A number of a shape. Raises LabelError if it is missing or is not a number; theta may be missing."""
    number = to_number(shape.get(key, 0 if key == "theta" else None))
    if number is None:
        raise LabelError("GT020", f"{key} is {describe(shape.get(key))}, not a number")
    return number


def _is_annotation_file(text: str) -> bool:
    """Whether the start and end of a file show the keys of the format, or the columns of its CSV export."""
    first = text.lstrip().split("\n", 1)[0]
    if all(name in first for name in COLUMNS) and not first.startswith("{"):
        return True
    is_empty = all(has_key(text, key) for key in ("regions", "file_attributes", "filename"))
    is_shown = is_empty or any(has_key(text, key) for key in ("_via_settings", PROJECT, "shape_attributes"))
    return text.lstrip().startswith("{") and is_shown
