"""Line breaks inside a quoted transcription: the next lines belong to it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..text_file import TextLine
from .icdar_text import leading_numbers

MAX_LINES = 20  # of one transcription
REGION_NUMBERS = 4  # at the start of a line: another region, a box or more
_OPENED = re.compile(r'[,;\t ，]"[^"]*$')  # the last quote of a line, at the start of a field


def joined_lines(lines: Sequence[TextLine]) -> list[TextLine]:
    """The lines of a label file, those of one quoted transcription as one line, joined by a line feed.

    A quote that is never closed, or not before the next region, belongs to the text of its line."""
    joined: list[TextLine] = []
    place = 0
    while place < len(lines):
        end = _end(lines, place) if '"' in lines[place].text else place
        text = "\n".join(line.text for line in lines[place : end + 1])  # of a single line, its own string
        joined.append(TextLine(lines[place].number, text))
        place = end + 1
    return joined


def _end(lines: Sequence[TextLine], start: int) -> int:
    """Index of the line that closes the quote which line number `start` opens; `start` if there is none."""
    first = lines[start].text
    if first.count('"') % 2 == 0 or not _OPENED.search(first) or not _is_region(first):
        return start
    for place in range(start + 1, min(start + MAX_LINES, len(lines))):
        text = lines[place].text
        if _is_region(text):
            return start
        if text.count('"') % 2:
            return place if text.rstrip().endswith('"') else start
    return start


def _is_region(text: str) -> bool:
    return len(leading_numbers(text, REGION_NUMBERS).values) == REGION_NUMBERS
