"""Polygons from JSON values of any kind.

Legend: V vertices of one polygon.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from resnet18_ocrdet.data.findings import MAX_REGIONS, TOO_MANY, Report
from resnet18_ocrdet.data.formats.json_file import describe
from resnet18_ocrdet.runtime.messages import count
from resnet18_ocrdet.structures import Polygon

MIN_VERTICES = 3
BOX_NUMBERS = 4
_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*")


class Location(NamedTuple):
    """Where one entry is written: its findings are reported for this location."""

    report: Report
    path: Path  # of the label file
    line: int  # or number of the entry, from 1; 0 for the whole file
    image: Path | None = None
    entry: str = ""  # what the number counts, such as "shape 3"; "" if it is the line of a text file

    def add(self, code: str, detail: str) -> None:
        """Report a finding about this entry."""
        self.report.add(code, self.path, self.line, f"{self.entry}: {detail}" if self.entry else detail, self.image)

    def too_many(self, regions: int) -> bool:
        """Whether an image has more regions than allowed, which is reported: all of them are lost."""
        if regions > MAX_REGIONS:
            self.add("GT028", TOO_MANY)
        return regions > MAX_REGIONS


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


def to_polygon(value: Any, location: Location, key: str = "points") -> Polygon | None:
    """Read [[x, y], ...] or [x, y, x, y, ...] as (V, 2) float32 in px, V >= 3; None, reported, if it is neither.

    Infinite, negative and crossing coordinates are not checked here."""
    flat = _flatten(value, location, key)
    if flat is None:
        return None
    if len(flat) % 2:
        location.add("GT019", f"{key} holds {len(flat)} numbers, each corner needs x and y")
        return None
    if len(flat) < 2 * MIN_VERTICES:
        location.add("GT018", f"{key} holds {count(len(flat) // 2, 'corner')}, a region needs {MIN_VERTICES} or more")
        return None
    return flat_polygon(flat)


def to_rectangle(value: Any, location: Location, ends: Literal["corners", "size"], key: str = "bbox") -> Polygon | None:
    """Read 4 numbers, or 2 points, as the corners of a box, (4, 2) float32 in px; None, reported, if it is not a box.

    ends: the last two numbers are the opposite corner, or width and height."""
    flat = _flatten(value, location, key)
    if flat is None:
        return None
    if len(flat) != BOX_NUMBERS:
        wanted = "x, y, width, height" if ends == "size" else "x and y of two corners"
        location.add("GT018", f"{key} holds {count(len(flat), 'number')}, a box needs 4: {wanted}")
        return None
    left, top, right, bottom = flat
    if ends == "size":
        right, bottom = left + right, top + bottom
    return flat_polygon([left, top, right, top, right, bottom, left, bottom])


def flat_polygon(numbers: Sequence[float]) -> Polygon:
    """(V, 2) float32 from x1, y1, x2, y2, ...; values too large for float32 become infinite."""
    with np.errstate(over="ignore"):
        return np.array(numbers, np.float64).astype(np.float32).reshape(-1, 2)


def _flatten(value: Any, location: Location, key: str) -> list[float] | None:
    """Numbers of flat or paired coordinates; None, reported, if something is not a number."""
    if not isinstance(value, list):
        location.add("GT022", f"needs {key}, a list of coordinates, got {describe(value)}")
        return None
    if not any(isinstance(item, list) for item in value):
        return _numbers(value, location, key)
    flat: list[float] = []
    for number, point in enumerate(value, start=1):
        if not isinstance(point, list):
            location.add("GT020", f"corner {number} of {key} is {describe(point)}, not [x, y]")
            return None
        pair = _numbers(point, location, f"corner {number} of {key}")
        if pair is None:
            return None
        if len(pair) != 2:
            location.add("GT019", f"corner {number} of {key} holds {count(len(pair), 'number')}, not x and y")
            return None
        flat += pair
    return flat


def _numbers(values: list[Any], location: Location, key: str) -> list[float] | None:
    numbers = [to_number(value) for value in values]
    for position, (number, value) in enumerate(zip(numbers, values, strict=True), start=1):
        if number is None:
            location.add("GT020", f"value {position} of {key} is {describe(value)}, not a number")
            return None
    return [number for number in numbers if number is not None]
