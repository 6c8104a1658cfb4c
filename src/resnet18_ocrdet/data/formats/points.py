"""Polygons from JSON values of any kind.

Legend: V vertices of one polygon.
"""

from __future__ import annotations

import math
import re
from typing import Any, Literal

from ...runtime.messages import count
from ...structures import Polygon
from .icdar_text import flat_polygon
from .json_file import describe
from .location import LabelError

MIN_VERTICES = 3
BOX_NUMBERS = 4
_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*")


def to_number(value: Any) -> float | None:
    """Convert a JSON number, or a string that holds one; None for anything else, `true` included."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:  # more than 308 digits
        return math.inf if value > 0 else -math.inf


def to_polygon(value: Any, key: str = "points") -> Polygon:
    """Read [[x, y], ...] or [x, y, x, y, ...] as (V, 2) float32 in px, V >= 3. Raises LabelError if it is neither.

    Infinite, negative and crossing coordinates are not checked here."""
    flat = _flatten(value, key)
    if len(flat) % 2:
        raise LabelError("GT019", f"{key} holds {len(flat)} numbers, each corner needs x and y")
    if len(flat) < 2 * MIN_VERTICES:
        corners = count(len(flat) // 2, "corner")
        raise LabelError("GT018", f"{key} holds {corners}, a region needs {MIN_VERTICES} or more")
    return flat_polygon(flat)


def to_rectangle(value: Any, ends: Literal["corners", "size"], key: str = "bbox") -> Polygon:
    """Read 4 numbers, or 2 points, as the corners of a box, (4, 2) float32 in px. Raises LabelError if it is not a box.

    ends: the last two numbers are the opposite corner, or width and height."""
    flat = _flatten(value, key)
    if len(flat) != BOX_NUMBERS:
        wanted = "x, y, width, height" if ends == "size" else "x and y of two corners"
        raise LabelError("GT018", f"{key} holds {count(len(flat), 'number')}, a box needs 4: {wanted}")
    left, top, right, bottom = flat
    if ends == "size":
        right, bottom = left + right, top + bottom
    return flat_polygon([left, top, right, top, right, bottom, left, bottom])


def _flatten(value: Any, key: str) -> list[float]:
    """Numbers of flat or paired coordinates."""
    if not isinstance(value, list):
        raise LabelError("GT022", f"needs {key}, a list of coordinates, got {describe(value)}")
    if not any(isinstance(item, list) for item in value):
        return _numbers(value, key)
    flat: list[float] = []
    for number, point in enumerate(value, start=1):
        corner = f"corner {number} of {key}"
        if not isinstance(point, list):
            raise LabelError("GT020", f"{corner} is {describe(point)}, not [x, y]")
        pair = _numbers(point, corner)
        if len(pair) != 2:
            raise LabelError("GT019", f"{corner} holds {count(len(pair), 'number')}, not x and y")
        flat += pair
    return flat


def _numbers(values: list[Any], key: str) -> list[float]:
    numbers = []
    for position, value in enumerate(values, start=1):
        if (number := to_number(value)) is None:
            raise LabelError("GT020", f"value {position} of {key} is {describe(value)}, not a number")
        numbers.append(number)
    return numbers
