"""The official folders of ICDAR 2015, Challenge 4 "Incidental Scene Text", Task 1 (https://rrc.cvc.uab.es/?ch=4)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from resnet18_ocrdet.data.icdar_text import parse_icdar_text
from resnet18_ocrdet.data.image_io import MAX_NAMED, list_existing_images
from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.wording import count


class HalfFolders(NamedTuple):
    """Where one half of the set lies below its root."""

    images: str  # img_1.jpg, img_2.jpg, ...
    labels: str  # gt_img_1.txt, gt_img_2.txt, ...


HALVES = {
    "train": HalfFolders("ch4_training_images", "ch4_training_localization_transcription_gt"),
    "test": HalfFolders("ch4_test_images", "Challenge4_Test_Task1_GT"),
}


def read_icdar2015(root: Path, half: Literal["train", "test"]) -> list[LabelRecord] | None:
    """Read the labels of one half of the set, in the order of the image numbers; None where it is not there.

    Raises UserError when only its images or only its labels are there, for images without a label file, and for
    label lines that cannot be understood."""
    images, labels = (root / folder for folder in HALVES[half])
    if not images.is_dir() and not labels.is_dir():
        return None
    for there, missing in ((images, labels), (labels, images)):
        if not missing.is_dir():
            raise UserError(f"{root}: {there.name}/ is there, but {missing.name}/ is not: each half needs both")
    image_paths = list_existing_images(images)
    label_paths = [labels / f"gt_{image.stem}.txt" for image in image_paths]
    missing_labels = [path.name for path in label_paths if not path.is_file()]
    if missing_labels:
        named = ", ".join(missing_labels[:MAX_NAMED])
        raise UserError(f"{labels}: {len(missing_labels)} of {count(len(label_paths), 'label file')} missing: {named}")
    pairs = zip(image_paths, label_paths, strict=True)
    return [LabelRecord(image, label, *parse_icdar_text(label)) for image, label in pairs]
