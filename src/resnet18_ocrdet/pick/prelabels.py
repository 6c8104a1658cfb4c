"""Detections as labels to correct: the files of LabelMe, PPOCRLabel and Label Studio.

Regions of which the detector is unsure are marked: in LabelMe with the flag "unsure", in PPOCRLabel as difficult, in
Label Studio with the label "unsure". None of the marks makes a region don't-care in training, unless asked for.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

LabelFormat = Literal["labelme", "label_studio", "ppocr"]

IMAGES = "images"  # folder of the images
TASKS, LABEL_CONFIG = "tasks.json", "label_config.xml"  # of Label Studio
PPOCR_FILES = (f"{IMAGES}/Label.txt", f"{IMAGES}/Cache.cach")  # of PPOCRLabel, which keeps only checked images in the
# first one when it saves, and takes the others from the second
TEXT, UNSURE = "text", "unsure"
UNREAD = "TEMPORARY"  # what PPOCRLabel writes as the text of a box that was not read
LOCAL_FILES = "/data/local-files/?d="  # Label Studio's address of a file below its document root
CONFIG = f"""<View>
  <Image name="image" value="$image" zoom="true"/>
  <PolygonLabels name="label" toName="image" strokeWidth="2">
    <Label value="{TEXT}" background="#00be00"/>
    <Label value="{UNSURE}" background="#ff9600"/>
  </PolygonLabels>
</View>
"""


class PreLabel(NamedTuple):
    """One region."""

    points: Sequence[Sequence[float]]  # V corners, px of the image
    score: float  # 0..1
    unsure: bool


class LabelledImage(NamedTuple):
    """One image with its pre-labels."""

    name: str  # of the file in IMAGES, see `file_names`
    height: int  # px
    width: int
    labels: Sequence[PreLabel]


def write_label_files(folder: Path, images: Iterable[LabelledImage], label_format: LabelFormat) -> None:
    """Write the labels of each image as it comes. folder: holds IMAGES. Raises OSError."""
    if label_format == "labelme":
        for image in images:
            (folder / IMAGES / f"{PurePosixPath(image.name).stem}.json").write_bytes(_encoded(_labelme(image), 1))
    elif label_format == "ppocr":
        with (folder / PPOCR_FILES[0]).open("wb") as file:
            for image in images:
                file.write(f"{IMAGES}/{image.name}\t".encode() + _encoded(_ppocr(image)))
        shutil.copyfile(folder / PPOCR_FILES[0], folder / PPOCR_FILES[1])
    else:
        with (folder / TASKS).open("wb") as file:
            for number, image in enumerate(images):
                file.write((b",\n" if number else b"[\n") + _encoded(_task(image)))
            file.write(b"]\n")
        (folder / LABEL_CONFIG).write_text(CONFIG, encoding="utf-8")


def _labelme(image: LabelledImage) -> dict[str, Any]:
    """https://labelme.io/docs. The score is shown by X-AnyLabeling and kept by LabelMe."""
    shapes = [
        {
            "label": TEXT,
            "points": label.points,
            "group_id": None,
            "description": "",
            "shape_type": "polygon",
            "flags": {UNSURE: True} if label.unsure else {},
            "score": label.score,
        }
        for label in image.labels
    ]
    size = {"imageHeight": image.height, "imageWidth": image.width}
    return {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": image.name, "imageData": None, **size}


def _ppocr(image: LabelledImage) -> list[dict[str, Any]]:
    """https://github.com/PFCCLab/PPOCRLabel; true and false as PPOCRLabel writes them."""
    return [{"transcription": UNREAD, "points": label.points, "difficult": label.unsure} for label in image.labels]


def _task(image: LabelledImage) -> dict[str, Any]:
    """https://labelstud.io/guide/predictions: nothing is a label before somebody submits it."""
    size = {"original_width": image.width, "original_height": image.height, "image_rotation": 0}
    results = [
        {
            "id": f"region{number}",
            "type": "polygonlabels",
            "from_name": "label",
            "to_name": "image",
            **size,
            "value": {
                "points": [[100 * x / image.width, 100 * y / image.height] for x, y in label.points],
                "closed": True,
                "polygonlabels": [UNSURE if label.unsure else TEXT],
            },
            "score": label.score,
        }
        for number, label in enumerate(image.labels, start=1)
    ]
    least = min((label.score for label in image.labels), default=0.0)  # Label Studio can sort by it
    prediction = {"model_version": "resnet18-ocrdet", "score": least, "result": results}
    return {"data": {"image": f"{LOCAL_FILES}{IMAGES}/{quote(image.name)}"}, "predictions": [prediction]}


def _encoded(value: Any, indent: int | None = None) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=indent) + "\n").encode("utf-8", "backslashreplace")
