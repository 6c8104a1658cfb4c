"""Regions in the results of Label Studio.

Positions are percentages of `original_width` and `original_height`, those of the image if they are missing. A rectangle
is turned around its top left corner by `rotation`, in degrees, clockwise, after the conversion to pixels:
label_studio_sdk, converter/utils.py, convert_annotation_to_yolo_obb. An ellipse (x, y, radiusX, radiusY) is turned
around its centre. A polygon has `points`. Brush strokes, key points and other shapes are reported, as are regions of an
image that was rotated in the tool (`image_rotation`). Labels (rectanglelabels, polygonlabels, labels) are the class,
`text` the transcription, and a choice with a name of `attributes.FLAG_NAMES` a flag.
https://labelstud.io/guide/export#Units-of-image-annotations
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...structures import Polygon
from ..image_guard import ImageFault
from ..image_header import read_header
from ..record import Region
from .attributes import FLAG_NAMES
from .json_file import describe, stated_size, text_of
from .location import LabelError
from .points import flat_polygon, to_number, to_polygon
from .shapes import ellipse, turned

Result = dict[str, Any]
POSITIONS = ("x", "points", "rle", "vertices")  # a value has one of them
PLACE = ("x", "y", "width", "height", "radiusX", "radiusY", "rotation")
SHAPES = ("rectangle", "polygon", "ellipse", "brush", "keypoint", "vector", "bitmask", "magicwand")  # of `type`


def group_results(results: Sequence[Any]) -> list[tuple[int, list[Result]]]:
    """Results of each region, and the number of the first, from 1. What belongs to the whole image is left out.

    A result that is not an object is a region, too, so that it is reported."""
    groups: dict[str, tuple[int, list[Result]]] = {}
    for number, result in enumerate(results, start=1):
        if not isinstance(result, dict):
            result = {"type": "rectangle", "value": result}
        key = text_of(result.get("id")) or f"result {number}"
        groups.setdefault(key, (number, []))[1].append(result)
    return [(number, group) for number, group in groups.values() if any(map(_is_shape, group))]


def has_position(value: Any) -> bool:
    """Whether a value has a position in the image, one that can be read or not."""
    return isinstance(value, dict) and any(key in value for key in POSITIONS)


def position_of(value: dict[str, Any]) -> tuple[Any, ...]:
    """What values of the same position have in common."""
    try:
        points = to_polygon(value["points"]).tobytes() if "points" in value else b""
    except LabelError:
        return (id(value),)
    return points, *(to_number(value.get(key)) for key in PLACE)


def size_of(result: Result) -> tuple[int, int] | None:
    """Height and width of the image in px, if the result or its value states them."""
    sides = [result.get(key, _value(result).get(key)) for key in ("original_height", "original_width")]
    return stated_size(*sides)


def read_region(group: Sequence[Result], number: int, image: Path | None, marks: Sequence[str]) -> Region:
    """Read one region from its results. Raises LabelError if its position cannot be read."""
    shape = next((each for each in group if has_position(each.get("value"))), group[0])
    polygon = _outline(shape, image)
    values = [_value(result) for result in group]
    texts = (_joined(value.get("text")) for value in values)
    text = next(filter(None, texts), "")
    labels = [value[key] for value in values for key in value if key.endswith("labels")]
    category = next(filter(None, (_joined(label[:1]) for label in labels if isinstance(label, list))), "")
    choices = [choice for value in values if isinstance(value.get("choices"), list) for choice in value["choices"]]
    flag = next((name for name in FLAG_NAMES if name in (text_of(choice).lower() for choice in choices)), "")
    return Region(polygon, text, text in marks or category in marks, number, flag, category)


def _is_shape(result: Result) -> bool:
    return has_position(result.get("value")) or text_of(result.get("type")).startswith(SHAPES)


def _value(result: Result) -> dict[str, Any]:
    value = result.get("value")
    return value if isinstance(value, dict) else {}


def _joined(value: Any) -> str:
    """A text, or the texts of a list."""
    return " ".join(filter(None, map(text_of, value))) if isinstance(value, list) else text_of(value)


def _outline(result: Result, image: Path | None) -> Polygon:
    """The corners of a region in px."""
    value = _value(result)
    if rotation := result.get("image_rotation"):  # degrees
        why = "drawn on the image rotated in the tool, which is not read"
        raise LabelError("GT022", f"image_rotation is {describe(rotation)}: {why}")
    is_ellipse = "radiusX" in value
    if "points" not in value and ("x" not in value or not (is_ellipse or "height" in value)):
        raise LabelError("GT022", f"type {describe(result.get('type'))} is not read; rectangle, polygon, ellipse are")
    height, width = size_of(result) or _image_size(image)
    if "points" in value:
        to_polygon(value["points"])  # raises if they are no corners
        shares = [to_number(number) or 0.0 for corner in value["points"] for number in _pair(corner)]
        sides = (width, height) * (len(shares) // 2)
        return flat_polygon([share * side / 100 for share, side in zip(shares, sides, strict=True)])
    x, y = _number(value, "x") * width / 100, _number(value, "y") * height / 100
    keys = ("radiusX", "radiusY") if is_ellipse else ("width", "height")
    across, down = _number(value, keys[0]) * width / 100, _number(value, keys[1]) * height / 100
    angle = math.radians(_number(value, "rotation"))
    if is_ellipse:
        return ellipse((x, y), (across, down), angle)
    return turned([(x, y), (x + across, y), (x + across, y + down), (x, y + down)], (x, y), angle)


def _pair(corner: Any) -> list[Any]:
    """A corner, or a number of a flat list of them."""
    return corner if isinstance(corner, list) else [corner]


def _image_size(image: Path | None) -> tuple[int, int]:
    """Height and width of the upright image. Raises LabelError if it cannot be read."""
    try:
        if image is not None:
            return read_header(image)[:2]
    except ImageFault as fault:
        raise LabelError(
            "GT022", f"needs original_width and original_height, as the image is damaged: {fault}"
        ) from None
    raise LabelError("GT022", "needs original_width and original_height")


def _number(value: dict[str, Any], key: str) -> float:
    """A number of a value. Raises LabelError if it is missing or is not a number; a rotation may be missing."""
    number = to_number(value.get(key, 0 if key == "rotation" else None))
    if number is None:
        raise LabelError("GT020", f"{key} is {describe(value.get(key))}, not a number")
    return number
