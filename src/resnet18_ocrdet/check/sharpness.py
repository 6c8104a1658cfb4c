"""Sharpness and contrast of an image and its text.

Legend: H W pixels. Grey images are (H, W) uint8.

The usual measure, the variance of the Laplacian, calls every photo of a smooth subject blurred. Here the slope of the
steepest edges is measured, which depends on the lens and not on the subject.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry.polygon import min_area_quad
from ..structures import Image, Polygon

Grey = NDArray[np.uint8]

MEASURED_SIDE = 640  # px: larger images are scaled down, which also averages sensor noise
RANGE_TAIL = 0.0005  # of the pixels at each end are ignored: specks of light, dead pixels
EDGE_FRACTION = 1 / 200  # of the pixels: the steepest ones count as edges
EDGE_WINDOW = 9  # px, window in which an edge rises from its lowest to its highest level
TEXT_SLOPE = 97.0  # percentile of the slopes in a region: the edges of its letters
TEXT_RANGE = (2.0, 98.0)  # percentiles of the levels in a region: ink and paper
TEXT_SIDE = 128  # px: higher text is scaled down to this height
MIN_TEXT_HEIGHT = 10.0  # px: smaller letters are a few pixels, sharp or not


class GreyLevels(NamedTuple):
    """Grey levels of a whole image."""

    mean: float  # 0..255
    std: float  # 0..255
    range: float  # from the darkest to the brightest pixels, 0..255
    sharpness: float  # 0..1: see `edge_sharpness`


class TextQuality(NamedTuple):
    """Contrast and sharpness of the text in one region."""

    contrast: float  # 0..255, between ink and paper
    sharpness: float  # text height / width of an edge


def grey_of(image: Image) -> Grey:
    """(H, W, 3) RGB to (H, W)."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def scaled_down(grey: Grey, side: int = MEASURED_SIDE) -> Grey:
    """Scale down until the longer side is at most `side` px; a smaller image is returned unchanged."""
    scale = side / max(grey.shape)
    return grey if scale >= 1 else averaged(grey, scale)


def averaged(grey: Grey, scale: float, least: int = 1) -> Grey:
    """Scale down; each side stays at least `least` px."""
    size = (max(least, round(grey.shape[1] * scale)), max(least, round(grey.shape[0] * scale)))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)


def window_of(grey: Grey, polygon: Polygon) -> tuple[Grey, NDArray[np.float64]]:
    """The part of an image round a polygon, which may be empty, and the corners in its pixels."""
    low = np.maximum(np.floor(polygon.min(axis=0)).astype(int), 0)
    high = np.ceil(polygon.max(axis=0)).astype(int) + 1
    return grey[low[1] : high[1], low[0] : high[0]], polygon - low


def grey_levels(small: Grey) -> GreyLevels:
    """Measure an image that is already scaled down."""
    levels = np.bincount(small.ravel(), minlength=256)
    below = np.cumsum(levels) / small.size
    dark, bright = np.searchsorted(below, (RANGE_TAIL, 1 - RANGE_TAIL))
    return GreyLevels(float(small.mean()), float(small.std()), float(bright - dark), edge_sharpness(small))


def edge_sharpness(grey: Grey) -> float:
    """Median over the steepest edges: rise within one pixel / rise of the whole edge, 0..1; 0 without edges.

    A step gives 1, an edge blurred with a Gaussian of s px about 0.4 / s."""
    slopes = _slopes(grey)
    if not slopes.size:
        return 0.0
    number = max(1, round(slopes.size * EDGE_FRACTION))
    least = max(int(np.partition(slopes.ravel(), -number)[-number]), 1)
    steep = slopes >= least
    if not steep.any():
        return 0.0
    window = np.ones((EDGE_WINDOW, EDGE_WINDOW), np.uint8)
    rises = cv2.subtract(cv2.dilate(grey, window), cv2.erode(grey, window))[:-1, :-1][steep]
    return float(np.median(slopes[steep] / np.maximum(rises, 1)))


def text_quality(grey: Grey, polygon: Polygon) -> TextQuality | None:
    """Measure one region of a full-size image; None if it is too small or outside."""
    text_height = min_area_quad(polygon)[1]
    if text_height < MIN_TEXT_HEIGHT:
        return None
    window, inside = window_of(grey, polygon)
    if min(window.shape) < 3:
        return None
    corners = inside.astype(np.float32)
    if (scale := TEXT_SIDE / text_height) < 1:
        window = averaged(window, scale, least=3)
        corners, text_height = corners * np.float32(scale), float(TEXT_SIDE)
    mask = np.zeros(window.shape, np.uint8)
    cv2.fillPoly(mask, [np.rint(corners).astype(np.int32)], 1)
    chosen = mask.astype(bool)
    if chosen[:-1, :-1].sum() < 9:
        return None
    dark, bright = np.percentile(window[chosen], TEXT_RANGE)
    slope = float(np.percentile(_slopes(window)[chosen[:-1, :-1]], TEXT_SLOPE))
    contrast = float(bright - dark)
    return TextQuality(contrast, slope / max(contrast, 1.0) * text_height)


def _slopes(grey: Grey) -> NDArray[np.uint8]:
    """(H - 1, W - 1): the larger of the differences to the right and to the lower neighbor."""
    if min(grey.shape) < 2:
        return np.zeros((0, 0), np.uint8)
    across = cv2.absdiff(grey[:-1, 1:], grey[:-1, :-1])
    down = cv2.absdiff(grey[1:, :-1], grey[:-1, :-1])
    return np.asarray(cv2.max(across, down), np.uint8)
