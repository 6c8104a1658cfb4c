"""Detections as labelling tools read them, so that they can be corrected and trained on again.

A record is an image of detections.json. LabelMe: https://labelme.io/docs, COCO: https://cocodataset.org/#format-data
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ..geometry.polygon import area

CLASS = "text"  # the only one
Record = dict[str, Any]


def labelme(record: Record, image_path: str) -> dict[str, Any]:
    """One image's sheet. image_path: of the image, from the folder of the sheet."""
    shapes = [
        {
            "label": CLASS,
            "points": polygon,
            "group_id": None,
            "description": "",
            "shape_type": "polygon",
            "flags": {},
        }
        for polygon in record["polygons"]
    ]
    size = {"imageHeight": record["height"], "imageWidth": record["width"]}
    return {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": image_path, "imageData": None, **size}


def coco(records: Callable[[], Iterable[Record]]) -> Iterator[str]:
    """The whole set in pieces, a line each; `records` is run through twice. Scores stand beside the annotations."""
    yield f'{{"categories": [{{"id": 1, "name": "{CLASS}"}}], "images": ['
    yield from _listed(
        {"id": number, "file_name": record["image"], "height": record["height"], "width": record["width"]}
        for number, record in enumerate(records(), start=1)
    )
    yield '], "annotations": ['
    yield from _listed(_annotations(records()))
    yield "]}"


def _annotations(records: Iterable[Record]) -> Iterator[Record]:
    regions = (
        (image, polygon, score)
        for image, record in enumerate(records, start=1)
        for polygon, score in zip(record["polygons"], record["scores"], strict=True)
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


def _listed(items: Iterable[Record]) -> Iterator[str]:
    """JSON, comma between each two."""
    before = ""
    for item in items:
        if before:
            yield before + ","
        before = json.dumps(item, ensure_ascii=False)
    if before:
        yield before
