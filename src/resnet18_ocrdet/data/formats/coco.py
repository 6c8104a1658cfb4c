"""COCO annotations, and those of COCO-Text and TextOCR: all images and regions in one JSON file.

    {"images": [{"id": 1, "file_name": "1.jpg", "height": 480, "width": 640}], "categories": [...],
     "annotations": [{"id": 5, "image_id": 1, "category_id": 1, "iscrowd": 0, "bbox": [x, y, width, height],
                      "segmentation": [[x1, y1, x2, y2, ...], ...]}]}

COCO-Text names the lists "imgs" and "anns", makes them objects keyed by id, has the polygon in "mask" ("polygon" in its
first version), and adds "utf8_string" and "legibility". TextOCR has the polygon in "points", writes "." for illegible
text, and names images train/1.jpg that its archive unpacks to train_images/. A segmentation in several pieces is
several regions. One annotation: `coco_annotation`.
https://cocodataset.org/#format-data, https://bgshih.github.io/cocotext, https://textvqa.org/textocr
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..findings import Report
from ..record import LabelRecord, Region
from .attributes import FLAG_NAMES
from .coco_annotation import CROWD, CROWD_MASK, Meaning, crowd_flag, id_of, read_annotation
from .image_index import FindByName, ImageIndex
from .json_file import describe, first_shown, has_key, labels_among, read_object, stated_size, text_of
from .locate import check_root, files_in, folders_in, image_folders, locate
from .location import LabelError, Location
from .split_names import SPLITS, ListedImage, group_by_split, split_of, splits_of_files

KEY = "coco"
NAME = "COCO"
IGNORE_MARKS = ("###",)
IGNORE_FLAGS = (CROWD, *FLAG_NAMES)
MAX_PEEKED = 5  # files that `recognise` opens


def recognise(root: Path) -> str | None:
    """Report the first of a few JSON files with the keys of the format."""
    paths = annotation_files(root)[:MAX_PEEKED]
    return first_shown(root, paths, _is_annotation_file, "has images and annotations with boxes")


def read(root: Path, report: Report, marks: Sequence[str]) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist. Raises UserError if `root` cannot be listed."""
    check_root(root)
    found = annotation_files(root)
    by_file = splits_of_files(root, found)
    files = labels_among(found, _is_annotation_file, by_file.get)
    files = [path for path in files if path.stem.lower().startswith("instances")] or files
    index = ImageIndex(root)
    listed = [e for path in files for e in read_annotation_file(root, path, by_file[path], report, marks, index)]
    report.notes += index.notes()
    splits = [*(by_file[path] for path in files), *(entry.split for entry in listed if entry.split)]
    return group_by_split(splits, listed, report, root)


def annotation_files(root: Path) -> list[Path]:
    """List the JSON files that may hold labels; instances_*.json and those named after a split come first."""
    folders = (root / "annotations", root, *(folder for folder in folders_in(root) if split_of(folder.name)))
    paths = [path for folder in folders for path in files_in(folder, ".json")]
    return sorted(paths, key=lambda path: (not path.stem.lower().startswith("instances"), split_of(path.stem) is None))


def read_annotation_file(
    root: Path, path: Path, split: str | None, report: Report, marks: Sequence[str], index: ImageIndex
) -> list[ListedImage]:
    """Read all images of one file, whose name or folder says `split`; those that cannot be read are reported and
    skipped."""
    whole = Location(report, path)
    data = read_object(whole)
    if data is None:
        return []
    images = whole.attempt(_entries, data, ("images", "imgs"))
    annotations = whole.attempt(_entries, data, ("annotations", "anns"))
    if images is None or annotations is None:
        return []
    named = {entry["set"] for entry in images if isinstance(entry, dict) and entry.get("set") in SPLITS}
    folders = image_folders(root, path, SPLITS if named else (split or "train",))
    files = _read_images(images, whole, folders, index.of(None if named else split))
    crowd = crowd_flag(annotations)
    if crowd == CROWD_MASK:
        report.notes.append(
            f"{path.name}: all its masks have {CROWD} 1, which is their encoding, as CVAT writes it, and not don't-care"
        )
    regions = _read_regions(annotations, files, whole, Meaning(marks, _categories(data), crowd))
    listed = []
    for key, (number, file) in files.items():
        if file is not None:
            entry, own = images[number - 1], regions.get(key, [])
            location = Location(report, path, number, file, f"image {number}")
            stated = stated_size(entry.get("height"), entry.get("width"))
            record = location.record([None] * len(own) if location.too_many(len(own)) else own, stated=stated)
            listed.append(ListedImage(entry["set"] if entry.get("set") in SPLITS else split, number, record))
    return listed


