"""Words of pages whose order of reading is known: quads in that order, for several test files."""

from __future__ import annotations

import math

import numpy as np

Corners = list[list[float]]


def word(x: float, y: float, width: float, height: float = 20) -> Corners:
    return [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]


def line(x: float, y: float, width: float, rng: np.random.Generator, height: float = 20) -> list[Corners]:
    """Words from x to about x + width, with usual spaces between them."""
    words, left = [], x
    while left < x + width - height:
        length = min(rng.uniform(1, 5) * height, x + width - left)
        words.append(word(left, y + rng.uniform(-1, 1), length, height))
        left += length + rng.uniform(0.25, 0.6) * height
    return words


def paragraph(x: float, y: float, width: float, lines: int, rng: np.random.Generator) -> list[Corners]:
    """Lines of 20 px every 30 px; the last one is short."""
    words = []
    for number in range(lines):
        words += line(x, y + 30 * number, width * (0.4 if number == lines - 1 else rng.uniform(0.93, 1)), rng)
    return words


def article(rng: np.random.Generator) -> list[Corners]:
    """A title, a name, two columns of paragraphs whose lines stand halfway between each other, and a footer."""
    words = line(100, 40, 1200, rng, height=40) + line(520, 100, 330, rng)
    for left, y in ((100, 165), (720, 150)):
        for count in (5, 9, 4):
            words += paragraph(left, y, 580, count, rng)
            y += 30 * count + 25
    return words + line(500, 900, 400, rng)


def receipt(rng: np.random.Generator) -> list[Corners]:
    """A shop's name, items with their prices at the right border, a total."""
    words = line(250, 20, 250, rng, height=30) + line(280, 70, 200, rng)
    for number in range(15):
        words += [*line(60, 150 + 32 * number, rng.uniform(150, 400), rng), word(620, 151 + 32 * number, 80)]
    return [*words, word(60, 660, 100, 26), word(600, 661, 110, 26)]


def table(rng: np.random.Generator) -> list[Corners]:
    """Twelve rows of five cells, some of them empty."""
    return [
        corners
        for row in range(12)
        for column in range(5)
        if (row + 2 * column) % 7
        for corners in line(60 + 260 * column, 100 + 45 * row, rng.uniform(50, 200), rng)
    ]


def page(rng: np.random.Generator) -> list[Corners]:
    """One column: a heading and three paragraphs."""
    words, y = line(100, 40, 600, rng, height=36), 130
    for count in (8, 3, 12):
        words += paragraph(100, y, 1000, count, rng)
        y += 30 * count + 20
    return words


def signs(_: np.random.Generator) -> list[Corners]:
    """Four signs of a street: two words; two lines; three lines, whose neighbour stands between two of them."""
    upper = [word(100, 80, 200, 60), word(320, 82, 150, 60), word(900, 100, 120, 30), word(900, 140, 100, 30)]
    left = [word(200, 400, 90), word(300, 402, 70), word(200, 430, 120), word(200, 460, 80)]
    return [*upper, *left, word(700, 414, 90), word(700, 445, 110), word(1000, 600, 300, 80)]


def columns(rng: np.random.Generator) -> list[Corners]:
    """Chinese: six columns, from right to left, of sentences from top to bottom."""
    words = []
    for number in range(6):
        top = 50.0
        while top < 900:
            length = rng.uniform(60, 250)
            words.append(word(700 - 60 * number, top, 30, length))
            top += length + 12
    return words


def turned(quads: np.ndarray, degrees: float) -> np.ndarray:
    """(M, 4, 2), clockwise on the screen, round the middle of the page."""
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    middle = quads.mean(axis=(0, 1))
    return np.asarray((quads - middle) @ turn + middle)


def oblique(quads: np.ndarray) -> np.ndarray:
    """As photographed from the upper left: the lines are not parallel."""
    return np.asarray(quads / (1 + (quads[..., :1] + quads[..., 1:] / 2) / 8000))
