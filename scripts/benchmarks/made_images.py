"""Images and outlines that benchmarks make themselves: rectangles at any angle on smooth noise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.structures import Polygon

Range = tuple[float, float]
LARGE: tuple[Range, Range] = ((120, 320), (40, 110))  # width and height of a quad, px
SMALL: tuple[Range, Range] = ((30, 110), (12, 36))


def rotated_box(centre: Sequence[float], width: float, height: float, degrees: float) -> Polygon:
    """A rectangle rotated about its centre, (4, 2) float32."""
    angle = np.deg2rad(degrees)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    corners = np.array([[-width, -height], [width, -height], [width, height], [-width, height]]) / 2
    return (corners @ rotation + np.asarray(centre)).astype(np.float32)


def random_quads(
    height: int, width: int, count: int, sides: tuple[Range, Range], rng: np.random.Generator
) -> list[Polygon]:
    """`count` rectangles inside the image, rotated by up to 30 degrees. sides: ranges of their width and height, px."""
    quads: list[Polygon] = []
    while len(quads) < count:
        box_width, box_height, degrees = rng.uniform(*sides[0]), rng.uniform(*sides[1]), rng.uniform(-30, 30)
        quad = rotated_box(rng.uniform((0, 0), (width, height)), box_width, box_height, degrees)
        if (quad >= 0).all() and (quad <= (width - 1, height - 1)).all():
            quads.append(quad)
    return quads


def write_photo(path: Path, height: int, width: int, quads: Sequence[Polygon], rng: np.random.Generator) -> LabelRecord:
    """Write a JPEG of smooth noise with the filled quads; returns its labels."""
    image = cv2.resize(rng.integers(60, 200, (height // 16, width // 16, 3), dtype=np.uint8), (width, height))
    for quad in quads:
        cv2.fillPoly(image, [np.rint(quad).astype(np.int32)], [int(value) for value in rng.integers(0, 256, 3)])
    cv2.imwrite(str(path), image, (cv2.IMWRITE_JPEG_QUALITY, 85))
    return record_of(path, quads, (height, width))


def record_of(path: Path, quads: Sequence[Polygon], size: tuple[int, int]) -> LabelRecord:
    """Labels of an image without don't-care regions and transcriptions."""
    return LabelRecord(path, None, tuple(quads), np.zeros(len(quads), bool), ("",) * len(quads), size=size)
