"""Decoded pixels as RGB: grey, transparency, 16 bits.

Legend: H W pixels. BGR and BGRA are the channel orders of OpenCV. The *ground* is the grey level that shows through
transparent pixels: white, unless the content would vanish on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..structures import Image

STRIP_PIXELS = 2**20  # of a large image, converted at once: a pixel needs 60 bytes meanwhile
WHITE, BLACK, GREY = 255, 0, 128
OPAQUE = 64  # alpha from which a pixel counts as content
CONTRAST = 48  # levels of some channel by which content must differ from its ground
NEAR = 11  # px; side of the square in which a visible pixel shows its neighbours: the rim of a letter belongs to it
LOST_SHARE = 0.05  # of the content; letters are mostly rim, a page or a photo is not
VISIBLE_SHARE = 0.001  # of the content; below it nothing is visible

BLANK_LEVELS = 24  # grey levels from the most frequent one; noise of scans stays within
BLANK_SHARE = 2e-5  # of the pixels may differ more: specks, but no letter (a digit of 8 pt at 300 dpi has 3e-5 of A4)


def as_rgb(pixels: NDArray[Any]) -> Image:
    """Convert (H, W) grey, (H, W, 3) BGR or (H, W, 4) BGRA, 8 or 16 bits, to (H, W, 3) RGB.

    An alpha plane of zeros is unused: some BMP writers leave one."""
    height, width = pixels.shape[:2]
    if pixels.shape[2:] == (4,) and not _to_uint8(pixels[..., 3].max(keepdims=True)).any():
        pixels = pixels[..., :3]
    ground = _ground(pixels) if pixels.shape[2:] == (4,) else WHITE
    rgb = np.empty((height, width, 3), np.uint8)
    rows = max(1, STRIP_PIXELS // width)
    for top in range(0, height, rows):
        rgb[top : top + rows] = _to_rgb(_to_uint8(pixels[top : top + rows]), ground)
    return rgb


def is_blank(image: Image) -> bool:
    """Whether (H, W, 3) pixels are nearly all of one colour, so that they hold no text."""
    most = BLANK_SHARE * image.shape[0] * image.shape[1]
    for channel in (1, 0, 2):  # green first: it differs most often
        levels = cv2.calcHist([image], [channel], None, [256], [0, 256]).ravel()
        mode = int(levels.argmax())
        low, high = max(0, mode - BLANK_LEVELS), mode + BLANK_LEVELS + 1
        if levels[:low].sum() + levels[high:].sum() > most:
            return False
    return True


def _ground(pixels: NDArray[Any]) -> int:
    """The grey level that shows through (H, W, 4) BGRA: white, unless much of the content vanishes on it.

    Content vanishes where it borders on transparent pixels and has the colour of the ground, as has all near it."""
    counts = sum(map(_count, _strips(pixels)), np.zeros(5))
    content, visible, *lost = counts.tolist()
    if lost[0] <= LOST_SHARE * content and (visible > VISIBLE_SHARE * content or not lost[0]):
        return WHITE
    return min((BLACK, GREY), key=lambda ground: lost[(WHITE, BLACK, GREY).index(ground)])


def _count(bgra: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Pixels of content, those visible on white, and those that vanish on white, black and grey."""
    opaque = (bgra[..., 3] >= OPAQUE).astype(np.uint8)
    if opaque.all():
        return np.array([opaque.size, opaque.size, 0, 0, 0], float)
    rim = opaque - cv2.erode(opaque, np.ones((3, 3), np.uint8))
    low, high = bgra[..., :3].min(axis=2), bgra[..., :3].max(axis=2)
    counts = [int(opaque.sum())]
    for ground in (WHITE, BLACK, GREY):
        visible = opaque & ((low <= ground - CONTRAST) | (high >= ground + CONTRAST))
        if ground == WHITE:
            counts.append(int(visible.sum()))
        near = cv2.dilate(visible, np.ones((NEAR, NEAR), np.uint8))
        counts.append(int((rim > near).sum()))
    return np.array(counts, float)


def _strips(pixels: NDArray[Any]) -> Iterator[NDArray[np.uint8]]:
    rows = max(1, STRIP_PIXELS // pixels.shape[1])
    for top in range(0, pixels.shape[0], rows):
        yield _to_uint8(pixels[top : top + rows])


def _to_uint8(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Scale 16 bits to 8, rounding: 65535 becomes 255."""
    if pixels.dtype == np.uint8:
        return pixels
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _to_rgb(pixels: NDArray[np.uint8], ground: int) -> Image:
    """Convert grey, BGR, or BGRA laid on the ground to (H, W, 3) RGB."""
    if pixels.ndim == 2:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), np.uint8)
    rgb = np.asarray(cv2.cvtColor(pixels[..., :3], cv2.COLOR_BGR2RGB), np.uint8)
    if pixels.shape[2] == 3:
        return rgb
    alpha = pixels[..., 3:].astype(np.uint16)
    return ((rgb * alpha + ground * (255 - alpha) + 127) // 255).astype(np.uint8)  # at most 255 * 255 + 127: fits
