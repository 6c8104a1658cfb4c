"""Lines of result files: the corners of a region, then perhaps its score, then perhaps its text, which is not used.

    x1,y1,x2,y2,x3,y3,x4,y4        a quad, or more corners if nothing but a score follows
    left,top,right,bottom          a box

Which of the two, and whether a number behind the corners is a score or the text, is decided for all files together:
a single line may be both.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from ..data.formats.icdar_text import Numbers, are_quads, leading_numbers
from ..data.image_guard import MAX_SIDE
from ..data.text_file import TextLine, quoted
from ..errors import UserError
from ..runtime.messages import count
from ..structures import Detection

BOX, QUAD = 4, 8  # numbers
_NOT_FINITE = re.compile(r"[+-]?(nan|inf(inity)?)", re.IGNORECASE)
_FIELD_END = re.compile(r"[,;\t，]|\s")


class LineForm(NamedTuple):
    """How the lines of a set of files are read."""

    corners: int | None  # BOX or QUAD numbers; None: as many as there are, which vary
    scored: bool  # the first field behind the corners, if there is one, is a score
    texts: bool  # a text follows in some lines

    def describe(self, lines: int, scores: list[float], most: int) -> str:
        """In words, for a user. scores: of the lines that have one. most: corners of a region."""
        quad = "x1,y1,…,x4,y4" + f", up to {most} corners" * (most > QUAD // 2)
        corners = "left,top,right,bottom" if self.corners == BOX else quad
        given = "no score"
        if scores:
            given = "a score" if len(scores) == lines else f"a score in {len(scores)} of {lines}"
            low, high = min(scores), max(scores)
            given += f" of {low:g} to {high:g}" if low < 0 or high > 1 else ""
        return f"{count(lines, 'line')} of {corners}, {given}" + (", a text that is not used" if self.texts else "")


class _Signs(NamedTuple):
    """What one line says about the form of all."""

    numbers: int  # at its start
    follows: bool  # a text that is not a number
    behind: dict[int | None, float]  # by `LineForm.corners`: the number behind the corners, if there is one
    polygon: bool  # see `_is_polygon`


def form_of(texts: Iterable[str]) -> LineForm:
    """The form of all lines of a set of files."""
    lines = [_signs(text) for text in texts]
    counts = np.array([line.numbers for line in lines], np.int64)
    is_box = ((counts == BOX) | (counts == BOX + 1)).sum() > (counts >= QUAD).sum()
    with_text = any(line.follows for line in lines)
    quads = [line for line in lines if not line.polygon]
    ninth = [line.behind[QUAD] for line in quads if QUAD in line.behind]
    all_shares = _are_shares(ninth) and bool(ninth or len(quads) == len(lines))
    corners = BOX if is_box else QUAD if with_text and (all_shares or are_quads(counts)) else None
    read = quads if corners == QUAD and quads else lines
    behind = [line.behind.get(corners) for line in read if line.behind.get(corners) is not None or line.follows]
    found = [number for number in behind if number is not None]
    more = any(line.follows or line.numbers > (corners or line.numbers) + 1 for line in read)
    return LineForm(corners, len(found) == len(behind) and (_are_shares(found) or not more), with_text)


def _are_shares(numbers: Iterable[float]) -> bool:
    """Whether all of the numbers may be probabilities; a corner is rarely so close to 0."""
    return all(0 <= number <= 1 for number in numbers)


def _signs(text: str) -> _Signs:
    numbers = leading_numbers(text, len(text))
    values = numbers.values
    follows = bool(_rest(text, numbers)) and not _NOT_FINITE.fullmatch(_field(text, numbers))
    behind: dict[int | None, float] = {corners: values[corners] for corners in (BOX, QUAD) if len(values) > corners}
    if len(values) % 2:
        behind[None] = values[-1]
    return _Signs(len(values), follows, behind, _is_polygon(values))


def _is_polygon(values: Sequence[float]) -> bool:
    """Whether these are corners of a polygon and a score, not a quad with a score and numbers as its text."""
    if len(values) <= QUAD + 1 or len(values) % 2 == 0 or not _are_shares(values[-1:]):
        return False
    ninth, last = values[QUAD], values[-1]
    return not _are_shares([ninth]) or (ninth.is_integer() and not last.is_integer())  # a corner at 0 or 1


def parse_line(line: TextLine, where: str, form: LineForm) -> Detection:
    """Parse one line of the file `where`. The score is NaN without one.

    Raises UserError with line, column and value."""
    numbers = leading_numbers(line.text, len(line.text))
    values, starts, _ = numbers
    here, rest = f"{where}:{line.number}: column", _rest(line.text, numbers)
    _check_count(
        numbers, form, f"{here} {starts[-1] + 1}", f", then {quoted(_field(line.text, numbers))}" if rest else ""
    )
    used = _used(numbers, form)
    for value, start in zip(values[: used + form.scored], starts, strict=False):
        if not abs(value) <= MAX_SIDE:
            raise UserError(f"{here} {start + 1}: {value:g} is too large (limit {MAX_SIDE})")
    if form.scored and used == len(values) and rest:
        raise UserError(f"{here} {starts[-1] + 1}: a score must be a number, got {quoted(rest)}")
    score = values[used] if form.scored and used < len(values) else math.nan
    if form.corners == BOX:
        left, top, right, bottom = values[:BOX]
        if left > right or top > bottom:
            needed = "left,top,right,bottom needs left <= right and top <= bottom"
            raise UserError(f"{here} 1: {needed}, not a width and a height; got {left:g},{top:g},{right:g},{bottom:g}")
        values, used = [left, top, right, top, right, bottom, left, bottom], QUAD
    return Detection(np.array(values[:used], np.float32).reshape(-1, 2), score)


def _check_count(numbers: Numbers, form: LineForm, here: str, then: str) -> None:
    """Raises UserError for too few numbers, and for those of a quad among boxes."""
    found = len(numbers.values)
    if form.corners != BOX:
        if found < QUAD:
            boxes = f"; boxes of {BOX} are read where most lines are boxes" if found == BOX else ""
            raise UserError(f"{here}: a region needs {QUAD} or more numbers, got {found}{then}{boxes}")
        return
    if found < BOX:
        raise UserError(f"{here}: a box needs {BOX} numbers, left,top,right,bottom, or {QUAD}, got {found}{then}")
    if found >= QUAD or (found > BOX + 1 and not form.texts):
        raise UserError(f"{here}: {found} numbers; most lines have {BOX}, left,top,right,bottom, and maybe a score")


def _used(numbers: Numbers, form: LineForm) -> int:
    """How many of the numbers are coordinates."""
    found = len(numbers.values)
    if form.corners is None or (form.corners == QUAD and form.scored and _is_polygon(numbers.values)):
        return found - found % 2
    return min(form.corners, found)


def _rest(text: str, numbers: Numbers) -> str:
    """What follows the numbers."""
    return text[numbers.starts[-1] :].strip()


def _field(text: str, numbers: Numbers) -> str:
    """The first field behind the numbers."""
    return _FIELD_END.split(_rest(text, numbers), maxsplit=1)[0]
