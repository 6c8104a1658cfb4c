"""Write labels as ICDAR text that `folders.py` reads back unchanged.

Legend: K regions of one image, V vertices of one polygon.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from ...geometry.polygon import is_polygon
from ...structures import Polygon
from ..record import LabelRecord
from .icdar_text import ICDAR_IGNORE_MARKS, POLYGON_NUMBERS, POLYGON_SHARE, leading_numbers

MARK = ICDAR_IGNORE_MARKS[0]
MANY_CORNERS = POLYGON_NUMBERS // 2  # this many show that a line is not a quad with a text

_BREAKS = re.compile(r"[\r\n\t\0]")  # of lines and fields; a file with NUL is not a text file


def write_icdar_text(path: Path, record: LabelRecord, dense: Collection[int] = (), quads: bool = False) -> None:
    """Write one label file: `x1,y1,...,xV,yV,text`, don't-care regions with the text ###.

    dense: regions to write with at least MANY_CORNERS corners, see `regions_to_densify`. quads: every region of the
    whole data set has four corners. Coordinates are written with the digits that float32 needs. Line ends and tabs in
    a text become spaces. Skipped: the text ### of a region that is not don't-care, and regions that are not polygons
    or not finite. Raises OSError."""
    lines = [
        line_of(densified(polygon) if region in dense else polygon, MARK if ignore else _without_mark(text), quads)
        for region, (polygon, ignore, text) in enumerate(zip(record.polygons, record.ignore, record.texts, strict=True))
        if is_polygon(polygon)
    ]
    path.write_bytes("".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))


def line_of(polygon: Polygon, text: str, quads: bool = False) -> str:
    """One region as a line, separated by commas, or by tabs if numbers in the text would be read as corners.

    quads: a reader uses eight numbers then; only a text of four or more numbers could look like a polygon."""
    numbers = [np.format_float_positional(value, unique=True, trim="-") for value in polygon.astype(np.float32).ravel()]
    text = _BREAKS.sub(" ", text).strip()
    fields = [*numbers, text] if text else numbers
    line = ",".join(fields)
    found, starts, _ = leading_numbers(line, len(line))
    extra = len(found) - len(numbers)
    plain = len(found) < POLYGON_NUMBERS if quads else extra == 0 or (extra == 1 and not line[starts[-1] :])
    return line if plain else "\t".join(fields)


def regions_to_densify(records: Sequence[LabelRecord]) -> list[set[int]]:
    """For each record, the regions that need more corners so that a reader recognises polygons.

    A reader decides from all lines of a data set whether it has polygons, or quads with a text that may start with
    numbers. With few polygons it would read their fifth corner as text. Extra points on the sides of a quad do not
    change the region; a data set of quads only needs none."""
    regions = [
        (number, region, len(polygon))
        for number, record in enumerate(records)
        for region, polygon in enumerate(record.polygons)
        if is_polygon(polygon)
    ]
    chosen: list[set[int]] = [set() for _ in records]
    if all(corners == 4 for _, _, corners in regions):
        return chosen
    missing = int(POLYGON_SHARE * len(regions)) + 1 - sum(corners >= MANY_CORNERS for _, _, corners in regions)
    candidates = sorted((entry for entry in regions if entry[2] < MANY_CORNERS), key=lambda entry: entry[2] == 4)
    for number, region, _ in candidates[: max(missing, 0)]:
        chosen[number].add(region)
    return chosen


def densified(polygon: Polygon) -> Polygon:
    """The same polygon with at least MANY_CORNERS corners: its longest sides are halved."""
    points = polygon.astype(np.float32)
    while len(points) < MANY_CORNERS:
        after = np.roll(points, -1, axis=0)
        longest = int(np.linalg.norm(after - points, axis=1).argmax())
        points = np.insert(points, longest + 1, (points[longest] + after[longest]) / 2, axis=0)
    return points


def _without_mark(text: str) -> str:
    """The text, or "" if it would mark the region as don't-care."""
    return "" if _BREAKS.sub(" ", text).strip() in ICDAR_IGNORE_MARKS else text
