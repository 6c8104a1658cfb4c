"""Label files of docTR: `labels.json` beside `images/`, one such folder for each split.

    {"1.png": {"img_dimensions": [900, 600], "img_hash": "...", "polygons": [[[x, y], [x, y], [x, y], [x, y]], ...]}}

With several classes, `polygons` is an object with a list for each class name. There are no don't-care marks and no
texts. https://github.com/mindee/doctr/tree/main/references/detection, "Data format"
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..file_names import is_file, is_folder
from ..findings import Report
from ..record import LabelRecord, Region
from ..text_file import quoted, quoted_name
from .json_file import describe, first_shown, has_key, read_object, stated_size
from .locate import check_root, folders_in, locate
from .location import LabelError, Location
from .points import to_polygon
from .split_names import ListedImage, group_by_split, splits_of_folders

KEY = "doctr"
NAME = "docTR"
IGNORE_MARKS: tuple[str, ...] = ()  # the format has none
IGNORE_FLAGS: tuple[str, ...] = ()
LABEL_FILE = "labels.json"
WORDS, LINES = "words", "lines"  # two classes for the same text: the words are used
MAX_PEEKED = 4  # files that `recognise` opens


def recognise(root: Path) -> str | None:
    """Report the first labels.json with polygons beside images/."""
    paths = [folder / LABEL_FILE for folder in _set_folders(root)[:MAX_PEEKED] if is_folder(folder / "images")]
    return first_shown(root, paths, _is_label_file, "has polygons by image, beside images/")


def read(root: Path, report: Report, marks: Sequence[str]) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist. marks: classes that are don't-care. Raises UserError if `root` cannot be listed."""
    check_root(root)
    folders = splits_of_folders(root, _set_folders(root))
    listed = [entry for folder, split in folders.items() for entry in read_labels(folder, split, report, marks)]
    return group_by_split(folders.values(), listed, report)


def read_labels(folder: Path, split: str | None, report: Report, marks: Sequence[str]) -> list[ListedImage]:
    """Read all images of one labels.json; images that cannot be read are reported and skipped."""
    path = folder / LABEL_FILE
    listed = []
    for number, (name, label) in enumerate((read_object(Location(report, path)) or {}).items(), start=1):
        location = Location(report, path, number, entry=quoted_name(name))
        if record := location.attempt(_read_image, name, label, location, marks):
            listed.append(ListedImage(split, number, record))
    if not _is_width_first([entry.record for entry in listed]):
        return listed
    return [
        entry._replace(record=replace(entry.record, stated=entry.record.stated and entry.record.stated[::-1]))
        for entry in listed
    ]


def _read_image(name: str, label: Any, location: Location, marks: Sequence[str]) -> LabelRecord:
    """Read the labels of one image, with img_dimensions in the order of the file.

    Raises LabelError if the image or its list of polygons is missing."""
    folder = location.path.parent
    location.image = locate(name, [folder / "images", folder])
    if not isinstance(label, dict):
        raise LabelError("GT022", f"needs an object with polygons, got {describe(label)}")
    classes = label.get("polygons")
    if not isinstance(classes, dict):
        classes = {"": classes}
    elif WORDS in classes and LINES in classes:
        classes = {WORDS: classes[WORDS]}
    regions: list[Region | None] = []
    for kind, polygons in classes.items():
        if not isinstance(polygons, list):
            of_class = f" of class {quoted(kind)}" if kind else ""
            raise LabelError("GT022", f"needs polygons{of_class}, a list of regions, got {describe(polygons)}")
        if location.too_many(len(regions) + len(polygons)):
            return location.record([None] * (len(regions) + len(polygons)))
        for number, value in enumerate(polygons, start=len(regions) + 1):
            where = replace(location, line=number, entry=f"polygon {number} of {quoted_name(name)}")
            polygon = where.attempt(to_polygon, value, "polygon")
            regions.append(None if polygon is None else Region(polygon, "", kind in marks, number, category=kind))
    sides = label.get("img_dimensions")
    stated = stated_size(sides[0], sides[1]) if isinstance(sides, list) and len(sides) >= 2 else None
    return location.record(regions, stated=stated)


def _is_width_first(records: Sequence[LabelRecord]) -> bool:
    """Whether a file gives width before height: whether the regions of more images lie inside that way.

    The documentation says "spatial shape", so height first, but docTR never reads the numbers."""
    fits = np.zeros(2, np.int64)
    for record in records:
        if record.stated and record.polygons:
            far = np.concatenate(record.polygons).max(axis=0)  # x, y
            fits += [bool((far <= record.stated[::-1]).all()), bool((far <= record.stated).all())]
    return bool(fits[1] > fits[0])


def _set_folders(root: Path) -> list[Path]:
    """List the folders with a labels.json: root, and those in it."""
    return [folder for folder in (root, *folders_in(root)) if is_file(folder / LABEL_FILE)]


def _is_label_file(text: str) -> bool:
    """Whether the start and end of a file show the keys of the format."""
    return text.lstrip().startswith("{") and has_key(text, "polygons") and not has_key(text, "shapes", "[")
