"""Annotation files of MMOCR 1.x: one JSON file for each split.

    {"metainfo": {"dataset_type": "TextDetDataset", "task_name": "textdet", ...},
     "data_list": [{"img_path": "1.jpg", "height": 640, "width": 640,
                    "instances": [{"polygon": [0, 0, 0, 10, ...], "bbox": [0, 0, 10, 20], "ignore": false}]}]}

bbox: x and y of two opposite corners. https://mmocr.readthedocs.io, "Dataset Preparation"
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..findings import Report
from ..record import LabelRecord, Region
from ..text_file import quoted_name
from .image_index import FindByName, ImageIndex
from .json_file import describe, first_shown, has_key, is_set, labels_among, read_object, stated_size, text_of
from .locate import check_root, files_in, image_folders, locate
from .location import LabelError, Location
from .points import to_polygon, to_rectangle
from .split_names import ListedImage, group_by_split, split_of

KEY = "mmocr"
NAME = "MMOCR"
IGNORE_MARKS = ("###",)
IGNORE_FLAGS = ("ignore",)
MAX_PEEKED = 5  # files that `recognise` opens
_OTHER_TASKS = ("textrecog",)  # files of the same structure without positions


def recognise(root: Path) -> str | None:
    """Report the first of a few JSON files with the keys of the format."""
    paths = annotation_files(root)[:MAX_PEEKED]
    return first_shown(root, paths, _is_annotation_file, "has a data_list of images with instances")


def read(root: Path, report: Report, marks: Sequence[str]) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist. Raises UserError if `root` cannot be listed."""
    check_root(root)
    files = labels_among(annotation_files(root), _is_annotation_file, lambda path: split_of(path.stem))
    detection = {split_of(path.stem) for path in files if path.stem.lower().startswith("textdet")}
    files = [path for path in files if path.stem.lower().startswith("textdet") or split_of(path.stem) not in detection]
    index = ImageIndex(root)
    listed = [entry for path in files for entry in read_annotation_file(root, path, report, marks, index)]
    report.notes += index.notes()
    return group_by_split((split_of(path.stem) for path in files), listed, report, root)


def annotation_files(root: Path) -> list[Path]:
    """List the JSON files that may hold labels; those named after a split come first."""
    paths = [*files_in(root, ".json"), *files_in(root / "annotations", ".json")]
    return sorted(paths, key=lambda path: split_of(path.stem) is None)


def read_annotation_file(
    root: Path, path: Path, report: Report, marks: Sequence[str], index: ImageIndex | None = None
) -> list[ListedImage]:
    """Read all images of one file; images that cannot be read are reported and skipped."""
    whole = Location(report, path)
    data = read_object(whole)
    if data is None:
        return []
    entries = data.get("data_list")
    if not isinstance(entries, list):
        whole.add("GT022", f"needs data_list, a list of images, got {describe(entries)}")
        return []
    split = split_of(path.stem)
    folders = list(dict.fromkeys([root, *image_folders(root, path, (split or "train",))]))
    find = None if index is None else index.of(split)
    listed = []
    for number, entry in enumerate(entries, start=1):
        location = replace(whole, line=number, entry=f"entry {number} of data_list")
        if record := location.attempt(_read_image, entry, location, folders, find, marks):
            listed.append(ListedImage(split, number, record))
    return listed


def _read_image(
    entry: Any, location: Location, folders: Sequence[Path], find: FindByName | None, marks: Sequence[str]
) -> LabelRecord:
    """Read one entry of data_list. Raises LabelError if the image or its list of regions is missing."""
    if not isinstance(entry, dict):
        raise LabelError("GT022", f"needs img_path and instances, got {describe(entry)}")
    name, instances = entry.get("img_path"), entry.get("instances")
    location.image = locate(name, folders, "img_path", find=find)
    if not isinstance(instances, list):
        raise LabelError("GT022", f"needs instances, a list of regions, got {describe(instances)}")
    stated = stated_size(entry.get("height"), entry.get("width"))
    read = partial(_read_instance, marks=marks)
    return location.record_each(instances, "instance", read, of=quoted_name(str(name)), stated=stated)


def _read_instance(instance: Any, number: int, marks: Sequence[str]) -> Region:
    """Read one region. Raises LabelError if its position cannot be read."""
    if not isinstance(instance, dict):
        raise LabelError("GT022", f"needs polygon or bbox, got {describe(instance)}")
    outline, box = instance.get("polygon"), instance.get("bbox")
    if outline is None and box is None:
        raise LabelError("GT022", "needs polygon or bbox, has neither")
    polygon = to_rectangle(box, "corners") if outline is None else to_polygon(outline, "polygon")
    text = text_of(instance.get("text"))
    return Region(polygon, text, text in marks, number, "ignore" if is_set(instance.get("ignore")) else "")


def _is_annotation_file(text: str) -> bool:
    """Whether the start and end of a file show the keys of the format, and not a task without positions."""
    if any(has_key(text, "task_name", f'"{task}"') for task in _OTHER_TASKS):
        return False
    return has_key(text, "data_list", "[") and (has_key(text, "metainfo", "{") or has_key(text, "instances", "["))
