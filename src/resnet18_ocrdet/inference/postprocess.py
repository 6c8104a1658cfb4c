"""Probability map to regions: threshold, contours, score, unclip (DB paper, "Deformation" and MhLiao/DB).

Legend: H W canvas pixels, V vertices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import accumulate, pairwise
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry.polygon import areas_and_perimeters, grow_rectangles, min_area_quads, offsets, order_quads
from ..model.contract import Contract
from ..structures import Detection, Polygon, ResizeTransform, TextLine

MIN_SIDE_PX = 3.0  # shorter side of a region in the map; thinner is noise (MhLiao/DB)
MIN_UNCLIPPED_SIDE_PX = 5.0  # the same after unclipping
POLYGON_TOLERANCE = 0.002  # of the perimeter, when a contour becomes a polygon (MhLiao/DB)

ProbMap = NDArray[np.float32]


class DecodeStats(NamedTuple):
    """How many regions of an image, or of a set, were left after each step from probability map to boxes."""

    max_prob: float  # highest probability of any pixel, 0..1
    contours: int  # above bin_thresh
    large: int  # not too small
    confident: int  # above box_thresh
    boxes: int  # large enough after unclipping
    surplus: int = 0  # confident, but more than max_candidates: left out

    @classmethod
    def together(cls, parts: Sequence[DecodeStats]) -> DecodeStats:
        """Combine several images: the highest probability, the sums of the counts."""
        if not parts:
            return cls(0.0, 0, 0, 0, 0, 0)
        highest, *counts = zip(*parts, strict=True)
        return cls(max(highest), *map(sum, counts))


class Decoded(NamedTuple):
    """The regions of a probability map, and how many were lost at which step."""

    detections: list[Detection]
    stages: DecodeStats
    lines: list[TextLine] | None = None  # of `detections`, in the order of reading; None if they were not grouped
    rotation: int = 0  # degrees clockwise that turned the image upright before it was searched


@dataclass(frozen=True)
class Decoder:
    """Turns one probability map into regions in original image pixels.

    bin_thresh: smallest probability of a text pixel, 0..1. box_thresh: smallest mean probability of a region, 0..1.
    unclip_ratio: growth A · ratio / L that undoes the shrinking, >= 1. max_candidates: the most regions of an image.
    candidates: which ones if there are more: "best" takes the highest scores; "first" takes the contours that OpenCV
    lists first, from the bottom of the image and noise included, as the DB reference does (published numbers).
    shape: "quad" or "polygon". unclip: "clipper" grows as the DB reference does, with pyclipper, in whole pixels;
    "analytic" moves the sides of the quad, which is faster and keeps fractions of a pixel. Polygons always use
    pyclipper."""

    bin_thresh: float = 0.3
    box_thresh: float = 0.6
    unclip_ratio: float = 1.5
    max_candidates: int = 1000
    shape: Literal["quad", "polygon"] = "quad"
    unclip: Literal["clipper", "analytic"] = "clipper"
    candidates: Literal["best", "first"] = "best"

    @classmethod
    def of(cls, contract: Contract) -> Decoder:
        """With the thresholds of a contract."""
        return cls(**{field.name: getattr(contract, field.name) for field in fields(cls)})

    def __call__(self, prob_map: ProbMap, transform: ResizeTransform) -> list[Detection]:
        """The regions alone; see `trace`."""
        return self.trace(prob_map, transform).detections

    def trace(self, prob_map: ProbMap, transform: ResizeTransform) -> Decoded:
        """The regions, and how many were lost at which stage.

        prob_map: (H, W) float32, 0..1, of the whole canvas; its padding is cut off. transform: of the image."""
        height = min(round(transform.height * transform.scale_y), prob_map.shape[0])
        width = min(round(transform.width * transform.scale_x), prob_map.shape[1])
        prob_map = prob_map[:height, :width]
        bitmap = (prob_map > self.bin_thresh).view(np.uint8)
        contours, _ = cv2.findContours(bitmap, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        cores = self._cores(contours[: self.max_candidates] if self.candidates == "first" else contours)
        scores = means_inside(prob_map, cores)
        confident = np.flatnonzero(scores >= self.box_thresh)
        surplus = max(len(confident) - self.max_candidates, 0)
        if surplus:
            best = np.argsort(-scores[confident], kind="stable")[: self.max_candidates]
            confident = confident[np.sort(best)]  # in the order of the contours
        grown, kept = self._grow([cores[index] for index in confident.tolist()])
        polygons, quads = self._original(grown, transform)
        found = [*map(Detection, polygons, scores[confident][kept].tolist(), quads)]
        highest = float(prob_map.max(initial=0.0))
        return Decoded(found, DecodeStats(highest, len(contours), len(cores), len(confident), len(found), surplus))

    def _cores(self, contours: Sequence[NDArray[Any]]) -> Sequence[Polygon]:
        """Outlines of the contours that are not too small."""
        quads, sides = min_area_quads(contours)
        large = np.flatnonzero(sides >= MIN_SIDE_PX)
        if self.shape == "quad":
            return list(quads[large])
        outlines = [_simplify(contours[index]) for index in large.tolist()]
        return [outline for outline in outlines if len(outline) >= 3]

    def _grow(self, cores: Sequence[Polygon]) -> tuple[Sequence[Polygon], NDArray[np.intp]]:
        """Undo the shrinking. Returns the outlines that are not too small, and their indices in `cores`."""
        sizes, lengths = areas_and_perimeters(cores)
        distances = sizes * self.unclip_ratio / np.maximum(lengths, 1e-6)
        if self.shape == "quad" and self.unclip == "analytic":
            quads, sides = grow_rectangles(np.array(cores, np.float32).reshape(-1, 4, 2), distances)
            kept = np.flatnonzero(sides >= MIN_UNCLIPPED_SIDE_PX)
            return list(quads[kept]), kept
        grown = offsets(cores, distances)
        there = np.array([index for index, outline in enumerate(grown) if len(outline)], np.intp)
        outlines = [grown[index] for index in there]
        quads, sides = min_area_quads(outlines)
        large = np.flatnonzero(sides >= MIN_UNCLIPPED_SIDE_PX)
        kept = there[large]
        if self.shape == "quad":
            return list(quads[large]), kept
        return [grown[index].astype(np.float32) for index in kept], kept

    def _original(self, outlines: Sequence[Polygon], transform: ResizeTransform) -> tuple[list[Polygon], list[Polygon]]:
        """M outlines in canvas pixels -> in original pixels, within the image, and their quads.

        The corners are sorted before they are moved to the border, which changes the directions of the sides."""
        if self.shape == "quad":
            corners = transform.to_original(np.array(outlines, np.float32).reshape(-1, 4, 2))
            quads = list(transform.clip(order_quads(corners)))
            return quads, quads
        if not outlines:
            return [], []
        points = transform.clip(transform.to_original(np.concatenate(outlines)))
        polygons = [points[start:end] for start, end in pairwise(accumulate(map(len, outlines), initial=0))]
        return polygons, list(min_area_quads(polygons)[0])


def means_inside(prob_map: ProbMap, polygons: Sequence[Polygon]) -> NDArray[np.float64]:
    """Mean of prob_map (H, W) over the pixels of each of M polygons, its outline included: (M,) 0..1."""
    if not polygons:
        return np.zeros(0)
    height, width = prob_map.shape
    ends = list(accumulate(map(len, polygons), initial=0))
    points, starts = np.concatenate(polygons), ends[:-1]
    border = (width - 1, height - 1)
    low = np.clip(np.floor(np.minimum.reduceat(points, starts)), 0, border).astype(np.int32)
    high = np.clip(np.ceil(np.maximum.reduceat(points, starts)), 0, border).astype(np.int32)
    inside = (points - np.repeat(low, np.diff(ends), axis=0)).astype(np.int32)
    means = []
    boxes = zip(low.tolist(), (high + 1).tolist(), pairwise(ends), strict=True)
    for (left, top), (right, bottom), (start, end) in boxes:
        mask = np.zeros((bottom - top, right - left), np.uint8)
        cv2.fillPoly(mask, [inside[start:end]], 1)
        means.append(cv2.mean(prob_map[top:bottom, left:right], mask)[0])
    return np.array(means)


def _simplify(contour: NDArray[Any]) -> Polygon:
    tolerance = POLYGON_TOLERANCE * cv2.arcLength(contour, True)
    return np.asarray(cv2.approxPolyDP(contour, tolerance, True), np.float32).reshape(-1, 2)
