"""Clip labelled regions to their image and to a view."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry.polygon import area, clip_to_image, transform
from ..structures import Polygon

Matrix = NDArray[np.float64]

MIN_VISIBLE = 0.3  # a region of which less is left in the crop becomes don't-care
MIN_DEPTH = 0.05  # relative to the image's centre; points nearer to the camera cannot be projected
BORDER_PX = 1.0  # a corner may lie this far outside its image: some tools write the column after the last one


def regions_in_image(
    polygons: tuple[Polygon, ...], ignore: NDArray[np.bool_], size: tuple[int, int]
) -> tuple[tuple[Polygon, ...], NDArray[np.bool_]]:
    """Clip regions to their image of `size`, height and width; don't-care if little is left.

    Outside the image is padding, which must not be trained on as text."""
    last = np.array([size[1] - 1, size[0] - 1], np.float32) + BORDER_PX
    outside = [bool((polygon < -BORDER_PX).any() or (polygon > last).any()) for polygon in polygons]
    if not any(outside):
        return polygons, ignore
    kept: list[Polygon] = []
    masked: list[bool] = []
    for polygon, dont_care, is_outside in zip(polygons, ignore.tolist(), outside, strict=True):
        pieces, flags = _clip(polygon, dont_care, size) if is_outside else ([polygon], [dont_care])
        kept += pieces
        masked += flags
    return tuple(kept), np.array(masked, np.bool_)


def move_regions(
    polygons: tuple[Polygon, ...],
    ignore: NDArray[np.bool_],
    matrix: Matrix,
    size: tuple[int, int],
    view: tuple[int, int],
) -> tuple[tuple[Polygon, ...], NDArray[np.bool_]]:
    """Regions transformed and clipped to the view, without those outside; don't-care if little is visible.

    size, view: height and width of the image and of the view."""
    if not polygons:
        return (), np.zeros(0, np.bool_)
    seen = [in_front(polygon, matrix, size) for polygon in polygons]
    starts = np.cumsum([0, *map(len, seen)]).tolist()
    points = transform(np.concatenate(seen), matrix)
    lows, highs = np.minimum.reduceat(points, starts[:-1]), np.maximum.reduceat(points, starts[:-1])
    last = np.array([view[1] - 1, view[0] - 1], np.float32)
    near = np.flatnonzero(~np.any((highs < 0) | (lows > last), axis=1))
    whole = np.all((lows >= 0) & (highs <= last), axis=1)
    moved: list[Polygon] = []
    masked: list[bool] = []
    for region in near.tolist():
        polygon, dont_care = points[starts[region] : starts[region + 1]], bool(ignore[region])
        pieces, flags = ([polygon.copy()], [dont_care]) if whole[region] else _clip(polygon, dont_care, view)
        moved += pieces
        masked += flags
    return tuple(moved), np.array(masked, np.bool_)


def _clip(polygon: Polygon, dont_care: bool, size: tuple[int, int]) -> tuple[list[Polygon], list[bool]]:
    """The pieces of a region in an image, with their don't-care flags."""
    pieces = clip_to_image(polygon, *size)
    visible = sum(map(area, pieces)) / max(area(polygon), 1e-6)
    return pieces, [dont_care or visible < MIN_VISIBLE] * len(pieces)


def in_front(polygon: Polygon, matrix: Matrix, size: tuple[int, int]) -> Polygon:
    """The region, or only its part in the image if a tilt would put it behind the camera."""
    if not matrix[2, :2].any():
        return polygon
    depth = polygon @ matrix[2, :2] + matrix[2, 2]
    if (depth > MIN_DEPTH).all():
        return polygon
    pieces = clip_to_image(polygon, *size)
    return pieces[0] if pieces else polygon.clip(0, np.array([size[1] - 1, size[0] - 1], np.float32))
