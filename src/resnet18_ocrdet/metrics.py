"""Precision, recall, hmean and AP of text detection, by the IoU protocol of ICDAR 2015.

The rules are those of the official script of the Robust Reading Competition, Challenge 4 "Incidental Scene Text",
Task 1 "Text Localization" (https://rrc.cvc.uab.es/?ch=4&com=evaluation, IoU of Everingham et al., PASCAL VOC, 2014).

Legend: K regions (ground truth) and M detections of one image. Areas are in px².

Outlines which cross themselves are left open by the protocol. Here, `shapely.make_valid` splits them where they cross,
and the area of their polygons counts. An outline without area matches nothing and lies on nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from resnet18_ocrdet.geometry import min_area_quad
from resnet18_ocrdet.structures import Detection, Polygon, Score

MATCH_IOU = 0.5  # a detection finds a region above this IoU; IOU_CONSTRAINT of the official script
DONT_CARE_SHARE = 0.5  # a detection with more than this share of its area on one don't-care region is not counted;
# AREA_PRECISION_CONSTRAINT of the official script
LEAST_HEIGHT_PX = 1.0  # a flatter region counts as this high: no text is smaller, and nothing is divided by zero

Shapes = NDArray[Any]  # (K,) shapely polygons; numpy has no closer type


class ImageScore(NamedTuple):
    """Counts of one image, and who found whom."""

    name: str
    matched: int  # detections that found a care region
    care_regions: int
    care_detections: int  # detections that do not lie on don't-care regions
    pairs: tuple[tuple[int, int], ...]  # `matched` of (region, detection), indices into what `update` was given
    dont_care_detections: tuple[int, ...]  # the indices of the detections that are not counted
    shifts: tuple[float, ...]  # of each pair, as `pair_shift` measures it

    @property
    def recall(self) -> float:
        """Share of the care regions that were found, 0..1; 1 where there are none, as in the official script."""
        return self.matched / self.care_regions if self.care_regions else 1.0

    @property
    def precision(self) -> float:
        """Share of the counted detections that found a region, 0..1.

        Without care regions 1 if nothing was detected, else 0; without detections 0, as in the official script."""
        if not self.care_regions:
            return 0.0 if self.care_detections else 1.0
        return self.matched / self.care_detections if self.care_detections else 0.0

    @property
    def hmean(self) -> float:
        """Harmonic mean of precision and recall, 0..1."""
        return harmonic_mean(self.precision, self.recall)

    @property
    def center_shift(self) -> float | None:
        """Mean of the pairs' shifts, in text heights; None without a pair."""
        return sum(self.shifts) / len(self.shifts) if self.shifts else None


class PrecisionRecall(NamedTuple):
    """The curve of a set: what counting only the best 1, 2, … M' of its M' counted detections would give."""

    precision: NDArray[np.float64]  # (M',) 0..1: share of the detections down to this rank that found a region
    recall: NDArray[np.float64]  # (M',) 0..1, never falling: share of the set's care regions that they found
    score: NDArray[np.float64]  # (M',) never rising: confidence of the detection at this rank


class IcdarMetric:
    """Collects image by image what was found, then gives the score of the whole set. A new set needs a new one."""

    def __init__(self) -> None:
        """Start without images."""
        self.images: list[ImageScore] = []  # one row an image, in the order of the updates
        self._scores: list[NDArray[np.float64]] = []  # confidence of every counted detection, image by image
        self._hits: list[NDArray[np.bool_]] = []  # whether it found a region
        self._all_scored = True
        self.best_iou = 0.0  # of any detection with any care region, 0..1

    def update(
        self, polygons: Sequence[Polygon], ignore: NDArray[np.bool_], detections: Sequence[Detection], name: str
    ) -> ImageScore:
        """Score one image and keep the counts.

        polygons, ignore: K regions and their don't-care flags (K,). The order of both regions and detections matters:
        the official script gives each region, in turn, the first free detection that overlaps enough, not the best.
        Raises ValueError for coordinates that are not finite."""
        regions = to_shapes(polygons, name)
        found = to_shapes([detection.polygon for detection in detections], name)
        ignore = np.asarray(ignore, bool).reshape(len(regions))
        overlap = intersection_areas(regions, found)
        found_area, region_area = shapely.area(found), shapely.area(regions)

        covered = overlap[ignore] > DONT_CARE_SHARE * found_area  # (don't-care regions, M)
        dont_care = covered.any(axis=0)
        iou = overlap / np.maximum(region_area[:, None] + found_area[None, :] - overlap, np.finfo(np.float64).tiny)
        matches = (iou > MATCH_IOU) & ~ignore[:, None] & ~dont_care[None, :]
        pairs = first_come_pairs(matches)
        self.best_iou = max(self.best_iou, float(iou[~ignore].max(initial=0.0)))

        scores = np.array([detection.score for detection in detections], np.float64)
        hits = np.zeros(len(detections), bool)
        hits[[detection for _, detection in pairs]] = True
        self._scores.append(scores[~dont_care])
        self._hits.append(hits[~dont_care])
        self._all_scored &= not np.isnan(scores).any()
        skipped = tuple(int(index) for index in np.flatnonzero(dont_care))
        shifts = tuple(pair_shift(polygons[region], detections[index].polygon) for region, index in pairs)
        row = ImageScore(name, len(pairs), int((~ignore).sum()), int((~dont_care).sum()), pairs, skipped, shifts)
        self.images.append(row)
        return row

    def result(self) -> Score:
        """Score all images together: sums of the counts, not means of the images.

        Where the set has no care region, recall, hmean and AP are None (the official script prints 0). Without a
        counted detection precision is 0, as in the official script. AP is None when any detection, counted or not,
        came without a score (NaN)."""
        matched = sum(image.matched for image in self.images)
        care_regions = sum(image.care_regions for image in self.images)
        care_detections = sum(image.care_detections for image in self.images)
        precision = matched / care_detections if care_detections else 0.0
        recall = matched / care_regions if care_regions else None
        hmean = None if recall is None else harmonic_mean(precision, recall)
        ap = None
        if care_regions and self._all_scored:
            ap = average_precision(np.concatenate(self._scores), np.concatenate(self._hits), care_regions)
        return Score(precision, recall, hmean, ap, matched, care_regions, care_detections)

    def curve(self) -> PrecisionRecall | None:
        """Precision and recall of all images together, after each counted detection by falling score.

        Its last point is `result`, and AP the sum of its precisions at the hits, over all care regions. Three empty
        arrays without a counted detection. None exactly where AP is None: without a care region, or when any detection
        came without a score (NaN)."""
        care_regions = sum(image.care_regions for image in self.images)
        if not care_regions or not self._all_scored:
            return None
        return precision_recall(np.concatenate(self._scores), np.concatenate(self._hits), care_regions)

    def center_shift(self) -> float | None:
        """How far off the centres of what was found lie: mean over all matched pairs of the set, in text heights.

        See `pair_shift`. None without a matched pair. It tells a network that finds text but puts it aside (by a
        wrong scale, or half a pixel lost in a resize) from one that does not find it."""
        shifts = [shift for image in self.images for shift in image.shifts]
        return sum(shifts) / len(shifts) if shifts else None


