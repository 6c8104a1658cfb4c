"""HierText: paragraphs of lines of words, all images of a split in one JSON file.

    gt/train.jsonl, one object despite its suffix, with train/<image_id>.jpg; the same with validation

    {"info": {...}, "annotations": [{"image_id": "a1", "image_width": 1600, "image_height": 1200, "paragraphs": [
        {"vertices": [[x, y], ...], "legible": true, "lines": [
            {"vertices": [...], "text": "EXIT 12", "legible": true, "handwritten": false, "vertical": false, "words": [
                {"vertices": [...], "text": "EXIT", "legible": true, "handwritten": false, "vertical": false}]}]}]}]}

`data.level` chooses words, lines or paragraphs. The outlines of lines and paragraphs are loose. A line without words is
don't-care among words, and so on: its text was not divided. `vertical` is a flag too, but not don't-care; handwritten
and printed are classes. Files are read image by image.
https://github.com/google-research-datasets/hiertext
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..findings import MAX_REGIONS, Report
from ..record import LabelRecord, Region
from ..text_file import quoted
from ..text_stream import label_stream
from .image_index import ImageIndex, read_label_files
from .json_file import describe, first_shown, has_key, is_set, labels_among, stated_size, text_of
from .json_stream import JsonStream
from .locate import check_root, files_in, folders_in, image_folders
from .location import LabelError, Location, numbered
from .points import to_polygon
from .split_names import ListedImage, split_of
from .stems import ImagesByStem

KEY = "hiertext"
NAME = "HierText"
IGNORE_MARKS: tuple[str, ...] = ()
IGNORE_FLAGS = ("illegible", "no_words", "no_lines")
LEVELS = ("word", "line", "paragraph")  # the first is the default
LABEL_FOLDERS = ("gt", "annotations")
MAX_PEEKED = 8  # files that `recognise` opens
_DOWNWARDS = ("paragraph", "line", "word")


def recognise(root: Path) -> str | None:
    """Report the first of a few JSON files with the keys of the format."""
    return first_shown(root, label_files(root)[:MAX_PEEKED], _is_label_file, "has images with paragraphs")


def read(root: Path, report: Report, marks: Sequence[str], level: str = LEVELS[0]) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist. Raises UserError if `root` cannot be listed."""
    check_root(root)
    files = labels_among(label_files(root), _is_label_file, lambda path: split_of(path.stem))
    return read_label_files(
        root, files, report, lambda path, split, index: read_label_file(root, path, split, report, marks, level, index)
    )


def label_files(root: Path) -> list[Path]:
    """List the files that may hold labels: in root, in gt/ and annotations/, and in its folders named after a split."""
    below = [folder for folder in folders_in(root) if folder.name in LABEL_FOLDERS or split_of(folder.name)]
    return [path for folder in (root, *below) for suffix in (".jsonl", ".json") for path in files_in(folder, suffix)]


def read_label_file(
    root: Path, path: Path, split: str | None, report: Report, marks: Sequence[str], level: str, index: ImageIndex
) -> list[ListedImage]:
    """Read all images of one file; images that cannot be read are reported and skipped. [] if the file is damaged."""
    images = ImagesByStem(image_folders(root, path, (split or "train",)), index.of(split))
    with label_stream(path, report) as text:
        if text is None:
            return []
        whole = Location(report, path)
        return whole.attempt(_read_images, JsonStream(text), whole, images, split, marks, level) or []


def _read_images(
    stream: JsonStream, whole: Location, images: ImagesByStem, split: str | None, marks: Sequence[str], level: str
) -> list[ListedImage]:
    """Raises LabelError if the file is damaged, or has no list of images."""
    listed, found = [], False
    for key in stream.members():
        if key != "annotations":
            stream.value()
            continue
        found = True
        for number, entry in numbered(stream.items()):
            location = replace(whole, line=number, entry=f"annotation {number}")
            if record := location.attempt(_read_image, entry, location, images, marks, level):
                listed.append(ListedImage(split, number, record))
    stream.end()
    if not found:
        raise LabelError("GT022", "needs annotations, a list of images")
    return listed


def _read_image(entry: Any, location: Location, images: ImagesByStem, marks: Sequence[str], level: str) -> LabelRecord:
    """Read the regions of one image. Raises LabelError if the image or its list of paragraphs is missing."""
    if not isinstance(entry, dict):
        raise LabelError("GT022", f"needs image_id and paragraphs, got {describe(entry)}")
    name = entry.get("image_id")
    location.image = images.locate(name, "image_id")
    regions: list[Region | None] = []
    where = replace(location, entry=f"image {quoted(str(name))}")
    _collect(entry.get("paragraphs"), _DOWNWARDS, where, level, marks, regions)
    if location.too_many(len(regions)):
        regions = [None] * len(regions)
    return location.record(regions, stated=stated_size(entry.get("image_height"), entry.get("image_width")))


def _collect(
    parts: Any,
    kinds: Sequence[str],
    location: Location,
    level: str,
    marks: Sequence[str],
    regions: list[Region | None],
) -> bool:
    """Add the regions of a list of parts, and of the parts below, down to a level. Returns True.

    kinds: those of the parts and of the parts below. Raises LabelError if it is not a list."""
    kind, *below = kinds
    if not isinstance(parts, list):
        raise LabelError("GT022", f"needs {kind}s, a list, got {describe(parts)}")
    for number, part in enumerate(parts, start=1):
        if len(regions) > MAX_REGIONS:
            break
        here = replace(location, line=len(regions) + 1, entry=f"{location.entry}, {kind} {number}")
        inside = part.get(f"{below[0]}s") if below and isinstance(part, dict) else None
        if kind == level or not isinstance(part, dict) or inside == []:
            lacks = "" if kind == level else f"no_{level}s"
            regions.append(here.attempt(_read_part, part, len(regions) + 1, lacks, marks))
        elif not here.attempt(_collect, inside, below, here, level, marks, regions):
            regions.append(None)
    return True


def _read_part(part: Any, number: int, lacks: str, marks: Sequence[str]) -> Region:
    """Read one region. lacks: flag of a part that is not divided. Raises LabelError if its position cannot be read."""
    if not isinstance(part, dict):
        raise LabelError("GT022", f"needs vertices, got {describe(part)}")
    polygon = to_polygon(part.get("vertices"), "vertices")
    text = text_of(part.get("text"))
    flag = "vertical" if is_set(part.get("vertical")) else ""
    if part.get("legible") is not None and not is_set(part["legible"]):
        flag = "illegible"
    elif lacks:
        flag = lacks
    category = "handwritten" if is_set(part.get("handwritten")) else "printed" if "handwritten" in part else ""
    return Region(polygon, text, text in marks, number, flag, category)


def _is_label_file(text: str) -> bool:
    """Whether the start and end of a file show the keys of the format."""
    return has_key(text, "annotations", "[") and has_key(text, "paragraphs", "[")
