"""Files and folders for the tests of label formats, and the findings in them."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.label_options import LabelOptions
from resnet18_ocrdet.data.load_annotations import read_data
from resnet18_ocrdet.errors import UserError

PICTURE = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()


def build(root: Path, files: dict) -> Path:
    """Write files by their path below root: an image for None, text and bytes unchanged, everything else as JSON."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.write_bytes(PICTURE)
        elif isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_bytes((content if isinstance(content, str) else json.dumps(content)).encode())
    return root


def read_all(reader, root: Path):
    """Read with the don't-care marks of the format. Returns the splits and the report."""
    report = Report()
    return reader.read(root, report, reader.IGNORE_MARKS), report


def found(report: Report, root: Path | None = None) -> list[tuple[str, str, int]]:
    """Code, file (below root, or only its name) and line of all findings."""
    return [
        (finding.code, finding.path.relative_to(root).as_posix() if root else finding.path.name, finding.line)
        for finding in report
    ]


def corners(record) -> list:
    """All polygons of a record, as lists."""
    return [polygon.tolist() for polygon in record.polygons]


def names(parts: dict) -> dict[str, list[str]]:
    """Image names by split."""
    return {part: [record.image_path.name for record in records] for part, records in parts.items()}


# A folder of each format. Each may be recognised by one reader only.
MASA = '[{"transcription": "MASA", "points": [[310, 104], [416, 141], [418, 216], [312, 179]]}]'
FOLDERS: dict[str, dict] = {
    "ppocr": {"Label.txt": f"det/1.png\t{MASA}\n", "1.png": None},
    "mmocr": {
        "textdet_train.json": {
            "metainfo": {"dataset_type": "TextDetDataset", "task_name": "textdet"},
            "data_list": [{"img_path": "1.png", "height": 8, "width": 8, "instances": [{"bbox": [0, 0, 4, 4]}]}],
        },
        "1.png": None,
    },
    "labelme": {
        "1.png": None,
        "1.json": {
            "version": "5.5.0",
            "shapes": [{"label": "a", "points": [[0, 0], [4, 0], [4, 4]], "shape_type": "polygon"}],
            "imagePath": "1.png",
            "imageData": None,
        },
    },
    "coco": {
        "annotations/instances_train2017.json": {
            "images": [{"id": 1, "file_name": "1.png", "height": 8, "width": 8}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 4, 4], "iscrowd": 0}],
            "categories": [{"id": 1, "name": "text"}],
        },
        "train2017/1.png": None,
    },
    "doctr": {
        "images/1.png": None,
        "labels.json": {"1.png": {"img_dimensions": [8, 8], "polygons": [[[0, 0], [4, 0], [4, 4], [0, 4]]]}},
    },
    "icdar2015": {
        "ch4_training_images/img_1.png": None,
        "ch4_training_localization_transcription_gt/gt_img_1.txt": "377,117,463,117,465,130,378,130,Genaxis Theatre\n",
    },
    "custom": {
        "train_list.txt": "1.png\n",
        "train_images/1.png": None,
        "train_gts/1.txt": '1,2,3,2,3,4,1,4,[{"points": 1}]\n',
    },
    "plain": {"images/1.png": None, "labels/label_1.txt": "1,2,3,2,3,4,1,4,a\n"},
    "totaltext": {
        "Images/Train/img11.png": None,
        "gt/Train/poly_gt_img11.txt": "x: [[ 1 9 9]], y: [[1 1 9]], ornt: [u'c'], transcriptions: [u'a']\n",
    },
    "ctw1500": {
        "train_images/1001.png": None,
        "ctw1500_train_labels/1001.xml": '<Annotations><image file="1001.jpg"><box height="1"/></image></Annotations>',
        "test/text_image/1.png": None,
    },
    "voc": {
        "Annotations/1.xml": "<annotation><filename>1.png</filename><object><name>text</name></object></annotation>",
        "JPEGImages/1.png": None,
    },
    "cvat": {
        "annotations.xml": '<annotations><version>1.1</version><image id="0" name="1.png"></image></annotations>',
        "images/1.png": None,
    },
    "label_studio": {
        "project-1-at-2024-05-07.json": [
            {
                "id": 1,
                "annotations": [{"id": 7, "result": [], "was_cancelled": False}],
                "data": {"image": "/data/upload/1/1f2e3d4c-1.png"},
            }
        ],
        "1.png": None,
    },
    "via": {
        "via_region_data.json": {"1.png9": {"filename": "1.png", "size": 9, "regions": [], "file_attributes": {}}},
        "1.png": None,
    },
    "yolo": {"images/train/1.png": None, "labels/train/1.txt": "0 0.5 0.25 0.2 0.1\n"},
    "dota": {"train/images/1.png": None, "train/labelTxt/1.txt": "gsd:0.1\n1 2 3 2 3 4 1 4 plate 0\n"},
    "td500": {"train/IMG_1.png": None, "train/IMG_1.gt": "0 1 790 330 302 114 0.035\n"},
    "rects": {
        "img/a.png": None,
        "gt/a.json": {"chars": [], "lines": [{"ignore": 0, "transcription": "a", "points": [0, 0, 4, 0, 4, 4, 0, 4]}]},
    },
    "lsvt": {
        "train_images/gt_1.png": None,
        "train_labels.json": {
            "gt_1": [{"transcription": "a", "points": [[0, 0], [4, 0], [4, 4]], "illegibility": False}]
        },
    },
    "mmocr_lines": {
        "train.txt": '{"file_name": "1.png", "annotations": [{"box": [0, 0, 4, 0, 4, 4, 0, 4], "text": "a"}]}\n',
        "1.png": None,
    },
    "hiertext": {
        "gt/train.jsonl": {"info": {}, "annotations": [{"image_id": "a1", "paragraphs": []}]},
        "train/a1.png": None,
    },
    "recognition": {
        "labels.json": {"1.png": "text"},
        "images/1.png": None,
        "rec_gt_train.txt": "crop_img/1.png\t[text]\n",
        "textrecog_train.json": {
            "metainfo": {"dataset_type": "TextRecogDataset", "task_name": "textrecog"},
            "data_list": [{"img_path": "1.png", "instances": [{"text": "GRAND"}]}],
        },
        "captions_train2017.json": {
            "images": [{"id": 1, "file_name": "1.png"}],
            "annotations": [{"image_id": 1, "id": 2, "caption": "a"}],
        },
    },
}


def recognised(recognise, root: Path) -> dict[str, str]:
    """The FOLDERS that a reader recognises, and what it reports for them."""
    said = {name: recognise(build(root / name, files)) for name, files in FOLDERS.items()}
    return {name: text for name, text in said.items() if text is not None}


def findings_of(key: str, root: Path, **options: int) -> list[tuple[str, str]]:
    """Codes and texts of the findings; for a UserError its message."""
    try:
        reading = read_data(root, key, LabelOptions(**options))
    except UserError as error:
        return [("", str(error))]
    return [(finding.code, finding.text) for finding in reading.report]
