"""Polygons to the four planes the loss compares with (DB paper, "Label generation").

Exact to the byte grid of the threshold plane; works edge by edge inside small windows, so an image costs what its
outlines cover. Legend: K regions, V vertices, H W pixels of the network's input, h w of one region's window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import pyclipper
from numpy.typing import NDArray

from ..structures import Polygon

Plane = NDArray[np.uint8]
Floats = NDArray[np.float32]

MANY_VERTICES = 64  # an outline with more is simplified: traced masks have hundreds, a fraction of a pixel apart
SIMPLIFY_PX = 0.5  # how far the simplified outline may run from the labelled one
THIN_BITS = 3  # a region that vanishes in whole pixels is moved in steps of 1/8 px instead
LEAST_THIN_PX = 1.0  # shorter side; what is thinner covers no pixel of its own
EDGES_AT_ONCE = 128  # their terms fit the cache
OUTSIDE = np.float32(2.0**40)  # px² for each px² beyond the circle over an edge: no distance comes near it


class TargetPlanes(NamedTuple):
    """Targets of one image; the planes of structures.Targets without the batch axis, (H, W) uint8."""

    prob_map: Plane
    prob_mask: Plane
    thresh_map: Plane
    thresh_mask: Plane


class Moved(NamedTuple):
    """One outline moved inwards and outwards; whole numbers of 2**-bits px."""

    shrunk: list[NDArray[np.int32]]  # pieces, (V, 2): none when it vanishes, several when a waist closes
    grown: list[NDArray[np.int32]]
    bits: int


class Taught(NamedTuple):
    """What is needed to draw the threshold round one outline."""

    outline: Polygon
    distance: float  # px over which the threshold falls
    window: tuple[int, int, int, int]  # of the grown outline in the image, as `_window` gives it


@dataclass(frozen=True)
class TargetMaker:
    """Draws targets.

    shrink_ratio: r in A (1 - r²) / L, 0..1; larger keeps more of the region and joins neighbours.
    thresh_min, thresh_max: threshold far from and on the outline, 0..1.
    min_text_size: shorter side in input pixels below which a region is masked, neither text nor background.
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
        taught: list[Taught] = []
        distances = shrink_distances(outlines, self.shrink_ratio)
        for polygon, outline, dont_care, distance in zip(polygons, outlines, ignore, distances, strict=True):
            moved = None if dont_care else self._move(outline, distance)
            if moved is None:
                cv2.fillPoly(prob_mask, [np.rint(polygon).astype(np.int32)], 0)
                continue
            for piece in moved.shrunk:
                cv2.fillPoly(prob_map, [piece], 1, cv2.LINE_8, moved.bits)
            for piece in moved.grown:
                cv2.fillPoly(thresh_mask, [piece], 1, cv2.LINE_8, moved.bits)
                taught.append(Taught(outline, distance, _window(piece, moved.bits, height, width)))
        np.maximum(prob_mask, prob_map, out=prob_mask)  # text inside a don't-care region stays text
        return TargetPlanes(prob_map, prob_mask, self._thresholds(taught, height, width), thresh_mask)

    def _thresholds(self, taught: Sequence[Taught], height: int, width: int) -> Plane:
        """thresh_min everywhere, rising to thresh_max towards each outline; times 255, rounded."""
        low, high = 255.0 * self.thresh_min, 255.0 * self.thresh_max
        plane = np.full((height, width), round(low), np.uint8)
        for region, gap in zip(taught, gaps(taught, height, width), strict=True):
            if gap.size:
                left, top, right, bottom = region.window
                window, levels = plane[top:bottom, left:right], cv2.convertScaleAbs(gap, alpha=low - high, beta=high)
                np.maximum(window, np.asarray(levels, np.uint8), out=window)
        return plane

    def too_small(self, polygon: Polygon) -> bool:
        """Whether the text is lower than min_text_size, whatever its rotation."""
        return shorter_side(polygon) < self.min_text_size

    def pieces(self, polygon: Polygon) -> int:
        """How many pieces of a region are taught: 0 for none, more than 1 where a waist closes."""
        outline = simplified(polygon)
        moved = self._move(outline, shrink_distances([outline], self.shrink_ratio)[0])
        return len(moved.shrunk) if moved else 0

    def _move(self, outline: Polygon, distance: float) -> Moved | None:
        """The outline moved by `distance` px either way; None where the region cannot be taught."""
        if distance <= 0:
            return None
        if self.too_small(outline):
            return None
        moved = move_outline(outline, distance, 0)
        if not moved.shrunk and shorter_side(outline) >= LEAST_THIN_PX:
            moved = move_outline(outline, distance, THIN_BITS)
        return moved if moved.shrunk else None


def simplified(polygon: Polygon) -> Polygon:
    """The polygon, with fewer vertices where it has very many; never further than SIMPLIFY_PX from it."""
    if len(polygon) <= MANY_VERTICES:
        return np.asarray(polygon, np.float32)
    fewer = cv2.approxPolyDP(np.asarray(polygon, np.float32), SIMPLIFY_PX, True).reshape(-1, 2)
    return np.asarray(fewer if len(fewer) >= 3 else polygon, np.float32)


def shorter_side(polygon: Polygon) -> float:
    """Of the smallest rectangle round the polygon, px."""
    return float(min(cv2.minAreaRect(polygon)[1]))


