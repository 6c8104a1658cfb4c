"""The official folders of ICDAR 2015, Challenge 4 "Incidental Scene Text", Task 1 (https://rrc.cvc.uab.es/?ch=4)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from resnet18_ocrdet.data.file_names import is_folder
from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats.icdar_text import ICDAR_IGNORE_MARKS, parse_icdar_text
from resnet18_ocrdet.data.formats.locate import files_in
from resnet18_ocrdet.data.formats.pairing import pair_by_stem
from resnet18_ocrdet.data.image_io import list_images
from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.errors import UserError

NAME = "ICDAR 2015"
IGNORE_MARKS = ICDAR_IGNORE_MARKS


class HalfFolders(NamedTuple):
    """Where one half of the set lies below its root."""

    images: str  # img_1.jpg, img_2.jpg, ...
    labels: str  # gt_img_1.txt, gt_img_2.txt, ...


HALVES = {
    "train": HalfFolders("ch4_training_images", "ch4_training_localization_transcription_gt"),
    "test": HalfFolders("ch4_test_images", "Challenge4_Test_Task1_GT"),
}


def recognise(root: Path) -> str | None:
    """What in this folder shows the official layout.

    The folders of images alone also lie beside label files of another kind, as PaddleOCR's documentation has it; with
    nothing beside them they count, so that `read` can say what is missing."""
    there = [half for half in HALVES.values() if is_folder(root / half.images)]
    whole = [half for half in there if is_folder(root / half.labels)]
    if not whole and any(files_in(root, suffix) for suffix in (".txt", ".json")):
        return None
    return next((f"{half.images}/" for half in (*whole, *there)), None)


def read(root: Path, report: Report, marks: Sequence[str] = IGNORE_MARKS) -> dict[str, list[LabelRecord]]:
    """Read the halves that are there, each in the order of the image numbers: "train", "test".

    Raises UserError when neither is there, when only its images or only its labels are, and where a half is empty."""
    parts: dict[str, list[LabelRecord]] = {}
    for name, half in HALVES.items():
        images, labels = root / half.images, root / half.labels
        if is_folder(images) or is_folder(labels):
            parts[name] = _read_half(images, labels, report, marks)
    if not parts:
        wanted = ", or ".join(f"{half.images}/ with {half.labels}/" for half in HALVES.values())
        raise UserError(f"{root}: not the folder of ICDAR 2015 (looked for {wanted})")
    return parts


def _read_half(images: Path, labels: Path, report: Report, marks: Sequence[str]) -> list[LabelRecord]:
    for there, missing in ((images, labels), (labels, images)):
        if not is_folder(missing):
            raise UserError(
                f"{images.parent}: {there.name}/ is there, but {missing.name}/ is not: each half needs both"
            )
    found = list_images(images)
    if not found:
        raise UserError(f"{images}: 0 images found (looked for .jpg, .png and other image suffixes)")
    pairs = pair_by_stem(found, images, labels, ("gt_{stem}.txt",), report)
    return [parse_icdar_text(image, label, report, marks) for image, label in pairs]
