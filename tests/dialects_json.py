"""Writers of the JSON formats, from their public descriptions."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from dialect_set import Picture, area, bounds, numbers, pixels, put, put_json, size_box

# PaddleOCR, docs/datasets/ocr_datasets.md, and PPOCRLabel


def ppocr(root: Path, pictures: list[Picture]) -> None:
    """ICDAR 2015 in the layout of PaddleOCR's documentation."""
    images = {"train": "icdar_c4_train_imgs", "test": "ch4_test_images"}
    lines: dict[str, list[str]] = {"train": [], "test": []}
    for picture in pictures:
        put(root / images[picture.split] / picture.name, pixels(picture))
        words = [{"transcription": word.text, "points": [list(p) for p in word.points]} for word in picture.words]
        lines[picture.split].append(f"{images[picture.split]}/{picture.name}\t{json.dumps(words)}\n")
    for split, found in lines.items():
        put(root / f"{split}_icdar2015_label.txt", "".join(found))


def ppocr_label(root: Path, pictures: list[Picture]) -> None:
    """An image folder with all files that PPOCRLabel writes."""
    lines, states = [], []
    for picture in pictures:
        put(root / picture.name, pixels(picture))
        words = [
            {"transcription": word.text, "points": [list(p) for p in word.points], "difficult": number % 2 > 0}
            for number, word in enumerate(picture.words)  # it is set on boxes that were drawn by hand
        ]
        lines.append(f"{root.name}/{picture.name}\t{json.dumps(words, ensure_ascii=False)}\n")
        states.append(f"{root / picture.name}\t1\n")
        put(root / "crop_img" / f"{Path(picture.name).stem}_crop_0.jpg", pixels(picture._replace(name="crop.jpg")))
    put(root / "Label.txt", "".join(lines))
    put(root / "fileState.txt", "".join(states))
    put(root / "rec_gt.txt", "crop_img/plain_crop_0.jpg\tHello\n")


# MMOCR 1.x, https://mmocr.readthedocs.io/en/dev-1.x/user_guides/dataset_prepare.html


def mmocr(task: str, root: Path, pictures: list[Picture]) -> None:
    kind = {"textdet": "TextDetDataset", "textspotting": "TextSpottingDataset"}[task]
    metainfo = {"dataset_type": kind, "task_name": task, "category": [{"id": 0, "name": "text"}]}
    listed: dict[str, list[dict[str, Any]]] = {"train": [], "test": []}
    for picture in pictures:
        image = f"textdet_imgs/{picture.split}/{picture.name}"
        put(root / image, pixels(picture))
        instances = []
        for word in picture.words:
            instance = {"bbox": list(bounds(word.points)), "bbox_label": 0, "polygon": numbers(word.points)}
            instance |= {"text": word.text} if task == "textspotting" else {}
            instances.append(instance | {"ignore": word.ignore})
        entry = {"img_path": image, "height": picture.height, "width": picture.width, "instances": instances}
        listed[picture.split].append(entry)
    for split, entries in listed.items():
        put_json(root / f"{task}_{split}.json", {"metainfo": metainfo, "data_list": entries})


# LabelMe 5, https://github.com/wkentaro/labelme


def labelme(root: Path, pictures: list[Picture]) -> None:
    for picture in pictures:
        put(root / picture.split / picture.name, pixels(picture))
        shapes = []
        for word in picture.words:
            is_box = word.kind == "rectangle"
            points = [word.points[0], word.points[2]] if is_box else word.points
            shapes.append(
                {
                    "label": word.text,
                    "points": [[float(x), float(y)] for x, y in points],
                    "group_id": None,
                    "description": "",
                    "shape_type": "rectangle" if is_box else "polygon",
                    "flags": {},
                    "mask": None,
                }
            )
        sheet = {
            "version": "5.5.0",
            "flags": {},
            "shapes": shapes,
            "imagePath": picture.name,
            "imageData": base64.b64encode(pixels(picture)).decode(),
            "imageHeight": picture.height,
            "imageWidth": picture.width,
        }
        put_json(root / picture.split / f"{Path(picture.name).stem}.json", sheet, ensure_ascii=False, indent=2)


