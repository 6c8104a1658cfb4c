"""Part of an image around some regions, scaled for viewing, with outlines drawn on it.

Legend: H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from ..structures import Image, Polygon
from . import draw

MAX_SIDE = 480  # px, of a picture
MAX_ZOOM = 2.0  # times, of a small part of an image
SURROUNDINGS = 3.0  # times the region's sides: what is shown around it
MIN_MARGIN = 100  # px on each side, in the image
JPEG_QUALITY = 80
DRAWABLE = (-20_000, 20_000)  # px: coordinates that OpenCV can draw

RED, ORANGE, GREEN, BLUE = (230, 0, 0), (255, 150, 0), (0, 190, 0), (70, 140, 255)


class Layer(NamedTuple):
    """Outlines of one color."""

    polygons: Sequence[Polygon]  # px of the whole image
    color: tuple[int, int, int]
    thickness: int = 1


def draw_crop(image: Image, focus: Sequence[Polygon], layers: Sequence[Layer], max_side: int = MAX_SIDE) -> bytes:
    """JPEG of the surroundings of `focus`, or of the whole image without any, with the layers drawn in their order.

    focus: finite polygons. max_side: px of the longer side of the result."""
    left, top, right, bottom = _window(image, focus)
    part = image[top:bottom, left:right]
    scale = min(max_side / max(part.shape[:2]), MAX_ZOOM)
    size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    drawn = np.asarray(cv2.resize(part, size, interpolation=interpolation), np.uint8)
    for polygons, color, thickness in layers:
        moved = (np.clip((polygon - (left, top) + 0.5) * scale - 0.5, *DRAWABLE) for polygon in polygons)
        drawn = draw.outline(drawn, [np.asarray(each, np.float32) for each in moved], color, thickness)
    return draw.encode(".jpg", drawn, JPEG_QUALITY)


def _window(image: Image, polygons: Sequence[Polygon]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the crop; the whole image if the polygons are outside it."""
    height, width = image.shape[:2]
    if not polygons:
        return 0, 0, width, height
    points = np.concatenate(polygons).astype(np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    margin = np.maximum((high - low) * (SURROUNDINGS - 1) / 2, MIN_MARGIN)
    margin = np.minimum(margin, max(4 * MIN_MARGIN, float((high - low).max()) / 4))
    left, top = np.maximum(np.floor(low - margin), 0)
    right, bottom = np.minimum(np.ceil(high + margin) + 1, (width, height))
    if right - left < 1 or bottom - top < 1:
        return 0, 0, width, height
    return int(left), int(top), int(right), int(bottom)
