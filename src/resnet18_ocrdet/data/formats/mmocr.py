"""Annotation files of MMOCR 1.x: one JSON file for each part.

    {"metainfo": {"dataset_type": "TextDetDataset", "task_name": "textdet", ...},
     "data_list": [{"img_path": "1.jpg", "height": 640, "width": 640,
                    "instances": [{"polygon": [0, 0, 0, 10, ...], "bbox": [0, 0, 10, 20], "ignore": false}]}]}

bbox is x and y of two opposite corners. https://mmocr.readthedocs.io, "Dataset Preparation"
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats.json_file import (
    has_key,
    is_no_json,
    is_set,
    peek,
    read_object,
    stated_size,
    text_of,
    word,
)
from resnet18_ocrdet.data.formats.locate import check_root, files_in, image_folders, locate
from resnet18_ocrdet.data.formats.parts import Listed, part_of, split_parts
from resnet18_ocrdet.data.formats.points import Place, to_polygon, to_rectangle
from resnet18_ocrdet.data.record import LabelRecord, Region, to_record
from resnet18_ocrdet.data.text_file import shown

NAME = "MMOCR"
IGNORE_MARKS = ("###",)
MAX_LOOKED_AT = 5  # files that `recognise` opens
_OTHER_TASKS = ("textrecog",)  # files of the same build without any place


def recognise(root: Path) -> str | None:
    """Tell by the keys at the start of a JSON file that this folder is in the format; None where it is not."""
    for path in annotation_files(root)[:MAX_LOOKED_AT]:
        if _is_annotation_file(path):
            return f"{path.relative_to(root).as_posix()}: has a data_list of images with instances"
    return None


def read(root: Path, report: Report, marks: Sequence[str]) -> dict[str, list[LabelRecord]]:
    """Read the parts that are there. Raises UserError where `root` cannot be listed."""
    check_root(root)
    files = [path for path in annotation_files(root) if _is_annotation_file(path) or _is_broken(path)]
    detection = {part_of(path.stem) for path in files if path.stem.lower().startswith("textdet")}
    files = [path for path in files if path.stem.lower().startswith("textdet") or part_of(path.stem) not in detection]
    listed = [entry for path in files for entry in read_annotation_file(root, path, report, marks)]
    return split_parts((part_of(path.stem) for path in files), listed, report)


def annotation_files(root: Path) -> list[Path]:
    """List the JSON files that may hold labels; those named for a part come first."""
    paths = [*files_in(root, ".json"), *files_in(root / "annotations", ".json")]
    return sorted(paths, key=lambda path: part_of(path.stem) is None)


def read_annotation_file(root: Path, path: Path, report: Report, marks: Sequence[str]) -> list[Listed]:
    """Read all images of one file; one that cannot be read is reported and left out."""
    data = read_object(path, report)
    if data is None:
        return []
    entries = data.get("data_list")
    if not isinstance(entries, list):
        report.add("GT022", path, 0, f"needs data_list, a list of images, got {word(entries)}")
        return []
    part = part_of(path.stem)
    folders = list(dict.fromkeys([root, *image_folders(root, path, (part or "train",))]))
    places = [
        Place(report, path, number, entry=f"entry {number} of data_list") for number in range(1, len(entries) + 1)
    ]
    read_entries = [_read_image(entry, place, folders, marks) for entry, place in zip(entries, places, strict=True)]
    return [
        Listed(part, place.line, record)
        for record, place in zip(read_entries, places, strict=True)
        if record is not None
    ]


def _read_image(entry: Any, place: Place, folders: Sequence[Path], marks: Sequence[str]) -> LabelRecord | None:
    """Read one entry of data_list; None, reported, where the image or its list of regions is not there."""
    if not isinstance(entry, dict):
        place.add("GT022", f"needs img_path and instances, got {word(entry)}")
        return None
    name = entry.get("img_path")
    image = locate(name, folders, place, "img_path")
    if image is None:
        return None
    place = place._replace(image=image)
    instances = entry.get("instances")
    if not isinstance(instances, list):
        place.add("GT022", f"needs instances, a list of regions, got {word(instances)}")
        return None
    if place.too_many(len(instances)):
        return to_record(image, place.path, [], lost=len(instances))
    regions = []
    for number, instance in enumerate(instances, start=1):
        where = place._replace(line=number, entry=f"instance {number} of {shown(str(name))}")
        regions.append(_read_instance(instance, where, marks))
    kept = [region for region in regions if region]
    stated = stated_size(entry.get("height"), entry.get("width"))
    return to_record(image, place.path, kept, len(regions) - len(kept), stated)


def _read_instance(instance: Any, place: Place, marks: Sequence[str]) -> Region | None:
    """Read one region; None where its place is unknown, which is reported."""
    if not isinstance(instance, dict):
        place.add("GT022", f"needs polygon or bbox, got {word(instance)}")
        return None
    outline, box = instance.get("polygon"), instance.get("bbox")
    if outline is None and box is None:
        place.add("GT022", "needs polygon or bbox, has neither")
        return None
    polygon = to_rectangle(box, place, "corners") if outline is None else to_polygon(outline, place, "polygon")
    if polygon is None:
        return None
    text = text_of(instance.get("text"))
    return Region(polygon, text, text in marks or is_set(instance.get("ignore")), place.line)


def _is_annotation_file(path: Path) -> bool:
    """Whether the start of a file has the keys of the format, and not those of a set without places."""
    text = peek(path)
    if any(has_key(text, "task_name", f'"{task}"') for task in _OTHER_TASKS):
        return False
    return has_key(text, "data_list", "[") and (has_key(text, "metainfo", "{") or has_key(text, "instances", "["))


def _is_broken(path: Path) -> bool:
    """Whether a file named for a part holds no JSON: it is then read, so that it is reported."""
    return part_of(path.stem) is not None and is_no_json(peek(path))
