"""Small objects that resemble text: each function is `(rng, image, quad, colour) -> None`.

quad: 4 corners (x, y) in image px, clockwise from the object's top left.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from ...structures import Image
from .background import SEED_RANGE
from .colour import Colour, draw_tint, tinted
from .layout import Layout
from .warp import canvas_quad, placement_matrix

Quad = list[list[float]]
SUBPIXEL_BITS = 4  # fixed-point fraction of OpenCV's drawing functions: 1/16 px
MOST_PROPS = 5  # tried at BASE_SIDE


class Prop(NamedTuple):
    """An object that a threshold may mistake for text."""

    draw: Callable[[np.random.Generator, Image, Quad, Colour], None]
    quad: Quad
    colour: Colour
    seed: int

    def paint(self, image: Image) -> None:
        """Draw the object into the image."""
        self.draw(np.random.default_rng(self.seed), image, self.quad, self.colour)


def draw_props(rng: np.random.Generator, layout: Layout) -> tuple[Prop, ...]:
    """Objects in the gaps between the texts."""
    props = []
    for _ in range(round(int(rng.integers(0, MOST_PROPS + 1)) * layout.growth)):
        long_side = float(rng.uniform(14.0, 80.0) * layout.growth**0.3)
        size = (long_side, long_side * float(rng.uniform(0.25, 1.0)))
        angle = float(rng.normal(0.0, 12.0))
        centre = layout.place(rng, canvas_quad(size, placement_matrix(size, 1.0, (0.0, 0.0), angle)), overhang=0.2)
        draw = DRAWERS[int(rng.integers(len(DRAWERS)))]
        luminance, seed = float(rng.uniform(0.0, 255.0)), int(rng.integers(SEED_RANGE))
        tint = draw_tint(rng)
        if centre is not None:
            quad = canvas_quad(size, placement_matrix(size, 1.0, centre, angle)).tolist()
            props.append(Prop(draw, quad, tinted(luminance, tint), seed))
    return tuple(props)


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


DRAWERS = (draw_barcode, draw_grille, draw_arrow, draw_ring, draw_sticks, draw_board)
