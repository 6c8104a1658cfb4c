"""Place surfaces in the image without overlap."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

GRID = 4  # image px per cell of the occupancy map: fine enough for gaps, 16 times fewer cells than pixels
TRIES = 24  # positions tried for one surface


class Occupancy:
    """The occupied part of the image."""

    def __init__(self, height: int, width: int) -> None:
        """height, width: of the image, px."""
        self._occupied = np.zeros((math.ceil(height / GRID), math.ceil(width / GRID)), np.uint8)

    def take(self, quad: NDArray[np.float32]) -> bool:
        """Occupy the convex (4, 2) outline, image px, if it is free; returns whether it was."""
        wanted = np.zeros_like(self._occupied)
        cells = np.rint(quad / GRID).astype(np.int32)
        cv2.fillConvexPoly(wanted, cells, 1)
        if cv2.countNonZero(cv2.bitwise_and(wanted, self._occupied)):
            return False
        cv2.bitwise_or(wanted, self._occupied, self._occupied)
        return True


def place(
    rng: np.random.Generator, quad: NDArray[np.float32], height: int, width: int, occupied: Occupancy, overhang: float
) -> tuple[float, float] | None:
    """Find a free position for an outline around (0, 0); returns the shift (x, y), or None.

    overhang: share of the outline's box that may extend beyond the image, 0..1. The number of random draws does not
    depend on the result."""
    low, high = quad.min(axis=0), quad.max(axis=0)
    slack = overhang * (high - low)
    start = -low - slack
    stop = np.array([width - 1, height - 1]) - high + slack
    draws = rng.random((TRIES, 2))
    if (stop < start).any():
        return None
    for share in draws:
        shift = start + share * (stop - start)
        if occupied.take((quad + shift).astype(np.float32)):
            return float(shift[0]), float(shift[1])
    return None
