"""Regions as they are written to regions that can be drawn: what needs no image to be known.

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

LEAST_AREA = 0.5  # px²: less than half a pixel is no region
STROKE_PX = 0.5  # half the width of what a region without area is masked with


class _Repaired(NamedTuple):
    polygon: Polygon | None  # None: nothing is left to draw
    code: str  # of what was done; "" for nothing
    detail: str
    masked: bool = False  # what is left may only be masked
    rest: tuple[Polygon, ...] = ()  # pieces that belong to the region but not to the polygon: to be masked


def clean(record: LabelRecord, report: Report) -> LabelRecord:
    """Give a record whose regions are simple polygons, of at least 3 corners, with an area, each of them once.

    Coordinates that are no numbers or outside of any image: the region is lost. No area: a don't-care stroke takes its
    place. Crossing outlines are untangled, what falls off by it is don't-care, as is the hull of a tangle; repeated
    corners and regions are left out. Everything is reported. Shares of width and height are not touched: as pixels they
    are nothing but points."""
    if has_shares(record):
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
            detail = f"{_shown(polygon)}: a coordinate lies within ±{MAX_COORDINATE} px"
            report.add("GT021", where, line, detail, record.image_path)
            lost += 1
            continue
        key = (polygon.tobytes(), record.texts[region])
        if key in seen:
            report.add("GT029", where, line, _shown(polygon), record.image_path)
            continue
        seen.add(key)
        done = repair(polygon)
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


def has_shares(record: LabelRecord) -> bool:
    """Whether a record's coordinates lie between 0 and 1 and enclose something, as shares of width and height do."""
    inside = all(((points >= 0) & (points <= 1)).all() for points in record.polygons)
    return inside and any(len(points) > 2 and area(points) > 0 for points in record.polygons)


def repair(polygon: Polygon) -> _Repaired:
    """Make one outline simple; at most one thing is told of it, the gravest."""
    points = without_repeats(polygon)
    if len(points) < 3 or _flat(points):
        return _without_area(polygon)
    if not is_simple(points):
        if is_tangle(points):
            hull = np.asarray(shapely.convex_hull(shapely.MultiPoint(points)).exterior.coords[:-1], np.float32)
            return _Repaired(
                hull, "PG031", f"{_shown(polygon)}: crosses itself too often, its hull is masked", masked=True
            )
        pieces = untangle(points)
        if not pieces:
            return _without_area(polygon)
        whole, *rest = pieces
        more = f", {count(len(rest), 'smaller piece')} masked" if rest else ""
        return _Repaired(whole, "PG031", f"{_shown(polygon)}: now {_shown(whole)}{more}", rest=tuple(rest))
    if len(points) < len(polygon):
        return _Repaired(points, "PG034", f"{_shown(polygon)}: {len(points)} different corners")
    if len(points) == 3:
        return _Repaired(points, "PG030", _shown(points))
    return _Repaired(points, "", "")


def without_repeats(polygon: Polygon) -> Polygon:
    """Leave out every vertex that is the same as the one before it, and a last one that is the first again."""
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
            return True  # convex: most are, and this is fifty times as fast
    return bool(shapely.is_valid(shapely.Polygon(points)))


def untangle(points: Polygon) -> list[Polygon]:
    """Turn a crossing outline into simple ones, the largest first; none when nothing with an area is left.

    Four corners in the wrong order are put in the order of their convex hull; else it is cut where it crosses."""
    hull = shapely.convex_hull(shapely.MultiPoint(points))
    if len(points) == 4 and hull.geom_type == "Polygon" and len(hull.exterior.coords) == 5:
        return [np.asarray(hull.exterior.coords[:-1], np.float32)]
    found = shapely.get_parts(shapely.get_parts(shapely.make_valid(shapely.Polygon(points))))  # of collections, too
    parts = [part for part in found if part.geom_type == "Polygon" and part.area >= LEAST_AREA]
    parts.sort(key=lambda part: float(part.area), reverse=True)
    return [np.asarray(part.exterior.coords[:-1], np.float32) for part in parts]


def _flat(points: Polygon) -> bool:
    """Whether nothing has an area: not even the hull, which of a crossing outline has one where the sum cancels."""
    return area(points) < LEAST_AREA and float(shapely.convex_hull(shapely.MultiPoint(points)).area) < LEAST_AREA


def _without_area(polygon: Polygon) -> _Repaired:
    """A stroke along the corners, to be masked; nothing for a single point."""
    if not len(polygon):
        return _Repaired(None, "PG035", "no corner")
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    if float((high - low).max()) < 1.0:
        return _Repaired(None, "PG035", f"{_shown(polygon)}: a single point")
    stroke = shapely.buffer(shapely.LineString(polygon), STROKE_PX, cap_style="square", join_style="mitre")
    outline = np.asarray(shapely.convex_hull(stroke).exterior.coords[:-1], np.float32)
    return _Repaired(outline, "PG035", f"{_shown(polygon)}: masked", masked=True)


def _shown(polygon: Polygon) -> str:
    numbers = ",".join(f"{value:.6g}" for value in polygon.ravel().tolist())
    return numbers if len(numbers) <= 60 else numbers[:57] + "..."
