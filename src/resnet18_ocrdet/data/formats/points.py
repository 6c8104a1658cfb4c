"""Polygons from numbers, and from JSON values of any kind.

Legend: V vertices of one polygon.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ...runtime.messages import count
from ...structures import Polygon
from .json_file import describe
from .location import LabelError

MIN_VERTICES = 3
BOX_NUMBERS = 4
_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*")


def flat_polygon(numbers: Sequence[float]) -> Polygon:
    """(V, 2) float32 from x1, y1, x2, y2, ...; values too large for float32 become infinite."""
    with np.errstate(over="ignore"):
        return np.array(numbers, np.float64).astype(np.float32).reshape(-1, 2)


def polygon_of(numbers: Sequence[float], holder: str = "") -> Polygon:
    """`flat_polygon`. Raises LabelError for an odd count and for fewer than 3 corners. holder: begins the message."""
    if len(numbers) % 2:
        raise LabelError("GT019", f"{holder}{len(numbers)} numbers, each corner needs x and y")
    if len(numbers) < 2 * MIN_VERTICES:
        corners = count(len(numbers) // 2, "corner")
        raise LabelError("GT018", f"{holder}{corners}, a region needs {MIN_VERTICES} or more")
    return flat_polygon(numbers)


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
    return polygon_of(_flatten(value, key), f"{key} holds ")


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
