"""Outlines of masks, which labelling tools write as run lengths.

Legend: H, W height and width of a mask, px.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import cv2
import numpy as np
from numpy.typing import NDArray

from ...runtime.messages import count
from ...structures import Polygon
from ..image_guard import MAX_SIDE
from .location import LabelError

MAX_PIXELS = 25_000_000  # of a mask
MAX_PIECES = 1000  # of a mask
PIXELS = 100_000_000  # of all masks in a file,
PIXELS_PER_BYTE = 1000  # and more in a large file: a mask has some bytes for each of its rows

Mask = NDArray[np.uint8]  # (H, W), 0 or 1


class PixelBudget:
    """How many pixels the masks of one file may have in total, so that a small file takes little time."""

    def __init__(self, size: int) -> None:
        """size: of the file, bytes."""
        self.left: float = PIXELS + PIXELS_PER_BYTE * size

    def take(self, pixels: float) -> None:
        """Raise LabelError if fewer are left."""
        if not pixels <= self.left:
            raise LabelError("GT022", f"a mask of {pixels:.0f} px: its file has more pixels than its size explains")
        self.left -= pixels


def mask_of_runs(runs: Sequence[int], height: int, width: int) -> Mask:
    """The mask of run lengths in rows, alternately of zeros and ones, zeros first.

    Raises LabelError if they do not fill the mask, and for one that is too large."""
    if not (0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE and height * width <= MAX_PIXELS):
        raise LabelError("GT022", f"a mask of {width}x{height} px; up to {MAX_PIXELS // 10**6} megapixels are read")
    if min(runs, default=0) < 0:
        raise LabelError("GT022", f"a run of {min(runs)} px in a mask")
    total = next((total for total in accumulate(runs) if total > height * width), None) or sum(runs)
    if total != height * width:
        raise LabelError("GT022", f"a mask of {width}x{height} px has runs of {total} px")
    return np.repeat((np.arange(len(runs)) & 1).astype(np.uint8), runs).reshape(height, width)


def mask_outlines(mask: Mask, left: float = 0.0, top: float = 0.0) -> list[Polygon]:
    """The outer outline of each piece of a mask, (V, 2) float32 px, from top to bottom.

    The outlines run a quarter of a pixel inside the edges of the pixels, so that parts one pixel wide have an area. A
    piece goes on where its pixels only touch at their corners. left, top: of the mask, px. Raises LabelError for an
    empty mask and for one with too many pieces."""
    if not mask.any():
        raise LabelError("PG035", "a mask without any pixel")
    fine = np.repeat(np.repeat(mask, 2, axis=0), 2, axis=1)  # every pixel is 2x2
    one, two, three, four = mask[:-1, :-1], mask[:-1, 1:], mask[1:, :-1], mask[1:, 1:]
    touching = (one & four & ~(two | three)) | (two & three & ~(one | four))  # only at their corners
    if touching.any():
        fine[1:-1, 1:-1] |= np.repeat(np.repeat(touching, 2, axis=0), 2, axis=1)
    found, _ = cv2.findContours(fine, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if len(found) > MAX_PIECES:
        raise LabelError("GT028", f"a mask of {count(len(found), 'piece')}; up to {MAX_PIECES} are read")
    outlines = [np.roll(contour[::-1, 0, :], 1, axis=0) for contour in found]  # clockwise, from the top
    outlines.sort(key=lambda outline: (int(outline[:, 1].min()), int(outline[:, 0].min())))
    with np.errstate(over="ignore"):
        return [((outline + 0.5) / 2 + (left, top)).astype(np.float32) for outline in outlines]
