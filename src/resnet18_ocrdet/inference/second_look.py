"""A second look at an image, in fewer pixels: text that is too large for the network is found there."""

from __future__ import annotations

from typing import Literal, TypeAlias

import cv2
import numpy as np

from ..data.letterbox import EXACT, letterbox
from ..model.contract import Contract
from ..structures import Image, ResizeTransform
from .postprocess import ProbMap

Scales: TypeAlias = Literal["auto", "1", "1+0.5"]
"""Which looks: the second where the first suggests large text, never, or always."""

SHRINK = 2  # the second look has 1/SHRINK of the sides
LARGE_CORE = 120  # px, shorter side of a contour in the map: text of about twice that height
STEP = 4  # contours are searched in a map of 1/STEP of the sides
LARGE_TEXT = 160  # px of the first canvas: text above this height is taken from the second look


def suggests_large_text(prob_map: ProbMap, bin_thresh: float) -> bool:
    """Whether a map (H, W) has a contour of large text. Half of `bin_thresh` joins the pieces in which it appears."""
    coarse = cv2.resize(prob_map, None, fx=1 / STEP, fy=1 / STEP, interpolation=cv2.INTER_AREA)
    bitmap = (coarse > bin_thresh / 2).view(np.uint8)
    contours, _ = cv2.findContours(bitmap, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return any(min(cv2.minAreaRect(contour)[1]) * STEP > LARGE_CORE for contour in contours)


def smaller_canvas(image: Image, contract: Contract) -> tuple[Image, ResizeTransform]:
    """The canvas of the second look, and where the image is on it; of the usual size if the network takes only one."""
    height, width, resize, max_scale = contract.resizing
    if resize not in EXACT:
        return letterbox(image, height // SHRINK, width // SHRINK, resize, max_scale / SHRINK)
    canvas, placed = letterbox(image, height, width, resize, max_scale)
    small = np.zeros_like(canvas)
    half = cv2.resize(canvas, (width // SHRINK, height // SHRINK), interpolation=cv2.INTER_AREA)
    small[: height // SHRINK, : width // SHRINK] = half
    return small, placed._replace(scale_y=placed.scale_y / SHRINK, scale_x=placed.scale_x / SHRINK)
