"""Annotations in the style of COCO, and those of COCO-Text and TextOCR: all images and all regions in one JSON file.

    {"images": [{"id": 1, "file_name": "1.jpg", "height": 480, "width": 640}], "categories": [...],
     "annotations": [{"id": 5, "image_id": 1, "category_id": 1, "iscrowd": 0, "bbox": [x, y, width, height],
                      "segmentation": [[x1, y1, x2, y2, ...], ...]}]}

COCO-Text calls the lists "imgs" and "anns", makes them objects keyed by id, has the outline as "mask", "polygon" in its
first version, and adds "utf8_string" and "legibility". TextOCR calls the outline "points", writes "." for what nobody
can read, and names images train/1.jpg that its archive unpacks to train_images/. A segmentation in several pieces is
several regions; one that is run-length encoded is read by its bbox. Every category is taken for text.
https://cocodataset.org/#format-data, https://bgshih.github.io/cocotext, https://textvqa.org/textocr
"""

from __future__ import annotations

import re
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
from resnet18_ocrdet.data.formats.locate import check_root, files_in, folders_in, image_folders, locate
from resnet18_ocrdet.data.formats.parts import PARTS, Listed, part_below, part_of, split_parts
from resnet18_ocrdet.data.formats.points import Place, to_polygon, to_rectangle
from resnet18_ocrdet.data.record import LabelRecord, Region, to_record

NAME = "COCO"
IGNORE_MARKS = ("###",)
ILLEGIBLE = "illegible"  # COCO-Text: text that nobody can read
UNREAD = "."  # TextOCR: the same, as the whole text
MAX_LOOKED_AT = 5  # files that `recognise` opens
_OUTLINE_KEYS = ("segmentation", "mask", "polygon", "points")
_TEXT_KEYS = ("utf8_string", "text", "transcription")


def recognise(root: Path) -> str | None:
    """Tell by the keys of a few JSON files that this folder is in the format; None where it is not."""
    for path in annotation_files(root)[:MAX_LOOKED_AT]:
        if _is_annotation_file(peek(path)):
            return f"{path.relative_to(root).as_posix()}: has images and annotations with boxes"
    return None


def read(root: Path, report: Report, marks: Sequence[str]) -> dict[str, list[LabelRecord]]:
    """Read the parts that are there. Raises UserError where `root` cannot be listed."""
    check_root(root)
    texts = {path: peek(path) for path in annotation_files(root)}
    files = [
        path
        for path, text in texts.items()
        if _is_annotation_file(text) or (_part(root, path) and is_no_json(text))  # broken: read to be reported
    ]
    instances = [path for path in files if path.stem.lower().startswith("instances")]
    listed = [entry for path in instances or files for entry in read_annotation_file(root, path, report, marks)]
    parts = [*(_part(root, path) for path in instances or files), *(entry.part for entry in listed if entry.part)]
    return split_parts(parts, listed, report)


def annotation_files(root: Path) -> list[Path]:
    """List the JSON files that may hold labels; instances_*.json and those named for a part come first."""
    folders = (root / "annotations", root, *(folder for folder in folders_in(root) if part_of(folder.name)))
    paths = [path for folder in folders for path in files_in(folder, ".json")]
    return sorted(paths, key=lambda path: (not path.stem.lower().startswith("instances"), part_of(path.stem) is None))


def read_annotation_file(root: Path, path: Path, report: Report, marks: Sequence[str]) -> list[Listed]:
    """Read all images of one file; one that cannot be read is reported and left out."""
    data = read_object(path, report)
    if data is None:
        return []
    images = _entries(data, ("images", "imgs"), Place(report, path, 0))
    annotations = _entries(data, ("annotations", "anns"), Place(report, path, 0))
    if images is None or annotations is None:
        return []
    part = _part(root, path)
    named = {entry["set"] for entry in images if isinstance(entry, dict) and entry.get("set") in PARTS}
    folders = image_folders(root, path, PARTS if named else (part or "train",))
    files = _read_images(images, Place(report, path, 0), folders)
    regions: dict[str, list[Region | None]] = {}
    for number, annotation in enumerate(annotations, start=1):
        place = Place(report, path, number, entry=f"annotation {number}")
        if not isinstance(annotation, dict) or (key := _key(annotation.get("image_id"))) is None:
            seen = word(annotation.get("image_id") if isinstance(annotation, dict) else annotation)
            place.add("GT022", f"needs image_id, a number or a string, got {seen}")
        elif key not in files:
            place.add("FS079", f"image_id {word(annotation['image_id'])} is that of no image")
        elif (file := files[key][1]) is not None:
            regions.setdefault(key, []).extend(_read_annotation(annotation, place._replace(image=file), marks))
    listed = []
    for key, (number, file) in files.items():
        if file is not None:
            entry, found = images[number - 1], regions.get(key, [])
            too_many = Place(report, path, number, file, f"image {number}").too_many(len(found))
            kept = [] if too_many else [region for region in found if region]
            stated = stated_size(entry.get("height"), entry.get("width"))
            record = to_record(file, path, kept, len(found) - len(kept), stated)
            listed.append(Listed(entry["set"] if entry.get("set") in PARTS else part, number, record))
    return listed


