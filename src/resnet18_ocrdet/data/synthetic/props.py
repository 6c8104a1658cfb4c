"""Small objects that resemble text: each function is `(rng, image, quad, colour) -> None`.

quad: 4 corners (x, y) in image px, clockwise from the object's top left.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np

from resnet18_ocrdet.structures import Image

Colour = tuple[int, int, int]
Quad = list[list[float]]
SUBPIXEL_BITS = 4  # fixed-point fraction of OpenCV's drawing functions: 1/16 px


def _at(quad: Quad, u: float, v: float) -> tuple[int, int]:
    """The point at (u, v), 0..1, of the quad, in 1/16 px."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = quad
    step = 1 << SUBPIXEL_BITS
    x = (1 - v) * (x0 + u * (x1 - x0)) + v * (x3 + u * (x2 - x3))
    y = (1 - v) * (y0 + u * (y1 - y0)) + v * (y3 + u * (y2 - y3))
    return round(step * x), round(step * y)


def _fill(image: Image, quad: Quad, box: tuple[float, float, float, float], colour: Colour) -> None:
    u0, v0, u1, v1 = box
    corners = [_at(quad, u0, v0), _at(quad, u1, v0), _at(quad, u1, v1), _at(quad, u0, v1)]
    cv2.fillConvexPoly(image, np.array(corners, np.int32), colour, cv2.LINE_AA, SUBPIXEL_BITS)


def draw_barcode(rng: np.random.Generator, image: Image, quad: Quad, colour: Colour) -> None:
    """Bars of random widths."""
    widths = rng.integers(1, 5, 24)
    edges = np.concatenate([[0], np.cumsum(widths)]) / widths.sum()
    for i in range(0, 24, 2):
        _fill(image, quad, (float(edges[i]), 0.0, float(edges[i + 1]), 1.0), colour)


def draw_grille(rng: np.random.Generator, image: Image, quad: Quad, colour: Colour) -> None:
    """Rows of equal boxes with gaps, like vents and window fronts."""
    rows, columns = int(rng.integers(1, 4)), int(rng.integers(3, 8))
    for row in range(rows):
        for column in range(columns):
            u, v = column / columns, row / rows
            _fill(image, quad, (u, v, u + 0.6 / columns, v + 0.65 / rows), colour)


def draw_arrow(rng: np.random.Generator, image: Image, quad: Quad, colour: Colour) -> None:
    """A shaft with a head."""
    thick = float(rng.uniform(0.1, 0.25))
    _fill(image, quad, (0.0, 0.5 - thick, 0.6, 0.5 + thick), colour)
    head = np.array([_at(quad, 0.6, 0.0), _at(quad, 1.0, 0.5), _at(quad, 0.6, 1.0)], np.int32)
    cv2.fillConvexPoly(image, head, colour, cv2.LINE_AA, SUBPIXEL_BITS)


def draw_ring(rng: np.random.Generator, image: Image, quad: Quad, colour: Colour) -> None:
    """An ellipse, filled or hollow, like lamps, wheels and plates."""
    step = 1 << SUBPIXEL_BITS
    (x0, y0), (x1, y1), _, (x3, y3) = quad
    x, y = _at(quad, 0.5, 0.5)
    axes = (round(step * math.hypot(x1 - x0, y1 - y0) / 2), round(step * math.hypot(x3 - x0, y3 - y0) / 2))
    angle = math.degrees(math.atan2(y1 - y0, x1 - x0))
    thickness = -1 if rng.random() < 0.4 else int(rng.integers(1, 5))
    cv2.ellipse(image, (x, y), axes, angle, 0, 360, colour, thickness, cv2.LINE_AA, SUBPIXEL_BITS)


def draw_sticks(rng: np.random.Generator, image: Image, quad: Quad, colour: Colour) -> None:
    """A row of strokes at random angles, as thick and dense as letters."""
    ends = rng.random((int(rng.integers(5, 14)), 4))
    thickness = int(rng.integers(1, 4))
    for u0, v0, u1, v1 in ends:
        start, end = _at(quad, u0, v0), _at(quad, 0.8 * u0 + 0.2 * u1, v1)
        cv2.line(image, start, end, colour, thickness, cv2.LINE_AA, SUBPIXEL_BITS)


def draw_board(rng: np.random.Generator, image: Image, quad: Quad, colour: Colour) -> None:
    """An empty panel with a rim."""
    _fill(image, quad, (0.0, 0.0, 1.0, 1.0), colour)
    inner = float(rng.uniform(0.04, 0.15))
    shade = float(rng.uniform(0.6, 0.95))
    red, green, blue = (round(shade * part) for part in colour)
    _fill(image, quad, (inner, inner, 1 - inner, 1 - inner), (red, green, blue))


DRAWERS: dict[str, Callable[[np.random.Generator, Image, Quad, Colour], None]] = {
    "barcode": draw_barcode,
    "grille": draw_grille,
    "arrow": draw_arrow,
    "ring": draw_ring,
    "sticks": draw_sticks,
    "board": draw_board,
}
