"""LabelMe annotations: one JSON file beside each image.

    {"version": "5.5.0", "flags": {}, "shapes": [{"label": "EXIT", "points": [[471.8, 1020.0], ...],
     "group_id": null, "description": "", "shape_type": "polygon", "flags": {}, "mask": null}],
     "imagePath": "1.jpg", "imageData": null, "imageHeight": 1600, "imageWidth": 1200}

imagePath is relative to the folder of the JSON file; pixels in imageData are not used. A label is the transcription, or
the name of a class, with the transcription in description: `label_classes` decides, unless the file says so with
"labels": "classes", as ocrdet-check writes it. https://labelme.io/docs
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..findings import Report
from ..image_io import list_images
from ..record import LabelRecord, Region
from .json_file import describe, first_shown, has_key, peek, read_object, stated_size
from .label_classes import with_classes
from .labelme_shapes import read_shape
from .locate import IMAGE_FOLDERS, files_in, find_image, folders_in, locate
from .location import LabelError, Location
from .split_names import ListedImage, group_by_split, split_by_folder, split_of

KEY = "labelme"
NAME = "LabelMe"
IGNORE_MARKS = ("###",)
IGNORE_FLAGS = ("difficult", "ignore", "illegible")
LABEL_FOLDERS = ("labels", "annotations", "ann", "json", "jsons", *IMAGE_FOLDERS)  # in which `recognise` looks
MAX_PEEKED = 8  # files that `recognise` opens
MAX_IN_FOLDER = 3  # of them in one folder
MAX_KEYS_NAMED = 5  # of a file that is not LabelMe's
LABELS, CLASSES = "labels", "classes"  # a key and its value, if labels are classes; LabelMe keeps keys of others


def recognise(root: Path) -> str | None:
    """Report the first of a few JSON files with the keys of the format."""
    below = _label_folders(root)
    below += [inside for folder in below for inside in _label_folders(folder)]
    paths = [path for folder in (root, *below) for path in files_in(folder, ".json")[:MAX_IN_FOLDER]]
    return first_shown(root, paths[:MAX_PEEKED], _is_annotation, "has shapes of one image")


def _label_folders(folder: Path) -> list[Path]:
    return [inside for inside in folders_in(folder) if inside.name in LABEL_FOLDERS or split_of(inside.name)]


def read(root: Path, report: Report, marks: Sequence[str]) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist, by the names of folders. Raises UserError if a folder cannot be listed."""
    images = list_images(root)
    by_stem: dict[Path, list[Path]] = {}
    for image in images:
        by_stem.setdefault(image.with_suffix(""), []).append(image)
    claimed: set[Path | None] = set()  # images with a label file, readable or not
    records, descriptions = [], []
    for path in list_images(root, (".json",)):
        beside = by_stem.get(path.with_suffix(""), [])
        if not beside and not _is_annotation(peek(path)):
            continue
        location = Location(report, path, image=beside[0] if beside else None)
        if found := location.attempt(_read_annotation, location, beside, marks):
            records.append(found[0])
            descriptions.append(found[1])
        claimed.add(location.image)
    records = with_classes(records, descriptions, marks)
    listed = split_by_folder(root, (ListedImage(None, 0, record) for record in records))
    for image in images:
        if image not in claimed:
            report.add("GT001", image, 0, f"no {image.stem}.json beside it", image)
    return group_by_split((entry.split for entry in listed), listed, report)


def _read_annotation(
    location: Location, beside: Sequence[Path], marks: Sequence[str]
) -> tuple[LabelRecord, list[str] | None] | None:
    """Read one JSON file: regions with their labels as text, and their descriptions; None, reported, if it is not JSON.

    If it says that its labels are classes, the regions have classes and texts, and None is returned as descriptions.

    beside: images of the same name. They are preferred to an imagePath with another name: pairs are often renamed.
    Raises LabelError if the image or the list of regions is missing."""
    data = read_object(location)
    if data is None:
        return None
    shapes = data.get("shapes")
    if "shapes" not in data and "imagePath" not in data:
        keys = ", ".join(map(describe, list(data)[:MAX_KEYS_NAMED])) or "none"
        raise LabelError("GT006", f"is beside the image, but is not LabelMe's: needs shapes, its keys are {keys}")
    location.image = _find_image(location.path, data.get("imagePath"), beside)
    if not isinstance(shapes, list):
        raise LabelError("GT022", f"needs shapes, a list of regions, got {describe(shapes)}")
    if location.too_many(len(shapes)):
        return location.record([None] * len(shapes)), []
    are_classes = data.get(LABELS) == CLASSES
    regions: list[Region | None] = []
    descriptions: list[str] = []
    for number, value in enumerate(shapes, start=1):
        shape = replace(location, line=number, entry=f"shape {number}").attempt(read_shape, value)
        if shape is None:
            regions.append(None)
            continue
        text, category = shape.label, ""
        if are_classes and text not in marks:
            text, category = shape.description, text
        shared = (text, text in marks, number, shape.flags, category)
        regions += [Region(polygon, *shared) for polygon in shape.polygons]
        descriptions += [shape.description] * len(shape.polygons)
    stated = stated_size(data.get("imageHeight"), data.get("imageWidth"))
    return location.record(regions, stated=stated), None if are_classes else descriptions


def _find_image(path: Path, name: Any, beside: Sequence[Path]) -> Path:
    """Find the image of a JSON file. Raises LabelError if it does not exist."""
    folders = [path.parent, *(path.parent.parent / folder for folder in IMAGE_FOLDERS)]
    named = find_image(name, folders) if isinstance(name, str) and name else None
    if named is not None and (named.stem == path.stem or not beside):
        return named
    return beside[0] if beside else locate(name, folders, "imagePath")


def _is_annotation(text: str) -> bool:
    """Whether the start and end of a file show the keys of the format.

    With sorted keys, a long imageData lies between the first keys and the shapes, whose last ones are at the end."""
    if has_key(text, "shapes", "["):
        return any(has_key(text, sign) for sign in ("shape_type", "imagePath", "imageHeight"))
    return has_key(text, "imageData") and any(has_key(text, sign) for sign in ("shape_type", "imagePath", "points"))
