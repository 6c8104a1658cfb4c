"""DOTA: quads with a class and a difficulty, one text file for each image (https://captain-whu.github.io/DOTA/dataset).

    imagesource:GoogleEarth
    gsd:0.146343590398
    2753 2408 2861 2385 2888 2468 2805 2502 plane 0

The header may be missing, and so may the difficulty. The devkit leaves difficult objects out of the score
(DOTA_devkit, dota_evaluation_task1.py). The layouts of folders are those of `label_places`; MMRotate calls the labels
annfiles/. There are no texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from ...errors import UserError
from ..findings import Report
from ..record import LabelRecord, Region
from ..text_file import TextLine, lines_of
from .label_places import label_pairs, label_places, some_lines
from .locate import check_root
from .location import LabelError
from .pairing import are_numbers, read_numbers, read_text
from .points import flat_polygon
from .split_names import ListedImage, group_by_split, split_by_folder

KEY = "dota"
NAME = "DOTA"
IGNORE_MARKS = ("###",)  # as a class
IGNORE_FLAGS = ("difficult",)
OWN_FOLDERS = ("labelTxt", "labelTxt-v1.0", "labelTxt-v1.5", "labelTxt-v2.0", "annfiles")
LABEL_FOLDERS = (*OWN_FOLDERS, "labels", "gts")
CORNER_NUMBERS = 8
USUAL = 0.9  # share of the lines that show the format

_HEADER = re.compile(r"\s*'?(?:imagesource|acquisition dates|gsd)'?\s*:", re.IGNORECASE)
_DIFFICULTY = re.compile("[0-9]")
_LEVELS = ("0", "1", "2")  # of difficulty: DOTA-v1.5 and v2.0 have 2 for very small objects


def recognise(root: Path) -> str | None:
    """Report the first label file, if a few files have headers, and almost only lines of the format beside them.

    Without a header, all lines must be corners, a class in one word and a difficulty. `... word 1` may also be a text:
    in folders that other formats have, each class must be used twice on average."""
    places = label_places(root, LABEL_FOLDERS)
    lines = list(some_lines(places))
    headed = [path for path, text in lines if _HEADER.match(text)]
    own = {name.casefold() for name in OWN_FOLDERS}
    is_own = bool(places) and all(place.labels.name.casefold() in own for place in places)
    found = [(path, name) for path, text in lines if (name := class_of(text, is_strict=not headed))]
    showing = headed + [path for path, _ in found]
    if not showing or len(showing) < (USUAL if headed else 1) * len(lines):
        return None
    if not (headed or is_own or 2 * len({name for _, name in found}) <= len(found)):
        return None
    return f"{showing[0].relative_to(root).as_posix()} holds corners, a class and a difficulty"


def class_of(line: str, is_strict: bool) -> str:
    """The class of a line of this format; "" for another line. is_strict: a class has one word, and a difficulty."""
    fields = line.split()
    if len(fields) <= CORNER_NUMBERS or not are_numbers(fields[:CORNER_NUMBERS]):
        return ""
    name, level = _split(fields[CORNER_NUMBERS:])
    if are_numbers([name]) or (is_strict and (level not in _LEVELS or len(fields) != CORNER_NUMBERS + 2)):
        return ""
    return name


def _split(fields: Sequence[str]) -> tuple[str, str]:
    """Class and difficulty of a line; "" if they are missing."""
    has_level = len(fields) > 1 and _DIFFICULTY.fullmatch(fields[-1]) is not None
    return " ".join(fields[:-1] if has_level else fields), fields[-1] if has_level else ""


def read(root: Path, report: Report, marks: Sequence[str]) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist, by the names of folders. Raises UserError."""
    check_root(root)
    places = label_places(root, LABEL_FOLDERS, report)
    if not places:
        raise UserError(f"{root}: no DOTA labels found (looked for labelTxt/, annfiles/ or labels/ beside images/)")
    parse = partial(parse_line, marks=marks)
    labels = [label for place in places for label in label_pairs(place, report)]
    records = [record for label in labels if (record := read_text(label, parse, _without_header))]
    listed = split_by_folder(root, (ListedImage(None, 0, record) for record in records))
    return group_by_split((entry.split for entry in listed), listed, report)


def _without_header(text: str) -> Iterator[TextLine]:
    return (line for line in lines_of(text) if not _HEADER.match(line.text))


def parse_line(text: str, line: int = 0, marks: Sequence[str] = ()) -> Region:
    """Parse one line: a quad with its class and the flag "difficult". A class that is a don't-care mark is one.

    Raises LabelError for fewer than 8 numbers."""
    fields = text.split()
    if len(fields) < CORNER_NUMBERS:
        needed = "x1 y1 x2 y2 x3 y3 x4 y4, a class and a difficulty"
        raise LabelError("GT018", f"{len(fields)} fields: a line has {needed}")
    polygon = flat_polygon(read_numbers(fields[:CORNER_NUMBERS]))
    name, level = _split(fields[CORNER_NUMBERS:])
    return Region(polygon, "", name in marks, line, "difficult" if level.strip("0") else "", name)
