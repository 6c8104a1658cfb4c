"""MSRA-TD500: text lines as rotated boxes (Yao et al., "Detecting Texts of Arbitrary Orientations", CVPR 2012).

    root/train/IMG_0030.JPG  root/train/IMG_0030.gt     and the same in test/

A line is `index difficulty x y w h theta`: x, y, w, h is the box before it is rotated by theta radians round its
centre, from the x axis towards the y axis, which is clockwise on screen; difficulty 1 is don't-care. There are no
transcriptions. Coordinates refer to the stored pixels, before the EXIF orientation.

Conversions of this data set to polygons (eight numbers and the difficulty) are read by `folders`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ..findings import Report
from ..record import LabelRecord, Region
from ..text_file import lines_of
from .location import LabelError
from .pairing import SplitFolders, are_numbers, read_numbers, read_splits, read_text, recognise_labels
from .points import polygon_of

KEY = "msra_td500"
NAME = "MSRA-TD500"
IGNORE_MARKS: tuple[str, ...] = ()  # the second column marks don't-care
IGNORE_FLAGS = ("difficult",)
LAYOUT = {split: SplitFolders((split,), (split,)) for split in ("train", "val", "test")}
FIELDS = 7  # index difficulty x y w h theta

_SEPARATOR = re.compile(r"[\s,;]+")


def recognise(root: Path) -> str | None:
    """Report the first .gt file in train/, val/ or test/ that starts with a line of this format."""
    return recognise_labels(root, LAYOUT, (".gt",), _sign_of)


def _sign_of(_: Path, head: str) -> str:
    """A first line of 7 numbers separated by spaces, the second of them 0 or 1; "" if it is another."""
    fields = next((line.text.split() for line in lines_of(head)), [])
    is_line = len(fields) == FIELDS and are_numbers(fields) and float(fields[1]) in (0, 1)
    return "starts with 7 numbers, index difficulty x y w h theta" if is_line else ""


def read(root: Path, report: Report, marks: Sequence[str] = IGNORE_MARKS) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist; `marks` is not used: there are no texts. Raises UserError if there are no images."""
    del marks
    read_file = partial(read_text, parse=parse_line, frame="raw")
    return read_splits(root, LAYOUT, ("{stem}.gt",), report, read_file)


def parse_line(text: str, line: int = 0) -> Region:
    """Parse one line: four corners, starting at the top left of the box before its rotation.

    Raises LabelError if there are not exactly 7 fields, or one is not a number."""
    fields = [field for field in _SEPARATOR.split(text, maxsplit=FIELDS + 1) if field]
    if len(fields) != FIELDS:
        code = "GT018" if len(fields) < FIELDS else "GT022"
        seen = f"{len(fields)} fields" if len(fields) < FIELDS else f"more than {FIELDS} fields"
        raise LabelError(code, f"{seen}: a line has 7, index difficulty x y w h theta")
    _, difficulty, x, y, width, height, theta = read_numbers(fields)
    corners = [(-width / 2, -height / 2), (width / 2, -height / 2), (width / 2, height / 2), (-width / 2, height / 2)]
    cosine, sine = (math.cos(theta), math.sin(theta)) if math.isfinite(theta) else (math.nan, math.nan)
    numbers = []
    for right, down in corners:
        numbers += [x + width / 2 + right * cosine - down * sine, y + height / 2 + right * sine + down * cosine]
    return Region(polygon_of(numbers), line=line, flag="difficult" if difficulty != 0 else "")
