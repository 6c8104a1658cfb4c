"""What light, lens, sensor and file do to a view: drawn as plain numbers, then applied in that order, on bytes.

Each step is cheap beside the decoding of a photo: look-up tables, a light painted on a small grid and enlarged, noise
from one tile that is shifted. Legend: H W pixels, (H, W, 3) uint8 RGB.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ..structures import Image

BLUR_PX = (0.5, 1.2)  # standard deviation of the Gaussian, at full strength; more makes small text unreadable
NOISE_LEVELS = (3.0, 14.0)  # standard deviation, grey levels of 255
JPEG_QUALITY = (30, 85)  # of the file that the view is sent through; phones write 85 and more, messengers far less
SHADOW_LIGHT = (0.45, 0.85)  # left inside a shadow
SHADOW_EDGE = (0.01, 0.12)  # width of its edge, as a share of the view's diagonal
GRADIENT = 0.4  # largest difference of light from one end of the view to the other, either way from the middle
SHADOW_SHARE = 0.6  # of shaded views have a shadow besides the gradient
GRID = 32  # cells a side on which light is painted
NOISE_TILE = 1024  # px
TILE_STD, TILE_MEAN = 32.0, 128  # grey levels
FULL, MIDDLE = 255.0, 128.0


class Shade(NamedTuple):
    """Uneven light: a linear gradient, and a half-plane in the shade of something."""

    slope: tuple[float, float]  # change of light over the view's width and height
    side: float  # direction that the shadow lies in, radians
    place: float  # of its edge along that direction from the middle, in half diagonals
    edge: float  # width of the edge, in half diagonals
    left: float  # light in the shadow, 1 without one


class Look(NamedTuple):
    """What is done to one view; None where a step is left out."""

    color: NDArray[np.float64] | None  # (3, 4): a channel is its factor times itself, and a constant
    shade: Shade | None
    blur: float | None  # standard deviation, px
    noise: tuple[float, int, int] | None  # standard deviation in grey levels, row and column of the tile
    jpeg: int | None  # quality


@dataclass(frozen=True)
class Photometric:
    """How much and how often, at `strength` 1; 0 switches everything off.

    color: largest relative change of brightness, contrast and each channel. The others are probabilities of a step,
    which `strength` scales like its range: blur, noise, jpeg, shading."""

    color: float = 0.25
    blur: float = 0.0
    noise: float = 0.0
    jpeg: float = 0.0
    shading: float = 0.0
    strength: float = 1.0

    def draw(self, rng: np.random.Generator) -> Look:
        """One look. Steps that never happen draw nothing."""
        strength = self.strength
        color = draw_color(self.color * strength, rng) if self.color * strength > 0 else None
        blur = rng.uniform(BLUR_PX[0], _between(BLUR_PX, strength)) if self._happens(self.blur, rng) else None
        noise = None
        if self._happens(self.noise, rng):
            row, column = (int(shift) for shift in rng.integers(0, NOISE_TILE, 2))
            noise = (float(rng.uniform(NOISE_LEVELS[0], _between(NOISE_LEVELS, strength))), row, column)
        jpeg = None
        if self._happens(self.jpeg, rng):
            jpeg = round(rng.uniform(_between(JPEG_QUALITY[::-1], strength), JPEG_QUALITY[1]))
        shade = _draw_shade(strength, rng) if self._happens(self.shading, rng) else None
        return Look(color, shade, blur, noise, jpeg)

    def _happens(self, probability: float, rng: np.random.Generator) -> bool:
        chance = probability * self.strength
        return chance > 0 and bool(rng.random() < chance)


def apply_look(image: Image, look: Look) -> Image:
    """Returns a new image, or the same one where nothing is to be done: light, colour, lens, sensor, file."""
    if look.shade is not None:
        image = cast_light(image, look.shade)
    if look.color is not None:
        image = np.asarray(cv2.transform(image, look.color), np.uint8)  # rounded, cut off at 0 and 255
    if look.blur is not None:
        image = np.asarray(cv2.GaussianBlur(image, (5, 5), look.blur), np.uint8)
    if look.noise is not None:
        image = add_noise(image, *look.noise)
    if look.jpeg is not None:
        _, data = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, look.jpeg))
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)  # both take RGB for BGR, which cancels
    return image


def draw_color(strength: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """(3, 4) matrix on (R, G, B, 1) that scales contrast, brightness and each channel by up to `strength`."""
    contrast, *gains = 1.0 + rng.uniform(-strength, strength, 4)
    brightness = FULL * rng.uniform(-strength, strength) / 2
    constant = MIDDLE * (1.0 - contrast) + brightness
    return np.column_stack([np.diag(gains) * contrast, np.array(gains) * constant])


def cast_light(image: Image, shade: Shade) -> Image:
    """Light the view unevenly; nothing gets brighter than it was, so no text is washed out."""
    height, width = image.shape[:2]
    diagonal = math.hypot(height, width) / 2
    shares = (np.arange(GRID, dtype=np.float32) + np.float32(0.5)) / GRID - np.float32(0.5)  # of the width, the height
    light = 1.0 + np.add.outer(shares * shade.slope[1], shares * shade.slope[0])
    if shade.left < 1.0:
        down, right = height / diagonal * math.sin(shade.side), width / diagonal * math.cos(shade.side)
        across = np.add.outer(shares * down, shares * right)
        inside = np.clip((across - shade.place) / shade.edge + 0.5, 0.0, 1.0)
        light *= 1.0 - (1.0 - shade.left) * inside * inside * (3.0 - 2.0 * inside)  # a smooth step
    light *= FULL / max(float(light.max()), 1.0)
    grid = np.rint(np.clip(light, 0.0, FULL)).astype(np.uint8)
    large = cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.multiply(image, cv2.merge([large] * 3), scale=1 / FULL), np.uint8)


def add_noise(image: Image, std: float, row: int, column: int) -> Image:
    """Gaussian noise of `std` grey levels, mostly grey, from the tile at (row, column)."""
    height, width = image.shape[:2]
    tile = _noise_tile()
    if max(height, width) > NOISE_TILE:
        tile = np.tile(tile, (math.ceil(height / NOISE_TILE), math.ceil(width / NOISE_TILE), 1))
    y, x = row % (len(tile) - height + 1), column % (tile.shape[1] - width + 1)
    tile = tile[y : y + height, x : x + width]
    share = std / TILE_STD
    return np.asarray(cv2.addWeighted(image, 1.0, tile, share, -share * TILE_MEAN), np.uint8)


def _draw_shade(strength: float, rng: np.random.Generator) -> Shade:
    slope = rng.uniform(-GRADIENT, GRADIENT, 2) * strength
    side, place = rng.uniform(0, 2 * math.pi), rng.uniform(-0.6, 0.6)
    edge, light, shadowed = rng.uniform(*SHADOW_EDGE), rng.uniform(*SHADOW_LIGHT), rng.random() < SHADOW_SHARE
    left = 1.0 - (1.0 - light) * strength if shadowed else 1.0
    return Shade((float(slope[0]), float(slope[1])), side, place, 2 * edge, left)


def _between(limits: tuple[float, float], share: float) -> float:
    return limits[0] + (limits[1] - limits[0]) * share


@lru_cache(maxsize=1)
def _noise_tile() -> NDArray[np.uint8]:
    """(NOISE_TILE, NOISE_TILE, 3); the same in every process."""
    rng = np.random.default_rng(0)
    common = rng.standard_normal((NOISE_TILE, NOISE_TILE, 1), np.float32)
    own = rng.standard_normal((NOISE_TILE, NOISE_TILE, 3), np.float32)
    tile = TILE_MEAN + TILE_STD * (0.9 * common + 0.436 * own)  # 0.9² + 0.436² = 1
    return np.clip(np.rint(tile), 0, FULL).astype(np.uint8)
