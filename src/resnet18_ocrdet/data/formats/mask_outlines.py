"""Outlines of masks: the run-length encoding of COCO, and PNG images of LabelMe.

    {"size": [height, width], "counts": [6, 3, 5, 3, 83]}        or counts as a string, which is shorter

The pixels are counted column by column, from the top left: the first number is background, then foreground and
background take turns. In a string, each number has groups of 5 bits from the lowest, a sixth bit says that more follow,
48 is added to make a character; from the fourth number on, the number two before is subtracted.
https://github.com/cocodataset/cocoapi, common/maskApi.c: rleDecode, rleFrString

Legend: H W pixels of a mask, R runs, V vertices.
"""

from __future__ import annotations

import base64
import binascii
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ...structures import Polygon
from ..image_guard import MAX_SIDE
from ..image_io import decode_image
from .json_file import describe
from .location import LabelError

MAX_PIXELS = 2**22  # of a decoded mask; larger ones are sampled
PIXELS_PER_RUN = 4096  # a mask of few runs is simple: it is sampled too, so that a short text costs little
TOLERANCE = 0.75  # px between outline and mask: the steps of a slanted side are at most 0.71 apart
SMALL = 0.1  # of the shorter side of its box: the tolerance for a thin mask
MAX_GROUPS = 7  # of 5 bits: more than MAX_SIDE squared needs
_PNG = b"\x89PNG\r\n\x1a\n"
_FIRST, _MORE, _LOW, _SIGN = 48, 0x20, 0x1F, 0x10


def rle_outlines(value: dict[str, Any], key: str = "segmentation") -> list[Polygon]:
    """Outer outlines of a run-length encoded mask, each (V, 2) float32 px along the edges of its pixels.

    Raises LabelError if it cannot be decoded, or is empty."""
    size = value.get("size")
    if not isinstance(size, list) or len(size) != 2 or not all(_is_count(side) and side for side in size):
        raise LabelError("GT022", f"{key} needs size, [height, width], got {describe(size)}")
    height, width = size
    if max(size) > MAX_SIDE:
        raise LabelError("GT022", f"{key} is a mask with a side of {max(size)} px, at most {MAX_SIDE}")
    counts = value.get("counts")
    runs = _packed_counts(counts, key) if isinstance(counts, str) else _listed_counts(counts, key)
    counted = float(runs.sum(dtype=np.float64))  # never overflows
    if counted > height * width:
        raise LabelError("GT022", f"{key} counts {counted:.0f} pixels, a mask of {height}x{width} has {height * width}")
    ends = np.cumsum(runs)
    starts, stops = ends[:-1:2], ends[1::2]
    filled = stops > starts
    if not filled.any():
        raise LabelError("GT022", f"{key} is an empty mask")
    starts, stops = starts[: len(stops)][filled], stops[filled]
    left, right = int(starts[0]) // height, (int(stops[-1]) - 1) // height + 1
    top, bottom = 0, height
    if bool((starts // height == (stops - 1) // height).all()):
        top, bottom = int((starts % height).min()), int(((stops - 1) % height).max()) + 1
    high, wide = bottom - top, right - left
    step = max(1.0, np.sqrt(high * wide / min(PIXELS_PER_RUN * (len(runs) + 16), MAX_PIXELS)))
    rows = top + _sampled(high, step)
    columns = left + _sampled(wide, step)
    places = columns[:, None] * height + rows[None, :]
    inside = np.searchsorted(ends, places.ravel(), side="right").reshape(places.shape) % 2 == 1
    scale = np.array([wide / len(columns), high / len(rows)])
    return [(polygon * scale + [left, top]).astype(np.float32) for polygon in outlines(inside.T)]


def png_outlines(value: Any, left: float, top: float, key: str = "mask") -> list[Polygon]:
    """Outer outlines of a mask that is a PNG in Base64, whose first pixel lies at (left, top) px.

    Raises LabelError if it cannot be decoded, or is empty."""
    try:
        data = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError):
        data = b""
    if not data.startswith(_PNG) or len(data) < 24:
        raise LabelError("GT022", f"needs {key}, a PNG in Base64, got {describe(value)}")
    width, height = struct.unpack(">II", data[16:24])
    if width * height > MAX_PIXELS:
        raise LabelError("GT022", f"{key} has {width}x{height} pixels, at most {MAX_PIXELS}")
    try:
        pixels = decode_image(Path(key), data)
    except UserError as error:
        raise LabelError("GT022", str(error)) from None
    if not pixels.any():
        raise LabelError("GT022", f"{key} is an empty mask")
    corner = np.array([left, top], np.float32)
    return [polygon + corner for polygon in outlines(pixels[..., 0] > 0)]


def outlines(mask: NDArray[np.bool_]) -> list[Polygon]:
    """Outer outlines of the pieces of a mask, (H, W): clockwise, along the edges of the pixels, from top to bottom."""
    doubled = np.repeat(np.repeat(mask.astype(np.uint8), 2, axis=0), 2, axis=1)  # pixel x has the columns 2x and 2x + 1
    contours, _ = cv2.findContours(doubled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return [_simplified((contour[:, 0] + 1) // 2) for contour in reversed(contours)]


def _simplified(edge: NDArray[Any]) -> Polygon:
    """(V, 2): the vertices that the outline needs, V >= 4. edge: (E, 2) int32 px, every pixel of the outline."""
    tolerance = min(TOLERANCE, SMALL * float(np.ptp(edge, axis=0).min()))
    fewer: NDArray[Any] = cv2.approxPolyDP(edge, tolerance, closed=True)[:, 0]
    return np.roll(fewer[::-1], 1, axis=0).astype(np.float32)


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
