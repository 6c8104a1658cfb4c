"""Annotation files of MMOCR 1.x: one JSON file for each split.

    {"metainfo": {"dataset_type": "TextDetDataset", "task_name": "textdet", ...},
     "data_list": [{"img_path": "1.jpg", "height": 640, "width": 640,
                    "instances": [{"polygon": [0, 0, 0, 10, ...], "bbox": [0, 0, 10, 20], "ignore": false}]}]}

bbox: x and y of two opposite corners. https://mmocr.readthedocs.io, "Dataset Preparation"
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats.json_file import (
    describe,
    has_key,
    is_not_json,
    is_set,
    peek,
    read_object,
    stated_size,
    text_of,
)
from resnet18_ocrdet.data.formats.locate import check_root, files_in, image_folders, locate
from resnet18_ocrdet.data.formats.points import Location, to_polygon, to_rectangle
from resnet18_ocrdet.data.formats.split_names import ListedImage, group_by_split, split_of
from resnet18_ocrdet.data.record import LabelRecord, Region, to_record
from resnet18_ocrdet.data.text_file import quoted

KEY = "mmocr"
NAME = "MMOCR"
IGNORE_MARKS = ("###",)
MAX_PEEKED = 5  # files that `recognise` opens
_OTHER_TASKS = ("textrecog",)  # files of the same structure without positions


def recognise(root: Path) -> str | None:
    """Report the first of a few JSON files with the keys of the format."""
    for path in annotation_files(root)[:MAX_PEEKED]:
        if _is_annotation_file(path):
            return f"{path.relative_to(root).as_posix()}: has a data_list of images with instances"
    return None


def read(root: Path, report: Report, marks: Sequence[str]) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist. Raises UserError if `root` cannot be listed."""
    check_root(root)
    files = [path for path in annotation_files(root) if _is_annotation_file(path) or _is_broken(path)]
    detection = {split_of(path.stem) for path in files if path.stem.lower().startswith("textdet")}
    files = [path for path in files if path.stem.lower().startswith("textdet") or split_of(path.stem) not in detection]
    listed = [entry for path in files for entry in read_annotation_file(root, path, report, marks)]
    return group_by_split((split_of(path.stem) for path in files), listed, report)


def annotation_files(root: Path) -> list[Path]:
    """List the JSON files that may hold labels; those named after a split come first."""
    paths = [*files_in(root, ".json"), *files_in(root / "annotations", ".json")]
    return sorted(paths, key=lambda path: split_of(path.stem) is None)


def read_annotation_file(root: Path, path: Path, report: Report, marks: Sequence[str]) -> list[ListedImage]:
    """Read all images of one file; images that cannot be read are reported and skipped."""
    data = read_object(path, report)
    if data is None:
        return []
    entries = data.get("data_list")
    if not isinstance(entries, list):
        report.add("GT022", path, 0, f"needs data_list, a list of images, got {describe(entries)}")
        return []
    split = split_of(path.stem)
    folders = list(dict.fromkeys([root, *image_folders(root, path, (split or "train",))]))
    listed = []
    for number, entry in enumerate(entries, start=1):
        location = Location(report, path, number, entry=f"entry {number} of data_list")
        if (record := _read_image(entry, location, folders, marks)) is not None:
            listed.append(ListedImage(split, number, record))
    return listed


def _read_image(entry: Any, location: Location, folders: Sequence[Path], marks: Sequence[str]) -> LabelRecord | None:
    """Read one entry of data_list; None, reported, if the image or its list of regions is missing."""
    if not isinstance(entry, dict):
        location.add("GT022", f"needs img_path and instances, got {describe(entry)}")
        return None
    name = entry.get("img_path")
    image = locate(name, folders, location, "img_path")
    if image is None:
        return None
    location = location._replace(image=image)
    instances = entry.get("instances")
    if not isinstance(instances, list):
        location.add("GT022", f"needs instances, a list of regions, got {describe(instances)}")
        return None
    if location.too_many(len(instances)):
        return to_record(image, location.path, [], lost=len(instances))
    regions = []
    for number, instance in enumerate(instances, start=1):
        where = location._replace(line=number, entry=f"instance {number} of {quoted(str(name))}")
        regions.append(_read_instance(instance, where, marks))
    stated = stated_size(entry.get("height"), entry.get("width"))
    return to_record(image, location.path, regions, stated=stated)


def _read_instance(instance: Any, location: Location, marks: Sequence[str]) -> Region | None:
    """Read one region; None, reported, if its position cannot be read."""
    if not isinstance(instance, dict):
        location.add("GT022", f"needs polygon or bbox, got {describe(instance)}")
        return None
    outline, box = instance.get("polygon"), instance.get("bbox")
    if outline is None and box is None:
        location.add("GT022", "needs polygon or bbox, has neither")
        return None
    polygon = to_rectangle(box, location, "corners") if outline is None else to_polygon(outline, location, "polygon")
    if polygon is None:
        return None
    text = text_of(instance.get("text"))
    return Region(polygon, text, text in marks or is_set(instance.get("ignore")), location.line)


def _is_annotation_file(path: Path) -> bool:
    """Whether the start of a file has the keys of the format, and is not of a task without positions."""
    text = peek(path)
    if any(has_key(text, "task_name", f'"{task}"') for task in _OTHER_TASKS):
        return False
    return has_key(text, "data_list", "[") and (has_key(text, "metainfo", "{") or has_key(text, "instances", "["))


def _is_broken(path: Path) -> bool:
    """Whether a file named after a split is not JSON: it is then read so that it is reported."""
    return split_of(path.stem) is not None and is_not_json(peek(path))
