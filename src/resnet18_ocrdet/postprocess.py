"""Probability map to regions: threshold, contours, score, unclip (DB paper, "Deformation" and MhLiao/DB).

Legend: H W canvas pixels, V vertices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from .geometry import area, min_area_quad, offset, perimeter
from .structures import Decoded, Detection, Placement, Polygon, Stages

MIN_SIDE_PX = 3.0  # shorter side of a region in the map; thinner is noise (MhLiao/DB)
MIN_UNCLIPPED_SIDE_PX = 5.0  # the same after unclipping
POLYGON_TOLERANCE = 0.002  # of the perimeter, when a contour becomes a polygon (MhLiao/DB)

ProbMap = NDArray[np.float32]


@dataclass(frozen=True)
class Decoder:
    """Turns one probability map into regions in original image pixels.

    bin_thresh: probability from which a pixel belongs to a region, 0..1. box_thresh: mean probability
    from which a region counts, 0..1. unclip_ratio: growth A · ratio / L that undoes the shrinking, >= 1.
    max_candidates: contours looked at per image. shape: "quad" or "polygon"."""

    bin_thresh: float = 0.3
    box_thresh: float = 0.6
    unclip_ratio: float = 1.5
    max_candidates: int = 1000
    shape: Literal["quad", "polygon"] = "quad"

    def __call__(self, prob_map: ProbMap, placement: Placement) -> list[Detection]:
        """The regions alone; see `trace`."""
        return self.trace(prob_map, placement).detections

    def trace(self, prob_map: ProbMap, placement: Placement) -> Decoded:
        """The regions, and how many were lost at which stage.

        prob_map: (H, W) float32, 0..1, of the whole canvas; what lies on its padding is dropped."""
        height = min(round(placement.height * placement.scale_y), prob_map.shape[0])
        width = min(round(placement.width * placement.scale_x), prob_map.shape[1])
        prob_map = prob_map[:height, :width]
        bitmap = (prob_map > self.bin_thresh).astype(np.uint8)
        contours, _ = cv2.findContours(bitmap, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        cores = [self._core(np.asarray(contour, np.int32)) for contour in contours[: self.max_candidates]]
        large = [core for core in cores if core is not None]
        scored = [(core, mean_inside(prob_map, core)) for core in large]
        confident = [(core, score) for core, score in scored if score >= self.box_thresh]
        grown = [(self._grow(core), score) for core, score in confident]
        found = [Detection(placement.to_original(outline), score) for outline, score in grown if outline is not None]
        highest = float(prob_map.max(initial=0.0))
        return Decoded(found, Stages(highest, len(contours), len(large), len(confident), len(found)))

    def _core(self, contour: NDArray[np.int32]) -> Polygon | None:
        """The outline of one contour; None when it is too small."""
        quad, side = min_area_quad(contour)
        if side < MIN_SIDE_PX:
            return None
        core = quad if self.shape == "quad" else _simplify(contour)
        return core if len(core) >= 3 else None

    def _grow(self, core: Polygon) -> Polygon | None:
        """Undo the shrinking; None when it is still too small."""
        grown = offset(core, area(core) * self.unclip_ratio / max(perimeter(core), 1e-6))
        if not grown:
            return None
        quad, side = min_area_quad(grown[0])
        if side < MIN_UNCLIPPED_SIDE_PX:
            return None
        return quad if self.shape == "quad" else grown[0]


def mean_inside(prob_map: ProbMap, polygon: Polygon) -> float:
    """Mean of prob_map (H, W) over the pixels of a polygon, its outline included, 0..1."""
    height, width = prob_map.shape
    left, top = np.clip(np.floor(polygon.min(axis=0)), 0, (width - 1, height - 1)).astype(int)
    right, bottom = np.clip(np.ceil(polygon.max(axis=0)), 0, (width - 1, height - 1)).astype(int)
    mask = np.zeros((bottom - top + 1, right - left + 1), np.uint8)
    cv2.fillPoly(mask, [(polygon - (left, top)).astype(np.int32)], 1)
    return float(cv2.mean(prob_map[top : bottom + 1, left : right + 1], mask)[0])


def _simplify(contour: NDArray[np.int32]) -> Polygon:
    tolerance = POLYGON_TOLERANCE * cv2.arcLength(contour, True)
    return np.asarray(cv2.approxPolyDP(contour, tolerance, True), np.float32).reshape(-1, 2)
