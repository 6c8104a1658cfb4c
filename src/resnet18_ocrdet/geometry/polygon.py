"""Polygon functions. They return new arrays and do not change their input.

Legend: V vertices, polygons are (V, 2) in (x, y) pixels, y pointing down.
"""

from __future__ import annotations

import cv2
import numpy as np
import pyclipper
import shapely
from numpy.typing import ArrayLike, NDArray

Points = NDArray[np.floating]

MAX_CROSSINGS = 1000  # of an outline with itself
SIDES_AT_ONCE = 8  # compared with all other sides in one call; each may meet all of them


def signed_area(polygon: Points) -> float:
    """Shoelace area in px²: positive when the vertices run clockwise on screen (y points down)."""
    x, y = np.asarray(polygon, np.float64).T
    return float(0.5 * (np.dot(x, _after(y)) - np.dot(y, _after(x))))


def area(polygon: Points) -> float:
    """Area in px², never negative; of a self-crossing outline, that of the shoelace formula."""
    return abs(signed_area(polygon))


def perimeter(polygon: Points) -> float:
    """Length of the closed outline in px."""
    points = np.asarray(polygon, np.float64)
    return float(np.linalg.norm(points - _after(points), axis=1).sum())


def shrink_distance(polygon: Points, ratio: float) -> float:
    """How far the outline moves inwards, px: A (1 - r²) / L (DB paper, "Label generation").

    0 for an outline of length 0."""
    length = perimeter(polygon)
    return area(polygon) * (1.0 - ratio * ratio) / length if length > 0 else 0.0


def offset(polygon: Points, distance: float) -> list[NDArray[np.float32]]:
    """Move the outline outwards by `distance` px (inwards when negative), with round corners.

    Returns the remaining pieces, largest first, each (V, 2) float32: none if the polygon vanishes, several if a narrow
    part closes. Coordinates are truncated to whole pixels before and rounded after, as in the DB reference."""
    mover = pyclipper.PyclipperOffset()
    path = np.asarray(polygon, np.float64).astype(np.int64).tolist()
    try:
        mover.AddPath(path, pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
        pieces = [np.array(p, np.float32) for p in mover.Execute(distance)]
    except pyclipper.ClipperException:  # all vertices on one point
        return []
    return sorted((p for p in pieces if len(p) >= 3), key=area, reverse=True)


def min_area_quad(points: ArrayLike) -> tuple[NDArray[np.float32], float]:
    """Smallest rotated rectangle round the points.

    Returns its (4, 2) corners, clockwise from the top-left, and its shorter side in px."""
    rectangle = cv2.minAreaRect(np.asarray(points, np.float32).reshape(-1, 1, 2))
    return order_quad(cv2.boxPoints(rectangle)), float(min(rectangle[1]))


def order_quad(quad: ArrayLike) -> NDArray[np.float32]:
    """Sort 4 corners clockwise from the upper one of the two leftmost, as in the DB reference."""
    by_x = sorted(np.asarray(quad, np.float32).tolist())  # the upper one first if x is equal
    top_left, bottom_left = sorted(by_x[:2], key=_height)
    top_right, bottom_right = sorted(by_x[2:], key=_height)
    return np.array([top_left, top_right, bottom_right, bottom_left], np.float32)


def clip_to_image(polygon: Points, height: int, width: int) -> list[NDArray[np.float32]]:
    """Cut a polygon at the image's border (the polygon, not its vertices).

    Returns the pieces with an area, largest first, each (V, 2) float32; none if it is outside."""
    points = np.asarray(polygon, np.float32)
    inside = (points >= 0).all() and (points[:, 0] <= width - 1).all() and (points[:, 1] <= height - 1).all()
    if inside:
        return [points.copy()]
    shape = shapely.make_valid(shapely.Polygon(points))
    cut = shapely.intersection(shape, shapely.box(0, 0, width - 1, height - 1))
    pieces = [
        np.asarray(part.exterior.coords[:-1], np.float32)
        for part in shapely.get_parts(cut)
        if part.area > 0 and part.geom_type == "Polygon"
    ]
    return sorted(pieces, key=area, reverse=True)


def transform(polygon: Points, matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """Apply a 2×3 affine or 3×3 perspective matrix to every vertex. Returns (V, 2) float32."""
    points = np.asarray(polygon, np.float64)
    moved = points @ matrix[:, :2].T + matrix[:, 2]
    if matrix.shape[0] == 3:
        moved = moved[:, :2] / moved[:, 2:]
    return moved.astype(np.float32)


def _after(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The next vertex of each vertex; numpy.roll takes ten times as long for a few vertices."""
    return np.concatenate((values[1:], values[:1]))


def _height(corner: list[float]) -> float:
    return corner[1]


def is_tangle(points: Points) -> bool:
    """Whether sides of an outline (V, 2) cross, touch or overlap each other more than MAX_CROSSINGS times.

    No annotator draws this, and `shapely.make_valid` takes seconds for it."""
    if len(points) * (len(points) - 3) // 2 <= MAX_CROSSINGS:
        return False
    sides = shapely.linestrings(np.stack([points, np.roll(points, -1, axis=0)], axis=1).astype(np.float64))
    tree, met = shapely.STRtree(sides), 0
    for start in range(0, len(sides), SIDES_AT_ONCE):
        some = sides[start : start + SIDES_AT_ONCE]  # each intersects itself and its two neighbours
        met += tree.query(some, predicate="intersects").shape[1] - 3 * len(some)
        if met > 2 * MAX_CROSSINGS:  # each pair is found twice
            return True
    return False
