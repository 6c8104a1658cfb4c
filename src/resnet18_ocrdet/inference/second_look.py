"""A second look at an image, in fewer pixels: text that is too large for the network is found there."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from ..data.letterbox import EXACT, letterbox
from ..model.contract import Contract
from ..structures import Image, ResizeTransform
from .postprocess import ProbMap

Scales: TypeAlias = Literal["auto", "1", "1+0.5"]
"""Which looks: the second where the first suggests large text, never, or always."""

SHRINK = 2  # the second look has 1/SHRINK of the sides
LARGE_CORE = 120  # px, shorter side of a contour in the map: text of about twice that height
STANDING = 1.5  # times as high as wide
FEWEST_STANDING = 4  # contours
STEP = 4  # contours are searched in a map of 1/STEP of the sides
LARGE_TEXT = 160  # px of the first canvas: text above this height is taken from the second look


class CoarseContours(NamedTuple):
    """Contours of a map, found in fewer pixels: hints about text that the decoder may not find."""

    shorter: NDArray[np.float64]  # (M,) px of the map: the shorter side of the smallest rectangle
    widths: NDArray[np.float64]  # (M,) px: of the upright rectangle
    heights: NDArray[np.float64]

    @property
    def are_large(self) -> bool:
        """Whether there is a contour of text near the largest that is found, or of pieces of larger text."""
        return bool((self.shorter > LARGE_CORE).any())

    @property
    def stand(self) -> bool:
        """Whether most text stands, by its area, and not only a sign or two: the page may be on its side."""
        areas, standing = self.widths * self.heights, self.heights > STANDING * self.widths
        lying = self.widths > STANDING * self.heights
        return bool(standing.sum() >= FEWEST_STANDING and areas[standing].sum() > 2 * areas[lying].sum())


def coarse_contours(prob_map: ProbMap, bin_thresh: float) -> CoarseContours:
    """Of a map (H, W). Half of `bin_thresh` joins the pieces in which large text appears."""
    coarse = cv2.resize(prob_map, None, fx=1 / STEP, fy=1 / STEP, interpolation=cv2.INTER_AREA)
    bitmap = (coarse > bin_thresh / 2).view(np.uint8)
    contours, _ = cv2.findContours(bitmap, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    shorter = [min(cv2.minAreaRect(contour)[1]) for contour in contours]
    boxes = np.array([cv2.boundingRect(contour)[2:] for contour in contours], float).reshape(-1, 2) * STEP
    return CoarseContours(np.array(shorter) * STEP, boxes[:, 0], boxes[:, 1])


def smaller_canvas(image: Image, contract: Contract) -> tuple[Image, ResizeTransform]:
    """The canvas of the second look, and where the image is on it; of the usual size for "fit" and "stretch", since an
    exported network may take only that."""
    height, width, resize, max_scale = contract.resizing
    if resize not in EXACT:
        return letterbox(image, height // SHRINK, width // SHRINK, resize, max_scale / SHRINK)
    canvas, placed = letterbox(image, height, width, resize, max_scale)
    small = np.zeros_like(canvas)
    half = cv2.resize(canvas, (width // SHRINK, height // SHRINK), interpolation=cv2.INTER_AREA)
    small[: height // SHRINK, : width // SHRINK] = half
    return small, placed._replace(scale_y=placed.scale_y / SHRINK, scale_x=placed.scale_x / SHRINK)
