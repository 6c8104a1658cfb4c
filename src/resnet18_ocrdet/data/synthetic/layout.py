"""Place surfaces in the image without overlap."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

BASE_SIDE = 256  # px; the side for which the numbers of a scene are given
GRID = 4  # image px per cell of the occupancy map: fine enough for gaps, 16 times fewer cells than pixels
TRIES = 24  # positions tried for one surface


class Layout:
    """The surfaces of an image of height × width px: where it is occupied."""

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self.growth = (height * width / BASE_SIDE**2) ** 0.7  # of the number of surfaces with the area
        self._occupied = np.zeros((math.ceil(height / GRID), math.ceil(width / GRID)), np.uint8)

    def place(self, rng: np.random.Generator, quad: NDArray[np.float32], overhang: float) -> tuple[float, float] | None:
        """Occupy a free position with a convex (4, 2) outline around (0, 0), px; returns its shift (x, y), or None.

        overhang: share of the outline's box that may extend beyond the image, 0..1. The number of random draws does not
        depend on the result."""
        low, high = quad.min(axis=0), quad.max(axis=0)
        slack = overhang * (high - low)
        start = -low - slack
        stop = np.array([self.width - 1, self.height - 1]) - high + slack
        draws = rng.random((TRIES, 2))
        if (stop < start).any():
            return None
        for share in draws:
            shift = start + share * (stop - start)
            wanted = np.zeros_like(self._occupied)
            cv2.fillConvexPoly(wanted, np.rint((quad + shift).astype(np.float32) / GRID).astype(np.int32), 1)
            if not cv2.countNonZero(cv2.bitwise_and(wanted, self._occupied)):
                cv2.bitwise_or(wanted, self._occupied, self._occupied)
                return float(shift[0]), float(shift[1])
        return None