def shrink_distances(polygons: Sequence[Polygon], ratio: float) -> list[float]:
    """How far each outline moves, px: A (1 - r²) / L, 0 without a length; outlines of equal vertex count at once."""
    distances = [0.0] * len(polygons)
    by_count: dict[int, list[int]] = {}
    for place, polygon in enumerate(polygons):
        by_count.setdefault(len(polygon), []).append(place)
    for places in by_count.values():
        points = np.array([polygons[place] for place in places], np.float64)  # (k, V, 2)
        after = np.concatenate((points[:, 1:], points[:, :1]), axis=1)
        crosses = points[..., 0] * after[..., 1] - points[..., 1] * after[..., 0]
        areas = np.abs(crosses.sum(axis=1)) / 2
        steps = after - points
        lengths = np.sqrt((steps * steps).sum(axis=2)).sum(axis=1)
        moved = areas * (1.0 - ratio * ratio) / np.where(lengths > 0, lengths, 1.0)
        for place, distance in zip(places, moved.tolist(), strict=True):
            distances[place] = distance
    return distances


def move_outline(outline: Polygon, distance: float, bits: int) -> Moved:
    """Move an outline `distance` px inwards and outwards, with round corners.

    Coordinates become whole steps of 2**-bits px, cut off before and rounded after, as in the DB reference (bits 0)."""
    scale = 1 << bits
    mover = pyclipper.PyclipperOffset()
    path = (outline.astype(np.float64) * scale).astype(np.int64).tolist()
    try:
        mover.AddPath(path, pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
        shrunk, grown = mover.Execute(-distance * scale), mover.Execute(distance * scale)
    except pyclipper.ClipperException:  # all vertices on one point
        return Moved([], [], bits)
    return Moved(_pieces(shrunk), _pieces(grown), bits)


def _pieces(paths: list[list[list[int]]]) -> list[NDArray[np.int32]]:
    return [np.array(path, np.int32) for path in paths if len(path) >= 3]


def _window(piece: NDArray[np.int32], bits: int, height: int, width: int) -> tuple[int, int, int, int]:
    """The part of the image that a piece spans: first column, first row, and the first of each behind it."""
    x, y, w, h = cv2.boundingRect(piece)
    right, bottom = -(-(x + w - 1) >> bits) + 1, -(-(y + h - 1) >> bits) + 1
    return max(x >> bits, 0), max(y >> bits, 0), min(right, width), min(bottom, height)


def gaps(taught: Sequence[Taught], height: int, width: int) -> list[Floats]:
    """For each region its window, (h, w): how far the outline is, 0 on it, 1 from `distance` px on, as DB measures it.

    Not quite the distance to a segment: outside the circle over an edge (where the edge is seen under an acute angle)
    the nearer end point counts even when the foot lies on the edge. Kept, because published weights learned it; the
    difference is at most 7/255 on 0.2 % of the text pixels.
    So the smallest is either the distance to a vertex, or to an edge's line within the circle over that edge. Each of
    them is computed only where it can be in reach, and as the sum of a term of the column and one of the row."""
    squared = [_blank(region.window) for region in taught]  # of the distance, in units of each region's reach
    if taught:
        start = np.concatenate([region.outline for region in taught])  # (E, 2), of all edges
        end = np.concatenate([part for region in taught for part in (region.outline[1:], region.outline[:1])])
        owners = np.repeat(np.arange(len(taught)), [len(region.outline) for region in taught])
        real = (start != end).any(axis=1)  # else a repeated vertex
        if not real.all():
            start, end, owners = start[real], end[real], owners[real]
        reach = np.array([region.distance for region in taught], np.float32)[owners]
        windows = np.array([region.window for region in taught], np.float32)[owners]
        for first in range(0, len(start), EDGES_AT_ONCE):
            some = slice(first, first + EDGES_AT_ONCE)
            places = [(squared[owner], *taught[owner].window[:2]) for owner in owners[some].tolist()]
            _lower(places, start[some], end[some], reach[some], windows[some], (height, width))
    return [np.sqrt(window, out=window) for window in squared]


def _blank(window: tuple[int, int, int, int]) -> Floats:
    left, top, right, bottom = window
    return np.ones((max(bottom - top, 0), max(right - left, 0)), np.float32)


def _lower(
    places: Sequence[tuple[Floats, int, int]],
    start: Floats,
    end: Floats,
    reach: Floats,
    windows: Floats,
    size: tuple[int, int],
) -> None:
    """Lower squared distances to those from edges and their first vertices: start, end (E, 2), reach (E,).

    places: E windows to lower, each with its first column and row in the image; windows: (E, 4), where each edge may
    draw: first column, first row, and the first of each behind; size: height and width of the image."""
    height, width = size
    edge = end - start
    length = np.hypot(edge[:, 0], edge[:, 1])[:, None]
    half, middle, unit = length / 2, (start + end) / 2, reach[:, None]
    way = edge / length
    # bands along the edges within their circles, then squares round the vertices
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
    dx *= OUTSIDE  # of the edge's circle: the sum of both is huge, inside it is negative
    dy *= OUTSIDE
    ends_x, ends_y = (xs - start[:, :1]) / unit, (ys - start[:, 1:]) / unit
    ends_x *= ends_x
    ends_y *= ends_y
    count, outer = len(start), np.add.outer
    for place, ((x0, y0), (x1, y1)) in enumerate(zip(firsts, behind, strict=True)):
        if x0 >= x1 or y0 >= y1:
            continue
        whole, left, top = places[place % count]
        window = whole[y0 - top : y1 - top, x0 - left : x1 - left]
        if place < count:
            near = outer(across_y[place, y0:y1], across_x[place, x0:x1])
            near *= near
            np.maximum(near, outer(dy[place, y0:y1], dx[place, x0:x1]), out=near)
        else:
            near = outer(ends_y[place - count, y0:y1], ends_x[place - count, x0:x1])
        np.minimum(window, near, out=window)
