"""Write COCO line by line, as `coco.py` reads it: https://cocodataset.org/#format-data."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...geometry.polygon import area
from .label_classes import TEXT_CLASS


class CocoImage(NamedTuple):
    """One image with K regions."""

    name: str  # below the folder of the images
    height: int  # px
    width: int
    polygons: Sequence[Sequence[Sequence[float]]]  # K outlines of V corners, px
    more: Sequence[Mapping[str, Any]]  # K: further keys of the annotations, such as score


def coco_lines(images: Callable[[], Iterable[CocoImage]], classes: Sequence[str] = (TEXT_CLASS,)) -> Iterator[str]:
    """The lines of one file, without their ends. images: is called twice. classes: category 1, 2, ..."""
    categories = [{"id": number, "name": name} for number, name in enumerate(classes, start=1)]
    entries = (
        {"id": number, "file_name": image.name, "height": image.height, "width": image.width}
        for number, image in enumerate(images(), start=1)
    )
    yield f'{{"categories": {_json(categories)}, "images": ['
    yield from separated(map(_json, entries))
    yield '], "annotations": ['
    yield from separated(map(_json, _annotations(images())))
    yield "]}"


def separated(lines: Iterable[str]) -> Iterator[str]:
    """The lines of a JSON list, without its brackets."""
    previous = None
    for line in lines:
        if previous is not None:
            yield previous + ","
        previous = line
    if previous is not None:
        yield previous


def _annotations(images: Iterable[CocoImage]) -> Iterator[dict[str, Any]]:
    regions = (
        (image_id, polygon, more)
        for image_id, image in enumerate(images, start=1)
        for polygon, more in zip(image.polygons, image.more, strict=True)
    )
    for number, (image_id, polygon, more) in enumerate(regions, start=1):
        points = np.array(polygon)
        low, high = points.min(axis=0), points.max(axis=0)
        yield {
            "id": number,
            "image_id": image_id,
            "category_id": 1,
            "segmentation": [points.ravel().tolist()],
            "bbox": [*low.tolist(), *(high - low).round(2).tolist()],
            "area": round(area(points), 2),
            "iscrowd": 0,
            **more,
        }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
