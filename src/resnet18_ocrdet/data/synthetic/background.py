"""The background of a scene: drawn, then painted or cropped from a photo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from ...errors import UserError
from ...structures import Image
from ..image_guard import ImageFault
from ..image_io import read_image
from .clutter import PAINTERS
from .colour import draw_tint, tinted

SEED_RANGE = 2**31
SMOOTH_SHARE = 0.30  # share of images with a background without clutter: walls, sky, boards
SURFACE_TINT = 0.45  # walls and skies are paler than paint on signs
FINEST_GRAIN_PX = 3  # size of the grain's cells; the noise effect adds finer grain


class Background(NamedTuple):
    """A surface with layers of clutter."""

    seed: int  # of the random generator that paints it
    luminance: float  # mean, 0..255
    spread: float  # largest deviation from the mean
    texture: float  # amplitude of the surface's grain, grey levels
    clutter: tuple[Callable[[np.random.Generator, Image], None], ...]  # painters of clutter.py, in drawing order


def draw_background(rng: np.random.Generator) -> Background:
    """A surface with up to three layers of clutter."""
    smooth = rng.random() < SMOOTH_SHARE
    layers = 0 if smooth else int(rng.integers(1, 4))
    clutter = tuple(PAINTERS[index] for index in rng.integers(len(PAINTERS), size=layers))
    return Background(
        seed=int(rng.integers(SEED_RANGE)),
        luminance=float(rng.uniform(45.0, 215.0)),
        spread=float(rng.uniform(5.0, 70.0)),
        texture=float(rng.uniform(0.0, 22.0)) if rng.random() < 0.7 else 0.0,
        clutter=clutter,
    )


def paint_background(background: Background, height: int, width: int) -> Image:
    """A surface with soft light, grain and clutter: (height, width, 3).

    Colours near the background's luminance are blended: 2 × 2 for a gradient, up to 5 × 5 for a mottled wall."""
    rng = np.random.default_rng(background.seed)
    cells = int(rng.integers(2, 6))
    tint = draw_tint(rng, SURFACE_TINT)
    levels = background.luminance + rng.uniform(-background.spread, background.spread, (cells, cells))
    colours = np.array([[tinted(float(level), tint) for level in row] for row in levels], np.uint8)
    middle = cv2.resize(colours, (32, 32), interpolation=cv2.INTER_LINEAR_EXACT)
    middle = cv2.GaussianBlur(middle, (0, 0), 2.5)  # hides the edges of linear interpolation
    image: Image = cv2.resize(middle, (width, height), interpolation=cv2.INTER_LINEAR_EXACT)  # type: ignore[assignment]
    for paint in background.clutter:
        paint(rng, image)
    return _add_grain(rng, image, background.texture) if background.texture else image


def crop_photo(background: Background, path: Path, height: int, width: int) -> Image:
    """A random crop of a photo, enlarged if the photo is too small. Raises UserError if it cannot be read."""
    rng = np.random.default_rng(background.seed)
    try:
        photo = read_image(path)
    except ImageFault as fault:
        raise UserError(f"backgrounds: {fault}") from None
    tall, wide = photo.shape[:2]
    share_y, share_x, zoom = rng.random(3)
    fit = min(tall / height, wide / width)  # photo pixels per image pixel for the largest crop
    scale = fit if fit <= 1 else fit ** float(zoom)
    crop_height, crop_width = min(tall, max(1, int(height * scale))), min(wide, max(1, int(width * scale)))
    top, left = int(share_y * (tall - crop_height)), int(share_x * (wide - crop_width))
    crop = photo[top : top + crop_height, left : left + crop_width]
    return cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _add_grain(rng: np.random.Generator, image: Image, amplitude: float) -> Image:
    """Grey grain of a random size. amplitude: largest change, grey levels."""
    height, width = image.shape[:2]
    cell = FINEST_GRAIN_PX * 2.0 ** float(rng.uniform(0.0, 3.0))
    shape = (max(2, int(height / cell)), max(2, int(width / cell)))
    grain = rng.integers(0, round(2 * amplitude) + 1, shape, np.uint8)
    large = cv2.merge([cv2.resize(grain, (width, height), interpolation=cv2.INTER_LINEAR_EXACT)] * 3)
    return cv2.addWeighted(image, 1.0, large, 1.0, -round(amplitude))  # type: ignore[return-value]
