"""COCO annotations, and those of COCO-Text and TextOCR: all images and regions in one JSON file.

    {"images": [{"id": 1, "file_name": "1.jpg", "height": 480, "width": 640}], "categories": [...],
     "annotations": [{"id": 5, "image_id": 1, "category_id": 1, "iscrowd": 0, "bbox": [x, y, width, height],
                      "segmentation": [[x1, y1, x2, y2, ...], ...]}]}

COCO-Text names the lists "imgs" and "anns", makes them objects keyed by id, has the polygon in "mask" ("polygon" in its
first version), and adds "utf8_string" and "legibility". TextOCR has the polygon in "points", writes "." for illegible
text, and names images train/1.jpg that its archive unpacks to train_images/. A segmentation in several pieces is
several regions; for a run-length encoded one the bbox is read. Every category is treated as text.
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
from .json_file import describe, first_shown, has_key, is_set, labels_among, read_object, stated_size, text_of
from .locate import check_root, files_in, folders_in, image_folders, locate
from .location import LabelError, Location
from .points import to_polygon, to_rectangle
from .split_names import SPLITS, ListedImage, group_by_split, split_below, split_of

KEY = "coco"
NAME = "COCO"
IGNORE_MARKS = ("###",)
IGNORE_FLAGS = ("iscrowd", "illegible")
ILLEGIBLE = "illegible"  # COCO-Text
UNREADABLE = "."  # TextOCR: illegible, as the whole text
MAX_PEEKED = 5  # files that `recognise` opens
_OUTLINE_KEYS = ("segmentation", "mask", "polygon", "points")
_TEXT_KEYS = ("utf8_string", "text", "transcription")


def recognise(root: Path) -> str | None:
    """Report the first of a few JSON files with the keys of the format."""
    paths = annotation_files(root)[:MAX_PEEKED]
    return first_shown(root, paths, _is_annotation_file, "has images and annotations with boxes")


def read(root: Path, report: Report, marks: Sequence[str]) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist. Raises UserError if `root` cannot be listed."""
    check_root(root)
    files = labels_among(annotation_files(root), _is_annotation_file, lambda path: _split(root, path))
    instances = [path for path in files if path.stem.lower().startswith("instances")]
    listed = [entry for path in instances or files for entry in read_annotation_file(root, path, report, marks)]
    splits = [*(_split(root, path) for path in instances or files), *(entry.split for entry in listed if entry.split)]
    return group_by_split(splits, listed, report)


def annotation_files(root: Path) -> list[Path]:
    """List the JSON files that may hold labels; instances_*.json and those named after a split come first."""
    folders = (root / "annotations", root, *(folder for folder in folders_in(root) if split_of(folder.name)))
    paths = [path for folder in folders for path in files_in(folder, ".json")]
    return sorted(paths, key=lambda path: (not path.stem.lower().startswith("instances"), split_of(path.stem) is None))


def read_annotation_file(root: Path, path: Path, report: Report, marks: Sequence[str]) -> list[ListedImage]:
    """Read all images of one file; images that cannot be read are reported and skipped."""
    whole = Location(report, path)
    data = read_object(whole)
    if data is None:
        return []
    images = whole.attempt(_entries, data, ("images", "imgs"))
    annotations = whole.attempt(_entries, data, ("annotations", "anns"))
    if images is None or annotations is None:
        return []
    split = _split(root, path)
    named = {entry["set"] for entry in images if isinstance(entry, dict) and entry.get("set") in SPLITS}
    folders = image_folders(root, path, SPLITS if named else (split or "train",))
    files = _read_images(images, whole, folders)
    regions: dict[str, list[Region | None]] = {}
    for number, annotation in enumerate(annotations, start=1):
        location = replace(whole, line=number, entry=f"annotation {number}")
        if not isinstance(annotation, dict) or (key := _key(annotation.get("image_id"))) is None:
            seen = describe(annotation.get("image_id") if isinstance(annotation, dict) else annotation)
            location.add("GT022", f"needs image_id, a number or a string, got {seen}")
        elif key not in files:
            location.add("FS079", f"image_id {describe(annotation['image_id'])} does not belong to an image")
        elif (file := files[key][1]) is not None:
            location.image = file
            found = location.attempt(_read_annotation, annotation, location, marks)
            regions.setdefault(key, []).extend(found or [None])
    listed = []
    for key, (number, file) in files.items():
        if file is not None:
            entry, own = images[number - 1], regions.get(key, [])
            location = Location(report, path, number, file, f"image {number}")
            stated = stated_size(entry.get("height"), entry.get("width"))
            record = location.record([None] * len(own) if location.too_many(len(own)) else own, stated=stated)
            listed.append(ListedImage(entry["set"] if entry.get("set") in SPLITS else split, number, record))
    return listed


