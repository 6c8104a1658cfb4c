"""The data set that every label format is tested with, and helpers to write its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

Points = tuple[tuple[int, int], ...]


class Word(NamedTuple):
    """One region of the data set."""

    kind: str  # "rectangle", "rotated" rectangle, "quad" or "curve" of 14 corners
    points: Points  # from the top left corner of the text, clockwise
    text: str
    ignore: bool = False


class Picture(NamedTuple):
    """One image of the data set."""

    split: str  # "train" or "test"
    name: str
    height: int
    width: int
    words: tuple[Word, ...]


def box(left: int, top: int, right: int, bottom: int) -> Points:
    return (left, top), (right, top), (right, bottom), (left, bottom)


def band(left: int, step: int, tops: tuple[int, ...], thickness: int) -> Points:
    """A curved line of text: 7 corners along its upper edge, then 7 along the lower one."""
    upper = tuple((left + step * place, top) for place, top in enumerate(tops))
    return (*upper, *((x, y + thickness) for x, y in reversed(upper)))


# The rotated rectangles have sides along (4, 3) / 5 or (4, -3) / 5, so that their corners are whole numbers.
PICTURES = (
    Picture("train", "1", 96, 128, (
        Word("rectangle", box(4, 2, 44, 14), 'Hello, "old" world'),
        Word("rotated", ((30, 20), (70, 50), (58, 66), (18, 36)), 'say "hi"'),
        Word("quad", ((80, 4), (124, 10), (120, 30), (76, 22)), "Größe 東京"),
        Word("quad", ((4, 70), (30, 72), (28, 90), (2, 86)), "blurred", ignore=True),
    )),
    Picture("train", "2", 96, 128, (
        Word("curve", band(8, 18, (44, 24, 12, 8, 12, 24, 44), 10), "it's CURVED"),
        Word("curve", band(20, 14, (70, 66, 64, 63, 64, 66, 70), 14), "worn", ignore=True),
        Word("rectangle", box(50, 36, 80, 48), ""),
    )),
    Picture("train", "3", 80, 120, ()),
    Picture("test", "4", 100, 140, (
        Word("rotated", ((10, 60), (50, 30), (62, 46), (22, 76)), "1,000"),
        Word("curve", band(6, 17, (30, 18, 8, 4, 8, 18, 30), 10), "テスト <&> [1]"),
        Word("rectangle", box(70, 60, 120, 80), "noise", ignore=True),
        Word("curve", band(6, 10, (90, 88, 87, 86, 87, 88, 90), 8), ""),
        Word("quad", ((100, 40), (136, 44), (134, 56), (98, 52)), '"quoted"\\'),
    )),
)  # fmt: skip


def pixels(picture: Picture) -> bytes:
    """The image file: a gradient, different in each image."""
    rows, columns = np.mgrid[: picture.height, : picture.width]
    grey = (rows * 2 + columns + len(picture.words) * 20 + picture.height).astype(np.uint8)
    return cv2.imencode(Path(picture.name).suffix, np.stack([grey, 255 - grey, grey // 2], axis=2))[1].tobytes()


def put(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def put_json(path: Path, content: Any, **options: Any) -> None:
    put(path, json.dumps(content, **options))


def numbers(points: Points) -> list[int]:
    return [number for point in points for number in point]


def joined(points: Points) -> str:
    return ",".join(map(str, numbers(points)))


def bounds(points: Points) -> tuple[int, int, int, int]:
    """Left, top, right, bottom."""
    x, y = zip(*points, strict=True)
    return min(x), min(y), max(x), max(y)


def size_box(points: Points) -> list[int]:
    left, top, right, bottom = bounds(points)
    return [left, top, right - left, bottom - top]


def icdar_lines(picture: Picture, end: str = "\n") -> str:
    return "".join(f"{joined(word.points)},{word.text}{end}" for word in picture.words)


def area(points: Points) -> float:
    following = (*points[1:], points[0])
    return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(points, following, strict=True))) / 2
