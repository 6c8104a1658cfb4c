"""Regions cut out and rotated upright, as text recognition takes them."""

from __future__ import annotations

import cv2
import numpy as np

from ..structures import Image, Polygon

MAX_SIDE = 32_767  # px; OpenCV's limit for warpPerspective


def upright(image: Image, quad: Polygon) -> Image:
    """A region with its upper side on top: (h, w, 3) uint8, its sides as long as in the image.

    quad: as of `Detection`. One that stands (`geometry.polygon.order_quads`) stays vertical."""
    quad = np.asarray(quad, np.float32)
    across, down = (
        min(max(round(float(np.linalg.norm(quad[pairs[0]] - quad[pairs[1]], axis=1).mean())), 1), MAX_SIDE)
        for pairs in (([0, 3], [1, 2]), ([0, 1], [3, 2]))
    )
    corners = np.array([[0, 0], [across, 0], [across, down], [0, down]], np.float32)
    turn = cv2.getPerspectiveTransform(quad, corners)
    cut = cv2.warpPerspective(image, turn, (across, down), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cut, np.uint8)
