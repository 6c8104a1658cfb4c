"""Light, lens and objects in front of the text of a varied scene."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ....structures import Image
from ...photometric import NOISE_TILE, Change, add_noise, blur, compress
from ..colour import GREY, tinted
from ..effects import SHADOW_SHRINK, blur_motion, draw_shadow, expose

OCCLUDED_SHARE = 0.12  # of images: thin lines across the text
SHADOW_SHARE = 0.2
DARK_SHARE = 0.1
GLARE_SHARE = 0.1
BLUR_SHARE = 0.25
MOTION_SHARE = 0.1
NOISE_SHARE = 0.5
JPEG_SHARE = 0.35
GRID = 32  # cells per side on which glare, and what light leaves, are computed


class Light(NamedTuple):
    """What the effects leave of the text, for its legibility."""

    gain: float  # of contrasts, from exposure
    kept: NDArray[np.float32] | None  # (GRID, GRID) share of contrasts in shadow and glare, 0..1; None: all of them
    blur: float  # standard deviation, px; of motion a quarter of its length
    noise: float  # standard deviation, grey levels

    def left(self, x: float, y: float) -> float:
        """The share of contrast that is left at (x, y), as shares of the image."""
        if self.kept is None:
            return self.gain
        row, column = (min(max(int(share * GRID), 0), GRID - 1) for share in (y, x))
        return self.gain * float(self.kept[row, column])


def occlude(rng: np.random.Generator, image: Image, text_height: float) -> None:
    """Draw thin lines in front of everything: wires, twigs, scratches. text_height: typical, px."""
    height, width = image.shape[:2]
    colour = tinted(float(rng.uniform(0.0, 255.0)), GREY)
    thickness = max(1, round(text_height * float(rng.uniform(0.03, 0.12))))
    for _ in range(int(rng.integers(1, 5))):
        points = np.cumsum(np.vstack([rng.uniform(0, 1, (1, 2)), rng.normal(0, 0.25, (3, 2))]), axis=0)
        line = np.rint(points * (width, height) * 16).astype(np.int32)
        cv2.polylines(image, [line], False, colour, thickness, cv2.LINE_AA, 4)


def apply_light(rng: np.random.Generator, image: Image, text_height: float) -> tuple[Image, Light]:
    """Apply shadow, exposure, glare, blur, noise and JPEG, each to a share of images. text_height: typical, px."""
    switches = rng.random(7)
    shadow = draw_shadow(rng)
    dark = switches[1] < DARK_SHARE
    gain = float(rng.uniform(0.3, 0.6)) if dark else float(rng.uniform(0.8, 1.15))
    std = float(rng.uniform(0.4, max(0.7, 0.09 * text_height)))
    length, direction = int(rng.integers(2, 8)), float(rng.uniform(0.0, 180.0))
    noise = float(rng.uniform(2.0, 12.0 if not dark else 18.0))
    quality = int(rng.integers(25, 91))
    row, column = rng.integers(0, NOISE_TILE, 2).tolist()
    glare = _draw_glare(rng) if switches[2] < GLARE_SHARE else None
    kept = None if glare is None else 1 - glare
    if switches[0] < SHADOW_SHARE:
        image = shadow(image)
        kept = _left_by(shadow) * (1 if kept is None else kept)
    if glare is not None:
        image = _add_glare(image, glare)
    blurred = 0.0
    if switches[3] < BLUR_SHARE:
        image, blurred = blur(image, std, 0), std
    if switches[4] < MOTION_SHARE:
        length = min(length, max(2, round(0.35 * text_height)))
        image, blurred = blur_motion(image, length, direction), max(blurred, length / 4)
    if switches[5] < NOISE_SHARE:
        image = add_noise(image, noise, row, column, gain)
    else:
        image, noise = expose(image, gain), 0.0
    if switches[6] < JPEG_SHARE:
        image = compress(image, quality)
    return image, Light(min(gain, 1.0), kept, blurred, noise)


def _left_by(shadow: Change) -> NDArray[np.float32]:
    """The share of light that a shadow leaves, (GRID, GRID), 0..1."""
    white = np.full((GRID * SHADOW_SHRINK, GRID * SHADOW_SHRINK, 3), 255, np.uint8)
    middle = SHADOW_SHRINK // 2
    left = shadow(white)[middle::SHADOW_SHRINK, middle::SHADOW_SHRINK, 0]
    return np.asarray(left / 255, np.float32)


def _draw_glare(rng: np.random.Generator) -> NDArray[np.float32]:
    """One bright spot with a soft edge, or a haze over the whole image."""
    shares = (np.arange(GRID, dtype=np.float32) + np.float32(0.5)) / GRID
    centre, radii, turn = rng.random(2), rng.uniform(0.08, 0.5, 2), float(rng.uniform(0, math.pi))
    strength = float(rng.uniform(0.35, 0.95))
    if rng.random() < 0.3:
        return np.full((GRID, GRID), 0.5 * strength, np.float32)
    across, down = shares[None, :] - centre[0], shares[:, None] - centre[1]
    along = (across * math.cos(turn) + down * math.sin(turn)) / radii[0]
    aside = (down * math.cos(turn) - across * math.sin(turn)) / radii[1]
    return np.asarray(strength * np.exp(-((along**2 + aside**2) ** 1.5)), np.float32)


def _add_glare(image: Image, glare: NDArray[np.float32]) -> Image:
    """Blend towards white."""
    height, width = image.shape[:2]
    small = np.rint(255 * (1 - glare)).astype(np.uint8)
    kept = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    dark = cv2.multiply(cv2.bitwise_not(image), cv2.merge([kept] * 3), scale=1 / 255)
    return np.asarray(cv2.bitwise_not(dark), np.uint8)
