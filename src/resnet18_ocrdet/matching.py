"""Which outlines of a set of images overlap, and by how much: all images in one call.

Legend: K regions (ground truth) and M detections of all N images together, numbered through; P pairs of a region and a
detection of the same image. Areas are in px².

Outlines which cross themselves are left open by the ICDAR 2015 protocol. Here, `shapely.make_valid` splits them where
they cross, and the area of their polygons counts. An outline without area matches nothing and lies on nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from .structures import Polygon

Shapes = NDArray[Any]  # (K,) shapely polygons; numpy has no closer type
Numbers = NDArray[np.intp]
Areas = NDArray[np.float64]


class Overlaps(NamedTuple):
    """The P pairs whose outlines share an area, by rising region, then by rising detection."""

    region: Numbers  # (P,) 0..K-1
    detection: Numbers  # (P,) 0..M-1
    area: Areas  # (P,) of what they share, above 0
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

    Raises ValueError, with the name of the image, for coordinates that are not finite."""
    region_shapes, detection_shapes = to_shapes(regions, names), to_shapes(detections, names)
    rows, columns = _pairs(np.diff(starts(regions)), np.diff(starts(detections)))
    low_k, high_k = np.split(shapely.bounds(region_shapes), 2, axis=1)  # (K, 2) each; NaN where empty
    low_m, high_m = np.split(shapely.bounds(detection_shapes), 2, axis=1)
    near = ((low_k[rows] < high_m[columns]) & (low_m[columns] < high_k[rows])).all(axis=1)
    rows, columns = rows[near], columns[near]
    region_area, detection_area = shapely.area(region_shapes), shapely.area(detection_shapes)
    shared = shapely.area(shapely.intersection(region_shapes[rows], detection_shapes[columns]))
    shared = np.minimum(shared, np.minimum(region_area[rows], detection_area[columns]))  # the last bits may exceed it
    there = shared > 0
    return Overlaps(rows[there], columns[there], shared[there], region_area, detection_area)


class Shared(NamedTuple):
    """How much the K regions and M detections of one image share."""

    iou: Areas  # (K, M) intersection over union, 0..1
    of_region: Areas  # (K, M) share of the region that the detection covers, 0..1
    of_detection: Areas  # (K, M) share of the detection that lies on the region, 0..1
    region_area: Areas  # (K,)
    detection_area: Areas  # (M,)


def shared_areas(
    regions: Sequence[Sequence[Polygon]], detections: Sequence[Sequence[Polygon]], names: Sequence[str]
) -> Iterator[Shared]:
    """`find_overlaps` of N images, cut into the images. Raises ValueError as it does."""
    overlaps = find_overlaps(regions, detections, names)
    first_region, first_detection = starts(regions), starts(detections)
    region_area, detection_area = overlaps.region_area, overlaps.detection_area
    of_region = overlaps.area / region_area[overlaps.region]
    of_detection = overlaps.area / detection_area[overlaps.detection]
    shares = np.stack([overlaps.iou, of_region, of_detection])
    first = np.searchsorted(overlaps.region, first_region).tolist()
    for n in range(len(names)):
        own, (k, k_end), (m, m_end) = slice(*first[n : n + 2]), first_region[n : n + 2], first_detection[n : n + 2]
        planes = np.zeros((3, k_end - k, m_end - m))
        planes[:, overlaps.region[own] - k, overlaps.detection[own] - m] = shares[:, own]
        yield Shared(planes[0], planes[1], planes[2], region_area[k:k_end], detection_area[m:m_end])


def first_come_pairs(regions: Numbers, detections: Numbers) -> NDArray[np.intp]:
    """Pair one to one: each region, in order, takes its first detection that is still free.

    regions, detections: (P,) candidates in the order of `Overlaps`. Returns the places (P',) of the pairs taken."""
    taken = []
    last, used = -1, set[int]()  # region and detections taken
    for place, (region, detection) in enumerate(zip(regions.tolist(), detections.tolist(), strict=True)):
        if region > last and detection not in used:
            taken.append(place)
            used.add(detection)
            last = region
    return np.array(taken, np.intp)


def to_shapes(outlines: Sequence[Sequence[Polygon]], names: Sequence[str]) -> Shapes:
    """Turn the outlines of N images, of 3 or more vertices each, into valid shapes, empty where one has no area.

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
        parts = shapely.get_parts(shapely.make_valid(shapes[index]))
        shapes[index] = shapely.union_all(parts[shapely.get_dimensions(parts) == 2])
    return shapes


def starts(parts: Sequence[Sequence[Any]]) -> list[int]:
    """The place of each part's first member when all are numbered through, and the end: N + 1 places."""
    return list(accumulate(map(len, parts), initial=0))


def _pairs(regions: Numbers, detections: Numbers) -> tuple[Numbers, Numbers]:
    """All pairs of a region and a detection of one image. regions, detections: how many each image has."""
    per_region = np.repeat(detections, regions)  # (K,) detections of its image
    first = np.repeat(np.cumsum(detections) - detections, regions)  # (K,) the first of them
    rows = np.repeat(np.arange(len(per_region)), per_region)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(per_region) - per_region, per_region)
    return rows, np.repeat(first, per_region) + within
