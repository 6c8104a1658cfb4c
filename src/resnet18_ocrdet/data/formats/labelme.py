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
from pathlib import Path
from typing import Any, NamedTuple

from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats.json_file import (
    describe,
    has_key,
    is_not_json,
    peek,
    read_object,
    stated_size,
    text_of,
)
from resnet18_ocrdet.data.formats.locate import IMAGE_FOLDERS, check_root, files_in, find_image, folders_in, locate
from resnet18_ocrdet.data.formats.points import Location, to_polygon, to_rectangle
from resnet18_ocrdet.data.formats.split_names import ListedImage, group_by_split, split_below, split_of
from resnet18_ocrdet.data.image_io import list_images, natural_key
from resnet18_ocrdet.data.record import LabelRecord, Region, to_record
from resnet18_ocrdet.structures import Polygon

KEY = "labelme"
NAME = "LabelMe"
IGNORE_MARKS = ("###",)
LABEL_FOLDERS = ("labels", "annotations", "ann", "json", "jsons", *IMAGE_FOLDERS)  # in which `recognise` looks
MAX_PEEKED = 8  # files that `recognise` opens
MAX_IN_FOLDER = 3  # of them in one folder

BOX_SHAPES = ("rectangle", "mask")  # a mask is given with the two corners of its box
OUTLINE_SHAPES = ("polygon", "rotation", "rotated_rectangle", "oriented_rectangle", "quadrilateral", "cuboid2d")


class _Shape(NamedTuple):
    """One region, before it is decided whether its label is a text or a class."""

    polygon: Polygon  # (V, 2), px
    label: str
    description: str
    line: int


class _Annotation(NamedTuple):
    """The content of one JSON file."""

    image: Path
    label_path: Path
    shapes: list[_Shape | None] | None  # None: the list, or one shape, cannot be read
    stated: tuple[int, int] | None


def recognise(root: Path) -> str | None:
    """Report the first of a few JSON files with the keys of the format."""
    below = [folder for folder in folders_in(root) if folder.name in LABEL_FOLDERS or split_of(folder.name)]
    paths = [path for folder in (root, *below) for path in files_in(folder, ".json")[:MAX_IN_FOLDER]]
    for path in paths[:MAX_PEEKED]:
        if _is_annotation(peek(path)):
            return f"{path.relative_to(root).as_posix()}: has shapes of one image"
    return None


