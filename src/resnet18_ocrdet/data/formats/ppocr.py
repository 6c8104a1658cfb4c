"""Label files of PaddleOCR and its labelling tool PPOCRLabel: one image per line, its regions as JSON.

    img/1.jpg<tab>[{"transcription": "MASA", "points": [[310, 104], [416, 141], [418, 216], [312, 179]]}, ...]

PaddleOCR ignores regions whose text is ### or *; PPOCRLabel adds `"difficult": true`, which PaddleOCR does not read.
Both write the image with its folder, relative to where the tool was started. The folders of several annotators, each
with its Label.txt, are one data set.
https://github.com/PaddlePaddle/PaddleOCR, docs on text detection data sets; https://github.com/PFCCLab/PPOCRLabel
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..findings import Report
from ..image_io import IMAGE_SUFFIXES
from ..record import LabelRecord, Region
from ..text_file import label_text, lines_of, quoted
from .image_index import FindByName, ImageIndex, read_label_files
from .json_file import describe, first_shown, is_set, parse_json, peek, text_of
from .locate import check_root, files_in, folders_in, image_folders, locate
from .location import LabelError, Location
from .points import to_polygon
from .split_names import ListedImage, split_of

KEY = "ppocr"
NAME = "PaddleOCR"
IGNORE_MARKS = ("###", "*")  # PaddleOCR, ppocr/data/imaug/label_ops.py, DetLabelEncode
IGNORE_FLAGS: tuple[str, ...] = ()  # the same loader does not look at "difficult"
OTHER_LABEL_FILES = ("det_gt",)  # written by the converters of MindOCR
MAX_PEEKED = 8  # files that `recognise` opens

_SUFFIX = "|".join(re.escape(suffix) for suffix in sorted(IMAGE_SUFFIXES))
_NAME_END = re.compile(rf"(?i)(?:{_SUFFIX})(?:\t|\s++(?=\[)|\s*+\Z)")  # possessive: no long backtracking
_START = re.compile(rf"(?im)^[^\S\r\n]*+[^\t\r\n]+?(?:{_SUFFIX})(?:\t[ \t]*+|[ \t]++)\[\s*+[{{\]]")


def recognise(root: Path) -> str | None:
    """Report the first label file whose first line is in the format."""
    sign = "line 1 is an image, a tab and a JSON list"
    return first_shown(root, label_files(root)[:MAX_PEEKED], lambda text: _START.match(text.lstrip()), sign)


def read(root: Path, report: Report, marks: Sequence[str]) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist. Raises UserError if `root` cannot be listed."""
    check_root(root)
    files = [path for path in label_files(root) if _START.search(peek(path))]
    return read_label_files(
        root, files, report, lambda path, split, index: read_label_file(root, path, split, report, marks, index)
    )


def label_files(root: Path) -> list[Path]:
    """List the files that may hold labels, by name: in root, and in folders below it.

    In the folders of annotators only Label.txt and the like, elsewhere also files named after a split."""
    found = [path for path in files_in(root, ".txt") if _is_label_name(path.stem)]
    for folder in folders_in(root):
        is_split = split_of(folder.name) is not None
        for each in (folder, *folders_in(folder)):
            found += [path for path in files_in(each, ".txt") if _is_label_name(path.stem, is_split and each == folder)]
    return found


def _is_label_name(stem: str, with_splits: bool = True) -> bool:
    """Whether a label file may have this name. with_splits: the name of a split is one."""
    name = stem.lower()
    return "label" in name or name in OTHER_LABEL_FILES or (with_splits and split_of(stem) is not None)


def read_label_file(
    root: Path, path: Path, split: str | None, report: Report, marks: Sequence[str], index: ImageIndex | None = None
) -> list[ListedImage]:
    """Read all lines of one label file; lines that cannot be read are reported and their images skipped."""
    text = label_text(path, report, None)
    inside = list(dict.fromkeys([path.parent, root, *image_folders(root, path, (split or "train",))]))
    find = None if index is None else index.of(split)
    listed = []
    for number, line in lines_of(text or ""):
        location = Location(report, path, number)
        if record := location.attempt(_read_line, line, location, root, inside, find, marks):
            listed.append(ListedImage(split, number, record))
    return listed


def _read_line(
    line: str,
    location: Location,
    root: Path,
    inside: Sequence[Path],
    find: FindByName | None,
    marks: Sequence[str],
) -> LabelRecord:
    """Read the regions of one image. Raises LabelError if they or the image are missing.

    inside: folders that may hold images. PPOCRLabel writes the name of the folder of Label.txt, often root, before
    each image. find: searches the whole data set."""
    end = _NAME_END.search(line)
    if not end or "\t" in (name := line[: end.end()].strip()):
        raise LabelError("GT022", f"needs an image, a tab and a JSON list, got {quoted(line.strip())}")
    location.image = locate(name, [*inside, root.parent], shortened=inside, find=find)
    text = line[end.end() :].lstrip()
    if not text:
        raise LabelError("GT022", "needs a JSON list after the image, got nothing; write [] for an image without text")
    entries = parse_json(text, location.line, before=len(line) - len(text))
    if not isinstance(entries, list):
        raise LabelError("GT022", f"needs a list of regions after the image, got {describe(entries)}")
    return location.record_each(entries, "region", partial(_read_entry, marks=marks), line=location.line)


def _read_entry(entry: Any, line: int, marks: Sequence[str]) -> Region:
    """Read one region. Raises LabelError if its position cannot be read."""
    if not isinstance(entry, dict):
        raise LabelError("GT022", f"needs transcription and points, got {describe(entry)}")
    polygon = to_polygon(entry.get("points"))
    text = text_of(entry.get("transcription"))
    return Region(polygon, text, text in marks, line, "difficult" if is_set(entry.get("difficult")) else "")
