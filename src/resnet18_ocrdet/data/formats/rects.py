"""ReCTS (ICDAR 2019): one JSON file for each image, with lines and characters.

    img/train_ReCTS_000001.jpg with gt/train_ReCTS_000001.json, also img/train/ with gt/train/, or side by side

    {"chars": [{"ignore": 0, "transcription": "H", "points": [x1, y1, x2, y2, x3, y3, x4, y4]}, ...],
     "lines": [{"ignore": 0, "transcription": "HOKI", "points": [23, 173, 327, 180, 327, 290, 23, 283]}, ...]}

The lines are read, the characters are not. gt_unicode/ holds the labels of gt/ once more. https://rrc.cvc.uab.es/?ch=12
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..file_names import is_file
from ..findings import Report
from ..image_io import list_images
from ..record import LabelRecord, Region
from .json_file import describe, first_shown, has_key, is_set, labels_among, read_object, text_of
from .locate import files_in, folders_in
from .location import LabelError, Location
from .points import to_polygon
from .split_names import ListedImage, group_by_split, split_by_folder, split_of

KEY = "rects"
NAME = "ReCTS"
IGNORE_MARKS = ("###",)
IGNORE_FLAGS = ("ignore",)
LABEL_FOLDERS = ("gt", "gt_unicode", "annotations", "labels")  # in which `recognise` looks
TWICE = ("gt", "gt_unicode")  # the first is not read if the second has the file
MAX_IN_FOLDER = 3  # files of one folder that `recognise` opens
_OTHER_KEYS = ("shapes", "annotations", "paragraphs")


def recognise(root: Path) -> str | None:
    """Report the first of a few JSON files with the keys of the format."""
    splits = [folder for folder in folders_in(root) if split_of(folder.name)]
    below = [folder for top in (root, *splits) for folder in folders_in(top) if folder.name in LABEL_FOLDERS]
    below += [folder for top in below for folder in folders_in(top) if split_of(folder.name)]
    paths = [path for folder in (root, *splits, *below) for path in files_in(folder, ".json")[:MAX_IN_FOLDER]]
    return first_shown(root, paths, _is_label_file, "has lines and chars of one image")


def read(root: Path, report: Report, marks: Sequence[str]) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist, by the names of folders. Raises UserError if a folder cannot be listed."""
    images = list_images(root)
    by_place: dict[Path, list[Path]] = {}  # by the name beside the image, and in its folder's neighbours
    for image in images:
        for place in _places(image):
            by_place.setdefault(place, []).append(image)
    listed, labelled = [], set()
    paths = labels_among(list_images(root, (".json",)), _is_label_file, lambda path: path.parent.name in LABEL_FOLDERS)
    for path in (path for path in paths if not _is_elsewhere(path)):
        beside = next((by_place[place] for place in _places(path) if place in by_place), [])
        location = Location(report, path, image=beside[0] if len(beside) == 1 else None)
        labelled.update(beside)
        if record := location.attempt(_read_annotation, location, beside, marks):
            listed.append(ListedImage(None, 0, record))
    folders = {image.parent for image in labelled}
    for image in images:
        if image.parent in folders and image not in labelled:  # the test set has no labels
            report.add("GT001", image, 0, f"no {image.stem}.json", image)
    listed = split_by_folder(root, listed)
    return group_by_split((entry.split for entry in listed), listed, report)


def _places(path: Path) -> list[Path]:
    """What an image and its label file have in common: side by side, in folders side by side, or in a folder of the
    same name in these."""
    folder = path.parent
    return [path.with_suffix(""), folder.parent / path.stem, folder.parent.parent / folder.name / path.stem]


def _is_elsewhere(path: Path) -> bool:
    """Whether the same labels are in the folder that is preferred to that of the file."""
    return path.parent.name == TWICE[0] and is_file(path.parent.parent / TWICE[1] / path.name)


def _read_annotation(location: Location, images: Sequence[Path], marks: Sequence[str]) -> LabelRecord | None:
    """Read one JSON file; None, reported, if it is not JSON. images: those of its name.

    Raises LabelError if there is not exactly one image, or no list of lines."""
    if len(images) > 1:
        raise LabelError("FS076", f"belongs to {' and '.join(image.name for image in images)}")
    if not images:
        folder = location.path.parent
        raise LabelError("FS079", f"no image {location.path.stem} in {folder}/, or in a folder beside it")
    data = read_object(location)
    if data is None:
        return None
    lines = data.get("lines")
    if not isinstance(lines, list):
        raise LabelError("GT022", f"needs lines, a list of regions, got {describe(lines)}")
    return location.record_each(lines, "line", partial(_read_line, marks=marks))


def _read_line(line: Any, number: int, marks: Sequence[str]) -> Region:
    """Read one region. Raises LabelError if its position cannot be read."""
    if not isinstance(line, dict):
        raise LabelError("GT022", f"needs transcription and points, got {describe(line)}")
    polygon = to_polygon(line.get("points"))
    text = text_of(line.get("transcription"))
    return Region(polygon, text, text in marks, number, "ignore" if is_set(line.get("ignore")) else "")


def _is_label_file(text: str) -> bool:
    """Whether the start and end of a file show the keys of the format; a long list may hide one of the two."""
    lists = has_key(text, "chars", "[") + has_key(text, "lines", "[")
    has_regions = has_key(text, "transcription") and has_key(text, "points", "[")
    return (lists == 2 or (lists == 1 and has_regions)) and not any(has_key(text, key, "[") for key in _OTHER_KEYS)
