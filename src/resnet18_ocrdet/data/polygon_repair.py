"""Repair labelled polygons: everything that can be done without the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from ..geometry.polygon import area, is_tangle
from ..runtime.messages import count
from ..structures import Polygon
from .findings import Report
from .image_guard import MAX_SIDE
from .record import LabelRecord

MIN_AREA = 0.5  # px²
STROKE_PX = 0.5  # half the width of the mask of a region without area


class _Repaired(NamedTuple):
    pieces: list[Polygon]  # the region, if anything is left of it, and pieces outside it: they become don't-care
    code: str = ""  # of the repair; "" for none
    detail: str = ""
    masked: bool = False  # the region becomes don't-care, too


def repair_record(record: LabelRecord, report: Report) -> LabelRecord:
    """Return a record of distinct simple polygons with at least 3 corners and an area. Every repair is reported.

    Coordinates that are not finite or outside any image: the region is lost. No area: replaced by a don't-care stroke.
    Crossing outlines are untangled; their smaller pieces, and the hull of one that crosses too often, are don't-care.
    Repeated corners and regions are dropped. Normalized coordinates are not changed: as pixels they have no area."""
    if is_normalized(record.polygons):
        return record
    kept: list[int] = []
    polygons: list[Polygon] = []
    masked: list[bool] = []
    seen: set[tuple[bytes, str]] = set()
    lost = record.lost
    for region, polygon in enumerate(record.polygons):
        line, key = record.line(region), (polygon.tobytes(), record.texts[region])
        if not (np.abs(polygon) <= MAX_SIDE).all():  # false for NaN, too
            detail = f"{_format(polygon)}: coordinates must lie within ±{MAX_SIDE} px"
            report.add("GT021", record.place, line, detail, record.image_path)
            lost += 1
        elif key in seen:
            report.add("GT029", record.place, line, _format(polygon), record.image_path)
        else:
            seen.add(key)
            done = repair_polygon(polygon)
            if done.code:
                report.add(done.code, record.place, line, done.detail, record.image_path)
            kept += [region] * len(done.pieces)
            polygons += done.pieces
            masked += [done.masked or number > 0 for number in range(len(done.pieces))]
    ignore = record.ignore[kept] | np.array(masked, np.bool_)
    return replace(record.only(kept), polygons=tuple(polygons), ignore=ignore, lost=lost)


def is_normalized(polygons: Sequence[Polygon]) -> bool:
    """Whether all coordinates lie between 0 and 1, and a polygon has an area."""
    inside = all(((points >= 0) & (points <= 1)).all() for points in polygons)
    return inside and any(len(points) > 2 and area(points) > 0 for points in polygons)


def repair_polygon(polygon: Polygon) -> _Repaired:
    """Make one polygon simple; only the most serious finding is returned."""
    points = without_repeats(polygon)
    if len(points) < 3 or max(area(points), _hull(points).area) < MIN_AREA:  # the area of a crossing outline may be 0
        return _without_area(polygon)
    if not is_simple(points):
        if is_tangle(points):
            detail = f"{_format(polygon)}: crosses itself too often, its hull is don't-care"
            return _Repaired([_outline(_hull(points))], "PG031", detail, masked=True)
        pieces = untangle(points)
        if not pieces:
            return _without_area(polygon)
        more = f", {count(len(pieces) - 1, 'smaller piece')} don't-care" if len(pieces) > 1 else ""
        return _Repaired(pieces, "PG031", f"{_format(polygon)}: now {_format(pieces[0])}{more}")
    if len(points) < len(polygon):
        return _Repaired([points], "PG034", f"{_format(polygon)}: {len(points)} different corners")
    if len(points) == 3:
        return _Repaired([points], "PG030", _format(points))
    return _Repaired([points])


def without_repeats(polygon: Polygon) -> Polygon:
    """Drop each vertex that equals the one before it, and a last one that equals the first."""
    differs: NDArray[np.bool_] = (polygon != np.concatenate((polygon[-1:], polygon[:-1]))).any(axis=1)
    return polygon if differs.all() else polygon[differs]


def is_simple(points: Polygon) -> bool:
    """Whether the outline neither crosses nor touches itself. It has at least 3 vertices, without repeats."""
    if len(points) == 4:
        x, y = points.T.tolist()
        turns = [
            (x[i - 1] - x[i - 2]) * (y[i] - y[i - 1]) - (y[i - 1] - y[i - 2]) * (x[i] - x[i - 1]) for i in range(4)
        ]
        if min(turns) > 0 or max(turns) < 0:
            return True  # convex, as most are: faster than shapely
    return bool(shapely.is_valid(shapely.Polygon(points)))


def untangle(points: Polygon) -> list[Polygon]:
    """Split a crossing polygon into simple ones, the largest first; none if nothing with an area is left.

    Four corners in the wrong order become their convex hull; other polygons are split where they cross."""
    hull = _hull(points)
    if len(points) == 4 and hull.geom_type == "Polygon" and len(hull.exterior.coords) == 5:
        return [_outline(hull)]
    found = shapely.get_parts(shapely.get_parts(shapely.make_valid(shapely.Polygon(points))))  # collections are nested
    parts = [part for part in found if part.geom_type == "Polygon" and part.area >= MIN_AREA]
    return [_outline(part) for part in sorted(parts, key=lambda part: float(part.area), reverse=True)]


def _hull(points: Polygon) -> shapely.Geometry:
    return shapely.convex_hull(shapely.MultiPoint(points))


def _outline(shape: shapely.Geometry) -> Polygon:
    return np.asarray(shape.exterior.coords[:-1], np.float32)


def _without_area(polygon: Polygon) -> _Repaired:
    """A stroke along the corners, as don't-care; nothing for a single point."""
    if not len(polygon):
        return _Repaired([], "PG035", "no corners")
    if float(np.ptp(polygon, axis=0).max()) < 1.0:
        return _Repaired([], "PG035", f"{_format(polygon)}: a single point")
    with np.errstate(invalid="ignore", divide="ignore"):  # corners less than 1e-38 px apart
        stroke = shapely.buffer(shapely.LineString(polygon), STROKE_PX, cap_style="square", join_style="mitre")
    outline = _outline(shapely.convex_hull(stroke))
    return _Repaired([outline], "PG035", f"{_format(polygon)}: don't-care", masked=True)


def _format(polygon: Polygon) -> str:
    numbers = ",".join(f"{value:.6g}" for value in polygon.ravel().tolist())
    return numbers if len(numbers) <= 60 else numbers[:57] + "..."
