"""Outlines of masks that are written as run lengths, by COCO and by CVAT.

    {"size": [height, width], "counts": [6, 3, 5, 3, 83]}        or counts as a string, which is shorter

COCO counts the pixels column by column, from the top left: the first number is background, then foreground and
background take turns. In a string, each number has groups of 5 bits from the lowest, a sixth bit says that more follow,
48 is added to make a character; from the fourth number on, the number two before is subtracted. CVAT counts row by row.
https://github.com/cocodataset/cocoapi, common/maskApi.c: rleDecode, rleFrString

Legend: H W pixels of a mask, R runs, V vertices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...structures import Polygon
from ..image_guard import MAX_SIDE
from .json_file import describe
from .location import LabelError
from .mask_outlines import MAX_PIXELS, outlines

PIXELS_PER_RUN = 4096  # of a mask, on average; one of fewer runs is simple: it is sampled, so that it costs little
MIN_RUNS = 16  # more of them are taken for granted
MAX_GROUPS = 7  # of 5 bits: more than MAX_SIDE squared needs
_FIRST, _MORE, _LOW, _SIGN = 48, 0x20, 0x1F, 0x10  # of a character


def rle_outlines(value: dict[str, Any], key: str = "segmentation") -> list[Polygon]:
    """Outer outlines of a run-length encoded mask of COCO, each (V, 2) float32 px, see `outlines`.

    Raises LabelError if it cannot be decoded, or is empty."""
    size = value.get("size")
    if not isinstance(size, list) or len(size) != 2 or not all(_is_count(side) and side for side in size):
        raise LabelError("GT022", f"{key} needs size, [height, width], got {describe(size)}")
    height, width = size
    _check_sides(width, height)
    counts = value.get("counts")
    runs = _packed_counts(counts, key) if isinstance(counts, str) else _listed_counts(counts, key)
    counted = float(runs.sum(dtype=np.float64))  # never overflows
    if counted > height * width:
        raise LabelError("GT022", f"{key} counts {counted:.0f} pixels, a mask of {height}x{width} has {height * width}")
    return _outlines_of_runs(runs, height, by_columns=True)


def row_outlines(runs: Sequence[int], height: float, width: float) -> list[Polygon]:
    """Outer outlines of a mask of run lengths in rows, zeros first, each (V, 2) float32 px, see `outlines`.

    Raises LabelError if the runs do not fill the mask, and for an empty one."""
    _check_sides(width, height)
    numbers = np.array(runs, np.int64)
    if (total := int(numbers.sum())) != height * width:
        raise LabelError("GT022", f"a mask of {width:.0f}x{height:.0f} px has runs of {total} px")
    return _outlines_of_runs(numbers, int(width), by_columns=False)


def _outlines_of_runs(runs: NDArray[np.int64], length: int, by_columns: bool) -> list[Polygon]:
    """Outlines in a mask that is written line by line. runs: (R,). length: of a line, px.

    by_columns: the lines are columns, not rows. Raises LabelError for an empty mask, and for one of too many pieces."""
    ends = np.cumsum(runs)
    starts, stops = ends[:-1:2], ends[1::2]
    starts = starts[: len(stops)]
    filled = stops > starts
    if not filled.any():
        raise LabelError("GT022", "a mask without any pixel")
    starts, stops = starts[filled], stops[filled]
    first, last = int(starts[0]) // length, (int(stops[-1]) - 1) // length + 1  # lines
    low, high = 0, length  # in a line
    if bool((starts // length == (stops - 1) // length).all()):
        low, high = int((starts % length).min()), int(((stops - 1) % length).max()) + 1
    size = np.array([last - first, high - low])
    step = max(1.0, float(np.sqrt(size.prod() / min(PIXELS_PER_RUN * (len(runs) + MIN_RUNS), MAX_PIXELS))))
    lines, along = first + _sampled(last - first, step), low + _sampled(high - low, step)
    places = lines[:, None] * length + along[None, :]
    inside = np.searchsorted(ends, places.ravel(), side="right").reshape(places.shape) % 2 == 1
    scale, corner = size / inside.shape, np.array([first, low])
    if by_columns:
        pieces = outlines(inside.T)
    else:
        pieces, scale, corner = outlines(inside), scale[::-1], corner[::-1]
    return [(piece * scale + corner).astype(np.float32) for piece in pieces]


def _check_sides(width: float, height: float) -> None:
    """Raise LabelError for a mask that no image can have."""
    for side in (width, height):
        if not (1 <= side <= MAX_SIDE and side == int(side)):
            raise LabelError("GT022", f"a mask of {width:g}x{height:g} px; its sides are 1 to {MAX_SIDE} px")


def _sampled(length: int, step: float) -> NDArray[np.int64]:
    """Positions at equal distances, all of them for step 1."""
    number = max(1, int(length / step))
    return np.asarray((np.arange(number) + 0.5) * (length / number), np.int64)


def _listed_counts(counts: Any, key: str) -> NDArray[np.int64]:
    if not isinstance(counts, list):
        raise LabelError("GT022", f"{key} needs counts, a list or a string, got {describe(counts)}")
    for place, number in enumerate(counts, start=1):
        if not _is_count(number):
            raise LabelError("GT020", f"value {place} of counts of {key} is {describe(number)}, not a count of pixels")
    return np.array(counts, np.int64)


def _packed_counts(counts: str, key: str) -> NDArray[np.int64]:
    codes = np.frombuffer(counts.encode("utf-8", "replace"), np.uint8).astype(np.int64) - _FIRST
    last = np.flatnonzero((codes & _MORE) == 0)
    if ((codes < 0) | (codes > 63)).any() or (len(codes) and (not len(last) or last[-1] != len(codes) - 1)):
        raise LabelError("GT022", f"counts of {key} is {describe(counts)}, not a run-length encoding")
    first = np.concatenate([[0], last[:-1] + 1]).astype(np.int64)[: len(last)]
    place = np.arange(len(codes)) - np.repeat(first, last - first + 1)
    if len(place) and place.max() >= MAX_GROUPS:
        raise LabelError("GT022", f"counts of {key} holds a number of more than {5 * MAX_GROUPS} bits")
    numbers = np.add.reduceat((codes & _LOW) << (5 * place), first) if len(first) else np.zeros(0, np.int64)
    numbers -= np.where(codes[last] & _SIGN, 1 << (5 * (last - first + 1)), 0)
    numbers[1::2], numbers[2::2] = np.cumsum(numbers[1::2]), np.cumsum(numbers[2::2])
    if (numbers < 0).any():
        raise LabelError("GT022", f"counts of {key} holds a negative number")
    return numbers


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_SIDE**2
