"""The functions of polygon.py for many outlines at once, without the overhead per outline.

Legend: M outlines of V vertices each, V may differ. Corners are (x, y) pixels, y pointing down.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, chain, pairwise
from typing import Any

import cv2
import numpy as np
import pyclipper
from numpy.typing import NDArray

from .polygon import Points, area

MIN_SIDE_PX = 1.0  # of text
HEIGHT_STEPS = (0.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, math.inf)  # px: limits of the classes of text height

Quads = NDArray[np.float32]  # (M, 4, 2)
Sizes = NDArray[np.float64]  # (M,)


def min_area_quads(outlines: Sequence[NDArray[Any]]) -> tuple[Quads, Sizes]:
    """Smallest rotated rectangle round each outline, (V, 2) or (V, 1, 2) int32 or float32.

    Returns their corners, clockwise from the top-left, and their shorter sides in px, as `polygon.min_area_quad`."""
    rectangles = [cv2.minAreaRect(outline) for outline in outlines]
    corners = np.array([cv2.boxPoints(rectangle) for rectangle in rectangles], np.float32).reshape(-1, 4, 2)
    return order_quads(corners), np.array([min(size) for _, size, _ in rectangles], np.float64)


def text_sizes(outlines: Sequence[NDArray[Any]]) -> tuple[Sizes, Sizes]:
    """Height of the text in each outline and its length: the sides of the smallest rectangle, px, at least 1.

    The lower limit avoids division by zero."""
    quads, heights = min_area_quads([np.asarray(outline, np.float32) for outline in outlines])
    lengths = np.linalg.norm(quads[:, :2] - quads[:, 1:3], axis=2).max(axis=1, initial=0.0)  # of two adjacent sides
    return np.maximum(heights, MIN_SIDE_PX), np.asarray(np.maximum(lengths, MIN_SIDE_PX), np.float64)


def order_quads(quads: Quads) -> Quads:
    """Sort the corners of each quad clockwise from the top-left, by the rule of `polygon.order_quad`."""
    by_x = np.take_along_axis(quads, np.lexsort((quads[..., 1], quads[..., 0]), axis=1)[..., None], axis=1)
    pairs = by_x.reshape(-1, 2, 2, 2)  # the two leftmost, the two rightmost
    upside_down = (pairs[:, :, 0, 1] > pairs[:, :, 1, 1])[..., None, None]
    pairs = np.where(upside_down, pairs[:, :, ::-1], pairs)
    return np.stack([pairs[:, 0, 0], pairs[:, 1, 0], pairs[:, 1, 1], pairs[:, 0, 1]], axis=1)


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


def offsets(outlines: Sequence[Points], distances: Sizes) -> list[NDArray[np.int32]]:
    """Move each outline outwards by its distance, px.

    Returns the largest piece of `polygon.offset`, (V, 2), or (0, 2) if there is none."""
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