def _part(root: Path, path: Path) -> str | None:
    """Tell the part of a file by its name, else by its folder: some tools write one file of the same name in each."""
    return part_of(path.stem) or part_below(root, path.parent)


def _entries(data: dict[str, Any], keys: Sequence[str], place: Place) -> list[Any] | None:
    """Take a list, or the values of an object keyed by id; None, reported, where there is neither."""
    value = next((data[key] for key in keys if key in data), None)
    if isinstance(value, dict):
        return [{"id": key, **entry} if isinstance(entry, dict) else entry for key, entry in value.items()]
    if not isinstance(value, list):
        place.add("GT022", f"needs {keys[0]}, a list, got {word(value)}")
        return None
    return value


def _read_images(images: Sequence[Any], place: Place, folders: Sequence[Path]) -> dict[str, tuple[int, Path | None]]:
    """Number and file of each image by its id; no file where it is not there or not the only one, which is reported."""
    files: dict[str, tuple[int, Path | None]] = {}
    for number, entry in enumerate(images, start=1):
        place = place._replace(line=number, entry=f"image {number}")
        if not isinstance(entry, dict) or (key := _key(entry.get("id"))) is None:
            place.add("GT022", f"needs id, a number or a string, got {word(entry)}")
        elif key in files:
            first, file = files[key]
            detail = f"needs an id of its own, {word(entry['id'])} is that of image {first}"
            place._replace(image=file).add("GT022", detail)
            if _name(entry) != _name(images[first - 1]):
                files[key] = first, None  # whose regions are whose cannot be told
        else:
            name = _name(entry)
            files[key] = number, locate(name, folders, place, "file_name", _alike(name, folders))
    return files


def _name(entry: dict[str, Any]) -> Any:
    return entry.get("file_name", entry.get("filename"))


def _alike(name: Any, folders: Sequence[Path]) -> list[Path]:
    """List the folders of the part that a relative name begins with: train_images/ for train/1.jpg."""
    first, *rest = re.split(r"[/\\]", name, maxsplit=1) if isinstance(name, str) else [""]
    part = part_of(first) if rest else None
    return [folder for folder in folders if part and part_of(folder.name) == part]


def _read_annotation(annotation: dict[str, Any], place: Place, marks: Sequence[str]) -> list[Region | None]:
    """Read one annotation: a region for each of its pieces, None for each whose place is unknown, reported."""
    text = next((text for key in _TEXT_KEYS if (text := text_of(annotation.get(key)))), "")
    ignore = text in marks or is_set(annotation.get("iscrowd")) or annotation.get("legibility") == ILLEGIBLE
    ignore |= text == UNREAD and "points" in annotation
    outline = next((value for key in _OUTLINE_KEYS if isinstance(value := annotation.get(key), list) and value), None)
    if outline is None:
        if annotation.get("bbox") is None:
            place.add("GT022", "needs segmentation or bbox, has neither")
            return [None]
        polygons = [to_rectangle(annotation["bbox"], place, "size")]
    else:
        pieces = [piece for piece in outline if isinstance(piece, list)]
        is_nested = any(isinstance(value, list) for piece in pieces for value in piece)  # pieces of [[x, y], ...]
        is_points = bool(pieces) and not is_nested and all(len(piece) <= 2 for piece in pieces)  # one of [[x, y], ...]
        whole = not pieces or is_points
        polygons = [to_polygon(piece, place, "segmentation") for piece in ([outline] if whole else outline)]
    return [None if polygon is None else Region(polygon, text, ignore, place.line) for polygon in polygons]


def _key(value: Any) -> str | None:
    """Make one spelling of the ids 12, 12.0 and "12": the objects of COCO-Text have strings for keys."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _is_annotation_file(text: str) -> bool:
    """Whether the start and end of a file have two of the three lists, with entries as the format has them."""
    if has_key(text, "data_list", "[") or has_key(text, "shapes", "["):
        return False
    images = (has_key(text, "images", "[") and has_key(text, "file_name")) or has_key(text, "imgs", "{")
    has_place = has_key(text, "bbox", "[") or has_key(text, "segmentation")
    annotations = (has_key(text, "annotations", "[") or has_key(text, "image_id")) and has_place
    categories = has_key(text, "supercategory") or has_key(text, "categories", "[") or has_key(text, "cats", "{")
    return images + (annotations or has_key(text, "anns", "{")) + categories >= 2