def harmonic_mean(precision: float, recall: float) -> float:
    """2PR / (P + R), 0..1; 0 when both are 0."""
    return 2.0 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def average_precision(scores: NDArray[np.float64], hits: NDArray[np.bool_], care_regions: int) -> float:
    """Mean over all care regions of the precision at the rank where each was found; not found counts as 0.

    scores, hits: one for each counted detection of the set. Equal scores keep the order they came in.
    `compute_ap` of the official script, with the ties decided."""
    hits = hits[np.argsort(-scores, kind="stable")]
    ranks = np.flatnonzero(hits) + 1
    correct = np.arange(1, len(ranks) + 1)
    return float((correct / ranks).sum() / care_regions)


def precision_recall(scores: NDArray[np.float64], hits: NDArray[np.bool_], care_regions: int) -> PrecisionRecall:
    """Precision and recall after each rank: the ordering of `average_precision`, ties included.

    scores, hits: one for each of the M' counted detections of the set, no NaN. care_regions: of the set, 1 or more.
    Equal scores are M' points too, although no threshold can tell them apart."""
    order = np.argsort(-scores, kind="stable")
    correct = np.cumsum(hits[order], dtype=np.float64)
    return PrecisionRecall(correct / np.arange(1, len(order) + 1), correct / care_regions, scores[order])


def pair_shift(region: Polygon, found: Polygon) -> float:
    """Distance of the centres of two outlines of 3 or more vertices, in heights of the region's text, 0 or more.

    Centre: that of the smallest rotated rectangle, not the centroid. Quads are what the decoder gives by default, as
    that rectangle of what it saw: so a label in perspective, whose centroid is elsewhere, is found with a shift of 0.
    Height: the shorter side of the region's rectangle, px, at least `LEAST_HEIGHT_PX`."""
    (label_quad, height), (found_quad, _) = min_area_quad(region), min_area_quad(found)
    distance = np.linalg.norm(label_quad.mean(axis=0, dtype=np.float64) - found_quad.mean(axis=0, dtype=np.float64))
    return float(distance) / max(height, LEAST_HEIGHT_PX)


def first_come_pairs(matches: NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
    """Pair regions with detections one to one: each region, in order, takes its first match that is still free.

    matches: (K, M). Returns (region, detection) indices."""
    taken = np.zeros(matches.shape[1], bool)
    pairs = []
    for region in np.flatnonzero(matches.any(axis=1)):
        free = np.flatnonzero(matches[region] & ~taken)
        if len(free):
            taken[free[0]] = True
            pairs.append((int(region), int(free[0])))
    return tuple(pairs)


def intersection_areas(regions: Shapes, found: Shapes) -> NDArray[np.float64]:
    """Area of every region within every detection, (K, M) px². Only pairs whose bounding boxes meet are cut."""
    low_k, high_k = np.split(shapely.bounds(regions)[:, None, :], 2, axis=2)  # (K, 1, 2) each; NaN where empty
    low_m, high_m = np.split(shapely.bounds(found)[None, :, :], 2, axis=2)
    near = ((low_k < high_m) & (low_m < high_k)).all(axis=2)
    areas = np.zeros(near.shape)
    rows, columns = np.nonzero(near)
    areas[rows, columns] = shapely.area(shapely.intersection(regions[rows], found[columns]))
    return areas


def to_shapes(polygons: Sequence[Polygon], name: str) -> Shapes:
    """Turn K outlines of 3 or more vertices into K valid shapes, empty where an outline has no area.

    Raises ValueError for coordinates that are not finite; `name` says of which image."""
    if not polygons:
        return np.empty(0, object)
    points = np.concatenate([np.asarray(polygon, np.float64) for polygon in polygons])
    if not np.isfinite(points).all():
        raise ValueError(f"{name}: coordinates must be finite, got {points[~np.isfinite(points).all(axis=1)][0]}")
    owner = np.repeat(np.arange(len(polygons)), [len(polygon) for polygon in polygons])
    shapes: Shapes = shapely.polygons(shapely.linearrings(points, indices=owner))
    for index in np.flatnonzero(~shapely.is_valid(shapes)):
        parts = shapely.get_parts(shapely.make_valid(shapes[index]))
        shapes[index] = shapely.union_all(parts[shapely.get_dimensions(parts) == 2])
    return shapes
