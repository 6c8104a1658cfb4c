"""Polygons to the four planes the loss compares with (DB paper, "Label generation").

Exact to the byte grid of the threshold plane; works box by box, so an image costs what its text
covers. Legend: K regions, V vertices, H W pixels of the network's input, h w of one region's window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry import min_area_quad, offset, shrink_distance
from ..structures import Polygon

Plane = NDArray[np.uint8]


class TargetPlanes(NamedTuple):
    """Targets of one image; the planes of structures.Targets without the batch axis, (H, W) uint8."""

    prob_map: Plane
    prob_mask: Plane
    thresh_map: Plane
    thresh_mask: Plane


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
        closeness = np.zeros((height, width), np.float32)  # 1 on an outline, 0 from `distance` px away
        thresh_mask = np.zeros((height, width), np.uint8)
        taught: list[NDArray[np.float32]] = []
        for polygon, dont_care in zip(polygons, ignore, strict=True):
            distance = shrink_distance(polygon, self.shrink_ratio)
            teachable = not dont_care and distance > 0 and not self.too_small(polygon)
            pieces = offset(polygon, -distance) if teachable else []
            if not pieces:
                cv2.fillPoly(prob_mask, [np.rint(polygon).astype(np.int32)], 0)
                continue
            taught += pieces
            draw_border(polygon, distance, closeness, thresh_mask)
        for piece in taught:  # after all masks: text inside a don't-care region stays text
            corners = [piece.astype(np.int32)]
            cv2.fillPoly(prob_map, corners, 1)
            cv2.fillPoly(prob_mask, corners, 1)
        levels = self.thresh_min + (self.thresh_max - self.thresh_min) * closeness
        return TargetPlanes(prob_map, prob_mask, np.rint(levels * 255.0).astype(np.uint8), thresh_mask)

    def too_small(self, polygon: Polygon) -> bool:
        """Whether the text is lower than min_text_size, whatever its rotation."""
        return min_area_quad(polygon)[1] < self.min_text_size


def draw_border(polygon: Polygon, distance: float, closeness: NDArray[np.float32], mask: Plane) -> None:
    """Raise `closeness` (H, W) round one outline and set `mask` (H, W) inside the grown region.

    distance: px over which closeness falls from 1 to 0."""
    grown = offset(polygon, distance)
    if not grown or distance <= 0:
        return
    for piece in grown:
        cv2.fillPoly(mask, [piece.astype(np.int32)], 1)
    corners = np.concatenate(grown)
    height, width = closeness.shape
    left, top = np.maximum(np.floor(corners.min(axis=0)), 0).astype(int)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)), (width - 1, height - 1)).astype(int)
    if left > right or top > bottom:
        return  # the region lies outside the image
    xs = np.arange(left, right + 1, dtype=np.float32)
    ys = np.arange(top, bottom + 1, dtype=np.float32)
    squared = squared_distance_to_outline(polygon, xs, ys)
    near = 1.0 - np.minimum(np.sqrt(squared) / np.float32(distance), 1.0)
    window = closeness[top : bottom + 1, left : right + 1]
    np.maximum(window, near, out=window)


def squared_distance_to_outline(
    polygon: Polygon, xs: NDArray[np.float32], ys: NDArray[np.float32]
) -> NDArray[np.float32]:
    """px² from each pixel of a window to the nearest edge, as MhLiao/DB measures it.

    Not quite the distance to a segment: outside the circle over an edge (where the edge is seen
    under an acute angle) the nearer end point counts even when the foot lies on the edge. Kept, because
    published weights learned it; the difference is at most 7/255 on 0.2 % of the text pixels.
    xs: (w,), ys: (h,) pixel coordinates. Returns (h, w)."""
    nearest = np.full((len(ys), len(xs)), np.inf, np.float32)
    for start, end in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        edge = (end - start).astype(np.float32)
        length = float(np.hypot(*edge))
        if length == 0.0:
            continue  # a repeated vertex
        middle = (start + end) / 2
        dx, dy = xs - middle[0], ys - middle[1]
        along = np.add.outer(dy * (edge[1] / length), dx * (edge[0] / length))
        across = np.add.outer(dy * (edge[0] / length), -dx * (edge[1] / length))
        half = length / 2
        across *= across  # from here on squared
        beyond = across + along * along > half * half
        # nearer end point: |along| - half further along the edge
        to_end = across + np.square(np.abs(along) - np.float32(half))
        np.minimum(nearest, np.where(beyond, to_end, across), out=nearest)
    return nearest
