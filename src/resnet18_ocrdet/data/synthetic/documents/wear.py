"""What printing and use do to a sheet of paper: faint and broken print, creases."""

from __future__ import annotations

import cv2
import numpy as np

from ....structures import Image
from ...photometric import noise_tile

FADED_SHARE, BROKEN_SHARE, STREAK_SHARE = 0.4, 0.35, 0.15  # of thermal prints
FADE = 0.4  # largest share of the contrast that is lost
FADE_GRID = 4  # cells per side on which it varies
BROKEN_LEVELS = (
    150,
    185,
)  # of the noise tile, of mean 128 and standard deviation 32: 25 % to 4 % of the dots are missing
CREASE_SCALE = 4  # the light on a crumpled sheet is drawn smaller by this factor


def wear_thermal(rng: np.random.Generator, image: Image) -> Image:
    """Fading, missing dots, and streaks of dead elements of the print head."""
    switches = rng.random(3)
    if switches[0] < FADED_SHARE:
        image = fade(rng, image)
    if switches[1] < BROKEN_SHARE:
        image = break_print(rng, image)
    if switches[2] < STREAK_SHARE:
        for x in rng.integers(0, image.shape[1], int(rng.integers(1, 8))).tolist():
            image[:, x] = np.maximum(image[:, x], image.max())
    return image


def fade(rng: np.random.Generator, image: Image) -> Image:
    """Lighten the print by a share that varies over the sheet."""
    height, width = image.shape[:2]
    grid = rng.integers(round(255 * (1 - FADE)), 256, (FADE_GRID, FADE_GRID)).astype(np.uint8)
    left = cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR)
    dark = cv2.multiply(cv2.bitwise_not(image), cv2.merge([left] * 3), scale=1 / 255)
    return np.asarray(cv2.bitwise_not(dark), np.uint8)


def break_print(rng: np.random.Generator, image: Image) -> Image:
    """Remove single dots: strokes get rough edges and gaps."""
    height, width = image.shape[:2]
    cell = int(rng.integers(1, 3))  # px per dot
    row, column = rng.integers(0, 256, 2).tolist()
    tile = noise_tile()[row : row + -(-height // cell), column : column + -(-width // cell), 0]
    _, holes = cv2.threshold(tile, int(rng.integers(*BROKEN_LEVELS)), 255, cv2.THRESH_BINARY)
    holes = cv2.resize(holes, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(
        cv2.max(image, cv2.merge([cv2.convertScaleAbs(holes, alpha=float(image.max()) / 255)] * 3)), np.uint8
    )


def crumple(rng: np.random.Generator, image: Image) -> Image:
    """Creases: folds across the sheet with another brightness on both sides."""
    height, width = image.shape[:2]
    small = (max(2, width // CREASE_SCALE), max(2, height // CREASE_SCALE))
    light = np.full(small[::-1], 225, np.uint8)
    for _ in range(int(rng.integers(1, 5))):
        ends = rng.uniform(-0.2, 1.2, 2)
        if rng.random() < 0.7:
            start, stop = (0, round(ends[0] * small[1])), (small[0], round(ends[1] * small[1]))
            side = np.array([start, stop, (small[0], small[1]), (0, small[1])])
        else:
            start, stop = (round(ends[0] * small[0]), 0), (round(ends[1] * small[0]), small[1])
            side = np.array([start, stop, (small[0], small[1]), (small[0], 0)])
        shade = np.zeros_like(light)
        cv2.fillPoly(shade, [side.astype(np.int32)], int(rng.integers(4, 28)))
        light = cv2.subtract(light, shade) if rng.random() < 0.5 else cv2.add(light, shade)
        cv2.line(light, start, stop, int(rng.integers(160, 255)), 1)
    light = cv2.GaussianBlur(light, (3, 3), 0)
    large = cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.multiply(image, cv2.merge([large] * 3), scale=1 / 235), np.uint8)
