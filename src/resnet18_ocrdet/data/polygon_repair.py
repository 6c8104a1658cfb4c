"""Repair labelled polygons: everything that can be done without the image.

Legend: K regions of one image, V vertices of one polygon.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats.icdar_text import MAX_COORDINATE
from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.geometry.polygon import area, is_tangle
from resnet18_ocrdet.runtime.messages import count
from resnet18_ocrdet.structures import Polygon

MIN_AREA = 0.5  # px²
STROKE_PX = 0.5  # half the width of the mask of a region without area


class _Repaired(NamedTuple):
    polygon: Polygon | None  # None: nothing is left
    code: str  # of the repair; "" for none
    detail: str
    masked: bool = False  # the polygon becomes don't-care
    rest: tuple[Polygon, ...] = ()  # pieces of the region outside the polygon: they become don't-care


def repair_record(record: LabelRecord, report: Report) -> LabelRecord:
    """Return a record of distinct simple polygons with at least 3 corners and an area. Every repair is reported.

    Coordinates that are not finite or outside any image: the region is lost. No area: replaced by a don't-care stroke.
    Crossing outlines are untangled; their smaller pieces, and the hull of one that crosses too often, are don't-care.
    Repeated corners and regions are dropped. Normalized coordinates are not changed: as pixels they have no area."""
    if is_normalized(record):
        return record
    kept: list[int] = []
    polygons: list[Polygon] = []
    masked: list[bool] = []
    seen: set[tuple[bytes, str]] = set()
    lost = record.lost
    where = record.label_path or record.image_path
    for region, polygon in enumerate(record.polygons):
        line = record.line(region)
        if not (np.abs(polygon) <= MAX_COORDINATE).all():  # false for NaN, too
            detail = f"{_format(polygon)}: coordinates must lie within ±{MAX_COORDINATE} px"
            report.add("GT021", where, line, detail, record.image_path)
            lost += 1
            continue
        key = (polygon.tobytes(), record.texts[region])
        if key in seen:
            report.add("GT029", where, line, _format(polygon), record.image_path)
            continue
        seen.add(key)
        done = repair_polygon(polygon)
        if done.code:
            report.add(done.code, where, line, done.detail, record.image_path)
        if done.polygon is not None:
            kept.append(region)
            polygons.append(done.polygon)
            masked.append(done.masked)
        kept += [region] * len(done.rest)
        polygons += done.rest
        masked += [True] * len(done.rest)
    return replace(
        record,
        polygons=tuple(polygons),
        ignore=record.ignore[kept] | np.array(masked, np.bool_),
        texts=tuple(record.texts[region] for region in kept),
        lines=np.array([record.line(region) for region in kept], np.int32),
        lost=lost,
    )


def is_normalized(record: LabelRecord) -> bool:
    """Whether all coordinates lie between 0 and 1, and a polygon has an area."""
    inside = all(((points >= 0) & (points <= 1)).all() for points in record.polygons)
    return inside and any(len(points) > 2 and area(points) > 0 for points in record.polygons)


def repair_polygon(polygon: Polygon) -> _Repaired:
    """Make one polygon simple; only the most serious finding is returned."""
    points = without_repeats(polygon)
    if len(points) < 3 or _has_no_area(points):
        return _without_area(polygon)
    if not is_simple(points):
        if is_tangle(points):
            hull = np.asarray(shapely.convex_hull(shapely.MultiPoint(points)).exterior.coords[:-1], np.float32)
            return _Repaired(
                hull, "PG031", f"{_format(polygon)}: crosses itself too often, its hull is don't-care", masked=True
            )
        pieces = untangle(points)
        if not pieces:
            return _without_area(polygon)
        whole, *rest = pieces
        more = f", {count(len(rest), 'smaller piece')} don't-care" if rest else ""
        return _Repaired(whole, "PG031", f"{_format(polygon)}: now {_format(whole)}{more}", rest=tuple(rest))
    if len(points) < len(polygon):
        return _Repaired(points, "PG034", f"{_format(polygon)}: {len(points)} different corners")
    if len(points) == 3:
        return _Repaired(points, "PG030", _format(points))
    return _Repaired(points, "", "")


def without_repeats(polygon: Polygon) -> Polygon:
    """Drop each vertex that equals the one before it, and a last one that equals the first."""
    if not len(polygon):
        return polygon
    differs: NDArray[np.bool_] = (polygon != np.concatenate((polygon[-1:], polygon[:-1]))).any(axis=1)
    return polygon if differs.all() else polygon[differs]


def is_simple(points: Polygon) -> bool:
    """Whether the outline neither crosses nor touches itself. (V, 2), V >= 3, no repeats."""
    if len(points) == 4:
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = points.tolist()
        turns = (
            (bx - ax) * (cy - by) - (by - ay) * (cx - bx),
            (cx - bx) * (dy - cy) - (cy - by) * (dx - cx),
            (dx - cx) * (ay - dy) - (dy - cy) * (ax - dx),
            (ax - dx) * (by - ay) - (ay - dy) * (bx - ax),
        )
        if min(turns) > 0 or max(turns) < 0:
            return True  # convex, as most are: faster than shapely
    return bool(shapely.is_valid(shapely.Polygon(points)))


def untangle(points: Polygon) -> list[Polygon]:
    """Split a crossing polygon into simple ones, the largest first; none if nothing with an area is left.

    Four corners in the wrong order become their convex hull; other polygons are split where they cross."""
    hull = shapely.convex_hull(shapely.MultiPoint(points))
    if len(points) == 4 and hull.geom_type == "Polygon" and len(hull.exterior.coords) == 5:
        return [np.asarray(hull.exterior.coords[:-1], np.float32)]
    found = shapely.get_parts(
        shapely.get_parts(shapely.make_valid(shapely.Polygon(points)))
    )  # twice: collections are nested
    parts = [part for part in found if part.geom_type == "Polygon" and part.area >= MIN_AREA]
    parts.sort(key=lambda part: float(part.area), reverse=True)
    return [np.asarray(part.exterior.coords[:-1], np.float32) for part in parts]


def _has_no_area(points: Polygon) -> bool:
    """Whether neither the polygon nor its hull has an area; the signed area of a crossing polygon may cancel to 0."""
    return area(points) < MIN_AREA and float(shapely.convex_hull(shapely.MultiPoint(points)).area) < MIN_AREA


def _without_area(polygon: Polygon) -> _Repaired:
    """A stroke along the corners, as don't-care; nothing for a single point."""
    if not len(polygon):
        return _Repaired(None, "PG035", "no corners")
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    if float((high - low).max()) < 1.0:
        return _Repaired(None, "PG035", f"{_format(polygon)}: a single point")
    stroke = shapely.buffer(shapely.LineString(polygon), STROKE_PX, cap_style="square", join_style="mitre")
    outline = np.asarray(shapely.convex_hull(stroke).exterior.coords[:-1], np.float32)
    return _Repaired(outline, "PG035", f"{_format(polygon)}: don't-care", masked=True)


def _format(polygon: Polygon) -> str:
    numbers = ",".join(f"{value:.6g}" for value in polygon.ravel().tolist())
    return numbers if len(numbers) <= 60 else numbers[:57] + "..."
