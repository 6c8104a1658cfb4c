"""Notice labels that mark other units of text than a detector finds: lines instead of words, or parts of words."""

from __future__ import annotations

MOSTLY = 0.5  # of the regions that were not found
NOTICEABLE = 0.1  # of all regions
FEWEST = 10  # regions that were not found: fewer say nothing


def label_units(split: int, merged: int, lost: int, regions: int) -> str:
    """The reason to believe that the labels mark other units, from mistakes on labelled images; else empty.

    split: regions that hold several detections. merged: regions that share their detection. lost: regions that were not
    found, these included. regions: all that count."""
    for number, what, units in (
        (split, "splits", "longer units, such as lines"),
        (merged, "merges", "smaller units, such as single words"),
    ):
        if lost >= FEWEST and number >= MOSTLY * lost and number >= NOTICEABLE * regions:
            return f"most misses are {what} ({number} of {lost}): the labels mark {units}"
    return ""
