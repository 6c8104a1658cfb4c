"""Labels written as ICDAR text, in such a way that `folders.py` reads back what was written.

Legend: K regions of one image, V vertices of one polygon.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from resnet18_ocrdet.data.formats.icdar_text import ICDAR_IGNORE_MARKS, POLYGON_NUMBERS, POLYGON_SHARE, leading_numbers
from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.structures import Polygon

MARK = ICDAR_IGNORE_MARKS[0]
MANY_CORNERS = POLYGON_NUMBERS // 2  # so many tell a reader that a line is no quad with a text

_BREAKS = re.compile(r"[\r\n\t\0]")  # of lines and fields; a file with NUL is taken for no text


def write_icdar_text(path: Path, record: LabelRecord, dense: Collection[int] = (), quads: bool = False) -> None:
    """Write one label file: `x1,y1,...,xV,yV,text`, a don't-care region with the text ###.

    dense: regions that are written with at least MANY_CORNERS corners, see `regions_to_thicken`. quads: every region of
    the whole set has four corners. A coordinate gets as
    many digits as its float32 needs; line ends and tabs in a text become spaces; a text ### of a region that counts is
    left out; regions that are no polygon, or not finite, too. Raises OSError."""
    lines = [
        line_of(thickened(polygon) if region in dense else polygon, MARK if ignore else _counting(text), quads)
        for region, (polygon, ignore, text) in enumerate(zip(record.polygons, record.ignore, record.texts, strict=True))
        if is_written(polygon)
    ]
    path.write_bytes("".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))


def is_written(polygon: Polygon) -> bool:
    """Whether a region can be told as numbers that enclose something."""
    return len(polygon) >= 3 and bool(np.isfinite(polygon).all())


def line_of(polygon: Polygon, text: str, quads: bool = False) -> str:
    """One region as a line, with commas; with tabs where commas would make numbers in the text look like corners.

    Of a set of quads a reader takes eight numbers; only a text of four or more could make it look like polygons."""
    numbers = [np.format_float_positional(value, unique=True, trim="-") for value in polygon.astype(np.float32).ravel()]
    text = _BREAKS.sub(" ", text).strip()
    fields = [*numbers, text] if text else numbers
    line = ",".join(fields)
    found, starts, _ = leading_numbers(line, len(line))
    extra = len(found) - len(numbers)
    plain = len(found) < POLYGON_NUMBERS if quads else extra == 0 or (extra == 1 and not line[starts[-1] :])
    return line if plain else "\t".join(fields)


def regions_to_thicken(records: Sequence[LabelRecord]) -> list[set[int]]:
    """For each record the regions that need more corners, so that a reader sees a set of polygons.

    A reader tells by all lines of a set whether they are quads with a text, which may begin with numbers, or polygons.
    Of a set with few corners, or few polygons, it would take the fifth corner for a text. A quad with points on its
    sides is the same region; no set of quads alone needs any."""
    places = [
        (number, region, len(polygon))
        for number, record in enumerate(records)
        for region, polygon in enumerate(record.polygons)
        if is_written(polygon)
    ]
    chosen: list[set[int]] = [set() for _ in records]
    if all(corners == 4 for _, _, corners in places):
        return chosen
    missing = int(POLYGON_SHARE * len(places)) + 1 - sum(corners >= MANY_CORNERS for _, _, corners in places)
    candidates = sorted((place for place in places if place[2] < MANY_CORNERS), key=lambda place: place[2] == 4)
    for number, region, _ in candidates[: max(missing, 0)]:
        chosen[number].add(region)
    return chosen


def thickened(polygon: Polygon) -> Polygon:
    """The same outline with at least MANY_CORNERS corners, by cutting its longest sides in halves."""
    points = polygon.astype(np.float32)
    while len(points) < MANY_CORNERS:
        after = np.roll(points, -1, axis=0)
        longest = int(np.linalg.norm(after - points, axis=1).argmax())
        points = np.insert(points, longest + 1, (points[longest] + after[longest]) / 2, axis=0)
    return points


def _counting(text: str) -> str:
    """A text that does not make its region don't-care."""
    return "" if _BREAKS.sub(" ", text).strip() in ICDAR_IGNORE_MARKS else text
