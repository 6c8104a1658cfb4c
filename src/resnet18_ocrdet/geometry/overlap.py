"""Find the outlines of a set of images that overlap, and their common areas: all images in one call.

Legend: K regions (ground truth) and M detections of all N images together; P pairs of a region and a detection of the
same image. Areas are in px².

The ICDAR 2015 protocol does not define the area of outlines that cross themselves. Here `shapely.make_valid` splits
them where they cross, and the area of the resulting polygons counts; for a tangle (`polygon.is_tangle`) that of its
hull. An outline without area matches nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from ..errors import UserError
from ..structures import Polygon
from .polygon import is_tangle

BLOCK = 2**19  # pairs whose bounding boxes are compared at once: 50 MB
SHAPES = 2**15  # pairs whose intersections are in memory at once
MAX_NEAR = 2**20  # pairs of one image whose bounding boxes overlap
Shapes = NDArray[Any]  # (K,) shapely polygons; numpy has no closer type
Numbers = NDArray[np.intp]
Areas = NDArray[np.float64]


class Overlaps(NamedTuple):
    """The P pairs whose outlines overlap, sorted by region, then by detection."""

    region: Numbers  # (P,) 0..K-1
    detection: Numbers  # (P,) 0..M-1
    area: Areas  # (P,) of the intersection, above 0
    region_area: Areas  # (K,)
    detection_area: Areas  # (M,)

    @property
    def iou(self) -> Areas:
        """(P,) intersection over union, 0..1."""
        return np.asarray(
            self.area / (self.region_area[self.region] + self.detection_area[self.detection] - self.area), np.float64
        )


def find_overlaps(
    regions: Sequence[Sequence[Polygon]], detections: Sequence[Sequence[Polygon]], names: Sequence[str]
) -> Overlaps:
    """Compare the outlines of N images, each with those of its own image only.

    Raises ValueError, with the name of the image, for coordinates that are not finite, and UserError if the bounding
    boxes of more than MAX_NEAR pairs of one image overlap."""
    region_shapes, detection_shapes = to_shapes(regions, names), to_shapes(detections, names)
    counts = np.array([list(map(len, regions)), list(map(len, detections))], np.intp).reshape(2, -1)
    rows, columns = _near(counts, shapely.bounds(region_shapes), shapely.bounds(detection_shapes), names)
    region_area, detection_area = shapely.area(region_shapes), shapely.area(detection_shapes)
    shared = np.empty(len(rows))
    for start in range(0, len(rows), SHAPES):
        own = slice(start, start + SHAPES)
        shared[own] = shapely.area(shapely.intersection(region_shapes[rows[own]], detection_shapes[columns[own]]))
    shared = np.minimum(shared, np.minimum(region_area[rows], detection_area[columns]))  # rounding may exceed it
    there = shared > 0
    return Overlaps(rows[there], columns[there], shared[there], region_area, detection_area)


class Shared(NamedTuple):
    """Overlaps of the K regions and M detections of one image."""

    iou: Areas  # (K, M) intersection over union, 0..1
    of_region: Areas  # (K, M) share of the region that the detection covers, 0..1
    of_detection: Areas  # (K, M) share of the detection that lies on the region, 0..1
    region_area: Areas  # (K,)
    detection_area: Areas  # (M,)


def shared_areas(regions: Sequence[Polygon], detections: Sequence[Polygon]) -> Shared:
    """`find_overlaps` of one image, as tables. Raises as it does."""
    overlaps = find_overlaps([regions], [detections], [""])
    of_region = overlaps.area / overlaps.region_area[overlaps.region]
    of_detection = overlaps.area / overlaps.detection_area[overlaps.detection]
    planes = np.zeros((3, len(regions), len(detections)))
    planes[:, overlaps.region, overlaps.detection] = overlaps.iou, of_region, of_detection
    return Shared(planes[0], planes[1], planes[2], overlaps.region_area, overlaps.detection_area)


def first_come_pairs(regions: Numbers, detections: Numbers) -> NDArray[np.intp]:
    """Match one to one: each region, in order, takes its first free detection.

    regions, detections: (P,) candidates in the order of `Overlaps`. Returns the indices (P',) of the matched pairs."""
    taken = []
    last, used = -1, set[int]()  # region and detections taken
    for place, (region, detection) in enumerate(zip(regions.tolist(), detections.tolist(), strict=True)):
        if region > last and detection not in used:
            taken.append(place)
            used.add(detection)
            last = region
    return np.array(taken, np.intp)


def to_shapes(outlines: Sequence[Sequence[Polygon]], names: Sequence[str]) -> Shapes:
    """Convert the outlines of N images, of 3 or more vertices each, to valid shapes; empty if they have no area.

    Raises ValueError, with the name of the image, for coordinates that are not finite."""
    polygons = [polygon for part in outlines for polygon in part]
    if not polygons:
        return np.empty(0, object)
    points = np.concatenate(polygons).astype(np.float64)
    owner = np.repeat(np.arange(len(polygons)), [len(polygon) for polygon in polygons])
    if not np.isfinite(points).all():
        first = int(np.flatnonzero(~np.isfinite(points).all(axis=1))[0])
        image = int(np.searchsorted(starts(outlines), owner[first], side="right")) - 1
        raise ValueError(f"{names[image]}: coordinates must be finite, got {points[first]}")
    shapes: Shapes = shapely.polygons(shapely.linearrings(points, indices=owner))
    for index in np.flatnonzero(~shapely.is_valid(shapes)):
        if is_tangle(polygons[index]):  # make_valid would take minutes
            shapes[index] = shapely.convex_hull(shapes[index])
            continue
        parts = shapely.get_parts(shapely.make_valid(shapes[index]))
        shapes[index] = shapely.union_all(parts[shapely.get_dimensions(parts) == 2])
    return shapes


def starts(parts: Sequence[Sequence[Any]]) -> list[int]:
    """The index of each part's first member in the concatenation, and the end: N + 1 numbers."""
    return list(accumulate(map(len, parts), initial=0))


def _near(
    counts: Numbers, region_boxes: Areas, detection_boxes: Areas, names: Sequence[str]
) -> tuple[Numbers, Numbers]:
    """The pairs of one image whose bounding boxes overlap: P regions, sorted, and P detections.

    counts: (2, N) regions and detections of each image. Boxes: (K or M, 4), x and y from and to; NaN where empty."""
    if int((counts[0] * counts[1]).sum()) <= BLOCK:  # all images at once, because a call per image is slow
        rows, columns = _pairs(*counts)
        near = _meet(region_boxes[rows], detection_boxes[columns])
        found = [(rows[near], columns[near])]
    else:
        found = []
        for (first, last), (start, stop), name in zip(
            *(pairwise(accumulate(part.tolist(), initial=0)) for part in counts), names, strict=True
        ):
            step, total = max(1, BLOCK // max(stop - start, 1)), 0
            for row in range(first, last, step):
                boxes = region_boxes[row : min(row + step, last), None]
                k, m = _meet(boxes, detection_boxes[None, start:stop]).nonzero()
                found.append((k + row, m + start))
                total += len(k)
                if total > MAX_NEAR:
                    raise UserError(
                        f"{name}: more than {MAX_NEAR} pairs of a region and a detection overlap, of {last - first} "
                        f"regions and {stop - start} detections: too many to compare"
                    )
    return np.concatenate([rows for rows, _ in found]), np.concatenate([columns for _, columns in found])


def _meet(boxes: Areas, others: Areas) -> NDArray[np.bool_]:
    """Whether boxes (..., 4) overlap; false for NaN."""
    across = (boxes[..., 0] < others[..., 2]) & (others[..., 0] < boxes[..., 2])
    return np.asarray(across & (boxes[..., 1] < others[..., 3]) & (others[..., 1] < boxes[..., 3]))


def _pairs(regions: Numbers, detections: Numbers) -> tuple[Numbers, Numbers]:
    """All pairs of a region and a detection of one image. regions, detections: how many each image has."""
    per_region = np.repeat(detections, regions)  # (K,) detections of its image
    first = np.repeat(np.cumsum(detections) - detections, regions)  # (K,) the first of them
    rows = np.repeat(np.arange(len(per_region)), per_region)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(per_region) - per_region, per_region)
    return rows, np.repeat(first, per_region) + within
