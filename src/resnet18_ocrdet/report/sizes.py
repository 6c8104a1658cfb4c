"""What is found of which size, and how well the boxes fit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..evaluation.metrics import ImageScore
from ..evaluation.records import EvalSample
from ..geometry.batched import HEIGHT_STEPS, text_sizes
from ..geometry.overlap import find_overlaps
from ..structures import Polygon

ASPECTS = (0.0, 1.5, 3.0, 5.0, 8.0, math.inf)  # length over height


class Share(NamedTuple):
    """The care regions of a set between two sizes."""

    low: float  # this and more
    high: float | None  # less than this; None: any
    regions: int
    found: int

    @property
    def recall(self) -> float | None:
        """0..1; None without regions."""
        return self.found / self.regions if self.regions else None

    def holds(self, size: float) -> bool:
        """Whether a region of this size is one of them."""
        return self.low <= size and (self.high is None or size < self.high)


class Fit(NamedTuple):
    """How the detections that found a region lie on it; means over all pairs of a set."""

    iou: float  # 0.5..1
    area_ratio: float  # area of the detection over that of the region: above 1 the boxes are too large


def recall_by_size(answers: Sequence[EvalSample], rows: Sequence[ImageScore]) -> tuple[list[Share], list[Share]]:
    """Recall by the height of the text and by its length over its height, over the care regions of a set."""
    heights, aspects = sizes_of([polygon for answer in answers for polygon in answer.polygons])
    care = np.concatenate([np.zeros(0, bool), *(~answer.ignore for answer in answers)])
    found = np.zeros(len(care), bool)
    first = 0
    for answer, row in zip(answers, rows, strict=True):
        found[[first + region for region, _ in row.pairs]] = True
        first += len(answer.polygons)
    return _shares(heights[care], found[care], HEIGHT_STEPS), _shares(aspects[care], found[care], ASPECTS)


def sizes_of(polygons: Sequence[Polygon]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Height of the text in K regions, px, at least 1, and its length over its height, at least 1: (K,) each.

    Both are those of the smallest rotated rectangle."""
    heights, lengths = text_sizes(polygons)
    return heights, np.maximum(lengths / heights, 1.0)


def fit_of(answers: Sequence[EvalSample], rows: Sequence[ImageScore]) -> Fit | None:
    """See `Fit`; None where nothing was found."""
    pairs = [(answer, *pair) for answer, row in zip(answers, rows, strict=True) for pair in row.pairs]
    if not pairs:
        return None
    regions = [[answer.polygons[region]] for answer, region, _ in pairs]  # each pair like an image of its own
    found = [[answer.detections[index].polygon] for answer, _, index in pairs]
    overlaps = find_overlaps(regions, found, [answer.name for answer, *_ in pairs])
    return Fit(float(overlaps.iou.mean()), float((overlaps.detection_area / overlaps.region_area).mean()))


def _shares(values: NDArray[np.float64], found: NDArray[np.bool_], edges: Sequence[float]) -> list[Share]:
    place = np.searchsorted(edges, values, side="right") - 1
    count, hits = (np.bincount(place[chosen], minlength=len(edges) - 1) for chosen in (slice(None), found))
    ends = [high if math.isfinite(high) else None for high in edges[1:]]
    return [Share(*row) for row in zip(edges[:-1], ends, count.tolist(), hits.tolist(), strict=True)]
