"""LSVT and ArT (ICDAR 2019): all images of a split in one JSON file, by their names without suffix.

    train_full_labels.json with train_full_images_0/gt_0.jpg, ..., or train_labels.json with train_images/

    {"gt_0": [{"transcription": "EXIT", "points": [[x, y], ...], "language": "Latin", "illegibility": false}, ...], ...}

Text marked as illegible is don't-care. The weak labels of LSVT have no points and are not read. Files are read image by
image. https://rrc.cvc.uab.es/?ch=16&com=tasks, https://rrc.cvc.uab.es/?ch=14&com=tasks
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..findings import Report
from ..record import LabelRecord, Region
from ..text_file import quoted
from ..text_stream import label_stream
from .image_index import ImageIndex, read_label_files
from .json_file import describe, first_shown, has_key, is_set, labels_among, text_of
from .json_stream import JsonStream
from .locate import check_root, files_in, folders_in, image_folders
from .location import LabelError, Location, numbered
from .points import to_polygon
from .split_names import ListedImage, split_of
from .stems import ImagesByStem

KEY = "lsvt"
NAME = "LSVT or ArT"
IGNORE_MARKS = ("###",)
IGNORE_FLAGS = ("illegible",)
LABEL_FOLDERS = ("annotations", "gt", "labels")
MAX_PEEKED = 8  # files that `recognise` opens
_FIRST_LIST = re.compile(r'\s*\{\s*"(?:[^"\\]|\\.)*+"\s*:\s*\[')
_OTHER_KEYS = ("chars", "lines", "images", "annotations", "shapes", "data_list")


def recognise(root: Path) -> str | None:
    """Report the first of a few JSON files with the keys of the format."""
    return first_shown(root, label_files(root)[:MAX_PEEKED], _is_label_file, "has lists of transcriptions by image")


def read(root: Path, report: Report, marks: Sequence[str]) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist. Raises UserError if `root` cannot be listed."""
    check_root(root)
    files = labels_among(label_files(root), _is_label_file, lambda path: split_of(path.stem))
    return read_label_files(
        root, files, report, lambda path, split, index: read_label_file(root, path, split, report, marks, index)
    )


def label_files(root: Path) -> list[Path]:
    """List the JSON files that may hold labels; those named after a split come first."""
    below = [folder for folder in folders_in(root) if folder.name in LABEL_FOLDERS or split_of(folder.name)]
    paths = [path for folder in (root, *below) for path in files_in(folder, ".json")]
    return sorted(paths, key=lambda path: split_of(path.stem) is None)


def read_label_file(
    root: Path, path: Path, split: str | None, report: Report, marks: Sequence[str], index: ImageIndex
) -> list[ListedImage]:
    """Read all images of one file; images that cannot be read are reported and skipped. [] if the file is damaged."""
    images = ImagesByStem(image_folders(root, path, (split or "train",)), index.of(split))
    with label_stream(path, report) as text:
        if text is None:
            return []
        whole = Location(report, path)
        return whole.attempt(_read_images, JsonStream(text), whole, images, split, marks) or []


def _read_images(
    stream: JsonStream, whole: Location, images: ImagesByStem, split: str | None, marks: Sequence[str]
) -> list[ListedImage]:
    """Raises LabelError if the file is damaged."""
    listed = []
    for number, name in numbered(stream.members()):
        location = replace(whole, line=number, entry=quoted(name))
        if record := location.attempt(_read_image, name, stream.value(), location, images, marks):
            listed.append(ListedImage(split, number, record))
    stream.end()
    return listed


def _read_image(name: str, entries: Any, location: Location, images: ImagesByStem, marks: Sequence[str]) -> LabelRecord:
    """Read the regions of one image. Raises LabelError if the image or its list of regions is missing."""
    location.image = images.locate(name, "key")
    if not isinstance(entries, list):
        raise LabelError("GT022", f"needs a list of regions, got {describe(entries)}")
    return location.record_each(entries, "region", partial(_read_region, marks=marks), of=quoted(name))


def _read_region(entry: Any, number: int, marks: Sequence[str]) -> Region:
    """Read one region. Raises LabelError if its position cannot be read."""
    if not isinstance(entry, dict):
        raise LabelError("GT022", f"needs transcription and points, got {describe(entry)}")
    polygon = to_polygon(entry.get("points"))
    text = text_of(entry.get("transcription"))
    return Region(polygon, text, text in marks, number, "illegible" if is_set(entry.get("illegibility")) else "")


def _is_label_file(text: str) -> bool:
    """Whether the start of a file shows an object of lists, and its start or end the keys of the format."""
    if any(has_key(text, key, "[") for key in _OTHER_KEYS):
        return False
    return _FIRST_LIST.match(text) is not None and has_key(text, "transcription") and has_key(text, "points", "[")
