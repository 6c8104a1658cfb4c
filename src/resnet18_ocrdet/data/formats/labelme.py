"""LabelMe annotations: one JSON file beside each image.

    {"version": "5.5.0", "flags": {}, "shapes": [{"label": "EXIT", "points": [[471.8, 1020.0], ...],
     "group_id": null, "description": "", "shape_type": "polygon", "flags": {}, "mask": null}],
     "imagePath": "1.jpg", "imageData": null, "imageHeight": 1600, "imageWidth": 1200}

imagePath is relative to the folder of the JSON file; pixels in imageData are not used. A label is the transcription, or
the name of the only class, with the transcription in description. https://labelme.io/docs
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..findings import Report
from ..image_io import list_images
from ..record import LabelRecord, Region
from .json_file import describe, first_shown, has_key, labels_among, read_object, stated_size, text_of
from .locate import IMAGE_FOLDERS, files_in, find_image, folders_in, locate
from .location import LabelError, Location
from .points import to_polygon, to_rectangle
from .split_names import ListedImage, group_by_split, split_below, split_of

KEY = "labelme"
NAME = "LabelMe"
IGNORE_MARKS = ("###",)
IGNORE_FLAGS = ("difficult",)
LABEL_FOLDERS = ("labels", "annotations", "ann", "json", "jsons", *IMAGE_FOLDERS)  # in which `recognise` looks
MAX_PEEKED = 8  # files that `recognise` opens
MAX_IN_FOLDER = 3  # of them in one folder

BOX_SHAPES = ("rectangle", "mask")  # a mask is given with the two corners of its box
OUTLINE_SHAPES = ("polygon", "rotation", "rotated_rectangle", "oriented_rectangle", "quadrilateral", "cuboid2d")


def recognise(root: Path) -> str | None:
    """Report the first of a few JSON files with the keys of the format."""
    below = [folder for folder in folders_in(root) if folder.name in LABEL_FOLDERS or split_of(folder.name)]
    paths = [path for folder in (root, *below) for path in files_in(folder, ".json")[:MAX_IN_FOLDER]]
    return first_shown(root, paths[:MAX_PEEKED], _is_annotation, "has shapes of one image")


def read(root: Path, report: Report, marks: Sequence[str]) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist, by the names of folders. Raises UserError if a folder cannot be listed."""
    images = list_images(root)
    by_stem: dict[Path, list[Path]] = {}
    for image in images:
        by_stem.setdefault(image.with_suffix(""), []).append(image)
    claimed: set[Path | None] = set()  # images with a label file, readable or not
    listed, descriptions = [], []
    files = list_images(root, (".json",))
    for path in labels_among(files, _is_annotation, lambda path: path.with_suffix("") in by_stem):
        beside = by_stem.get(path.with_suffix(""), [])
        location = Location(report, path, image=beside[0] if beside else None)
        if found := location.attempt(_read_annotation, location, beside, marks):
            listed.append(ListedImage(split_below(root, path.parent), 0, found[0]))
            descriptions.append(found[1])
        claimed.add(location.image)
    if _labels_are_classes([entry.record for entry in listed]):
        pairs = zip(listed, descriptions, strict=True)
        listed = [entry._replace(record=_with_texts(entry.record, texts, marks)) for entry, texts in pairs]
    for image in images:
        if image not in claimed:
            report.add("GT001", image, 0, f"no {image.stem}.json beside it", image)
    return group_by_split((entry.split for entry in listed), listed, report)


def _read_annotation(
    location: Location, beside: Sequence[Path], marks: Sequence[str]
) -> tuple[LabelRecord, list[str]] | None:
    """Read one JSON file: regions with their labels as text, and their descriptions; None, reported, if it is not JSON.

    beside: images of the same name. They are preferred to an imagePath with another name: pairs are often renamed.
    Raises LabelError if the image or the list of regions is missing."""
    data = read_object(location)
    if data is None:
        return None
    location.image = _find_image(location.path, data.get("imagePath"), beside)
    shapes = data.get("shapes")
    if not isinstance(shapes, list):
        raise LabelError("GT022", f"needs shapes, a list of regions, got {describe(shapes)}")
    if location.too_many(len(shapes)):
        return location.record([None] * len(shapes)), []
    found = [
        replace(location, line=number, entry=f"shape {number}").attempt(_read_shape, shape, number, marks)
        for number, shape in enumerate(shapes, start=1)
    ]
    stated = stated_size(data.get("imageHeight"), data.get("imageWidth"))
    record = location.record([pair and pair[0] for pair in found], stated=stated)
    return record, [pair[1] for pair in found if pair]


def _find_image(path: Path, name: Any, beside: Sequence[Path]) -> Path:
    """Find the image of a JSON file. Raises LabelError if it does not exist."""
    folders = [path.parent, *(path.parent.parent / folder for folder in IMAGE_FOLDERS)]
    named = find_image(name, folders) if isinstance(name, str) and name else None
    if named is not None and (named.stem == path.stem or not beside):
        return named
    return beside[0] if beside else locate(name, folders, "imagePath")


def _read_shape(shape: Any, number: int, marks: Sequence[str]) -> tuple[Region, str]:
    """Read one region, its label as text, and its description. Raises LabelError if it cannot be read."""
    if not isinstance(shape, dict):
        raise LabelError("GT022", f"needs label and points, got {describe(shape)}")
    kind, points = shape.get("shape_type"), shape.get("points")
    if kind is not None and kind not in (*BOX_SHAPES, *OUTLINE_SHAPES):  # LabelMe 3 had polygons only, and no type
        why = "which does not enclose a region; polygon and rectangle are read"
        raise LabelError("GT022", f"shape_type is {describe(kind)}, {why}")
    is_box = kind in BOX_SHAPES and isinstance(points, list) and len(points) == 2
    polygon = to_rectangle(points, "corners", "points") if is_box else to_polygon(points)
    label = text_of(shape.get("label"))
    return Region(polygon, label, label in marks, number), text_of(shape.get("description"))


def _labels_are_classes(records: Sequence[LabelRecord]) -> bool:
    """Whether all labels of a data set, except don't-care marks, are equal: then they are a class, not a text."""
    labels = [zip(record.texts, record.ignore, strict=True) for record in records]
    counts = Counter(label for found in labels for label, ignore in found if not ignore)
    return len(counts) == 1 and counts.total() > 1


def _with_texts(record: LabelRecord, descriptions: Sequence[str], marks: Sequence[str]) -> LabelRecord:
    """The record with descriptions instead of classes; don't-care marks stay."""
    pairs = zip(record.texts, record.ignore, descriptions, strict=True)
    texts = tuple(label if ignore else description for label, ignore, description in pairs)
    return replace(record, texts=texts, ignore=np.array([text in marks for text in texts], np.bool_))


def _is_annotation(text: str) -> bool:
    """Whether the start and end of a file show the keys of the format."""
    signs = ("shape_type", "imagePath", "imageHeight")
    return has_key(text, "shapes", "[") and any(has_key(text, sign) for sign in signs)
