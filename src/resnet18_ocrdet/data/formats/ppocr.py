"""Label files of PaddleOCR and its labelling tool PPOCRLabel: one image per line, its regions as JSON.

    img/1.jpg<tab>[{"transcription": "MASA", "points": [[310, 104], [416, 141], [418, 216], [312, 179]]}, ...]

PaddleOCR ignores regions whose text is ### or *; PPOCRLabel adds `"difficult": true` to illegible text. Both write the
image with its folder, relative to where the tool was started.
https://github.com/PaddlePaddle/PaddleOCR, docs on text detection data sets; https://github.com/PFCCLab/PPOCRLabel
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats.json_file import BadJson, describe, is_set, parse_json, peek, text_of
from resnet18_ocrdet.data.formats.locate import check_root, files_in, folders_in, image_folders, locate
from resnet18_ocrdet.data.formats.points import Location, to_polygon
from resnet18_ocrdet.data.formats.split_names import ListedImage, group_by_split, split_below, split_of
from resnet18_ocrdet.data.image_io import IMAGE_SUFFIXES
from resnet18_ocrdet.data.record import LabelRecord, Region, to_record
from resnet18_ocrdet.data.text_file import label_text, lines_of, quoted

KEY = "ppocr"
NAME = "PaddleOCR"
IGNORE_MARKS = ("###", "*")  # PaddleOCR, ppocr/data/imaug/label_ops.py, DetLabelEncode
OTHER_LABEL_FILES = ("det_gt",)  # written by the converters of MindOCR
MAX_PEEKED = 8  # files that `recognise` opens

_SUFFIX = "|".join(re.escape(suffix) for suffix in sorted(IMAGE_SUFFIXES))
_NAME_END = re.compile(rf"(?i)(?:{_SUFFIX})(?:\t|\s++(?=\[)|\s*+\Z)")  # possessive: no long backtracking
_START = re.compile(rf"(?im)^[^\S\r\n]*+[^\t\r\n]+?(?:{_SUFFIX})(?:\t[ \t]*+|[ \t]++)\[\s*+[{{\]]")


def recognise(root: Path) -> str | None:
    """Report the first label file whose first line is in the format."""
    for path in label_files(root)[:MAX_PEEKED]:
        if _START.match(peek(path).lstrip()):
            return f"{path.relative_to(root).as_posix()}: line 1 is an image, a tab and a JSON list"
    return None


def read(root: Path, report: Report, marks: Sequence[str]) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist. Raises UserError if `root` cannot be listed."""
    check_root(root)
    files = [path for path in label_files(root) if _is_label_file(path)]
    splits = {path: split_of(path.stem) or split_below(root, path.parent) for path in files}
    listed = [entry for path in files for entry in read_label_file(root, path, splits[path], report, marks)]
    return group_by_split(splits.values(), listed, report)


def label_files(root: Path) -> list[Path]:
    """List the files that may hold labels, by name: in root, and in its folders named after a split."""
    folders = [root, *(folder for folder in folders_in(root) if split_of(folder.name))]
    paths = [path for folder in folders for path in files_in(folder, ".txt")]
    return [
        path
        for path in paths
        if "label" in path.stem.lower() or split_of(path.stem) or path.stem.lower() in OTHER_LABEL_FILES
    ]


def read_label_file(
    root: Path, path: Path, split: str | None, report: Report, marks: Sequence[str]
) -> list[ListedImage]:
    """Read all lines of one label file; lines that cannot be read are reported and their images skipped."""
    text = label_text(path, report, None)
    inside = list(dict.fromkeys([root, *image_folders(root, path, (split or "train",))]))
    listed = []
    for number, line in lines_of(text or ""):
        if record := _read_line(line, Location(report, path, number), root, inside, marks):
            listed.append(ListedImage(split, number, record))
    return listed


def _read_line(
    line: str, location: Location, root: Path, inside: Sequence[Path], marks: Sequence[str]
) -> LabelRecord | None:
    """Read the regions of one image; None, reported, if they or the image are missing.

    inside: folders that may hold images. PPOCRLabel writes the name of the folder of Label.txt, often root, before
    each image."""
    end = _NAME_END.search(line)
    if not end or "\t" in (name := line[: end.end()].strip()):
        location.add("GT022", f"needs an image, a tab and a JSON list, got {quoted(line.strip())}")
        return None
    image = locate(name, [*inside, root.parent], location, shortened=inside)
    if image is None:
        return None
    location = location._replace(image=image)
    text = line[end.end() :].lstrip()
    entries = _parse_list(text, len(line) - len(text), location)
    if entries is None:
        return None
    if location.too_many(len(entries)):
        return to_record(image, location.path, [], lost=len(entries))
    regions = [_read_entry(entry, location, number, marks) for number, entry in enumerate(entries, start=1)]
    return to_record(image, location.path, regions)


def _parse_list(text: str, start: int, location: Location) -> list[Any] | None:
    """Parse the JSON of a line, which starts after `start` characters; None, reported, if it is not a list."""
    try:
        entries = parse_json(text)
    except BadJson as error:
        if not text:
            location.add("GT022", "needs a JSON list after the image, got nothing; write [] for an image without text")
        else:
            where = f"column {start + error.column}: " if error.column else ""
            location.add("GT006", where + error.reason)
        return None
    if not isinstance(entries, list):
        location.add("GT022", f"needs a list of regions after the image, got {describe(entries)}")
        return None
    return entries


def _read_entry(entry: Any, location: Location, number: int, marks: Sequence[str]) -> Region | None:
    """Read one region; None, reported, if its position cannot be read."""
    location = location._replace(entry=f"region {number}")
    if not isinstance(entry, dict):
        location.add("GT022", f"needs transcription and points, got {describe(entry)}")
        return None
    polygon = to_polygon(entry.get("points"), location)
    if polygon is None:
        return None
    text = text_of(entry.get("transcription"))
    return Region(polygon, text, text in marks or is_set(entry.get("difficult")), location.line)


def _is_label_file(path: Path) -> bool:
    """Whether one of the first lines names an image and starts a list of objects."""
    return _START.search(peek(path)) is not None
