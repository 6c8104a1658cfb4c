"""Light and camera effects. (H, W, 3) uint8 in and out."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from resnet18_ocrdet.data.photometric import NOISE_TILE, TILE_MEAN, TILE_STD, noise_tile
from resnet18_ocrdet.data.synthetic.scene import Effects, Shadow
from resnet18_ocrdet.structures import Image

SHADOW_SHRINK = 8  # factor by which the shadow is drawn smaller: its edge is soft


def apply_effects(image: Image, effects: Effects) -> Image:
    """Apply light, lens, sensor and file effects in this order."""
    if effects.shadow is not None:
        image = _cast_shadow(image, effects.shadow)
    if effects.blur:
        image = cv2.GaussianBlur(image, (0, 0), effects.blur)  # type: ignore[assignment]
    if effects.motion is not None:
        image = cv2.filter2D(image, -1, _motion_kernel(*effects.motion))  # type: ignore[assignment]
    image = _expose(image, effects)
    if effects.jpeg:
        _, data = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, effects.jpeg))
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return image


def _cast_shadow(image: Image, shadow: Shadow) -> Image:
    height, width = image.shape[:2]
    small_height, small_width = max(4, height // SHADOW_SHRINK), max(4, width // SHADOW_SHRINK)
    light = np.full((small_height, small_width), 255, np.uint8)
    corners = np.rint(np.array(shadow.outline) * (small_width, small_height)).astype(np.int32)
    cv2.fillPoly(light, [corners], round(255 * shadow.strength))
    softness = max(0.5, shadow.softness * min(small_height, small_width))
    light = cv2.GaussianBlur(light, (0, 0), softness)
    large = cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR)
    return cv2.multiply(image, cv2.merge([large] * 3), scale=1 / 255)  # type: ignore[return-value]


def _motion_kernel(length: int, direction: float) -> NDArray[np.float32]:
    """A line of `length` px through the middle of a (5, 5) or (7, 7) kernel.

    Weights are multiples of 1/256 that sum to 1: their products with bytes are exact, for any order of summation."""
    side = 5 if length <= 4 else 7
    kernel = np.zeros((side, side), np.uint8)
    middle, half = side // 2, (length - 1) / 2
    x, y = half * math.cos(math.radians(direction)), half * math.sin(math.radians(direction))
    bits = 4  # 1/16 px
    start = (round((middle - x) * 16), round((middle - y) * 16))
    end = (round((middle + x) * 16), round((middle + y) * 16))
    cv2.line(kernel, start, end, 255, 1, cv2.LINE_AA, bits)
    weights = np.rint(256.0 * kernel / kernel.sum())
    weights[middle, middle] += 256 - weights.sum()
    return np.asarray(weights / 256, np.float32)


def _expose(image: Image, effects: Effects) -> Image:
    """Apply gain and sensor noise."""
    if not effects.noise:
        return cv2.convertScaleAbs(image, alpha=effects.gain)  # type: ignore[return-value]
    height, width = image.shape[:2]
    tile = noise_tile()
    if max(height, width) > NOISE_TILE:
        tile = np.tile(tile, (math.ceil(height / NOISE_TILE), math.ceil(width / NOISE_TILE), 1))
    y, x = (shift % max(1, NOISE_TILE - side) for shift, side in zip(effects.noise_shift, (height, width), strict=True))
    noise = tile[y : y + height, x : x + width]
    strength = effects.noise / TILE_STD
    return cv2.addWeighted(image, effects.gain, noise, strength, -strength * TILE_MEAN)  # type: ignore[return-value]