def _read_regions(
    annotations: Sequence[Any], files: dict[str, tuple[int, Path | None]], whole: Location, meaning: Meaning
) -> dict[str, list[Region | None]]:
    """The regions of each image by its id. Annotations of images that are not listed are reported once per image."""
    regions: dict[str, list[Region | None]] = {}
    strays: dict[str, list[int]] = {}
    for number, annotation in enumerate(annotations, start=1):
        location = replace(whole, line=number, entry=f"annotation {number}")
        if not isinstance(annotation, dict) or (key := id_of(annotation.get("image_id"))) is None:
            seen = describe(annotation.get("image_id") if isinstance(annotation, dict) else annotation)
            location.add("GT030", f"needs image_id, a number or a string, got {seen}")
        elif key not in files:
            strays.setdefault(key, []).append(number)
        elif (file := files[key][1]) is not None:
            location.image = file
            found = location.attempt(read_annotation, annotation, location, meaning)
            regions.setdefault(key, []).extend(found or [None])
    for numbers in strays.values():
        others = f", {len(numbers)} annotations" if len(numbers) > 1 else ""
        image_id = describe(annotations[numbers[0] - 1]["image_id"])
        location = replace(whole, line=numbers[0], entry=f"annotation {numbers[0]}")
        location.add("GT030", f"image_id {image_id} does not belong to an image{others}")
    return regions


def _categories(data: dict[str, Any]) -> dict[str, str]:
    """Names of the classes by id."""
    entries = next((data[key] for key in ("categories", "cats") if key in data), None)
    entries = list(entries.values()) if isinstance(entries, dict) else entries
    named = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return {key: text_of(entry.get("name")) or key for entry in named if (key := id_of(entry.get("id"))) is not None}


def _entries(data: dict[str, Any], keys: Sequence[str]) -> list[Any]:
    """A list, or the values of an object keyed by id. Raises LabelError if there is neither."""
    value = next((data[key] for key in keys if key in data), None)
    if isinstance(value, dict):
        return [{"id": key, **entry} if isinstance(entry, dict) else entry for key, entry in value.items()]
    if not isinstance(value, list):
        raise LabelError("GT022", f"needs {keys[0]}, a list, got {describe(value)}")
    return value


def _read_images(
    images: Sequence[Any], whole: Location, folders: Sequence[Path], find: FindByName | None
) -> dict[str, tuple[int, Path | None]]:
    """Number and file of each image by id; no file, reported, if it does not exist or the id is not unique."""
    files: dict[str, tuple[int, Path | None]] = {}
    for number, entry in enumerate(images, start=1):
        location = replace(whole, line=number, entry=f"image {number}")
        if not isinstance(entry, dict) or (key := id_of(entry.get("id"))) is None:
            location.add("GT022", f"needs id, a number or a string, got {describe(entry)}")
        elif key in files:
            first, location.image = files[key]
            location.add("GT022", f"id {describe(entry['id'])} is already used by image {first}")
            if _name(entry) != _name(images[first - 1]):
                files[key] = first, None  # unknown which regions belong to which image
        else:
            name = _name(entry)
            files[key] = number, location.attempt(locate, name, folders, "file_name", _alike(name, folders), find)
    return files


def _name(entry: dict[str, Any]) -> Any:
    return entry.get("file_name", entry.get("filename"))


def _alike(name: Any, folders: Sequence[Path]) -> list[Path]:
    """Folders of the split that a relative name starts with: train_images/ for train/1.jpg."""
    first, *rest = re.split(r"[/\\]", name, maxsplit=1) if isinstance(name, str) else [""]
    split = split_of(first) if rest else None
    return [folder for folder in folders if split and split_of(folder.name) == split]


def _is_annotation_file(text: str) -> bool:
    """Whether the start and end of a file show two of the three lists, with entries of the format."""
    if has_key(text, "data_list", "[") or has_key(text, "shapes", "["):
        return False
    images = (has_key(text, "images", "[") and has_key(text, "file_name")) or has_key(text, "imgs", "{")
    has_position = has_key(text, "bbox", "[") or has_key(text, "segmentation")
    annotations = (has_key(text, "annotations", "[") or has_key(text, "image_id")) and has_position
    categories = has_key(text, "supercategory") or has_key(text, "categories", "[") or has_key(text, "cats", "{")
    return images + (annotations or has_key(text, "anns", "{")) + categories >= 2
