"""The official folders of ICDAR 2015, Challenge 4 "Incidental Scene Text", Task 1 (https://rrc.cvc.uab.es/?ch=4)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...errors import UserError
from ..file_names import is_folder
from ..findings import Report
from ..record import LabelRecord
from ..text_file import label_lines
from .ended_texts import warn_of_marks
from .icdar_text import ICDAR_IGNORE_MARKS, parse_lines
from .line_files import read_files
from .locate import files_in
from .location import Location
from .pairing import pair_folders

KEY = "icdar2015"
NAME = "ICDAR 2015"
IGNORE_MARKS = ICDAR_IGNORE_MARKS
IGNORE_FLAGS: tuple[str, ...] = ()
FOLDERS = {  # of the images (img_1.jpg, ...) and of the labels (gt_img_1.txt, ...)
    "train": ("ch4_training_images", "ch4_training_localization_transcription_gt"),
    "test": ("ch4_test_images", "Challenge4_Test_Task1_GT"),
}


def recognise(root: Path) -> str | None:
    """Report the official image folder.

    PaddleOCR's documentation puts its own label files beside the same image folders. Image folders without any label
    file count, so that `read` can name the missing folder."""
    present = [folders for folders in FOLDERS.values() if is_folder(root / folders[0])]
    complete = [folders for folders in present if is_folder(root / folders[1])]
    if not complete and any(files_in(root, suffix) for suffix in (".txt", ".json")):
        return None
    return next((f"{images}/" for images, _ in (*complete, *present)), None)


def read(root: Path, report: Report, marks: Sequence[str] = IGNORE_MARKS) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist, in the order of the image numbers. Only a text follows the corners, unless
    `report.columns` names other columns.

    Raises UserError if there are none, if only images or only labels of a split exist, and if a split is empty."""
    pairs: dict[str, list[Location]] = {}
    for split, names in FOLDERS.items():
        present, missing = ([name for name in names if is_folder(root / name) is there] for there in (True, False))
        if present and missing:
            raise UserError(f"{root}: found {present[0]}/ but not {missing[0]}/; each split needs both")
        if present:
            pairs[split] = pair_folders(root / names[0], root / names[1], ("gt_{stem}.txt",), report)
    if not pairs:
        wanted = ", or ".join(f"{images}/ with {labels}/" for images, labels in FOLDERS.values())
        raise UserError(f"{root}: not the folder of ICDAR 2015 (looked for {wanted})")
    if report.columns is not None:
        return read_files(pairs, report, marks)
    splits = {
        split: [parse_lines(label, label_lines(label.path, report, label.image), marks) for label in found]
        for split, found in pairs.items()
    }
    warn_of_marks((record for records in splits.values() for record in records), marks, report)
    return splits
