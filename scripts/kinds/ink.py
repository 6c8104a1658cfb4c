"""Boxes that hug the ink, from pixels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from resnet18_ocrdet.structures import Image, Polygon

from .words import Box

FAINT = 0.2  # of the strongest contrast in a box: a fainter pixel is not ink
LEAST = 16  # of 255: a fainter contrast is no text
CORE = 0.12  # of a box's height, above and below: what has its centre there belongs to a neighbouring line
HALF = 0.5  # px from the centre of a pixel to its edge

Points = NDArray[np.float64]
"""(N, 2): centres of inked pixels, (x, y)."""


def window_ink(window: Image) -> NDArray[np.bool_]:
    """(H, W, 3) -> (H, W): pixels that differ from the commonest grey of the window, in any channel."""
    levels = np.bincount(window.max(axis=2).ravel() >> 3, minlength=32)
    common = window[(window.max(axis=2) >> 3) == levels.argmax()]
    paper = np.median(common, axis=0)
    contrast = np.abs(window.astype(np.float32) - paper).max(axis=2)
    return np.asarray(contrast > max(LEAST, FAINT * float(contrast.max())))


def tighten(image: Image, box: Box) -> Polygon | None:
    """The upright rectangle around the ink in a box, (4, 2); None without ink.

    The box is as high as a line. Ink of the lines above and below that reaches into it is left out."""
    margin = (box.bottom - box.top) * 0.06  # slanted letters lean out of their box
    left, top = max(int(np.floor(box.left - margin)), 0), max(int(np.floor(box.top)), 0)
    right, bottom = int(np.ceil(box.right + margin)), int(np.ceil(box.bottom))
    window = image[top:bottom, left:right]
    if not window.size:
        return None
    ink = window_ink(window)
    count, _, stats, centres = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    edge = CORE * (bottom - top)
    kept = [n for n in range(1, count) if edge <= centres[n, 1] <= bottom - top - 1 - edge]
    if not kept:
        return None
    x, y = stats[kept, cv2.CC_STAT_LEFT], stats[kept, cv2.CC_STAT_TOP]
    x1, y1 = (x + stats[kept, cv2.CC_STAT_WIDTH]).max(), (y + stats[kept, cv2.CC_STAT_HEIGHT]).max()
    return rectangle(left + x.min() - HALF, top + y.min() - HALF, left + x1 - HALF, top + y1 - HALF)


def rectangle(left: float, top: float, right: float, bottom: float) -> Polygon:
    """(4, 2), clockwise from the top left."""
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def turned_rectangle(points: Points, degrees: float) -> Polygon:
    """The smallest rectangle around inked pixels whose first side has this angle, clockwise: (4, 2)."""
    angle = np.deg2rad(degrees)
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    x, y = points @ along, points @ across
    reach = HALF * (abs(along[0]) + abs(along[1]))  # of a pixel, in both directions
    corners = rectangle(x.min() - reach, y.min() - reach, x.max() + reach, y.max() + reach)
    return np.asarray(corners @ np.stack([along, across]), np.float32)


def ribbon(points: Points, baseline: Points) -> Polygon:
    """The outline around inked pixels of a word on a curve: (2 B, 2). baseline: (B, 2), along the word, B >= 2.

    Each pixel belongs to the nearest place of the baseline; the outline keeps the largest distance on each side."""
    steps = np.diff(baseline, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    units = steps / lengths[:, None]
    offsets = points[:, None] - baseline[None, :-1]  # (N, B - 1, 2)
    place = np.clip((offsets * units).sum(axis=2), 0, lengths)
    apart = offsets - place[:, :, None] * units
    nearest = np.linalg.norm(apart, axis=2).argmin(axis=1)
    normals = np.stack([-units[:, 1], units[:, 0]], axis=1)  # down, where the text stands upright
    down = (apart * normals).sum(axis=2)[np.arange(len(points)), nearest]
    sides = np.vstack([normals[:1], normals[:-1] + normals[1:], normals[-1:]])
    sides /= np.linalg.norm(sides, axis=1, keepdims=True)
    above, below = baseline + sides * (down.min() - HALF), baseline + sides * (down.max() + HALF)
    return np.asarray(np.vstack([above, below[::-1]]), np.float32)
