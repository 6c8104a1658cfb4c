"""Label files of docTR: `labels.json` beside `images/`, one such folder for each split.

    {"1.png": {"img_dimensions": [900, 600], "img_hash": "...", "polygons": [[[x, y], [x, y], [x, y], [x, y]], ...]}}

With several classes, `polygons` is an object with a list for each class name. There are no don't-care marks and no
texts. https://github.com/mindee/doctr/tree/main/references/detection, "Data format"
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from resnet18_ocrdet.data.file_names import is_file, is_folder
from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats.json_file import describe, has_key, peek, read_object, stated_size
from resnet18_ocrdet.data.formats.locate import check_root, folders_in, locate
from resnet18_ocrdet.data.formats.points import Location, to_polygon
from resnet18_ocrdet.data.formats.split_names import ListedImage, group_by_split, split_of
from resnet18_ocrdet.data.record import LabelRecord, Region, to_record
from resnet18_ocrdet.data.text_file import quoted

KEY = "doctr"
NAME = "docTR"
IGNORE_MARKS: tuple[str, ...] = ()  # the format has none
LABEL_FILE = "labels.json"
WORDS, LINES = "words", "lines"  # two classes for the same text: the words are used
MAX_PEEKED = 4  # files that `recognise` opens


class _Image(NamedTuple):
    """One image, before it is decided which side of img_dimensions is the height."""

    line: int
    image: Path
    regions: list[Region | None]  # None: lost
    dimensions: tuple[int, int] | None  # px, in the order of the file


def recognise(root: Path) -> str | None:
    """Report the first labels.json with polygons beside images/."""
    for folder in _set_folders(root)[:MAX_PEEKED]:
        if is_folder(folder / "images") and _is_label_file(folder / LABEL_FILE):
            return f"{(folder / LABEL_FILE).relative_to(root).as_posix()}: has polygons by image, beside images/"
    return None


def read(root: Path, report: Report, marks: Sequence[str]) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist. marks: names of classes whose regions are don't-care.

    Raises UserError if `root` cannot be listed."""
    check_root(root)
    folders = {folder: split_of(folder.name) if folder != root else None for folder in _set_folders(root)}
    listed = [entry for folder, split in folders.items() for entry in read_labels(folder, split, report, marks)]
    return group_by_split(folders.values(), listed, report)


def read_labels(folder: Path, split: str | None, report: Report, marks: Sequence[str]) -> list[ListedImage]:
    """Read all images of one labels.json; images that cannot be read are reported and skipped."""
    path = folder / LABEL_FILE
    data = read_object(path, report) or {}
    images = [
        image
        for number, (name, label) in enumerate(data.items(), start=1)
        if (image := _read_image(name, label, Location(report, path, number, entry=quoted(name)), marks))
    ]
    width_first = _is_width_first(images)
    listed = []
    for image in images:
        stated = image.dimensions[::-1] if image.dimensions and width_first else image.dimensions
        listed.append(ListedImage(split, image.line, to_record(image.image, path, image.regions, stated=stated)))
    return listed


def _read_image(name: str, label: Any, location: Location, marks: Sequence[str]) -> _Image | None:
    """Read the labels of one image; None, reported, if the image or its list of polygons is missing."""
    folder = location.path.parent
    image = locate(name, [folder / "images", folder], location)
    if image is None:
        return None
    location = location._replace(image=image)
    if not isinstance(label, dict):
        location.add("GT022", f"needs an object with polygons, got {describe(label)}")
        return None
    classes = label.get("polygons")
    if not isinstance(classes, dict):
        classes = {"": classes}
    elif WORDS in classes and LINES in classes:
        classes = {WORDS: classes[WORDS]}
    regions: list[Region | None] = []
    for kind, polygons in classes.items():
        if not isinstance(polygons, list):
            of_class = f" of class {quoted(kind)}" if kind else ""
            location.add("GT022", f"needs polygons{of_class}, a list of regions, got {describe(polygons)}")
            return None
        if location.too_many(len(regions) + len(polygons)):
            return _Image(location.line, image, [None] * (len(regions) + len(polygons)), None)
        for value in polygons:
            number = len(regions) + 1
            where = location._replace(line=number, entry=f"polygon {number} of {quoted(name)}")
            polygon = to_polygon(value, where, "polygon")
            regions.append(None if polygon is None else Region(polygon, "", kind in marks, number))
    return _Image(location.line, image, regions, _dimensions(label.get("img_dimensions")))


def _dimensions(value: Any) -> tuple[int, int] | None:
    return stated_size(value[0], value[1]) if isinstance(value, list) and len(value) >= 2 else None


def _is_width_first(images: Sequence[_Image]) -> bool:
    """Whether a file gives width before height: whether the regions of more images lie inside that way.

    The documentation says "spatial shape", so height first, but docTR never reads the numbers."""
    fits = np.zeros(2, np.int64)
    for image in images:
        polygons = [region.polygon for region in image.regions if region]
        if image.dimensions and polygons:
            far = np.concatenate(polygons).max(axis=0)  # x, y
            fits += [bool((far <= image.dimensions[::-1]).all()), bool((far <= image.dimensions).all())]
    return bool(fits[1] > fits[0])


def _set_folders(root: Path) -> list[Path]:
    """List the folders with a labels.json: root, and those named after a split."""
    folders = [root, *(folder for folder in folders_in(root) if split_of(folder.name))]
    return [folder for folder in folders if is_file(folder / LABEL_FILE)]


def _is_label_file(path: Path) -> bool:
    """Whether the start of a file has the keys of the format."""
    text = peek(path).lstrip()
    return text.startswith("{") and has_key(text, "polygons") and not has_key(text, "shapes", "[")
