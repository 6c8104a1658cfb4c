"""Training targets from polygons: the four maps of the loss (DB paper, "Label generation").

Thresholds are exact up to rounding to bytes. They are computed edge by edge in small windows, so the cost depends on
the area of the outlines. Legend: K regions, V vertices, E edges, H W pixels of the network's input, h w of a window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import pyclipper
from numpy.typing import NDArray

from ..geometry.polygon import areas_and_perimeters
from ..structures import Polygon

Plane = NDArray[np.uint8]
Floats = NDArray[np.float32]
PlacedWindow = tuple[Floats, int, int]
"""A window, and its left column and top row in the image."""

MANY_VERTICES = 64  # an outline with more is simplified: traced masks have hundreds, a fraction of a pixel apart
SIMPLIFY_PX = 0.5  # largest distance of the simplified outline from the labelled one
THIN_BITS = 3  # a region that vanishes in whole pixels is offset in steps of 1/8 px instead
MIN_THIN_PX = 1.0  # shorter side of such a region
EDGES_AT_ONCE = 128  # their terms fit into the cache
OUTSIDE = np.float32(2.0**40)  # factor outside the circle over an edge: larger than any distance


class TargetPlanes(NamedTuple):
    """Targets of one image: `structures.Targets` without the batch axis, (H, W) uint8."""

    prob_map: Plane
    prob_mask: Plane
    thresh_map: Plane
    thresh_mask: Plane


class OffsetOutline(NamedTuple):
    """One outline, shrunk and dilated, in integer units of 2**-bits px."""

    shrunk: list[NDArray[np.int32]]  # pieces, (V, 2): none if it vanishes, several if a narrow part closes
    dilated: list[NDArray[np.int32]]
    bits: int


class ThresholdRegion(NamedTuple):
    """What is needed to draw the threshold map around one outline."""

    outline: Polygon
    distance: float  # px, over which the threshold decreases
    window: tuple[int, int, int, int]  # of the dilated outline in the image, see `_window`


@dataclass(frozen=True)
class TargetMaker:
    """Draws the targets of an image.

    shrink_ratio: r in A (1 - r²) / L, 0..1; larger values keep more of the region and merge neighbours.
    thresh_min, thresh_max: threshold far from the outline and on it, 0..1.
    min_text_size: shorter side in input pixels below which a region is ignored in training.
    """

    shrink_ratio: float = 0.4
    thresh_min: float = 0.3
    thresh_max: float = 0.7
    min_text_size: float = 8.0

    def __call__(self, polygons: Sequence[Polygon], ignore: NDArray[np.bool_], height: int, width: int) -> TargetPlanes:
        """polygons: K of (V, 2) in input pixels; ignore: (K,). Returns planes of (height, width)."""
        prob_map = np.zeros((height, width), np.uint8)
        prob_mask = np.ones((height, width), np.uint8)
        thresh_mask = np.zeros((height, width), np.uint8)
        outlines = [simplified(polygon) for polygon in polygons]
        regions: list[ThresholdRegion] = []
        distances = shrink_distances(outlines, self.shrink_ratio)
        for polygon, outline, dont_care, distance in zip(polygons, outlines, ignore, distances, strict=True):
            offset = None if dont_care else self._offset(outline, distance)
            if offset is None:
                cv2.fillPoly(prob_mask, [np.rint(polygon).astype(np.int32)], 0)
                continue
            for piece in offset.shrunk:
                cv2.fillPoly(prob_map, [piece], 1, cv2.LINE_8, offset.bits)
            for piece in offset.dilated:
                cv2.fillPoly(thresh_mask, [piece], 1, cv2.LINE_8, offset.bits)
                regions.append(ThresholdRegion(outline, distance, _window(piece, offset.bits, height, width)))
        np.maximum(prob_mask, prob_map, out=prob_mask)  # text inside a don't-care region stays text
        return TargetPlanes(prob_map, prob_mask, self._thresholds(regions, height, width), thresh_mask)

    def _thresholds(self, regions: Sequence[ThresholdRegion], height: int, width: int) -> Plane:
        """thresh_min, increasing to thresh_max towards each outline; times 255, rounded."""
        low, high = 255.0 * self.thresh_min, 255.0 * self.thresh_max
        plane = np.full((height, width), round(low), np.uint8)
        for region, distance in zip(regions, distance_maps(regions, height, width), strict=True):
            if distance.size:
                left, top, right, bottom = region.window
                window = plane[top:bottom, left:right]
                levels = cv2.convertScaleAbs(distance, alpha=low - high, beta=high)
                np.maximum(window, np.asarray(levels, np.uint8), out=window)
        return plane

    def too_small(self, polygon: Polygon) -> bool:
        """Whether the text height is below min_text_size, for any rotation."""
        return shorter_side(polygon) < self.min_text_size

    def pieces(self, polygon: Polygon) -> int:
        """Number of pieces of the shrunk region: 0 if it is ignored, more than 1 if a narrow part closes."""
        outline = simplified(polygon)
        offset = self._offset(outline, shrink_distances([outline], self.shrink_ratio)[0])
        return len(offset.shrunk) if offset else 0

    def _offset(self, outline: Polygon, distance: float) -> OffsetOutline | None:
        """The outline, shrunk and dilated by `distance` px; None if the region is ignored in training."""
        if distance <= 0 or self.too_small(outline):
            return None
        offset = offset_outline(outline, distance, 0)
        if not offset.shrunk and shorter_side(outline) >= MIN_THIN_PX:
            offset = offset_outline(outline, distance, THIN_BITS)
        return offset if offset.shrunk else None


def simplified(polygon: Polygon) -> Polygon:
    """The polygon, with fewer vertices if it has more than MANY_VERTICES; at most SIMPLIFY_PX away from it."""
    if len(polygon) <= MANY_VERTICES:
        return np.asarray(polygon, np.float32)
    fewer = cv2.approxPolyDP(np.asarray(polygon, np.float32), SIMPLIFY_PX, True).reshape(-1, 2)
    return np.asarray(fewer if len(fewer) >= 3 else polygon, np.float32)


def shorter_side(polygon: Polygon) -> float:
    """Shorter side of the minimum-area rectangle of a polygon, px."""
    return float(min(cv2.minAreaRect(polygon)[1]))


def shrink_distances(polygons: Sequence[Polygon], ratio: float) -> list[float]:
    """Offset of each outline, px: A (1 - r²) / L, 0 if L is 0."""
    areas, lengths = areas_and_perimeters(polygons)
    distances: list[float] = (areas * (1.0 - ratio * ratio) / np.where(lengths > 0, lengths, 1.0)).tolist()
    return distances


def offset_outline(outline: Polygon, distance: float, bits: int) -> OffsetOutline:
    """Shrink and dilate an outline by `distance` px, with round corners.

    Coordinates are integers in units of 2**-bits px, truncated before and rounded after, as in the DB code (bits 0)."""
    scale = 1 << bits
    offsetter = pyclipper.PyclipperOffset()
    path = (outline.astype(np.float64) * scale).astype(np.int64).tolist()
    try:
        offsetter.AddPath(path, pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
        shrunk, dilated = offsetter.Execute(-distance * scale), offsetter.Execute(distance * scale)
    except pyclipper.ClipperException:  # all vertices on one point
        return OffsetOutline([], [], bits)
    smaller, larger = ([np.array(path, np.int32) for path in paths if len(path) >= 3] for paths in (shrunk, dilated))
    return OffsetOutline(smaller, larger, bits)


def _window(piece: NDArray[np.int32], bits: int, height: int, width: int) -> tuple[int, int, int, int]:
    """Bounding box of a piece in the image: left, top, right, bottom (exclusive)."""
    x, y, w, h = cv2.boundingRect(piece)
    right, bottom = -(-(x + w - 1) >> bits) + 1, -(-(y + h - 1) >> bits) + 1
    return max(x >> bits, 0), max(y >> bits, 0), min(right, width), min(bottom, height)


def distance_maps(regions: Sequence[ThresholdRegion], height: int, width: int) -> list[Floats]:
    """Distance to the outline in each region's window, (h, w): 0 on it, 1 at `distance` px or more, as in DB.

    DB does not use the exact distance to a segment: outside the circle over an edge (where the edge is seen under an
    acute angle) it uses the nearer end point, even if the foot of the perpendicular lies on the edge. Published weights
    are trained with it; the difference is at most 7/255 on 0.2 % of the text pixels.
    The result is the distance to a vertex, or to an edge's line within the circle over that edge. Each is computed only
    where it can be below 1, and as the sum of one term per column and one per row."""
    windows = (region.window for region in regions)
    sides = ((max(bottom - top, 0), max(right - left, 0)) for left, top, right, bottom in windows)
    squared = [np.ones(side, np.float32) for side in sides]  # squared distance, in units of `distance`
    if regions:
        start = np.concatenate([region.outline for region in regions])  # (E, 2), of all edges
        end = np.concatenate([part for region in regions for part in (region.outline[1:], region.outline[:1])])
        owners = np.repeat(np.arange(len(regions)), [len(region.outline) for region in regions])
        real = (start != end).any(axis=1)  # else a repeated vertex
        if not real.all():
            start, end, owners = start[real], end[real], owners[real]
        reach = np.array([region.distance for region in regions], np.float32)[owners]
        limits = np.array([region.window for region in regions], np.float32)[owners]
        for first in range(0, len(start), EDGES_AT_ONCE):
            some = slice(first, first + EDGES_AT_ONCE)
            targets = [(squared[owner], *regions[owner].window[:2]) for owner in owners[some].tolist()]
            _update_distances(targets, start[some], end[some], reach[some], limits[some], (height, width))
    return [np.sqrt(window, out=window) for window in squared]


def _update_distances(
    targets: Sequence[PlacedWindow], start: Floats, end: Floats, reach: Floats, windows: Floats, size: tuple[int, int]
) -> None:
    """Take the minimum with the squared distances from edges and their first vertices: start, end (E, 2), reach (E,).

    targets: E windows to update; windows: (E, 4), left, top, right, bottom (exclusive) of the window of each edge;
    size: height and width of the image."""
    height, width = size
    edge = end - start
    length = np.hypot(edge[:, 0], edge[:, 1])[:, None]
    half, middle, unit = length / 2, (start + end) / 2, reach[:, None]
    way = edge / length
    # bands along the edges within their circles, then squares around the vertices
    band = np.abs(way[:, ::-1]) * unit
    low = np.maximum(np.minimum(start, end) - band, middle - half)
    high = np.minimum(np.maximum(start, end) + band, middle + half)
    lows, highs = np.concatenate([low, start - unit]), np.concatenate([high, start + unit])
    limits = np.concatenate([windows, windows])
    firsts = np.maximum(np.floor(lows), limits[:, :2]).astype(np.int64).tolist()
    behind = np.minimum(np.ceil(highs) + 1, limits[:, 2:]).astype(np.int64).tolist()
    xs, ys = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    dx, dy = xs - middle[:, :1], ys - middle[:, 1:]  # (E, W), (E, H)
    across_x, across_y = dx * (-way[:, 1:] / unit), dy * (way[:, :1] / unit)
    dx *= dx
    dy *= dy
    dx -= half * half
    dx *= OUTSIDE  # outside the edge's circle the sum of both is huge, inside it is negative
    dy *= OUTSIDE
    ends_x, ends_y = (xs - start[:, :1]) / unit, (ys - start[:, 1:]) / unit
    ends_x *= ends_x
    ends_y *= ends_y
    count, outer = len(start), np.add.outer
    for index, ((x0, y0), (x1, y1)) in enumerate(zip(firsts, behind, strict=True)):
        if x0 >= x1 or y0 >= y1:
            continue
        whole, left, top = targets[index % count]
        window = whole[y0 - top : y1 - top, x0 - left : x1 - left]
        if index < count:
            near = outer(across_y[index, y0:y1], across_x[index, x0:x1])
            near *= near
            np.maximum(near, outer(dy[index, y0:y1], dx[index, x0:x1]), out=near)
        else:
            near = outer(ends_y[index - count, y0:y1], ends_x[index - count, x0:x1])
        np.minimum(window, near, out=window)
