"""Photometric augmentation: each change is drawn by one function, which returns what to apply to the image.

To add one: write a `draw_…` function here, a field for it in `Augment`, and its key in conf/augment/default.yaml.
Every change is cheap compared with decoding a photo. Legend: H W pixels, (H, W, 3) uint8 RGB.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import field
from enum import IntEnum
from functools import lru_cache, partial
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from ..structures import Image

BLUR_PX = (0.5, 1.2)  # standard deviation of the Gaussian, at full strength; more makes small text unreadable
NOISE_LEVELS = (3.0, 14.0)  # standard deviation, grey levels of 255
JPEG_QUALITY = (30, 85)  # phones write 85 and more, messengers far less
SHADOW_LIGHT = (0.45, 0.85)  # brightness inside a shadow
SHADOW_EDGE = (0.01, 0.12)  # width of its edge, as a share of the image's diagonal
GRADIENT = 0.4  # largest relative change of brightness from the middle to an end of the image
SHADOW_SHARE = 0.6  # of shaded images have a shadow in addition to the gradient
GRID = 32  # cells per side of the grid on which light is computed
NOISE_TILE = 1024  # px
TILE_STD, TILE_MEAN = 32.0, 128  # grey levels
FULL, MIDDLE = 255.0, 128.0

Change: TypeAlias = Callable[[Image], Image]
"""Applies a change whose parameters are drawn; returns a new image."""

Draw: TypeAlias = Callable[[float, np.random.Generator], Change]
"""(strength 0..1, generator) -> the change."""


class Stage(IntEnum):
    """When a change is applied: in the order from the scene to the file."""

    LIGHT = 0
    COLOR = 1
    LENS = 2
    SENSOR = 3
    FILE = 4


def change(draw: Draw, stage: Stage, default: float = 0.0, always: bool = False) -> Any:
    """A field of `Augment`: the probability of a photometric change, or with `always` a factor of its strength."""
    return field(default=default, metadata={"change": (draw, stage, always)})


def draw_color(strength: float, rng: np.random.Generator) -> Change:
    """Scale contrast, brightness and each channel by up to `strength`."""
    return partial(transform_color, matrix=color_matrix(strength, rng))


def draw_blur(strength: float, rng: np.random.Generator) -> Change:
    """Slight Gaussian blur."""
    return partial(blur, std=rng.uniform(BLUR_PX[0], _between(BLUR_PX, strength)))


def draw_noise(strength: float, rng: np.random.Generator) -> Change:
    """Sensor noise."""
    row, column = (int(shift) for shift in rng.integers(0, NOISE_TILE, 2))
    std = float(rng.uniform(NOISE_LEVELS[0], _between(NOISE_LEVELS, strength)))
    return partial(add_noise, std=std, row=row, column=column)


def draw_jpeg(strength: float, rng: np.random.Generator) -> Change:
    """JPEG compression."""
    return partial(compress, quality=round(rng.uniform(_between(JPEG_QUALITY[::-1], strength), JPEG_QUALITY[1])))


def draw_shading(strength: float, rng: np.random.Generator) -> Change:
    """Uneven light: a linear gradient, and a half-plane in shadow."""
    slope = rng.uniform(-GRADIENT, GRADIENT, 2) * strength
    side, offset = rng.uniform(0, 2 * math.pi), rng.uniform(-0.6, 0.6)
    edge, light, shadowed = rng.uniform(*SHADOW_EDGE), rng.uniform(*SHADOW_LIGHT), rng.random() < SHADOW_SHARE
    left = 1.0 - (1.0 - light) * strength if shadowed else 1.0
    slopes = (float(slope[0]), float(slope[1]))
    return partial(shade, slope=slopes, side=side, offset=offset, edge=2 * edge, light_left=left)


def color_matrix(strength: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """(3, 4) matrix on (R, G, B, 1) that scales contrast, brightness and each channel by up to `strength`."""
    contrast, *gains = 1.0 + rng.uniform(-strength, strength, 4)
    brightness = FULL * rng.uniform(-strength, strength) / 2
    constant = MIDDLE * (1.0 - contrast) + brightness
    return np.column_stack([np.diag(gains) * contrast, np.array(gains) * constant])


def transform_color(image: Image, matrix: NDArray[np.float64]) -> Image:
    """Apply a (3, 4) matrix to (R, G, B, 1); results are rounded and clipped to 0..255."""
    return np.asarray(cv2.transform(image, matrix), np.uint8)


def blur(image: Image, std: float, side: int = 5) -> Image:
    """Gaussian blur of standard deviation `std` px. side: of its kernel, px; 0 for a large one."""
    return np.asarray(cv2.GaussianBlur(image, (side, side), std), np.uint8)


def compress(image: Image, quality: int) -> Image:
    """Encode and decode as JPEG. quality: 1..100."""
    _, data = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, quality))
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)  # both treat RGB as BGR, which cancels out


def shade(
    image: Image, slope: tuple[float, float], side: float, offset: float, edge: float, light_left: float
) -> Image:
    """Light the image unevenly; no pixel gets brighter.

    slope: change of light over the width and the height. side: direction of the shadow, radians. offset: of its edge
    from the middle in that direction, and edge: its width, both in half diagonals. light_left: light inside the
    shadow, 0..1; 1 for no shadow."""
    height, width = image.shape[:2]
    diagonal = math.hypot(height, width) / 2
    shares = (np.arange(GRID, dtype=np.float32) + np.float32(0.5)) / GRID - np.float32(0.5)  # of the width, the height
    light = 1.0 + np.add.outer(shares * slope[1], shares * slope[0])
    if light_left < 1.0:
        down, right = height / diagonal * math.sin(side), width / diagonal * math.cos(side)
        across = np.add.outer(shares * down, shares * right)
        inside = np.clip((across - offset) / edge + 0.5, 0.0, 1.0)
        light *= 1.0 - (1.0 - light_left) * inside * inside * (3.0 - 2.0 * inside)  # smoothstep
    light *= FULL / max(float(light.max()), 1.0)
    grid = np.rint(np.clip(light, 0.0, FULL)).astype(np.uint8)
    large = cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.multiply(image, cv2.merge([large] * 3), scale=1 / FULL), np.uint8)


def add_noise(image: Image, std: float, row: int, column: int, gain: float = 1.0) -> Image:
    """Scale by `gain`; add Gaussian noise of `std` grey levels, mostly grey, from the noise tile at (row, column)."""
    height, width = image.shape[:2]
    tile = noise_tile()
    if max(height, width) > NOISE_TILE:
        tile = np.tile(tile, (math.ceil(height / NOISE_TILE), math.ceil(width / NOISE_TILE), 1))
    y, x = row % (len(tile) - height + 1), column % (tile.shape[1] - width + 1)
    tile = tile[y : y + height, x : x + width]
    share = std / TILE_STD
    return np.asarray(cv2.addWeighted(image, gain, tile, share, -share * TILE_MEAN), np.uint8)


def _between(limits: tuple[float, float], share: float) -> float:
    return limits[0] + (limits[1] - limits[0]) * share


@lru_cache(maxsize=1)
def noise_tile() -> NDArray[np.uint8]:
    """(NOISE_TILE, NOISE_TILE, 3); the same in every process."""
    rng = np.random.default_rng(0)
    common = rng.standard_normal((NOISE_TILE, NOISE_TILE, 1), np.float32)
    own = rng.standard_normal((NOISE_TILE, NOISE_TILE, 3), np.float32)
    tile = TILE_MEAN + TILE_STD * (0.9 * common + 0.436 * own)  # 0.9² + 0.436² = 1
    return np.clip(np.rint(tile), 0, FULL).astype(np.uint8)
