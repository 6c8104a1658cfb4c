"""Precision, recall, hmean and AP of text detection, by the IoU protocol of ICDAR 2015.

The rules are those of the official script of the Robust Reading Competition, Challenge 4 "Incidental Scene Text",
Task 1 "Text Localization" (https://rrc.cvc.uab.es/?ch=4&com=evaluation, IoU of Everingham et al., PASCAL VOC, 2014).

Legend: K regions (ground truth) and M detections of one image, or of a set. For outlines that cross themselves see
geometry/overlap.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..geometry.overlap import Overlaps, find_overlaps, first_come_pairs, starts
from ..geometry.polygon import min_area_quads
from ..structures import Detection, Polygon

SCORES = ("precision", "recall", "hmean", "ap")  # of `Score`, as in metrics.json and metrics.jsonl
MATCH_IOU = 0.5  # a detection finds a region above this IoU; IOU_CONSTRAINT of the official script
DONT_CARE_SHARE = 0.5  # a detection with more than this share of its area on one don't-care region is not counted;
# AREA_PRECISION_CONSTRAINT of the official script
MIN_HEIGHT_PX = 1.0  # lower limit of a region's height, so that nothing is divided by zero
CHUNK = 32  # images compared in one call; hundreds no longer fit into the CPU caches


class EvalSample(NamedTuple):
    """One image with its labels and its detections, in original image pixels."""

    name: str
    polygons: tuple[Polygon, ...]  # K regions
    ignore: NDArray[np.bool_]  # (K,) don't-care flags
    detections: list[Detection]  # M


class Score(NamedTuple):
    """Result over a set of images, fractions 0..1. None if undefined (division by zero)."""

    precision: float | None
    recall: float | None
    hmean: float | None
    ap: float | None
    matched: int  # detections that match a care region
    care_regions: int
    care_detections: int  # detections that are not on don't-care regions


def score_text(values: Mapping[str, float | None], names: Sequence[str] = SCORES, digits: int = 4) -> str:
    """`precision 0.9000  recall -  …`. values: of a `Score`, by name."""
    shown = {name: "-" if (value := values[name]) is None else f"{value:.{digits}f}" for name in names}
    return "  ".join(f"{name} {text}" for name, text in shown.items())


class ImageScore(NamedTuple):
    """Counts and matches of one image."""

    name: str
    matched: int  # detections that match a care region
    care_regions: int
    care_detections: int  # detections that are not on don't-care regions
    pairs: tuple[tuple[int, int], ...]  # `matched` of (region, detection), indices into the arguments of `update`
    dont_care_detections: tuple[int, ...]  # the indices of the detections that are not counted
    shifts: tuple[float, ...]  # of each pair, as `pair_shifts` measures it

    @property
    def recall(self) -> float:
        """Share of the care regions that were found, 0..1; 1 if there are none, as in the official script."""
        return self.matched / self.care_regions if self.care_regions else 1.0

    @property
    def precision(self) -> float:
        """Share of the counted detections that match a region, 0..1.

        Without care regions 1 if nothing was detected, else 0; without detections 0, as in the official script."""
        if not self.care_regions:
            return 0.0 if self.care_detections else 1.0
        return self.matched / self.care_detections if self.care_detections else 0.0

    @property
    def hmean(self) -> float:
        """Harmonic mean of precision and recall, 0..1."""
        return harmonic_mean(self.precision, self.recall)


class PrecisionRecall(NamedTuple):
    """Precision and recall of a set when only the best 1, 2, … M' of its M' counted detections are used."""

    precision: NDArray[np.float64]  # (M',) 0..1: share of the detections down to this rank that match a region
    recall: NDArray[np.float64]  # (M',) 0..1, never falling: share of the set's care regions that they found
    score: NDArray[np.float64]  # (M',) never rising: confidence of the detection at this rank


class IcdarMetric:
    """Collects images, then scores them as one set. Use a new object for a new set."""

    def __init__(self) -> None:
        """Start without images."""
        self.images: list[ImageScore] = []  # one row per image, in the order of the updates
        self._scores: list[NDArray[np.float64]] = []  # confidence of every counted detection, image by image
        self._hits: list[NDArray[np.bool_]] = []  # whether it matches a region
        self._all_scored = True
        self.best_iou = 0.0  # of any detection with any care region, 0..1

    def update(
        self, polygons: Sequence[Polygon], ignore: NDArray[np.bool_], detections: Sequence[Detection], name: str
    ) -> ImageScore:
        """Score one image; see `update_all`."""
        return self.update_all([EvalSample(name, tuple(polygons), np.asarray(ignore, bool), list(detections))])[0]

    def update_all(self, samples: Sequence[EvalSample]) -> list[ImageScore]:
        """Score any number of images and keep the counts: the same as one by one, but faster.

        The order of regions and detections matters: the official script gives each region, in turn, the first free
        detection that overlaps enough, not the best one. Raises ValueError for coordinates that are not finite."""
        rows = []
        for start in range(0, len(samples), CHUNK):
            rows += self._score(samples[start : start + CHUNK])
        self.images += rows
        return rows

    def _score(self, samples: Sequence[EvalSample]) -> list[ImageScore]:
        polygons = [sample.polygons for sample in samples]
        outlines = [[found.polygon for found in sample.detections] for sample in samples]
        ignore = np.concatenate([sample.ignore for sample in samples])
        scores = np.array([found.score for sample in samples for found in sample.detections], np.float64)
        overlaps = find_overlaps(polygons, outlines, [sample.name for sample in samples])
        pairs, dont_care = match(overlaps, ignore)
        hits = np.zeros(len(scores), bool)
        hits[pairs[:, 1]] = True
        self._scores.append(scores[~dont_care])
        self._hits.append(hits[~dont_care])
        self._all_scored &= not np.isnan(scores).any()
        self.best_iou = max(self.best_iou, float(overlaps.iou[~ignore[overlaps.region]].max(initial=0.0)))

        regions, found = list(chain.from_iterable(polygons)), list(chain.from_iterable(outlines))
        shifts = pair_shifts([regions[region] for region, _ in pairs], [found[index] for _, index in pairs])
        first_region, first_detection = starts(polygons), starts(outlines)
        first_pair = np.searchsorted(pairs[:, 0], first_region).tolist()
        rows = []
        for n, sample in enumerate(samples):
            own = slice(first_pair[n], first_pair[n + 1])
            local = pairs[own] - (first_region[n], first_detection[n])
            skipped = np.flatnonzero(dont_care[first_detection[n] : first_detection[n + 1]])
            rows.append(
                ImageScore(
                    name=sample.name,
                    matched=len(local),
                    care_regions=int((~sample.ignore).sum()),
                    care_detections=len(sample.detections) - len(skipped),
                    pairs=tuple(map(tuple, local.tolist())),
                    dont_care_detections=tuple(skipped.tolist()),
                    shifts=tuple(shifts[own].tolist()),
                )
            )
        return rows

    def result(self) -> Score:
        """Score all images together: sums of the counts, not means of the images.

        Without care regions recall, hmean and AP are None (the official script prints 0). Without counted detections
        precision is 0, as in the official script. AP is None if any detection, counted or not, has no score (NaN)."""
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

        The last point is `result`; AP is the sum of the precisions at the hits over all care regions. None if AP is."""
        care_regions = sum(image.care_regions for image in self.images)
        if not care_regions or not self._all_scored:
            return None
        return precision_recall(np.concatenate(self._scores), np.concatenate(self._hits), care_regions)

    def center_shift(self) -> float | None:
        """Mean distance of the centres of all matched pairs, in text heights, see `pair_shifts`; None without a pair.

        A large value means that text is found but misplaced, for example by a wrong scale in a resize."""
        shifts = [shift for image in self.images for shift in image.shifts]
        return sum(shifts) / len(shifts) if shifts else None


