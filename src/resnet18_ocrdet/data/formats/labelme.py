"""Annotations of LabelMe: one JSON file beside each image.

    {"version": "5.5.0", "flags": {}, "shapes": [{"label": "EXIT", "points": [[471.8, 1020.0], ...],
     "group_id": null, "description": "", "shape_type": "polygon", "flags": {}, "mask": null}],
     "imagePath": "1.jpg", "imageData": null, "imageHeight": 1600, "imageWidth": 1200}

imagePath counts from the folder of the JSON file; the pixels that may be kept in imageData are never used. A label is
the transcription, or the name of the only class, with the transcription in description. https://labelme.io/docs
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats.json_file import has_key, is_no_json, peek, read_object, stated_size, text_of, word
from resnet18_ocrdet.data.formats.locate import IMAGE_FOLDERS, check_root, files_in, find_image, folders_in, locate
from resnet18_ocrdet.data.formats.parts import Listed, part_below, part_of, split_parts
from resnet18_ocrdet.data.formats.points import Place, to_polygon, to_rectangle
from resnet18_ocrdet.data.image_io import list_images, natural_key
from resnet18_ocrdet.data.record import LabelRecord, Region, to_record
from resnet18_ocrdet.structures import Polygon

NAME = "LabelMe"
IGNORE_MARKS = ("###",)
LABEL_FOLDERS = ("labels", "annotations", "ann", "json", "jsons", *IMAGE_FOLDERS)  # that `recognise` looks into
MAX_LOOKED_AT = 8  # files that `recognise` opens
MAX_IN_FOLDER = 3  # of them in one folder

BOX_SHAPES = ("rectangle", "mask")  # a mask is given with the two corners of its box
OUTLINE_SHAPES = ("polygon", "rotation", "rotated_rectangle", "oriented_rectangle", "quadrilateral", "cuboid2d")


class _Shape(NamedTuple):
    """One region, before it is settled whether its label is a text or a class."""

    polygon: Polygon  # (V, 2), px
    label: str
    description: str
    line: int


class _Sheet(NamedTuple):
    """What one JSON file says."""

    image: Path
    label_path: Path
    shapes: list[_Shape] | None  # None where they cannot be read
    lost: int
    stated: tuple[int, int] | None


def recognise(root: Path) -> str | None:
    """Tell by the keys of a few JSON files that this folder is in the format; None where it is not."""
    below = [folder for folder in folders_in(root) if folder.name in LABEL_FOLDERS or part_of(folder.name)]
    paths = [path for folder in (root, *below) for path in files_in(folder, ".json")[:MAX_IN_FOLDER]]
    for path in paths[:MAX_LOOKED_AT]:
        if _is_sheet(peek(path)):
            return f"{path.relative_to(root).as_posix()}: has shapes of one image"
    return None


def read(root: Path, report: Report, marks: Sequence[str]) -> dict[str, list[LabelRecord]]:
    """Read the parts that are there, by the names of folders. Raises UserError where a folder cannot be listed."""
    check_root(root)
    images = list_images(root)
    by_stem: dict[Path, list[Path]] = {}
    for image in images:
        by_stem.setdefault(image.with_suffix(""), []).append(image)
    claimed: set[Path] = set()  # images whose labels are there, if perhaps not readable
    sheets = []
    for path in _json_files(root):
        beside = by_stem.get(path.with_suffix(""), [])
        text = peek(path)
        if not _is_sheet(text) and not (beside and is_no_json(text)):
            continue  # of something else
        sheet = _read_sheet(path, beside, report)
        claimed |= {sheet.image} if sheet else set(beside[:1])
        sheets += [sheet] if sheet and sheet.shapes is not None else []
    is_class = _labels_are_classes(sheets, marks)
    listed = [
        Listed(part_below(root, sheet.label_path.parent), 0, _to_record(sheet, is_class, marks)) for sheet in sheets
    ]
    for image in images:
        if image not in claimed:
            report.add("GT001", image, 0, f"no {image.stem}.json beside it", image)
    return split_parts((entry.part for entry in listed), listed, report)


def _read_sheet(path: Path, beside: Sequence[Path], report: Report) -> _Sheet | None:
    """Read one JSON file; None, reported, where it or its image cannot be found or read.

    beside: images of the same name, which are preferred to an imagePath that names another: pairs are often renamed."""
    data = read_object(path, report, beside[0] if beside else None)
    if data is None:
        return None
    image = _find_image(path, data.get("imagePath"), beside, Place(report, path, 0))
    if image is None:
        return None
    shapes = data.get("shapes")
    if not isinstance(shapes, list):
        report.add("GT022", path, 0, f"needs shapes, a list of regions, got {word(shapes)}", image)
        return _Sheet(image, path, None, 0, None)
    if Place(report, path, 0, image).too_many(len(shapes)):
        return _Sheet(image, path, [], len(shapes), None)
    read_shapes = [
        _read_shape(shape, Place(report, path, number, image, f"shape {number}"))
        for number, shape in enumerate(shapes, start=1)
    ]
    kept = [shape for shape in read_shapes if shape]
    stated = stated_size(data.get("imageHeight"), data.get("imageWidth"))
    return _Sheet(image, path, kept, len(shapes) - len(kept), stated)


def _find_image(path: Path, name: Any, beside: Sequence[Path], place: Place) -> Path | None:
    """Find the image of a JSON file; None where it is not there, which is reported."""
    folders = [path.parent, *(path.parent.parent / folder for folder in IMAGE_FOLDERS)]
    named = find_image(name, folders) if isinstance(name, str) and name else None
    if named is not None and (named.stem == path.stem or not beside):
        return named
    return beside[0] if beside else locate(name, folders, place, "imagePath")


def _read_shape(shape: Any, place: Place) -> _Shape | None:
    """Read one region; None where it is none or its place is unknown, which is reported."""
    if not isinstance(shape, dict):
        place.add("GT022", f"needs label and points, got {word(shape)}")
        return None
    kind, points = shape.get("shape_type"), shape.get("points")
    if kind is not None and kind not in (*BOX_SHAPES, *OUTLINE_SHAPES):  # LabelMe 3 had polygons only, and no type
        place.add("GT022", f"shape_type is {word(kind)}, which encloses no region: polygon or rectangle are read")
        return None
    has_two = isinstance(points, list) and len(points) == 2
    is_box = kind in BOX_SHAPES and has_two
    polygon = to_rectangle(points, place, "corners", "points") if is_box else to_polygon(points, place)
    if polygon is None:
        return None
    return _Shape(polygon, text_of(shape.get("label")), text_of(shape.get("description")), place.line)


def _labels_are_classes(sheets: Sequence[_Sheet], marks: Sequence[str]) -> bool:
    """Tell whether all labels of a set, but the marks for don't-care, are one: the name of a class, not a text."""
    counts = Counter(shape.label for sheet in sheets for shape in sheet.shapes or () if shape.label not in marks)
    return len(counts) == 1 and counts.total() > 1


def _to_record(sheet: _Sheet, is_class: bool, marks: Sequence[str]) -> LabelRecord:
    regions = []
    for shape in sheet.shapes or ():
        ignore = shape.label in marks or (is_class and shape.description in marks)
        text = shape.description if is_class and shape.label not in marks else shape.label
        regions.append(Region(shape.polygon, text, ignore, shape.line))
    return to_record(sheet.image, sheet.label_path, regions, sheet.lost, sheet.stated)


def _json_files(folder: Path) -> list[Path]:
    """List the JSON files below a folder, in natural order. Linked folders are followed, each folder once."""
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


def _is_sheet(text: str) -> bool:
    """Whether the start and end of a file have the keys of the format."""
    signs = ("shape_type", "imagePath", "imageHeight")
    return has_key(text, "shapes", "[") and any(has_key(text, sign) for sign in signs)
