"""One annotation of a COCO file as regions: its geometry, flags, class and text.

    {"image_id": 1, "category_id": 1, "iscrowd": 0, "bbox": [x, y, width, height], "segmentation": [[x1, y1, ...], ...],
     "attributes": {"occluded": false, "rotation": 35.0}}

An outline is preferred to the box. A segmentation may also be a run-length encoded mask (`run_lengths`).
"attributes" are those of CVAT: rotation of a box in degrees, clockwise as it is seen, about its centre (cvat-ai/cvat,
cvat/apps/dataset_manager/formats/transformations.py, RotatedBoxesToPolygons). Other tools write a fifth number of bbox,
or a key such as angle, in degrees or radians, to the left or to the right: NVIDIA's ODTK radians counter-clockwise from
the left top corner (NVIDIA/retinanet-examples, TRAINING.md), Detectron2 degrees counter-clockwise from the centre
(detectron2/structures/rotated_boxes.py). Those are lost, unless there is an outline.

Texts and flags are keys of the annotation, or CVAT's attributes, with a name of `attributes`: "ignore", as
X-AnyLabeling writes its "difficult" and MMDetection reads it; "legibility" of COCO-Text. A further flag is iscrowd.
Datumaro, with which CVAT exports, writes iscrowd 1 for each mask that was painted
(openvinotoolkit/datumaro, datumaro/plugins/coco_format/converter.py, convert_instance).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...structures import Polygon
from ..record import Region
from .attributes import ILLEGIBLE, read_attributes
from .json_file import describe, is_set
from .location import LabelError, Location
from .points import to_number, to_polygon, to_rectangle
from .run_lengths import rle_outlines
from .shapes import turned_box

UNREADABLE = "."  # TextOCR: illegible, as the whole text
CROWD, CROWD_MASK = "iscrowd", "iscrowd_mask"  # the second one is only an encoding
_OUTLINE_KEYS = ("segmentation", "mask", "polygon", "points")
_ANGLE_KEYS = ("angle", "rotation", "theta")


class Meaning(NamedTuple):
    """What the annotations of a file have in common."""

    marks: Sequence[str]  # texts that mean don't-care
    categories: Mapping[str, str]  # names of the classes by id
    crowd: str  # flag for iscrowd of a mask: CROWD, or CROWD_MASK


def crowd_flag(annotations: Iterable[Any]) -> str:
    """What iscrowd 1 of the masks of a file means.

    CROWD_MASK, only an encoding, if all masks have it and there is no other outline, or if they are Datumaro's."""
    masks = others = crowds = exported = 0
    for entry in annotations:
        if not isinstance(entry, dict):
            continue
        if isinstance(entry.get("segmentation"), dict):
            attributes = entry.get("attributes")
            masks += 1
            crowds += is_set(entry.get(CROWD))
            exported += isinstance(attributes, dict) and "occluded" in attributes
        else:
            others += 1
    return CROWD_MASK if masks and crowds == masks and (not others or exported == masks) else CROWD


def read_annotation(annotation: dict[str, Any], location: Location, meaning: Meaning) -> list[Region | None]:
    """Read one annotation: a region for each of its pieces; None, reported, for a piece that cannot be read.

    Raises LabelError if it has no position that can be read."""
    attributes = annotation.get("attributes")
    attributes = attributes if isinstance(attributes, dict) else {}
    own, more = read_attributes(annotation), read_attributes(attributes)
    text = own.text or more.text
    found = [*_flags(annotation, text, meaning.crowd), own.flag, more.flag]
    flags = ",".join(dict.fromkeys(flag for flag in ",".join(found).split(",") if flag))
    category = meaning.categories.get(key, key) if (key := id_of(annotation.get("category_id"))) is not None else ""
    return [
        None if polygon is None else Region(polygon, text, text in meaning.marks, location.line, flags, category)
        for polygon in _polygons(annotation, attributes, location)
    ]


def id_of(value: Any) -> str | None:
    """One key for the ids 12, 12.0 and "12": the objects of COCO-Text have string keys; None if it is no id."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _flags(annotation: dict[str, Any], text: str, crowd: str) -> Iterable[str]:
    """The flags that only COCO and TextOCR have."""
    if text == UNREADABLE and "points" in annotation:
        yield ILLEGIBLE
    if is_set(annotation.get(CROWD)):
        yield crowd if isinstance(annotation.get("segmentation"), dict) else CROWD


def _polygons(annotation: dict[str, Any], attributes: dict[str, Any], location: Location) -> list[Polygon | None]:
    """The pieces of an annotation. Raises LabelError."""
    for key in _OUTLINE_KEYS:
        value = annotation.get(key)
        if isinstance(value, dict):
            return list(rle_outlines(value, key))
        if isinstance(value, list) and value:
            polygons = _outlines(value, location)
            turn, only = _cvat_rotation(attributes), polygons[0] if len(polygons) == 1 else None
            if turn and only is not None and _is_box(only, annotation.get("bbox")):
                return [_turned(only, turn)]  # an outline made of the box, without its rotation
            return polygons
    box = annotation.get("bbox")
    if box is None:
        raise LabelError("GT022", "needs segmentation or bbox, has neither")
    if isinstance(box, list) and len(box) == 5:
        raise LabelError("GT018", f"bbox holds 5 numbers: {_unknown_angle(box[4])}")
    for key in _ANGLE_KEYS:
        if (angle := to_number(annotation.get(key))) is not None and angle:
            raise LabelError("GT018", f"{key} is {angle:g}: {_unknown_angle(annotation[key])}")
    return [_turned(to_rectangle(box, "size"), _cvat_rotation(attributes))]


def _outlines(value: list[Any], location: Location) -> list[Polygon | None]:
    pieces = [piece for piece in value if isinstance(piece, list)]
    is_nested = any(isinstance(number, list) for piece in pieces for number in piece)  # pieces of [[x, y], ...]
    is_points = bool(pieces) and not is_nested and all(len(piece) <= 2 for piece in pieces)  # one of [[x, y], ...]
    outlines = [value] if not pieces or is_points else value
    return [location.attempt(to_polygon, each, "segmentation") for each in outlines]


def _unknown_angle(angle: Any) -> str:
    return (
        f"an angle of {describe(angle)} turns the box left or right, in degrees or radians, as the tool has it: write "
        f"the corners to segmentation, or degrees clockwise to attributes.rotation"
    )


def _cvat_rotation(attributes: dict[str, Any]) -> float:
    """Degrees, clockwise. Raises LabelError if it is not finite."""
    angle = to_number(attributes.get("rotation"))
    if angle is not None and not math.isfinite(angle):
        raise LabelError("GT021", f"attributes.rotation is {angle}")
    return (angle or 0.0) % 360


def _turned(box: Polygon, degrees: float) -> Polygon:
    """The corners of an upright box, in any order, turned clockwise about its centre."""
    (left, top), (right, bottom) = box.min(axis=0).tolist(), box.max(axis=0).tolist()
    return turned_box(left, top, right, bottom, math.radians(degrees)) if degrees else box


def _is_box(polygon: Polygon, box: Any) -> bool:
    """Whether an outline is that of the upright box."""
    if not isinstance(box, list) or len(box) != 4 or None in (numbers := [*map(to_number, box)]):
        return False
    corners = to_rectangle(numbers, "size")
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    on_corner = (np.isclose(polygon, low, atol=0.5) | np.isclose(polygon, high, atol=0.5)).all()
    return bool(on_corner and np.allclose([low, high], corners[[0, 2]], atol=0.5) and len(polygon) in (4, 5))
