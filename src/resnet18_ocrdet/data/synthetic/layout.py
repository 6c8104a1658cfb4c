"""Where things go: no two surfaces overlap, and nearly all of each lies in the image."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

GRID = 4  # image px per cell of the occupancy map: fine enough for gaps, 16 times fewer pixels to test
TRIES = 24  # positions tried for one surface before it is given up


class Occupancy:
    """Remembers what part of the image is taken."""

    def __init__(self, height: int, width: int) -> None:
        """height, width: of the image, px."""
        self._taken = np.zeros((math.ceil(height / GRID), math.ceil(width / GRID)), np.uint8)

    def take(self, quad: NDArray[np.float32]) -> bool:
        """Take the convex (4, 2) outline, image px, if all of it that lies in the image is free."""
        wanted = np.zeros_like(self._taken)
        cells = np.rint(quad / GRID).astype(np.int32)
        cv2.fillConvexPoly(wanted, cells, 1)
        if cv2.countNonZero(cv2.bitwise_and(wanted, self._taken)):
            return False
        cv2.bitwise_or(wanted, self._taken, self._taken)
        return True


def place(
    rng: np.random.Generator, quad: NDArray[np.float32], height: int, width: int, taken: Occupancy, overhang: float
) -> tuple[float, float] | None:
    """Look for a free spot for an outline drawn round (0, 0); returns the shift (x, y), or None.

    overhang: share of the outline's box that may stick out of the image, 0..1. Draws the same count of random numbers
    whether or not a spot is found early."""
    low, high = quad.min(axis=0), quad.max(axis=0)
    slack = overhang * (high - low)
    start = -low - slack
    stop = np.array([width - 1, height - 1]) - high + slack
    draws = rng.random((TRIES, 2))
    if (stop < start).any():
        return None
    for share in draws:
        shift = start + share * (stop - start)
        if taken.take((quad + shift).astype(np.float32)):
            return float(shift[0]), float(shift[1])
    return None
