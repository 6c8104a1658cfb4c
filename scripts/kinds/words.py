"""What one region is: a word with its punctuation and inner gaps, or a run of Chinese or Japanese without a space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

GAP = 0.12  # of the line's height: a narrower gap does not part words; a space is 0.2 or more, kerning less
SIGN_GAP = 0.2  # the same before closing signs: a comma after slanted text
BACK = 0.8  # of the line's height: how far a piece may overlap the one before, as the A of the LaTeX logo does
SIGNS = set(".,;:!?)]}»”’%")
LEADER_GAP = 1.5  # the same between the dots that lead to a page number
SAME_LINE = 0.5  # of the lower box's height: boxes that share less stand on different lines


class Box(NamedTuple):
    """The upright box of a piece of text, px or points."""

    left: float
    top: float
    right: float
    bottom: float
    text: str


def is_scored(text: str) -> bool:
    """Whether a region counts: it has a letter, a digit or a character. Lone signs such as "•" are don't-care."""
    return any(char.isalnum() for char in text)


def join_pieces(boxes: Sequence[Box]) -> list[Box]:
    """Join boxes that follow each other on one line without a gap: a change of font in a word, "foo" and ","."""
    joined: list[Box] = []
    for box in boxes:
        if joined and _continues(joined[-1], box):
            last = joined.pop()
            top, bottom = min(last.top, box.top), max(last.bottom, box.bottom)
            box = Box(last.left, top, max(last.right, box.right), bottom, last.text + box.text)
        joined.append(box)
    return joined


def _continues(first: Box, second: Box) -> bool:
    height = min(first.bottom - first.top, second.bottom - second.top)
    shared = min(first.bottom, second.bottom) - max(first.top, second.top)
    gap = second.left - first.right
    widest = SIGN_GAP if SIGNS.issuperset(second.text) else GAP
    if set(first.text + second.text) == {"."}:
        widest = LEADER_GAP
    return height > 0 and shared > SAME_LINE * height and -BACK * height < gap < widest * height
