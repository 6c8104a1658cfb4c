"""Small pictures of what a finding means: the region in red on a piece of its image.

Legend: H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.draw import DONT_CARE, outline
from resnet18_ocrdet.structures import Image, Polygon

MOST_SIDE = 480  # px, of a picture
MOST_ZOOM = 2.0  # times, of a small piece of an image
ROUND = 3.0  # times the region's sides: what is shown of its surroundings
LEAST_ROUND = 100  # px to each side at least, in the image
WRONG = (230, 0, 0)
RIGHT = (0, 190, 0)
JPEG_QUALITY = 80


def picture(image: Image, record: LabelRecord, regions: Sequence[int]) -> bytes:
    """Draw the labels of an image, those of a finding in red, and encode it as JPEG.

    regions: the numbers of those the finding is about; none shows the whole image."""
    polygons = [np.nan_to_num(polygon, posinf=0, neginf=0) for polygon in record.polygons]
    left, top, right, bottom = _window(image, [polygons[region] for region in regions])
    piece = image[top:bottom, left:right]
    scale = min(MOST_SIDE / max(piece.shape[:2]), MOST_ZOOM)
    size = (max(1, round(piece.shape[1] * scale)), max(1, round(piece.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    drawn = np.asarray(cv2.resize(piece, size, interpolation=how), np.uint8)
    moved = [_limited((polygon - (left, top) + 0.5) * scale - 0.5) for polygon in polygons]
    others = [region for region in range(len(moved)) if region not in regions]
    drawn = outline(drawn, [moved[r] for r in others if record.ignore[r]], DONT_CARE, 1)
    drawn = outline(drawn, [moved[r] for r in others if not record.ignore[r]], RIGHT, 1)
    drawn = outline(drawn, [moved[region] for region in regions], WRONG, 2)
    _, encoded = cv2.imencode(".jpg", drawn[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
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


def _limited(polygon: Polygon) -> Polygon:
    """Keep what OpenCV draws within its 16 bits."""
    return np.clip(polygon, -20_000, 20_000).astype(np.float32)
