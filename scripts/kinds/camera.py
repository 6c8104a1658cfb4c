"""What happens to a flat page before it is a picture: turned, photographed. Pixels and truth move alike."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray

from resnet18_ocrdet.structures import Image, Polygon

from .page import Page

Points = NDArray[np.float64]
Move = Callable[[Points], Points]
"""(N, 2) places on the page -> places in the picture."""

STEPS = 4  # points per side of a word on crumpled paper


def tilted(page: Page, rng: Random, number: int) -> Page:
    """Turned by 0 to 20 degrees, on a desk. number: of the page in its kind, from 0."""
    height, width = page.image.shape[:2]
    degrees = rng.choice((-1, 1)) * 20 * number / 9 if number < 10 else rng.uniform(-20, 20)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    cos, sin = abs(turn[0, 0]), abs(turn[0, 1])
    size = round(width * cos + height * sin) + 40, round(width * sin + height * cos) + 40
    turn[:, 2] += size[0] / 2 - width / 2, size[1] / 2 - height / 2
    desk = rng.choice(((90, 70, 55), (60, 64, 70), (150, 140, 120)))
    image = cv2.warpAffine(page.image, turn, size, flags=cv2.INTER_AREA, borderValue=desk)
    return moved(page, np.asarray(image, np.uint8), lambda points: points @ turn[:, :2].T + turn[:, 2], 1)


def photographed(page: Page, rng: Random, number: int) -> Page:
    """Crumpled paper on a table, seen from the side, in uneven light; half the size of the page."""
    drawn = np.random.default_rng(rng.getrandbits(32))
    height, width = page.image.shape[:2]
    bend = _crumple(drawn, height, width, amplitude=5.0)
    view, size = _view(drawn, height, width)
    table = _table(drawn, size[1], size[0])
    # the picture is looked up backwards: picture -> flat paper (exact) -> page (the bend is undone where it is found)
    paper = _bent(page.image, bend)
    seen = cv2.warpPerspective(paper, view, size, flags=cv2.INTER_AREA)
    cover = cv2.warpPerspective(np.full((height, width), 255, np.uint8), view, size, flags=cv2.INTER_LINEAR)
    share = (cover / 255.0)[:, :, None]
    image = (seen * share + table * (1 - share)) * _light(drawn, size[1], size[0])
    image = cv2.GaussianBlur(image, (0, 0), drawn.uniform(0.4, 0.9)) + drawn.normal(0, 3, image.shape)
    quality = (cv2.IMWRITE_JPEG_QUALITY, int(drawn.integers(70, 92)))
    _, data = cv2.imencode(".jpg", np.clip(np.rint(image), 0, 255).astype(np.uint8), quality)
    picture = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)  # channels stay in their order

    def move(points: Points) -> Points:
        bent = points + _shift_at(bend, points)
        return np.asarray(cv2.perspectiveTransform(bent[None], view)[0], np.float64)

    return moved(page, picture, move, STEPS)


def moved(page: Page, image: Image, move: Move, steps: int) -> Page:
    """The page with its words at new places. steps: points per side of a word, 1 where sides stay straight."""
    words = []
    for word in page.words:
        points = move(_with_steps(word.polygon, steps).astype(np.float64)).astype(np.float32)
        if steps > 1 and len(word.polygon) == 4:
            points = np.asarray(cv2.boxPoints(cv2.minAreaRect(points)), np.float32)
        words.append(word._replace(polygon=points))
    return Page(image, tuple(words))


def _with_steps(polygon: Polygon, steps: int) -> Polygon:
    sides = zip(polygon, np.roll(polygon, -1, axis=0), strict=True)
    return np.concatenate([[start + (end - start) * step / steps for step in range(steps)] for start, end in sides])


def _crumple(drawn: np.random.Generator, height: int, width: int, amplitude: float) -> NDArray[np.float32]:
    """(H, W, 2): smooth shifts of the paper, px."""
    coarse = drawn.normal(0, 1, (max(height // 160, 3), max(width // 160, 3), 2)).astype(np.float32)
    field = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(field * amplitude, np.float32)


def _bent(image: Image, bend: NDArray[np.float32]) -> Image:
    """Each point p of the page lies at p + bend(p); solved for p by iteration, which converges for smooth bends."""
    height, width = image.shape[:2]
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=2).astype(np.float32)
    source = grid
    for _ in range(4):
        shift = cv2.remap(bend, source[:, :, 0], source[:, :, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        source = grid - shift
    return np.asarray(
        cv2.remap(image, source[:, :, 0], source[:, :, 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def _shift_at(bend: NDArray[np.float32], points: Points) -> Points:
    places = points.astype(np.float32).reshape(-1, 1, 2)
    found = cv2.remap(bend, places[:, :, 0], places[:, :, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found.reshape(-1, 2), np.float64)


def _view(drawn: np.random.Generator, height: int, width: int) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """A perspective that halves the page, and the size (width, height) of the picture."""
    w, h = width / 2, height / 2
    flat = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    corners = np.array([[0, 0], [w, 0], [w, h], [0, h]]) + drawn.uniform(-0.09, 0.09, (4, 2)) * (w, w)
    angle = np.deg2rad(drawn.uniform(-12, 12))
    corners = corners @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    margin = drawn.uniform(20, 80, 2)
    corners += margin - corners.min(axis=0)
    size = np.ceil(corners.max(axis=0) + drawn.uniform(20, 80, 2)).astype(int)
    return cv2.getPerspectiveTransform(flat, corners.astype(np.float32)), (int(size[0]), int(size[1]))


def _table(drawn: np.random.Generator, height: int, width: int) -> NDArray[np.float64]:
    """(H, W, 3): wood, stretched along one side."""
    grain = cv2.resize(drawn.normal(0, 1, (height // 3 + 1, width // 60 + 2)), (width, height))
    colour = np.array(((120, 85, 55), (70, 70, 75), (165, 150, 130))[int(drawn.integers(3))], np.float64)
    return np.asarray(colour + 9 * grain[:, :, None], np.float64)


def _light(drawn: np.random.Generator, height: int, width: int) -> NDArray[np.float64]:
    """(H, W, 1): factors around 0.85, darker towards a corner, with a soft shadow."""
    corners = drawn.uniform(0.6, 1.05, (2, 2))
    shadow = cv2.resize(drawn.uniform(0.8, 1.0, (4, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray((cv2.resize(corners, (width, height)) * shadow)[:, :, None], np.float64)