def harmonic_mean(precision: float, recall: float) -> float:
    """2PR / (P + R), 0..1; 0 when both are 0."""
    return 2.0 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def average_precision(scores: NDArray[np.float64], hits: NDArray[np.bool_], care_regions: int) -> float:
    """Mean over all care regions of the precision at the rank where each was found; 0 for those not found.

    scores, hits: one for each counted detection of the set. Equal scores keep their order. As `compute_ap` of the
    official script, which leaves ties open."""
    hits = hits[np.argsort(-scores, kind="stable")]
    ranks = np.flatnonzero(hits) + 1
    correct = np.arange(1, len(ranks) + 1)
    return float((correct / ranks).sum() / care_regions)


def precision_recall(scores: NDArray[np.float64], hits: NDArray[np.bool_], care_regions: int) -> PrecisionRecall:
    """Precision and recall after each rank, in the order of `average_precision`.

    scores, hits: one for each of the M' counted detections of the set, no NaN. care_regions: of the set, 1 or more.
    Equal scores give separate points, although no threshold can separate them."""
    order = np.argsort(-scores, kind="stable")
    correct = np.cumsum(hits[order], dtype=np.float64)
    return PrecisionRecall(correct / np.arange(1, len(order) + 1), correct / care_regions, scores[order])


def match(overlaps: Overlaps, ignore: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Apply the protocol's rules to the overlaps of a set. ignore: (K,) don't-care flags.

    Returns the pairs (region, detection), (P', 2) by rising region, and which of the M detections are not counted."""
    region, detection, area = overlaps.region, overlaps.detection, overlaps.area
    dont_care = np.zeros(len(overlaps.detection_area), bool)
    covered = ignore[region] & (area > DONT_CARE_SHARE * overlaps.detection_area[detection])
    dont_care[detection[covered]] = True
    near = np.flatnonzero((overlaps.iou > MATCH_IOU) & ~ignore[region] & ~dont_care[detection])
    taken = near[first_come_pairs(region[near], detection[near])]
    return np.stack([region[taken], detection[taken]], axis=1), dont_care


def pair_shifts(regions: Sequence[Polygon], found: Sequence[Polygon]) -> NDArray[np.float64]:
    """Distance of the centres of two outlines of 3 or more vertices, in heights of the region's text: (P,) of P pairs.

    Centre: of the smallest rotated rectangle, which is the shape of decoded quads, so that a label in perspective can
    have a shift of 0. Height: the shorter side of the region's rectangle, px, at least `MIN_HEIGHT_PX`."""
    label_quads, heights = min_area_quads([np.asarray(polygon, np.float32) for polygon in regions])
    found_quads, _ = min_area_quads([np.asarray(polygon, np.float32) for polygon in found])
    apart = label_quads.mean(axis=1, dtype=np.float64) - found_quads.mean(axis=1, dtype=np.float64)
    return np.asarray(np.linalg.norm(apart, axis=1) / np.maximum(heights, MIN_HEIGHT_PX))
