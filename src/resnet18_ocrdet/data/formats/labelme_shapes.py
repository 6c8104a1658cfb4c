"""The shapes of a LabelMe file as regions.

    {"label": "EXIT", "points": [[471.8, 1020.0], ...], "shape_type": "polygon", "description": "", "group_id": null,
     "flags": {"difficult": false}, "difficult": false, "mask": null}

A circle is its centre and a point on it, a mask a PNG in Base64 with the corners of its box
(wkentaro/labelme, labelme/utils/shape.py). "difficult" of a shape is X-AnyLabeling's, which exports it as the flag of
Pascal VOC and DOTA (CVHub520/X-AnyLabeling, anylabeling/views/labeling/label_converter.py).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ...structures import Polygon
from .json_file import describe, is_set, text_of
from .location import LabelError
from .mask_outlines import png_outlines
from .points import to_polygon, to_rectangle
from .shapes import closed_line, ellipse

BOX_SHAPES = ("rectangle", "mask")  # both have two opposite corners
OUTLINE_SHAPES = ("polygon", "rotation", "rotated_rectangle", "oriented_rectangle", "quadrilateral", "cuboid2d")
CIRCLE, LINE_STRIP, MASK = "circle", "linestrip", "mask"
DIFFICULT = "difficult"


class Shape(NamedTuple):
    """One shape as it is written."""

    polygons: list[Polygon]  # the pieces of a mask; one of every other shape
    label: str
    description: str
    flags: str  # those that are set, separated by commas


def read_shape(shape: Any) -> Shape:
    """Read one shape. Raises LabelError if it does not enclose a region."""
    if not isinstance(shape, dict):
        raise LabelError("GT022", f"needs label and points, got {describe(shape)}")
    return Shape(_outlines(shape), text_of(shape.get("label")), text_of(shape.get("description")), _flags(shape))


def _outlines(shape: dict[str, Any]) -> list[Polygon]:
    kind, points = shape.get("shape_type"), shape.get("points")
    if kind == CIRCLE:
        return [_circle(points)]
    if kind == LINE_STRIP:
        return [closed_line(to_polygon(points))]
    if kind is not None and kind not in (*BOX_SHAPES, *OUTLINE_SHAPES):  # LabelMe 3 had polygons only, and no type
        why = "which does not enclose a region; polygon, rectangle, circle and mask are read"
        raise LabelError("GT022", f"shape_type is {describe(kind)}, {why}")
    if kind not in BOX_SHAPES or not isinstance(points, list) or len(points) != 2:
        return [to_polygon(points)]
    box = to_rectangle(points, "corners", "points")
    if kind == MASK and shape.get("mask") is not None:
        left, top = np.floor(box.min(axis=0)).tolist()
        return png_outlines(shape["mask"], left, top)
    return [box]


def _circle(points: Any) -> Polygon:
    """The outline around a centre through a point. Raises LabelError."""
    box = to_rectangle(points, "corners", "points")  # only for its checks and numbers
    (x, y), edge = box[0].tolist(), box[2].tolist()
    radius = math.dist((x, y), edge)
    return ellipse((x, y), (radius, radius))


def _flags(shape: dict[str, Any]) -> str:
    """Names of the flags that are set: those of LabelMe, and X-AnyLabeling's "difficult"."""
    flags = shape.get("flags")
    found = [name for name, value in flags.items() if is_set(value)] if isinstance(flags, dict) else []
    found += [DIFFICULT] if is_set(shape.get(DIFFICULT)) else []
    names = (text_of(name).replace(",", " ") for name in found)
    return ",".join(dict.fromkeys(name for name in names if name))
