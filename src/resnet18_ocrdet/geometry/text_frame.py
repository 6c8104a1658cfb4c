"""Words and lines in the frame of their page.

The frame is the image turned so that most text runs to the right, and with its lines and columns made parallel: x along
the lines, y from line to line. If most text stands, x points down and y to the left: columns of vertical text follow
each other from right to left.

Legend: M words, L lines. Lengths are in px.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from .polygon import LONG_SIDE

FLAT = math.tan(math.radians(15))  # slope in the frame: steeper words do not show how the page is bent
ENOUGH = 20  # words, or pairs of lines, that show it
BORDER = 0.6  # text heights: lines of a column begin at most as far to the left or right of the line above
STRAIGHT = (0.1, 0.04)  # most difference of slope between the left border of a column and that of others
RIDGE = 0.01  # weight of no change against the data
STANDS = 3.0  # times as high as wide: text across the frame, whose height is its width

Numbers = NDArray[np.float64]


class Boxes(NamedTuple):
    """Words or lines in the frame, (M,) or (L,) each."""

    left: Numbers
    right: Numbers
    y: Numbers  # of the middle
    height: Numbers  # of the text, above 0
    reach: Numbers  # above and below the middle; more than the height if the text runs across the lines


def words_in_frame(quads: Numbers, right_to_left: bool) -> tuple[Boxes, Numbers]:
    """The words in the frame, and the y of the middle of their left and right ends, (M, 2)."""
    top, side = quads[:, 1] - quads[:, 0], quads[:, 3] - quads[:, 0]
    width, height = np.hypot(*top.T), np.hypot(*side.T)
    longer, shorter = np.maximum(width, height), np.minimum(width, height)
    stands = height > width
    along = np.where(stands[:, None], side, top)
    weights = np.where(longer >= LONG_SIDE * shorter, longer - shorter, 0)
    turns, angle = _directions(along, weights)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    points = (quads - quads.mean(axis=(0, 1))) @ turn
    if right_to_left and weights[stands].sum() <= weights[~stands].sum():
        points[..., 0] *= -1
    points = _levelled(np.take_along_axis(points, points[..., :1].argsort(axis=1, kind="stable"), axis=1))
    across = np.abs(np.cos(turns)) < math.sqrt(0.5)  # the long side crosses the lines
    text_height = np.where(across & (longer < STANDS * shorter), longer, shorter)
    y = points[..., 1]
    words = Boxes(
        points[:, 0, 0], points[:, 3, 0], y.mean(axis=1), np.maximum(text_height, 1e-3), np.ptp(y, axis=1) / 2
    )
    return words, y.reshape(-1, 2, 2).mean(axis=2)


def _directions(along: Numbers, weights: Numbers) -> tuple[Numbers, float]:
    """The usual direction of vectors (M, 2), radians, and the angles between it and each of them.

    It is the weighted median, so that a few others do not matter; 0 if all weights are 0."""
    angles = np.arctan2(along[:, 1], along[:, 0])
    mean = math.atan2(np.dot(np.sin(angles), weights), np.dot(np.cos(angles), weights))
    turns = (angles - mean + math.pi) % (2 * math.pi) - math.pi
    order = turns.argsort()
    sums = weights[order].cumsum()
    middle = float(turns[order[np.searchsorted(sums, sums[-1] / 2)]]) if sums[-1] > 0 else 0.0
    return turns - middle, mean + middle


def _levelled(points: Numbers) -> Numbers:
    """Words (M, 4, 2), corners from left to right, with the lines of a bent or obliquely photographed page parallel."""
    (run, rise), middle = (points[:, 2:] - points[:, :2]).mean(axis=1).T, points.mean(axis=1)
    flat = np.abs(rise) < FLAT * run
    if np.count_nonzero(flat) < ENOUGH:
        return points
    level, along, down = _fitted(rise[flat] / run[flat], middle[flat], run[flat])
    x, y = points[..., 0], points[..., 1]
    return np.stack([x, y - (level + along * x / 2 + down * y) * x], axis=-1)


def straightened(lines: Boxes) -> Boxes:
    """Lines with the left borders of columns parallel: what `words_in_frame` does for lines, in the other direction."""
    left, right, y, height, _ = lines
    below = shapely.box(left - BORDER * height, y + 0.5 * height, left + BORDER * height, y + 3 * height)
    one, other = shapely.STRtree(shapely.points(left, y)).query(below)
    slopes, places = (left[other] - left[one]) / np.maximum(y[other] - y[one], 1e-9), np.stack([left, y], axis=1)[one]
    fits = np.ones(len(slopes), bool)
    for most in (math.inf, *STRAIGHT):  # indented lines are left out, step by step
        level, along, down = _fitted(slopes[fits], places[fits], np.ones(np.count_nonzero(fits)))
        fits = np.abs(level + along * places[:, 0] + down * places[:, 1] - slopes) <= most
        if np.count_nonzero(fits) < max(ENOUGH, len(fits) / 2):
            return lines
    left, right = (x - (level + along * x + down * y / 2) * y for x in (left, right))
    return lines._replace(left=left, right=right)


def _fitted(slopes: Numbers, places: Numbers, weights: Numbers) -> tuple[float, float, float]:
    """Slopes (K,) as a linear function of their places (K, 2): the slope at (0, 0) and its change along x and y.

    Where the places do not show a change, it is 0."""
    if not len(slopes):
        return 0.0, 0.0, 0.0
    extent = max(float(np.ptp(places, axis=0).max()), 1e-9)
    rows = np.insert(places / extent, 0, 1, axis=1) * np.sqrt(weights)[:, None]
    small = np.diag([0, 1, 1]) * math.sqrt(RIDGE * weights.sum())
    targets = np.concatenate([slopes * np.sqrt(weights), np.zeros(3)])
    level, along, down = np.linalg.lstsq(np.concatenate([rows, small]), targets, rcond=None)[0].tolist()
    return level, along / extent, down / extent
