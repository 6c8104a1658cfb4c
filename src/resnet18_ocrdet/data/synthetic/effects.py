"""What light and camera do to the picture. (H, W, 3) uint8 in and out."""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from resnet18_ocrdet.data.synthetic.scene import Effects, Shadow
from resnet18_ocrdet.structures import Image

NOISE_TILE = 1024  # px; one tile of noise, shifted for every image, costs a hundredth of fresh noise
TILE_STD = 32.0  # grey levels, round TILE_MEAN
TILE_MEAN = 128
SHADOW_SHRINK = 8  # the shadow is drawn this many times smaller: its edge is soft anyway


def apply_effects(image: Image, plan: Effects) -> Image:
    """Light first, then lens, sensor and file, in the order in which they happen."""
    if plan.shadow is not None:
        image = _cast_shadow(image, plan.shadow)
    if plan.blur:
        image = cv2.GaussianBlur(image, (0, 0), plan.blur)  # type: ignore[assignment]
    if plan.motion is not None:
        image = cv2.filter2D(image, -1, _motion_kernel(*plan.motion))  # type: ignore[assignment]
    image = _expose(image, plan)
    if plan.jpeg:
        _, data = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, plan.jpeg))
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

    Weights are whole 256ths that sum to 1: their products with bytes are exact, in whatever order a CPU adds them."""
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


def _expose(image: Image, plan: Effects) -> Image:
    """Gain and sensor noise in one pass."""
    if not plan.noise:
        return cv2.convertScaleAbs(image, alpha=plan.gain)  # type: ignore[return-value]
    height, width = image.shape[:2]
    tile = _noise_tile()
    if max(height, width) > NOISE_TILE:
        tile = np.tile(tile, (math.ceil(height / NOISE_TILE), math.ceil(width / NOISE_TILE), 1))
    y, x = (shift % max(1, NOISE_TILE - side) for shift, side in zip(plan.noise_shift, (height, width), strict=True))
    noise = tile[y : y + height, x : x + width]
    strength = plan.noise / TILE_STD
    return cv2.addWeighted(image, plan.gain, noise, strength, -strength * TILE_MEAN)  # type: ignore[return-value]


@lru_cache(maxsize=1)
def _noise_tile() -> NDArray[np.uint8]:
    """(NOISE_TILE, NOISE_TILE, 3) of Gaussian noise, mostly grey; the same in every process."""
    rng = np.random.default_rng(0)
    shape = (NOISE_TILE, NOISE_TILE)
    common = rng.standard_normal((*shape, 1), np.float32)
    own = rng.standard_normal((*shape, 3), np.float32)
    tile = TILE_MEAN + TILE_STD * (0.9 * common + 0.436 * own)  # 0.9² + 0.436² = 1
    return np.clip(np.rint(tile), 0, 255).astype(np.uint8)
