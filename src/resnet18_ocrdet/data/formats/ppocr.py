"""Label files of PaddleOCR and of its labelling tool PPOCRLabel: one image a line, its regions as JSON.

    img/1.jpg<tab>[{"transcription": "MASA", "points": [[310, 104], [416, 141], [418, 216], [312, 179]]}, ...]

PaddleOCR skips regions whose text is ### or *; PPOCRLabel adds `"difficult": true` to what the annotator could not
read. Both write the image with the name of its folder, seen from where the tool was started.
https://github.com/PaddlePaddle/PaddleOCR, docs on text detection data sets; https://github.com/PFCCLab/PPOCRLabel
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats.json_file import BadJson, is_set, parse_json, peek, text_of, word
from resnet18_ocrdet.data.formats.locate import check_root, files_in, folders_in, image_folders, locate
from resnet18_ocrdet.data.formats.parts import Listed, part_below, part_of, split_parts
from resnet18_ocrdet.data.formats.points import Place, to_polygon
from resnet18_ocrdet.data.image_io import IMAGE_SUFFIXES
from resnet18_ocrdet.data.record import LabelRecord, Region, to_record
from resnet18_ocrdet.data.text_file import label_text, lines_of, shown

NAME = "PaddleOCR"
IGNORE_MARKS = ("###", "*")  # PaddleOCR, ppocr/data/imaug/label_ops.py, DetLabelEncode
OTHER_LABEL_FILES = ("det_gt",)  # as the converters of MindOCR call theirs
MAX_LOOKED_AT = 8  # files that `recognise` opens

_SUFFIX = "|".join(re.escape(suffix) for suffix in sorted(IMAGE_SUFFIXES))
_NAME_END = re.compile(rf"(?i)(?:{_SUFFIX})(?:\t|\s++(?=\[)|\s*+\Z)")  # possessive: no line takes long
_START = re.compile(rf"(?im)^[^\S\r\n]*+[^\t\r\n]+?(?:{_SUFFIX})(?:\t[ \t]*+|[ \t]++)\[\s*+[{{\]]")


def recognise(root: Path) -> str | None:
    """Tell by the first line of a label file that this folder is in the format; None where it is not."""
    for path in label_files(root)[:MAX_LOOKED_AT]:
        if _START.match(peek(path).lstrip()):
            return f"{path.relative_to(root).as_posix()}: line 1 is an image, a tab and a JSON list"
    return None


def read(root: Path, report: Report, marks: Sequence[str]) -> dict[str, list[LabelRecord]]:
    """Read the parts that are there. Raises UserError where `root` cannot be listed."""
    check_root(root)
    files = [path for path in label_files(root) if _is_label_file(path)]
    parts = {path: part_of(path.stem) or part_below(root, path.parent) for path in files}
    listed = [entry for path in files for entry in read_label_file(root, path, parts[path], report, marks)]
    return split_parts(parts.values(), listed, report)


def label_files(root: Path) -> list[Path]:
    """List the files that may hold labels, by name: in root, and in its folders that are named for a part."""
    folders = [root, *(folder for folder in folders_in(root) if part_of(folder.name))]
    paths = [path for folder in folders for path in files_in(folder, ".txt")]
    return [
        path
        for path in paths
        if "label" in path.stem.lower() or part_of(path.stem) or path.stem.lower() in OTHER_LABEL_FILES
    ]


def read_label_file(root: Path, path: Path, part: str | None, report: Report, marks: Sequence[str]) -> list[Listed]:
    """Read all lines of one label file; a line that cannot be read is reported, and its image left out."""
    text = label_text(path, report, None)
    inside = list(dict.fromkeys([root, *image_folders(root, path, (part or "train",))]))
    listed = []
    for number, line in lines_of(text or ""):
        if record := _read_line(line, Place(report, path, number), root, inside, marks):
            listed.append(Listed(part, number, record))
    return listed


def _read_line(line: str, place: Place, root: Path, inside: Sequence[Path], marks: Sequence[str]) -> LabelRecord | None:
    """Read the regions of one image; None, reported, where they or the image are not there.

    inside: where images may lie. PPOCRLabel puts the name of the folder of Label.txt, often root, before each image."""
    end = _NAME_END.search(line)
    if not end or "\t" in (name := line[: end.end()].strip()):
        place.add("GT022", f"needs an image, a tab and a JSON list, got {shown(line.strip())}")
        return None
    image = locate(name, [*inside, root.parent], place, shortened=inside)
    if image is None:
        return None
    place = place._replace(image=image)
    text = line[end.end() :].lstrip()
    entries = _parse_entries(text, len(line) - len(text), place)
    if entries is None:
        return None
    if place.too_many(len(entries)):
        return to_record(image, place.path, [], lost=len(entries))
    regions = [_read_entry(entry, place, number, marks) for number, entry in enumerate(entries, start=1)]
    kept = [region for region in regions if region]
    return to_record(image, place.path, kept, lost=len(regions) - len(kept))


def _parse_entries(text: str, start: int, place: Place) -> list[Any] | None:
    """Parse the JSON of a line, which begins behind `start` signs; None, reported, where it is no list."""
    try:
        entries = parse_json(text)
    except BadJson as error:
        if not text:
            place.add("GT022", "needs a JSON list behind the image, got nothing; [] stands for no text")
        else:
            where = f"column {start + error.column}: " if error.column else ""
            place.add("GT006", where + error.reason)
        return None
    if not isinstance(entries, list):
        place.add("GT022", f"needs a list of regions behind the image, got {word(entries)}")
        return None
    return entries


def _read_entry(entry: Any, place: Place, number: int, marks: Sequence[str]) -> Region | None:
    """Read one region; None where its place is unknown, which is reported."""
    place = place._replace(entry=f"region {number}")
    if not isinstance(entry, dict):
        place.add("GT022", f"needs transcription and points, got {word(entry)}")
        return None
    polygon = to_polygon(entry.get("points"), place)
    if polygon is None:
        return None
    text = text_of(entry.get("transcription"))
    return Region(polygon, text, text in marks or is_set(entry.get("difficult")), place.line)


def _is_label_file(path: Path) -> bool:
    """Whether one of the first lines, be it not the very first, names an image and begins a list of objects."""
    return _START.search(peek(path)) is not None