# COCO, https://cocodataset.org/#format-data, and COCO-Text, https://bgshih.github.io/cocotext


def coco(root: Path, pictures: list[Picture]) -> None:
    for split in ("train", "test"):
        images, annotations = [], []
        for number, picture in enumerate((p for p in pictures if p.split == split), start=11):
            put(root / f"{split}2017" / picture.name, pixels(picture))
            size = {"height": picture.height, "width": picture.width}
            images.append({"id": number, "file_name": picture.name, "license": 1, **size})
            for word in picture.words:
                annotations.append(
                    {
                        "segmentation": [numbers(word.points)],
                        "area": area(word.points),
                        "iscrowd": int(word.ignore),
                        "image_id": number,
                        "bbox": size_box(word.points),
                        "category_id": 1,
                        "id": len(annotations) + 1,
                    }
                )
        categories = [{"supercategory": "text", "id": 1, "name": "text"}]
        whole = {"info": {}, "licenses": [], "images": images, "annotations": annotations, "categories": categories}
        put_json(root / "annotations" / f"instances_{split}2017.json", whole)


def coco_text(outline: str, root: Path, pictures: list[Picture]) -> None:
    """All images are from COCO's train2014; "set" is their split here, train or val.

    outline: "mask" as in version 2, or "polygon" as in version 1."""
    imgs: dict[str, Any] = {}
    anns: dict[str, Any] = {}
    of_image: dict[str, list[int]] = {}
    for number, picture in enumerate(pictures, start=11):
        put(root / "train2014" / picture.name, pixels(picture))
        size = {"width": picture.width, "height": picture.height}
        imgs[str(number)] = {"id": number, "set": picture.split, "file_name": picture.name, **size}
        of_image[str(number)] = []
        for word in picture.words:
            key = 1000 + len(anns)
            of_image[str(number)].append(key)
            anns[str(key)] = {
                outline: numbers(word.points),
                "class": "machine printed",
                "bbox": [float(side) for side in size_box(word.points)],
                "image_id": number,
                "id": key,
                "language": "english",
                "area": area(word.points),
                "utf8_string": word.text,
                "legibility": "illegible" if word.ignore else "legible",
            }
    whole = {"cats": {}, "anns": anns, "imgs": imgs, "imgToAnns": of_image, "info": {"version": "2"}}
    put_json(root / "cocotext.v2.json", whole)


def textocr(root: Path, pictures: list[Picture]) -> None:
    """https://textvqa.org/textocr/dataset: one file per split, all images in one folder."""
    for split in ("train", "val"):
        imgs: dict[str, Any] = {}
        anns: dict[str, Any] = {}
        of_image: dict[str, list[str]] = {}
        for picture in (picture for picture in pictures if picture.split == split):
            put(root / "train_images" / picture.name, pixels(picture))
            key = Path(picture.name).stem
            size = {"width": picture.width, "height": picture.height}
            imgs[key] = {"id": key, **size, "set": split, "file_name": f"train/{picture.name}"}
            of_image[key] = [f"{key}_{number}" for number in range(1, len(picture.words) + 1)]
            for name, word in zip(of_image[key], picture.words, strict=True):
                anns[name] = {
                    "id": name,
                    "image_id": key,
                    "bbox": [float(side) for side in size_box(word.points)],
                    "utf8_string": word.text,
                    "points": [float(number) for number in numbers(word.points)],
                    "area": area(word.points),
                }
        put_json(root / f"TextOCR_0.1_{split}.json", {"imgs": imgs, "anns": anns, "img2Anns": of_image})


# docTR, https://github.com/mindee/doctr/tree/main/references/detection


def doctr(root: Path, pictures: list[Picture]) -> None:
    sheets: dict[str, dict[str, Any]] = {"train": {}, "test": {}}
    for picture in pictures:
        put(root / picture.split / "images" / picture.name, pixels(picture))
        sheets[picture.split][picture.name] = {
            "img_dimensions": (picture.height, picture.width),
            "img_hash": hashlib.sha256(pixels(picture)).hexdigest(),
            "polygons": [[list(point) for point in word.points] for word in picture.words],
        }
    for split, sheet in sheets.items():
        put_json(root / split / "labels.json", sheet)
