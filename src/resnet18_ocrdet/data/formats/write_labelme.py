"""Write the label file of one image as LabelMe does: https://labelme.io/docs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from .label_classes import TEXT_CLASS
from .labelme import CLASSES, LABELS


def labelme_shape(
    points: Sequence[Sequence[float]], text: str = "", label: str = TEXT_CLASS, ignore: bool = False
) -> dict[str, Any]:
    """One region. points: V corners, px. ignore: don't-care."""
    return {
        "label": label,
        "points": points,
        "group_id": None,
        "description": text,
        "shape_type": "polygon",
        "flags": {"ignore": True} if ignore else {},
    }


def labelme_file(
    image: str, height: int, width: int, shapes: Sequence[dict[str, Any]], are_classes: bool = False
) -> bytes:
    """The file. image: its path, relative to the folder of the file. are_classes: it says that its labels are."""
    stated = {LABELS: CLASSES} if are_classes else {}
    size = {"imageHeight": height, "imageWidth": width}
    content: dict[str, Any] = (
        {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": image, "imageData": None} | size | stated
    )
    text = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False)
    return (text + "\n").encode("utf-8", "backslashreplace")
