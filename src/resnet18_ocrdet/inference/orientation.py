"""Pages on their side: which turn makes their text upright, and their regions in the image as it was."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..structures import Detection, Image, Polygon
from .postprocess import Decoded

TURNS = (0, 90, 270)  # degrees clockwise; text that is upside down is found as well, so 180 cannot be told from 0
LONG = 1.5  # times as long as high: text of a known direction
CLEARLY = 1.2  # times the evidence for the image as it is


def turn(image: Image, rotation: int) -> Image:
    """Rotate an image (H, W, 3) clockwise by one of TURNS."""
    return np.ascontiguousarray(np.rot90(image, -rotation // 90))


def turn_back(found: Decoded, rotation: int, height: int, width: int) -> Decoded:
    """Regions of a turned image in pixels of the original one, height x width. Corners keep their order."""
    right, bottom = np.float32(width - 1), np.float32(height - 1)

    def back(points: Polygon) -> Polygon:
        x, y = points[:, 0], points[:, 1]
        if rotation == 90:
            x, y = y, bottom - x
        elif rotation == 270:
            x, y = right - y, x
        return np.stack([x, y], axis=1)

    detections = [Detection(back(each.polygon), each.score, back(each.quad)) for each in found.detections]
    lines = None if found.lines is None else [each._replace(quad=back(each.quad)) for each in found.lines]
    return Decoded(detections, found.stages, lines, rotation)


def best_turn(as_it_is: Decoded, look: Callable[[int], Decoded]) -> int:
    """The turn, one of TURNS, after which most text lies. look: the regions of the image turned so.

    Another turn than 0 must be clearly better. Text lies after both quarter turns, once upside down: the network is
    less sure of that, so the mean score decides between them."""
    turned = {rotation: look(rotation) for rotation in TURNS[1:]}
    needed = max(lying_text(as_it_is) * CLEARLY, 0.0)
    better = [rotation for rotation, found in turned.items() if lying_text(found) > needed]
    return max(better, key=lambda rotation: mean_score(turned[rotation]), default=0)


def mean_score(found: Decoded) -> float:
    """0..1; 0 without regions."""
    return float(np.mean([each.score for each in found.detections] or [0.0]))


def lying_text(found: Decoded) -> float:
    """Length of the lying text, px, weighted with its scores; standing text counts against it."""
    total = 0.0
    for each in found.detections:
        along = np.abs(each.quad[1] - each.quad[0])
        across = np.abs(each.quad[3] - each.quad[0])
        length, height = np.hypot(*along), np.hypot(*across)
        if length > LONG * height:
            total += each.score * float(length) * (1.0 if along[0] > along[1] else -1.0)
        elif height > LONG * length:
            total -= each.score * float(height)
    return total
