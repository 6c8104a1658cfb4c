"""Painters of background clutter: each is `(rng, image) -> None` and draws into an (H, W, 3) uint8 image.

They draw with integers only, so that a background has the same pixels on every CPU.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from ...structures import Image
from .colour import Colour, draw_tint, tinted
from .layout import BASE_SIDE


def _count(rng: np.random.Generator, image: Image, low: int, high: int) -> int:
    """A random number in low..high - 1 at 256 × 256 px, which grows with the image's side."""
    growth = math.sqrt(image.shape[0] * image.shape[1] / BASE_SIDE**2)
    return round(int(rng.integers(low, high)) * growth)


def _colour(rng: np.random.Generator) -> Colour:
    return tinted(float(rng.uniform(15.0, 240.0)), draw_tint(rng))


def _near_colour(rng: np.random.Generator, image: Image, step: float) -> Colour:
    """A colour within `step` grey levels of the image's centre pixel."""
    centre = image[image.shape[0] // 2, image.shape[1] // 2].astype(int)
    red, green, blue = np.clip(centre + round(float(rng.uniform(-step, step))), 0, 255).tolist()
    return red, green, blue


def paint_shapes(rng: np.random.Generator, image: Image) -> None:
    """Large filled polygons, like roofs, cars and buildings."""
    height, width = image.shape[:2]
    for _ in range(_count(rng, image, 3, 9)):
        centre = rng.uniform(0, 1, 2) * (width, height)
        corners = centre + rng.uniform(-0.3, 0.3, (int(rng.integers(3, 6)), 2)) * (width, height)
        hull = cv2.convexHull(np.rint(corners).astype(np.int32))
        cv2.fillConvexPoly(image, hull, _colour(rng), cv2.LINE_AA)


def paint_discs(rng: np.random.Generator, image: Image) -> None:
    """Ellipses of all sizes, like leaves, lamps and stones."""
    height, width = image.shape[:2]
    for _ in range(_count(rng, image, 8, 40)):
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        axes = (int(rng.integers(2, 26)), int(rng.integers(2, 16)))
        thickness = -1 if rng.random() < 0.7 else 2
        cv2.ellipse(image, centre, axes, float(rng.integers(180)), 0, 360, _colour(rng), thickness, cv2.LINE_AA)


def paint_wires(rng: np.random.Generator, image: Image) -> None:
    """Long lines, like cables, railings and cracks."""
    height, width = image.shape[:2]
    for _ in range(_count(rng, image, 4, 18)):
        x0, y0, x1, y1 = (int(end) for end in rng.integers(-20, max(height, width) + 20, 4))
        thickness = int(rng.integers(1, 5))
        cv2.line(image, (x0, y0), (x1, y1), _colour(rng), thickness, cv2.LINE_AA)


def paint_strokes(rng: np.random.Generator, image: Image) -> None:
    """Short strokes as thick as those of letters, like grass, twigs and scratches."""
    height, width = image.shape[:2]
    colours = [_colour(rng) for _ in range(4)]
    count = _count(rng, image, 30, 120)
    starts = rng.integers(0, (width, height), (count, 2))
    ends = starts + rng.integers(-14, 15, (count, 2))
    for i, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        cv2.line(image, start, end, colours[i % 4], 1 + i % 3, cv2.LINE_AA)


def paint_bricks(rng: np.random.Generator, image: Image) -> None:
    """Rows of rectangles, each shifted by half a brick."""
    height, width = image.shape[:2]
    tall, gap = int(rng.integers(9, 30)), int(rng.integers(1, 4))
    wide = round(tall * float(rng.uniform(1.5, 3.0)))
    joint = _near_colour(rng, image, 55.0)
    for row, y in enumerate(range(0, height, tall)):
        cv2.line(image, (0, y), (width, y), joint, gap)
        for x in range((row % 2) * wide // 2, width, wide):
            cv2.line(image, (x, y), (x, y + tall), joint, gap)


def paint_stripes(rng: np.random.Generator, image: Image) -> None:
    """Parallel bars, like shutters, fences and crossings."""
    height, width = image.shape[:2]
    period, angle = int(rng.integers(6, 36)), float(rng.uniform(0, math.pi))
    thickness = max(1, round(period * float(rng.uniform(0.2, 0.6))))
    colour = _near_colour(rng, image, 70.0)
    reach = height + width
    along = (round(reach * math.cos(angle)), round(reach * math.sin(angle)))
    for step in range(-reach // 2, reach // 2, period):
        x = round(width / 2 - step * math.sin(angle))
        y = round(height / 2 + step * math.cos(angle))
        cv2.line(image, (x - along[0], y - along[1]), (x + along[0], y + along[1]), colour, thickness, cv2.LINE_AA)


def paint_facade(rng: np.random.Generator, image: Image) -> None:
    """Rows of windows on a part of the image."""
    height, width = image.shape[:2]
    left, top = int(rng.integers(-width // 3, width // 2)), int(rng.integers(-height // 3, height // 2))
    wide, tall = int(rng.integers(8, 34)), int(rng.integers(10, 40))
    step_x, step_y = wide + int(rng.integers(4, 18)), tall + int(rng.integers(4, 18))
    frame, glass = _colour(rng), _colour(rng)
    for y in range(top, min(height, top + int(rng.integers(2, 7)) * step_y), step_y):
        for x in range(left, min(width, left + 8 * step_x), step_x):
            cv2.rectangle(image, (x, y), (x + wide, y + tall), glass, -1)
            cv2.rectangle(image, (x, y), (x + wide, y + tall), frame, 1 + wide // 16)


PAINTERS = (paint_shapes, paint_discs, paint_wires, paint_strokes, paint_bricks, paint_stripes, paint_facade)
