"""How sharp and how rich in contrast an image and its text are.

Legend: H W pixels, h w of one region's window. Grey images are (H, W) uint8.

Variance of the Laplacian, the usual measure, calls every photo of a smooth subject blurred. What is measured here is
how fast the steepest edges rise, which depends on the lens and not on the subject.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from resnet18_ocrdet.geometry.polygon import min_area_quad
from resnet18_ocrdet.structures import Image, Polygon

Grey = NDArray[np.uint8]

LOOKED_AT_SIDE = 640  # px: larger images are reduced to it, which also averages the noise of a sensor
REACH_TAIL = 0.0005  # of the pixels at either end: specks of light, dead pixels
EDGE_SHARE = 1 / 200  # of the pixels: the steepest ones stand for the edges of an image
EDGE_REACH = 9  # px, side of the window in which an edge rises from its lowest to its highest level
TEXT_REACH = 97.0  # percentile of the slopes inside a region that stands for its letters' edges
TEXT_RANGE = (2.0, 98.0)  # percentiles of the levels inside a region: ink and paper
TEXT_SIDE = 128  # px: shorter side to which a larger region is reduced; more edges than that fit into no letter
LEAST_TEXT_HEIGHT = 10.0  # px: letters below that are a few pixels, sharp or not


class Tone(NamedTuple):
    """Levels of a whole image."""

    mean: float  # 0..255
    spread: float  # standard deviation, 0..255
    reach: float  # levels between the darkest and the brightest pixels, 0..255; not by area: a page is mostly paper
    top_share: float  # 0..1: pixels of the most frequent level
    steepness: float  # 0..1: share of its whole rise that a strong edge makes within one pixel; 0 without any edge


class TextTone(NamedTuple):
    """Levels of one region."""

    contrast: float  # 0..255, between ink and paper
    edges: float  # how often the width of an edge fits into the height of the text


def drawable(polygon: Polygon) -> bool:
    """Whether a region has corners enough, all of them numbers."""
    return len(polygon) >= 3 and bool(np.isfinite(polygon).all())


def grey_of(image: Image) -> Grey:
    """(H, W, 3) RGB to (H, W)."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def reduced(grey: Grey, side: int = LOOKED_AT_SIDE) -> Grey:
    """Scale down, shape kept, until the longer side is at most `side` px; a smaller image is returned as it is."""
    height, width = grey.shape
    scale = side / max(height, width)
    if scale >= 1:
        return grey
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)


def tone(small: Grey) -> Tone:
    """Measure an image that is already reduced."""
    levels = np.bincount(small.ravel(), minlength=256)
    below = np.cumsum(levels) / small.size
    dark, bright = np.searchsorted(below, (REACH_TAIL, 1 - REACH_TAIL))
    top_share = float(levels.max() / small.size)
    return Tone(float(small.mean()), float(small.std()), float(bright - dark), top_share, steepness(small))


def steepness(grey: Grey) -> float:
    """Median, over the steepest edges, of the slope over a pixel relative to the rise of the whole edge, 0..1.

    A step gives 1, an edge blurred with a Gaussian of s px about 0.4 / s. An image without edges gives 0."""
    slopes = _slopes(grey)
    if not slopes.size:
        return 0.0
    number = max(1, round(slopes.size * EDGE_SHARE))
    least = max(int(np.partition(slopes.ravel(), -number)[-number]), 1)
    steep = slopes >= least
    if not steep.any():
        return 0.0
    window = np.ones((EDGE_REACH, EDGE_REACH), np.uint8)
    rises = cv2.subtract(cv2.dilate(grey, window), cv2.erode(grey, window))[:-1, :-1][steep]
    return float(np.median(slopes[steep] / np.maximum(rises, 1)))


def text_tone(grey: Grey, polygon: Polygon) -> TextTone | None:
    """Measure one region of a full-size image; None where it is too small to tell, or outside."""
    text_height = min_area_quad(polygon)[1]
    if text_height < LEAST_TEXT_HEIGHT:
        return None
    low = np.maximum(np.floor(polygon.min(axis=0)).astype(int), 0)
    high = np.ceil(polygon.max(axis=0)).astype(int) + 1
    window = grey[low[1] : high[1], low[0] : high[0]]
    if min(window.shape, default=0) < 3:
        return None
    corners = np.asarray(polygon - low, np.float32)
    if (scale := TEXT_SIDE / text_height) < 1:
        size = (max(3, round(window.shape[1] * scale)), max(3, round(window.shape[0] * scale)))
        window = np.asarray(cv2.resize(window, size, interpolation=cv2.INTER_AREA), np.uint8)
        corners, text_height = corners * np.float32(scale), float(TEXT_SIDE)
    inside = np.zeros(window.shape, np.uint8)
    cv2.fillPoly(inside, [np.rint(corners).astype(np.int32)], 1)
    chosen = inside.astype(bool)
    if chosen[:-1, :-1].sum() < 9:
        return None
    dark, bright = np.percentile(window[chosen], TEXT_RANGE)
    slope = float(np.percentile(_slopes(window)[chosen[:-1, :-1]], TEXT_REACH))
    contrast = float(bright - dark)
    return TextTone(contrast, slope / max(contrast, 1.0) * text_height)


def _slopes(grey: Grey) -> NDArray[np.uint8]:
    """(H - 1, W - 1): the larger one of the differences to the right and to the lower neighbour."""
    if min(grey.shape) < 2:
        return np.zeros((0, 0), np.uint8)
    across = cv2.absdiff(grey[:-1, 1:], grey[:-1, :-1])
    down = cv2.absdiff(grey[1:, :-1], grey[:-1, :-1])
    return np.asarray(cv2.max(across, down), np.uint8)