def _split(root: Path, path: Path) -> str | None:
    """Split of a file by its name, else by its folder: some tools write a file of the same name for each split."""
    return split_of(path.stem) or split_below(root, path.parent)


def _entries(data: dict[str, Any], keys: Sequence[str]) -> list[Any]:
    """A list, or the values of an object keyed by id. Raises LabelError if there is neither."""
    value = next((data[key] for key in keys if key in data), None)
    if isinstance(value, dict):
        return [{"id": key, **entry} if isinstance(entry, dict) else entry for key, entry in value.items()]
    if not isinstance(value, list):
        raise LabelError("GT022", f"needs {keys[0]}, a list, got {describe(value)}")
    return value


def _read_images(images: Sequence[Any], whole: Location, folders: Sequence[Path]) -> dict[str, tuple[int, Path | None]]:
    """Number and file of each image by id; no file, reported, if it does not exist or the id is not unique."""
    files: dict[str, tuple[int, Path | None]] = {}
    for number, entry in enumerate(images, start=1):
        location = replace(whole, line=number, entry=f"image {number}")
        if not isinstance(entry, dict) or (key := _key(entry.get("id"))) is None:
            location.add("GT022", f"needs id, a number or a string, got {describe(entry)}")
        elif key in files:
            first, location.image = files[key]
            location.add("GT022", f"id {describe(entry['id'])} is already used by image {first}")
            if _name(entry) != _name(images[first - 1]):
                files[key] = first, None  # unknown which regions belong to which image
        else:
            name = _name(entry)
            files[key] = number, location.attempt(locate, name, folders, "file_name", _alike(name, folders))
    return files


def _name(entry: dict[str, Any]) -> Any:
    return entry.get("file_name", entry.get("filename"))


def _alike(name: Any, folders: Sequence[Path]) -> list[Path]:
    """Folders of the split that a relative name starts with: train_images/ for train/1.jpg."""
    first, *rest = re.split(r"[/\\]", name, maxsplit=1) if isinstance(name, str) else [""]
    split = split_of(first) if rest else None
    return [folder for folder in folders if split and split_of(folder.name) == split]


def _read_annotation(annotation: dict[str, Any], location: Location, marks: Sequence[str]) -> list[Region | None]:
    """Read one annotation: a region for each of its pieces; None, reported, for a piece that cannot be read."""
    text = next((text for key in _TEXT_KEYS if (text := text_of(annotation.get(key)))), "")
    ignore, flag = text in marks, ""
    if annotation.get("legibility") == ILLEGIBLE or (text == UNREADABLE and "points" in annotation):
        flag = ILLEGIBLE
    elif is_set(annotation.get("iscrowd")):
        flag = "iscrowd"
    outline = next((value for key in _OUTLINE_KEYS if isinstance(value := annotation.get(key), list) and value), None)
    if outline is None:
        if annotation.get("bbox") is None:
            raise LabelError("GT022", "needs segmentation or bbox, has neither")
        return [Region(to_rectangle(annotation["bbox"], "size"), text, ignore, location.line, flag)]
    pieces = [piece for piece in outline if isinstance(piece, list)]
    is_nested = any(isinstance(value, list) for piece in pieces for value in piece)  # pieces of [[x, y], ...]
    is_points = bool(pieces) and not is_nested and all(len(piece) <= 2 for piece in pieces)  # one of [[x, y], ...]
    outlines = [outline] if not pieces or is_points else outline
    polygons = [location.attempt(to_polygon, each, "segmentation") for each in outlines]
    return [None if polygon is None else Region(polygon, text, ignore, location.line, flag) for polygon in polygons]


def _key(value: Any) -> str | None:
    """One key for the ids 12, 12.0 and "12": the objects of COCO-Text have string keys."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _is_annotation_file(text: str) -> bool:
    """Whether the start and end of a file show two of the three lists, with entries of the format."""
    if has_key(text, "data_list", "[") or has_key(text, "shapes", "["):
        return False
    images = (has_key(text, "images", "[") and has_key(text, "file_name")) or has_key(text, "imgs", "{")
    has_position = has_key(text, "bbox", "[") or has_key(text, "segmentation")
    annotations = (has_key(text, "annotations", "[") or has_key(text, "image_id")) and has_position
    categories = has_key(text, "supercategory") or has_key(text, "categories", "[") or has_key(text, "cats", "{")
    return images + (annotations or has_key(text, "anns", "{")) + categories >= 2
