"""A piece of an image round some regions, at a size that can be looked at, and a picture file of it.

Legend: H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from ..structures import Image, Polygon

MOST_SIDE = 480  # px, of a picture
MOST_ZOOM = 2.0  # times, of a small piece of an image
ROUND = 3.0  # times the region's sides: what is shown of its surroundings
LEAST_ROUND = 100  # px to each side at least, in the image
JPEG_QUALITY = 80


class Crop(NamedTuple):
    """A piece of an image, and where it was."""

    image: Image
    left: int  # px of the whole image
    top: int
    scale: float  # of its pixels to those of the whole image

    def place(self, polygon: Polygon) -> Polygon:
        """Bring an outline from the whole image to the piece; within what OpenCV draws."""
        moved = (polygon - (self.left, self.top) + 0.5) * self.scale - 0.5
        return np.asarray(np.clip(moved, -20_000, 20_000), np.float32)


def crop_round(image: Image, polygons: Sequence[Polygon], most_side: int = MOST_SIDE) -> Crop:
    """Cut out what lies round the outlines, all finite, and a part of its surroundings; without any, everything.

    most_side: px of the longer side of the result."""
    left, top, right, bottom = _window(image, polygons)
    piece = image[top:bottom, left:right]
    scale = min(most_side / max(piece.shape[:2]), MOST_ZOOM)
    size = (max(1, round(piece.shape[1] * scale)), max(1, round(piece.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return Crop(np.asarray(cv2.resize(piece, size, interpolation=how), np.uint8), left, top, scale)


def jpeg(image: Image) -> bytes:
    """Encode a picture."""
    _, encoded = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return encoded.tobytes()


def _window(image: Image, polygons: Sequence[Polygon]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is shown; everything where the regions lie outside of the image."""
    height, width = image.shape[:2]
    if not polygons:
        return 0, 0, width, height
    points = np.concatenate(polygons).astype(np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    around = np.maximum((high - low) * (ROUND - 1) / 2, LEAST_ROUND)
    around = np.minimum(around, max(4 * LEAST_ROUND, float((high - low).max()) / 4))
    left, top = np.maximum(np.floor(low - around), 0)
    right, bottom = np.minimum(np.ceil(high + around) + 1, (width, height))
    if right - left < 1 or bottom - top < 1:
        return 0, 0, width, height
    return int(left), int(top), int(right), int(bottom)
