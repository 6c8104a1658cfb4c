"""MSRA-TD500: text lines as rotated boxes (Yao et al., "Detecting Texts of Arbitrary Orientations", CVPR 2012).

    root/train/IMG_0030.JPG  root/train/IMG_0030.gt     and the same in test/

A line is `index difficulty x y w h theta`: x, y, w, h are the box before it is turned by theta radians round its
centre, from the x axis towards the y axis, which is clockwise on screen; difficulty 1 is don't-care. There are no
transcriptions. The coordinates count in the pixels as they are stored, EXIF left aside.

The polygons into which others have converted this set (eight numbers and the difficulty) are not read here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats.pairing import (
    PartFolders,
    RegionError,
    find_folder,
    parse_each,
    peek_files,
    read_numbers,
    read_parts,
    to_polygon,
)
from resnet18_ocrdet.data.record import LabelRecord, Region, to_record
from resnet18_ocrdet.data.text_file import label_text, lines_of

NAME = "MSRA-TD500"
IGNORE_MARKS: tuple[str, ...] = ()  # the second column says it
LAYOUT = {part: PartFolders((part,), (part,)) for part in ("train", "val", "test")}
FIELDS = 7  # index difficulty x y w h theta

_SEPARATOR = re.compile(r"[\s,;]+")


def recognise(root: Path) -> str | None:
    """Say which .gt file in train/, val/ or test/ begins with a line of this kind."""
    for folders in LAYOUT.values():
        folder = find_folder(root, folders.labels)
        for path, head in peek_files(folder, ".gt") if folder else []:
            first = next(lines_of(head.decode("utf-8-sig", "replace")), None)
            if first and _is_ours(first.text):
                return f"{path.relative_to(root).as_posix()} begins with 7 numbers, index difficulty x y w h theta"
    return None


def read(root: Path, report: Report, marks: Sequence[str] = IGNORE_MARKS) -> dict[str, list[LabelRecord]]:
    """Read the parts that are there; `marks` play no part, as there are no texts. Raises UserError for no images."""
    del marks
    return read_parts(root, LAYOUT, ("{stem}.gt",), report, lambda image, label: _read_one(image, label, report))


def parse_line(text: str, line: int = 0) -> Region:
    """Turn one line into a region of four corners, from the top left of the box before it was turned.

    Raises RegionError for another number of fields than 7, and for what is no number."""
    fields = [field for field in _SEPARATOR.split(text, maxsplit=FIELDS + 1) if field]
    if len(fields) != FIELDS:
        code = "GT018" if len(fields) < FIELDS else "GT022"
        seen = f"{len(fields)} fields" if len(fields) < FIELDS else f"more than {FIELDS} fields"
        raise RegionError(code, f"{seen}: a line has 7, index difficulty x y w h theta")
    _, difficulty, x, y, width, height, theta = read_numbers(fields)
    corners = [(-width / 2, -height / 2), (width / 2, -height / 2), (width / 2, height / 2), (-width / 2, height / 2)]
    cosine, sine = (math.cos(theta), math.sin(theta)) if math.isfinite(theta) else (math.nan, math.nan)
    numbers = []
    for along, across in corners:
        numbers += [x + width / 2 + along * cosine - across * sine, y + height / 2 + along * sine + across * cosine]
    return Region(to_polygon(numbers), ignore=difficulty != 0, line=line)


def _read_one(image: Path, label: Path, report: Report) -> LabelRecord | None:
    text = label_text(label, report, image)
    if text is None:
        return None
    regions, lost = parse_each(lines_of(text), parse_line, label, image, report)
    return to_record(image, label, regions, lost, frame="raw")


def _is_ours(text: str) -> bool:
    """Whether a line has seven numbers separated by spaces, the second of them 0 or 1."""
    fields = text.split()
    try:
        return len(fields) == FIELDS and len(read_numbers(fields)) == FIELDS and float(fields[1]) in (0, 1)
    except RegionError:
        return False
