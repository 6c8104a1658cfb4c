"""Detections in the formats of labelling tools, to be corrected and trained on.

LabelMe: https://labelme.io/docs, COCO: https://cocodataset.org/#format-data
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ..geometry.polygon import area
from .records import ImageRecord

CLASS = "text"  # the only one


def labelme(record: ImageRecord, image_path: str) -> dict[str, Any]:
    """The label file of one image. image_path: relative to the folder of the label file."""
    shapes: list[dict[str, Any]] = [
        {
            "label": CLASS,
            "points": polygon,
            "group_id": None,
            "description": "",
            "shape_type": "polygon",
            "flags": {},
        }
        for polygon in record.polygons
    ]
    size = {"imageHeight": record.height, "imageWidth": record.width}
    return {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": image_path, "imageData": None, **size}


def coco(records: Callable[[], Iterable[ImageRecord]]) -> Iterator[str]:
    """All images, line by line; `records` is called twice. Annotations have a score."""
    yield f'{{"categories": [{{"id": 1, "name": "{CLASS}"}}], "images": ['
    yield from _json_list(
        {"id": number, "file_name": record.image, "height": record.height, "width": record.width}
        for number, record in enumerate(records(), start=1)
    )
    yield '], "annotations": ['
    yield from _json_list(_annotations(records()))
    yield "]}"


def _annotations(records: Iterable[ImageRecord]) -> Iterator[dict[str, Any]]:
    regions = (
        (image, polygon, score)
        for image, record in enumerate(records, start=1)
        for polygon, score in zip(record.polygons, record.scores, strict=True)
    )
    for number, (image, polygon, score) in enumerate(regions, start=1):
        points = np.array(polygon)
        low, high = points.min(axis=0), points.max(axis=0)
        yield {
            "id": number,
            "image_id": image,
            "category_id": 1,
            "segmentation": [points.ravel().tolist()],
            "bbox": [*low.tolist(), *(high - low).round(2).tolist()],
            "area": round(area(points), 2),
            "iscrowd": 0,
            "score": score,
        }


def _json_list(items: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The lines of a JSON list, without its brackets."""
    previous = ""
    for item in items:
        if previous:
            yield previous + ","
        previous = json.dumps(item, ensure_ascii=False)
    if previous:
        yield previous
