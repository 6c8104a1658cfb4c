"""Polygons, one by one and many at once, which saves the overhead per outline.

The functions return new arrays and do not change their input. Legend: M outlines of V vertices each, V may differ;
(V, 2) corners are (x, y) pixels, y pointing down.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, chain, pairwise
from typing import Any

import cv2
import numpy as np
import pyclipper
import shapely
from numpy.typing import ArrayLike, NDArray

MIN_SIDE_PX = 1.0  # of text
HEIGHT_STEPS = (0.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, math.inf)  # px: limits of the classes of text height
LONG_SIDE = 1.5  # times the shorter one: a quad with such a side is read along it
STEEP = math.tan(math.radians(75))  # a long side above this slope stands
MAX_CROSSINGS = 1000  # of an outline with itself
SIDES_AT_ONCE = 8  # compared with all other sides in one call; each may meet all of them

Points = NDArray[np.floating]  # (V, 2)
Quads = NDArray[np.float32]  # (M, 4, 2)
Sizes = NDArray[np.float64]  # (M,)


def is_polygon(polygon: Points) -> bool:
    """Whether an outline has at least 3 vertices, all finite."""
    return len(polygon) >= 3 and bool(np.isfinite(polygon).all())


def area(polygon: Points) -> float:
    """Area in px², never negative; of a self-crossing outline, that of the shoelace formula."""
    x, y = np.asarray(polygon, np.float64).T
    return abs(float(0.5 * (np.dot(x, _after(y)) - np.dot(y, _after(x)))))


def _after(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The next vertex of each vertex; numpy.roll takes ten times as long for a few vertices."""
    return np.concatenate((values[1:], values[:1]))


def areas_and_perimeters(outlines: Sequence[Points]) -> tuple[Sizes, Sizes]:
    """Shoelace area in px², never negative, and length in px of each outline."""
    if not len(outlines):
        return np.zeros(0), np.zeros(0)
    lengths = np.array([len(outline) for outline in outlines])
    starts = np.cumsum(lengths) - lengths
    points = np.concatenate(outlines).astype(np.float64)
    follow = np.arange(1, len(points) + 1)
    follow[starts + lengths - 1] = starts
    after = points[follow]
    crosses = points[:, 0] * after[:, 1] - points[:, 1] * after[:, 0]
    steps = np.hypot(*(points - after).T)
    return 0.5 * np.abs(np.add.reduceat(crosses, starts)), np.add.reduceat(steps, starts)


def min_area_quads(outlines: Sequence[NDArray[Any]]) -> tuple[Quads, Sizes]:
    """Smallest rotated rectangle round each outline, (V, 2) or (V, 1, 2) int32 or float32.

    Returns their corners, clockwise from the top-left of the text, and their shorter sides in px."""
    rectangles = [cv2.minAreaRect(outline) for outline in outlines]
    corners = np.array([cv2.boxPoints(rectangle) for rectangle in rectangles], np.float32).reshape(-1, 4, 2)
    return order_quads(corners), np.array([min(size) for _, size, _ in rectangles], np.float64)


def min_area_quad(points: ArrayLike) -> tuple[NDArray[np.float32], float]:
    """`min_area_quads` of one outline: (4, 2) corners, and the shorter side in px."""
    quads, sides = min_area_quads([np.asarray(points, np.float32).reshape(-1, 2)])
    return quads[0], float(sides[0])


def order_quads(quads: Quads) -> Quads:
    """Sort the corners of each quad clockwise from the top-left of its text.

    The long side is the direction of reading, and it points to the right. A quad stands if its long side is steeper
    than 75°: whether it is a column of vertical text or a word turned on its side is not known, so its upper short side
    is the top. A quad less than 1.5 times as long as high has no long side: its top is the side nearest to the
    horizontal. The result does not depend on the order of the given corners."""
    quads = _clockwise(quads)
    top = quads[:, 1] - quads[:, 0] + quads[:, 2] - quads[:, 3]  # twice the mean of two opposite sides
    side = quads[:, 3] - quads[:, 0] + quads[:, 2] - quads[:, 1]
    width, height = np.hypot(*top.T), np.hypot(*side.T)
    is_wide = width >= height
    across, down = np.abs(np.where(is_wide[:, None], top, side)).T  # of the long side
    has_long_side = np.maximum(width, height) >= LONG_SIDE * np.minimum(width, height)
    stands = down > np.where(has_long_side, STEEP, 1.0) * across
    turn = np.where(is_wide != stands, 0, np.where(side[:, 0] > 0, 1, 3))  # else the top is a side, towards the right
    return np.take_along_axis(quads, ((turn[:, None] + np.arange(4)) % 4)[..., None], axis=1)


