"""Writers of published sets, from their descriptions: ReCTS, LSVT, ArT, WildReceipt, SynthText, HierText."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat

from dialect_set import Picture, Word, area, numbers, pixels, put, put_json, size_box

# ICDAR 2019: ReCTS, https://rrc.cvc.uab.es/?ch=12, LSVT, ?ch=16, and ArT, ?ch=14


def rects(root: Path, pictures: list[Picture]) -> None:
    """Both folders of labels: as UTF-8, and with escapes."""
    for picture in pictures:
        put(root / "img" / picture.name, pixels(picture))
        lines = [
            {"ignore": int(word.ignore), "transcription": word.text, "points": numbers(word.points)}
            for word in picture.words
        ]
        chars = [line | {"transcription": line["transcription"][:1]} for line in lines]
        name = f"{Path(picture.name).stem}.json"
        put_json(root / "gt" / name, {"chars": chars, "lines": lines}, ensure_ascii=False)
        put_json(root / "gt_unicode" / name, {"chars": chars, "lines": lines})


def named_lists(pictures: list[Picture], **more: Any) -> dict[str, list[dict[str, Any]]]:
    """The regions of each image, by its name without suffix. more: keys of each region."""
    return {
        Path(picture.name).stem: [
            {"transcription": word.text, "points": [list(p) for p in word.points], **more, "illegibility": word.ignore}
            for word in picture.words
        ]
        for picture in pictures
    }


def lsvt(root: Path, pictures: list[Picture]) -> None:
    """The images in two folders, as in the archives."""
    for number, picture in enumerate(pictures):
        put(root / f"train_full_images_{number % 2}" / picture.name, pixels(picture))
    put_json(root / "train_full_labels.json", named_lists(pictures))


def art(root: Path, pictures: list[Picture]) -> None:
    for picture in pictures:
        put(root / "train_images" / picture.name, pixels(picture))
    put_json(root / "train_labels.json", named_lists(pictures, language="Latin"), ensure_ascii=False, indent=4)
    put_json(root / "train_task2_labels.json", {"res_1": [{"transcription": "a", "illegibility": False}]})


# MMOCR 0.x, https://mmocr.readthedocs.io/en/v0.6.3


def mmocr_lines(root: Path, pictures: list[Picture]) -> None:
    """Text detection: tools/data/textdet/coco_to_line_dict.py."""
    lines: dict[str, list[str]] = {}
    for picture in pictures:
        put(root / "imgs" / picture.split / picture.name, pixels(picture))
        annotations = [
            {
                "iscrowd": int(word.ignore),
                "category_id": 1,
                "bbox": size_box(word.points),
                "segmentation": [numbers(word.points)],
            }
            for word in picture.words
        ]
        entry = {"file_name": f"{picture.split}/{picture.name}", "height": picture.height, "width": picture.width}
        lines.setdefault(picture.split, []).append(json.dumps(entry | {"annotations": annotations}) + "\n")
    for split, found in lines.items():
        put(root / f"instances_{split}.txt", "".join(found))


def wildreceipt(root: Path, pictures: list[Picture]) -> None:
    """Key information extraction. The open set has the same regions with other classes."""
    lines: dict[str, list[str]] = {}
    for number, picture in enumerate(pictures):
        name = f"image_files/Image_{number}/{picture.name}"
        put(root / name, pixels(picture))
        entry = {"file_name": name, "height": picture.height, "width": picture.width}
        for split, labels in ((picture.split, (0, 25)), (f"openset_{picture.split}", (0, 3))):
            annotations = [
                {"box": [float(n) for n in numbers(word.points)], "text": word.text, "label": labels[not word.ignore]}
                for word in picture.words
            ]
            line = json.dumps(entry | {"annotations": annotations}, ensure_ascii=False)
            lines.setdefault(split, []).append(line + "\n")
    for split, found in lines.items():
        put(root / f"{split}.txt", "".join(found))
    put(root / "class_list.txt", "0 Ignore\n1 Store_name_value\n25 Others\n")
    put(root / "dict.txt", "a\nb\n{\n")


# SynthText, https://www.robots.ox.ac.uk/~vgg/data/scenetext/readme.txt


def synthtext(compressed: bool, root: Path, pictures: list[Picture]) -> None:
    arrays = {name: np.empty((1, len(pictures)), object) for name in ("charBB", "imnames", "txt", "wordBB")}
    for number, picture in enumerate(pictures):
        put(root / "8" / picture.name, pixels(picture))
        boxes = np.array([word.points for word in picture.words], np.float32).reshape(-1, 4, 2).transpose(2, 1, 0)
        arrays["imnames"][0, number] = f"8/{picture.name}"
        arrays["wordBB"][0, number] = boxes[:, :, 0] if len(picture.words) == 1 else boxes
        arrays["charBB"][0, number] = np.zeros((2, 4, 3))
        arrays["txt"][0, number] = np.array([word.text for word in picture.words])  # padded to the same length
    savemat(root / "gt.mat", arrays, do_compression=compressed)


# HierText, https://github.com/google-research-datasets/hiertext


def hiertext(root: Path, pictures: list[Picture]) -> None:
    """Each word is a line, and each line a paragraph. A line without words is don't-care among words."""
    names = {"train": "train", "val": "validation"}
    annotations: dict[str, list[dict[str, Any]]] = {split: [] for split in names}
    for picture in pictures:
        put(root / names[picture.split] / picture.name, pixels(picture))
        annotations[picture.split].append(
            {
                "image_id": Path(picture.name).stem,
                "paragraphs": [paragraph(word, number) for number, word in enumerate(picture.words)],
                "image_width": picture.width,
                "image_height": picture.height,
            }
        )
    for split, found in annotations.items():
        whole = {"info": {"date": "2022-06-06", "version": "1.0"}, "annotations": found}
        put_json(root / "gt" / f"{names[split]}.jsonl", whole)


def paragraph(word: Word, number: int) -> dict[str, Any]:
    """A paragraph of one line of one word; an illegible line is not divided."""
    outline = {"vertices": [list(point) for point in word.points], "legible": not word.ignore}
    part = outline | {"text": word.text, "handwritten": number % 2 > 0, "vertical": area(word.points) > 500}
    return outline | {"lines": [part | {"words": [] if word.ignore else [part]}]}
