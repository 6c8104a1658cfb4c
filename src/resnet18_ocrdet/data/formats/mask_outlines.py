"""Outlines of masks, along the edges of their pixels, and masks in PNG images, as LabelMe has them.

Legend: H W pixels of a mask, V vertices.
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
from ...runtime.messages import count
from ...structures import Polygon
from ..image_io import decode_image
from ..polygon_repair import is_simple
from .json_file import describe
from .location import LabelError

MAX_PIXELS = 2**22  # of a decoded mask
MAX_PIECES = 1000  # of a mask
TOLERANCE = 0.75  # px between outline and mask: the steps of a slanted side are at most 0.71 apart
SMALL = 0.1  # of the shorter side of its box: the tolerance for a thin mask
_PNG = b"\x89PNG\r\n\x1a\n"


def outlines(mask: NDArray[np.bool_]) -> list[Polygon]:
    """The outer outline of each piece of a mask, (V, 2) float32 px: clockwise, from top to bottom. mask: (H, W).

    A piece goes on where its pixels only touch at their corners; there, the outline is half a pixel wide. Raises
    LabelError for an empty mask and for one of too many pieces."""
    if not mask.any():
        raise LabelError("GT022", "a mask without any pixel")
    height, width = mask.shape
    nodes = np.zeros((2 * height + 1, 2 * width + 1), np.uint8)  # corners, middles of sides and centres of the pixels
    nodes[1::2, 1::2] = mask
    nodes = np.asarray(cv2.dilate(nodes, np.ones((3, 3), np.uint8)), np.uint8)
    contours, _ = cv2.findContours(nodes, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if len(contours) > MAX_PIECES:
        raise LabelError("GT028", f"a mask of {count(len(contours), 'piece')}; up to {MAX_PIECES} are read")
    pieces = [_simplified(_corners(contour[:, 0], mask)) for contour in contours]
    return sorted(pieces, key=lambda piece: (float(piece[:, 1].min()), float(piece[:, 0].min())))


def _corners(edge: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[Any]:
    """(E, 2): the corners of an outline, in half px. edge: all its nodes but the inner corners, which OpenCV cuts."""
    following = np.roll(edge, -1, axis=0)
    cut = np.flatnonzero((edge != following).all(axis=1))  # from the middle of a side to that of another one
    (x, y), (next_x, next_y) = edge[cut].T, following[cut].T
    corners = np.stack([np.where(x % 2 == 0, x, next_x), np.where(y % 2 == 0, y, next_y)], axis=1)
    x, y = corners.T // 2
    around = mask[y - 1, x - 1].astype(int) + mask[y - 1, x] + mask[y, x - 1] + mask[y, x]
    inner = around == 3  # the corner of 2 pixels that only touch is not restored
    nodes = np.insert(edge, cut[inner] + 1, corners[inner], axis=0)
    before, after = nodes - np.roll(nodes, 1, axis=0), np.roll(nodes, -1, axis=0) - nodes
    return np.asarray(nodes[(before != after).any(axis=1)], edge.dtype)


def _simplified(edge: NDArray[Any]) -> Polygon:
    """(V, 2): the vertices that the outline needs, V >= 4. edge: (E, 2) int32, corners of the outline in half px."""
    tolerance = min(2 * TOLERANCE, SMALL * float(np.ptp(edge, axis=0).min()))
    fewer: NDArray[Any] = cv2.approxPolyDP(edge, tolerance, closed=True)[:, 0]
    if len(fewer) < 4 or not is_simple(fewer.astype(np.float32)):  # strokes as thin as the tolerance
        fewer = edge
    return np.roll(fewer[::-1], 1, axis=0).astype(np.float32) / np.float32(2)


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
    corner = np.array([left, top], np.float32)
    return [polygon + corner for polygon in outlines(pixels[..., 0] > 0)]
