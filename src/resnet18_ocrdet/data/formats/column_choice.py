"""Which columns the lines of a data set have: decided once, from all of them.

A single line is ambiguous: the text of `...,1,000` may be a price, or follow a difficulty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...errors import UserError
from ...runtime.messages import count
from ..text_file import TextLine, quoted
from .columns import BOX, DIFFICULT, SCRIPT, SCRIPTS, TEXT, Columns, first_field, is_quoted
from .icdar_text import (
    BLANKS,
    BOX_NUMBERS,
    POLYGON_NUMBERS,
    QUAD_NUMBERS,
    TAB,
    TRIANGLE_NUMBERS,
    Numbers,
    are_quads,
    label_numbers,
)
from .yolo_lines import is_yolo

USUAL = 0.95  # share of the lines that show a column
ALMOST_ALL = 0.99
MAX_CLASS = 100  # of a rotated box; a corner of a triangle is rarely so near the border in every line


class Layout(NamedTuple):
    """How the lines of a data set are read."""

    quads: bool  # 8 numbers, not 2N
    columns: Columns
    note: str  # what to tell the user; "" for the usual columns


@dataclass
class _Seen:
    """What the lines of a data set have in common. Field 9: the first one after four corners."""

    numbers: list[int] = field(default_factory=list)  # at the start of each line, at most POLYGON_NUMBERS
    quads: int = 0  # lines with four corners
    scripts: Counter[str] = field(default_factory=Counter)  # field 9, if it is a script
    levels: Counter[str] = field(default_factory=Counter)  # field 9, if it is 0 or 1
    words: int = 0  # lines with such a field 9 and a text that is not a number
    texts: Counter[bool] = field(default_factory=Counter)  # whether what follows the corners is in quotes
    tails: Counter[bool] = field(default_factory=Counter)  # whether what follows field 9 is in quotes
    upright: int = 0  # lines of left < right and top < bottom
    turned: str = ""  # place of the first box that is not
    angled: int = 0  # lines that may be `class cx cy w h angle`
    yolo: int = 0

    def add(self, line: TextLine, where: str) -> None:
        """Count one line."""
        found = label_numbers(line.text, POLYGON_NUMBERS)
        number = len(found.values)
        self.numbers.append(number)
        if QUAD_NUMBERS <= number < POLYGON_NUMBERS:
            self._add_quad(line.text[found.starts[QUAD_NUMBERS] :].strip(), found.separator == BLANKS)
        elif number == BOX_NUMBERS:
            self._add_box(line, found, where)
        if found.separator in (TAB, BLANKS):
            is_angled = number == TRIANGLE_NUMBERS and not line.text[found.starts[-1] :].strip()
            self.angled += is_angled and found.values[0] in range(MAX_CLASS)
            self.yolo += is_yolo(line.text)

    def _add_quad(self, rest: str, spaced: bool) -> None:
        self.quads += 1
        first, tail = first_field(rest, spaced)
        if first in ("0", "1"):
            self.levels[first] += 1
            self.words += any(not sign.isdigit() and sign not in " ,." for sign in tail)
        elif first.lower() in SCRIPTS:
            self.scripts[first] += 1
        if rest:
            self.texts[is_quoted(rest)] += 1
        if tail:
            self.tails[is_quoted(tail)] += 1

    def _add_box(self, line: TextLine, found: Numbers, where: str) -> None:
        left, top, right, bottom = found.values
        is_upright = left < right and top < bottom
        self.upright += is_upright
        if not is_upright and not self.turned:
            self.turned = f"{where}:{line.number}: {quoted(line.text)}"
        if rest := line.text[found.starts[-1] :].strip():
            self.texts[is_quoted(rest)] += 1


def choose_columns(files: Mapping[Path, Sequence[TextLine] | None], wanted: Sequence[str] | None = None) -> Layout:
    """Decide how the lines of all label files are read. wanted: columns that the user chose.

    Raises UserError for lines of another tool that the readers of ICDAR lines would misread."""
    seen = _Seen()
    for path, lines in files.items():
        for line in lines or ():
            seen.add(line, str(path))
    quads = are_quads(np.array(seen.numbers))
    if wanted is None:
        _refuse_other_tools(seen, files)
        names, why = _columns(seen) if quads else ((TEXT,), "")
        note = f"{_form(names)}: {why}; data.columns={TEXT} takes all of it as the text" if why else ""
    else:
        names, note = tuple(wanted), f"{_form(wanted)}, as data.columns says"
        quads = quads or DIFFICULT in names
    tails = seen.tails if SCRIPT in names or DIFFICULT in names else seen.texts
    return Layout(quads, Columns(names, TEXT in names and _usually(tails)), note)


def _columns(seen: _Seen) -> tuple[tuple[str, ...], str]:
    """The columns of quads or boxes, and what shows them; "" for a text alone."""
    total, levels = seen.quads, seen.levels.total()
    if total and seen.scripts.total() >= USUAL * total and 2 * seen.tails.total() >= total:
        scripts = ", ".join(f"{name} {number}" for name, number in seen.scripts.most_common(3))
        return (SCRIPT, TEXT), f"field 9 of {count(total, 'line')} is a script ({scripts})"
    why = f"field 9 of {count(total, 'line')} is 0 or 1 ({seen.levels['1']} times 1, which is don't-care)"
    if total and levels >= ALMOST_ALL * total and 2 * seen.words >= total:
        return (DIFFICULT, TEXT), why
    if total and levels >= ALMOST_ALL * total and not seen.tails and seen.levels["0"]:  # 1 throughout may be a score
        return (DIFFICULT,), why
    lines = len(seen.numbers)
    boxes = sum(BOX_NUMBERS <= number < QUAD_NUMBERS for number in seen.numbers)  # a text may start with numbers
    exact = seen.numbers.count(BOX_NUMBERS)
    if lines and boxes >= ALMOST_ALL * lines and 2 * exact >= boxes:
        if seen.upright < ALMOST_ALL * exact:
            needed = "4 numbers are read as left top right bottom, which needs left < right and top < bottom"
            raise UserError(f"{seen.turned}: {needed}; left top width height is not read: write the corners")
        return (BOX, TEXT), f"{exact} of {count(lines, 'line')} start with 4 numbers"
    return (TEXT,), ""


def _refuse_other_tools(seen: _Seen, files: Mapping[Path, Sequence[TextLine] | None]) -> None:
    """Raise UserError for lines of YOLO in folders in which its reader does not look, and for angles."""
    lines = len(seen.numbers)
    first = next((f"{path}:{text[0].number}: {quoted(text[0].text)}" for path, text in files.items() if text), "")
    if lines and seen.yolo >= USUAL * lines:
        raise UserError(f"{first}: lines of YOLO, which are read from labels/ beside images/, or beside each image")
    if lines > 1 and seen.angled >= ALMOST_ALL * lines:
        why = "the direction and the unit of the angle differ between tools, so they are not read"
        raise UserError(f"{first}: lines of 6 numbers, such as class cx cy w h angle: {why}; write the four corners")


def _usually(quotes: Counter[bool]) -> bool:
    return quotes[True] > 0 and quotes[True] >= USUAL * quotes.total()


def _form(names: Sequence[str]) -> str:
    """The columns of a line in words."""
    corners = ("left,top,right,bottom",) if BOX in names else ("x1,y1,...,x4,y4",)
    return f"lines read as {','.join((*corners, *(name for name in names if name != BOX)))}"