def read(root: Path, report: Report, marks: Sequence[str]) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist, by the names of folders. Raises UserError if a folder cannot be listed."""
    check_root(root)
    images = list_images(root)
    by_stem: dict[Path, list[Path]] = {}
    for image in images:
        by_stem.setdefault(image.with_suffix(""), []).append(image)
    claimed: set[Path] = set()  # images with a label file, readable or not
    annotations = []
    for path in _json_files(root):
        beside = by_stem.get(path.with_suffix(""), [])
        text = peek(path)
        if not _is_annotation(text) and not (beside and is_not_json(text)):
            continue  # another kind of file
        annotation = _read_annotation(path, beside, report)
        claimed |= {annotation.image} if annotation else set(beside[:1])
        annotations += [annotation] if annotation and annotation.shapes is not None else []
    is_class = _labels_are_classes(annotations, marks)
    listed = [
        ListedImage(split_below(root, annotation.label_path.parent), 0, _to_record(annotation, is_class, marks))
        for annotation in annotations
    ]
    for image in images:
        if image not in claimed:
            report.add("GT001", image, 0, f"no {image.stem}.json beside it", image)
    return group_by_split((entry.split for entry in listed), listed, report)


def _read_annotation(path: Path, beside: Sequence[Path], report: Report) -> _Annotation | None:
    """Read one JSON file; None, reported, if it cannot be read or its image is missing.

    beside: images of the same name. They are preferred to an imagePath with another name: pairs are often renamed."""
    data = read_object(path, report, beside[0] if beside else None)
    if data is None:
        return None
    image = _find_image(path, data.get("imagePath"), beside, Location(report, path, 0))
    if image is None:
        return None
    shapes = data.get("shapes")
    if not isinstance(shapes, list):
        report.add("GT022", path, 0, f"needs shapes, a list of regions, got {describe(shapes)}", image)
        return _Annotation(image, path, None, None)
    if Location(report, path, 0, image).too_many(len(shapes)):
        return _Annotation(image, path, [None] * len(shapes), None)
    found = [
        _read_shape(shape, Location(report, path, number, image, f"shape {number}"))
        for number, shape in enumerate(shapes, start=1)
    ]
    return _Annotation(image, path, found, stated_size(data.get("imageHeight"), data.get("imageWidth")))


def _find_image(path: Path, name: Any, beside: Sequence[Path], location: Location) -> Path | None:
    """Find the image of a JSON file; None, reported, if it does not exist."""
    folders = [path.parent, *(path.parent.parent / folder for folder in IMAGE_FOLDERS)]
    named = find_image(name, folders) if isinstance(name, str) and name else None
    if named is not None and (named.stem == path.stem or not beside):
        return named
    return beside[0] if beside else locate(name, folders, location, "imagePath")


def _read_shape(shape: Any, location: Location) -> _Shape | None:
    """Read one region; None, reported, if it is not a region or its position cannot be read."""
    if not isinstance(shape, dict):
        location.add("GT022", f"needs label and points, got {describe(shape)}")
        return None
    kind, points = shape.get("shape_type"), shape.get("points")
    if kind is not None and kind not in (*BOX_SHAPES, *OUTLINE_SHAPES):  # LabelMe 3 had polygons only, and no type
        location.add(
            "GT022", f"shape_type is {describe(kind)}, which does not enclose a region; polygon and rectangle are read"
        )
        return None
    has_two = isinstance(points, list) and len(points) == 2
    is_box = kind in BOX_SHAPES and has_two
    polygon = to_rectangle(points, location, "corners", "points") if is_box else to_polygon(points, location)
    if polygon is None:
        return None
    return _Shape(polygon, text_of(shape.get("label")), text_of(shape.get("description")), location.line)


def _labels_are_classes(annotations: Sequence[_Annotation], marks: Sequence[str]) -> bool:
    """Whether all labels of a data set, except don't-care marks, are equal: then they are a class, not a text."""
    shapes = [shape for annotation in annotations for shape in annotation.shapes or () if shape]
    counts = Counter(shape.label for shape in shapes if shape.label not in marks)
    return len(counts) == 1 and counts.total() > 1


def _to_record(annotation: _Annotation, is_class: bool, marks: Sequence[str]) -> LabelRecord:
    regions: list[Region | None] = []
    for shape in annotation.shapes or ():
        if shape is None:
            regions.append(None)
            continue
        ignore = shape.label in marks or (is_class and shape.description in marks)
        text = shape.description if is_class and shape.label not in marks else shape.label
        regions.append(Region(shape.polygon, text, ignore, shape.line))
    return to_record(annotation.image, annotation.label_path, regions, stated=annotation.stated)


def _json_files(folder: Path) -> list[Path]:
    """List the JSON files below a folder, in natural order. Linked folders are followed, each folder is read once."""
    found: list[Path] = []
    seen: set[Path] = set()
    waiting = [folder]
    while waiting:
        current = waiting.pop()
        if (target := current.resolve()) not in seen:
            seen.add(target)
            found += files_in(current, ".json")
            waiting += folders_in(current)
    return sorted(found, key=lambda path: natural_key(path.relative_to(folder).as_posix()))


def _is_annotation(text: str) -> bool:
    """Whether the start and end of a file show the keys of the format."""
    signs = ("shape_type", "imagePath", "imageHeight")
    return has_key(text, "shapes", "[") and any(has_key(text, sign) for sign in signs)