def _clockwise(quads: Quads) -> Quads:
    """Sort the corners of each quad clockwise from the upper one of the two leftmost, as in the DB reference."""
    by_x = np.take_along_axis(quads, np.lexsort((quads[..., 1], quads[..., 0]), axis=1)[..., None], axis=1)
    pairs = by_x.reshape(-1, 2, 2, 2)  # the two leftmost, the two rightmost
    upside_down = (pairs[:, :, 0, 1] > pairs[:, :, 1, 1])[..., None, None]
    pairs = np.where(upside_down, pairs[:, :, ::-1], pairs)
    return np.stack([pairs[:, 0, 0], pairs[:, 1, 0], pairs[:, 1, 1], pairs[:, 0, 1]], axis=1)


def text_sizes(outlines: Sequence[NDArray[Any]]) -> tuple[Sizes, Sizes]:
    """Height of the text in each outline and its length: the sides of the smallest rectangle, px, at least 1.

    The lower limit avoids division by zero."""
    quads, heights = min_area_quads([np.asarray(outline, np.float32) for outline in outlines])
    lengths = np.linalg.norm(quads[:, :2] - quads[:, 1:3], axis=2).max(axis=1, initial=0.0)  # of two adjacent sides
    return np.maximum(heights, MIN_SIDE_PX), np.asarray(np.maximum(lengths, MIN_SIDE_PX), np.float64)


def offsets(outlines: Sequence[Points], distances: Sizes) -> list[NDArray[np.int32]]:
    """Move each outline outwards by its distance, px (inwards if negative), with round corners.

    Returns the largest remaining piece, (V, 2), or (0, 2) if the outline vanishes. Coordinates are truncated to whole
    pixels before and rounded after, as in the DB reference."""
    if not len(outlines):
        return []
    corners: list[list[int]] = np.concatenate(outlines).astype(np.int64).tolist()
    mover = pyclipper.PyclipperOffset()
    grown, end = [], 0
    for outline, distance in zip(outlines, distances.tolist(), strict=True):
        start, end = end, end + len(outline)
        mover.Clear()
        try:
            mover.AddPath(corners[start:end], pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
            pieces = [piece for piece in mover.Execute(distance) if len(piece) >= 3]
        except pyclipper.ClipperException:  # all corners on one point
            pieces = []
        grown.append(max(pieces, key=area) if len(pieces) > 1 else pieces[0] if pieces else [])
    ends = list(accumulate(map(len, grown), initial=0))
    numbers = chain.from_iterable(chain.from_iterable(grown))
    points = np.fromiter(numbers, np.int32, 2 * ends[-1]).reshape(-1, 2)
    return [points[start:end] for start, end in pairwise(ends)]


def grow_rectangles(quads: Quads, distances: Sizes) -> tuple[Quads, Sizes]:
    """Move each side of M rectangles outwards by its distance, px, without rounding and without round corners.

    Returns their corners, in the given order, and their shorter sides in px."""
    points = quads.astype(np.float64)
    along, across = points[:, 1] - points[:, 0], points[:, 3] - points[:, 0]
    length, height = np.hypot(*along.T), np.hypot(*across.T)
    right = along / np.maximum(length, 1e-9)[:, None] * distances[:, None]
    down = across / np.maximum(height, 1e-9)[:, None] * distances[:, None]
    moves = np.stack([-right - down, right - down, right + down, down - right], axis=1)
    return (points + moves).astype(np.float32), np.minimum(length, height) + 2 * distances


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
