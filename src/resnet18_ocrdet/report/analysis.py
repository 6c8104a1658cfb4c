"""What the report of an evaluation shows about a score: mistakes, recall by text size, how well the boxes fit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..evaluation.bootstrap import intervals
from ..evaluation.metrics import EvalSample, IcdarMetric, ImageScore
from ..geometry.overlap import find_overlaps
from ..geometry.polygon import HEIGHT_STEPS, text_sizes
from ..structures import Polygon
from .mistakes import count_mistakes, find_mistakes

ASPECTS = (0.0, 1.5, 3.0, 5.0, 8.0, math.inf)  # length / height


class SizeBin(NamedTuple):
    """The care regions of a set in one range of sizes."""

    low: float  # inclusive
    high: float | None  # exclusive; None: no limit
    regions: int
    found: int

    @property
    def recall(self) -> float | None:
        """0..1; None without regions."""
        return self.found / self.regions if self.regions else None

    def contains(self, size: float) -> bool:
        """Whether the size of a region lies in the range."""
        return self.low <= size and (self.high is None or size < self.high)


class BoxFit(NamedTuple):
    """How well detections fit the regions that they found; means over all pairs of a set."""

    iou: float  # 0.5..1
    area_ratio: float  # detection area / region area; above 1 the boxes are too large


class ErrorAnalysis:
    """A score with its details. Images are in the order of the set."""

    def __init__(self, metric: IcdarMetric, samples: Sequence[EvalSample]) -> None:
        """samples: what `metric` was updated with, in the same order."""
        self.samples, self.rows = samples, metric.images
        self.score, self.curve = metric.result(), metric.curve()
        self.interval_95 = intervals(self.rows)
        self.mistakes = find_mistakes(samples, self.rows)
        self.heights, self.aspects = recall_by_size(samples, self.rows)
        self.fit = fit_of(samples, self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for metrics.json."""
        return {
            **self.score._asdict(),
            "images": len(self.rows),
            "interval_95": self.interval_95,
            "mistakes": count_mistakes(self.mistakes),
            "fit": None if self.fit is None else self.fit._asdict(),
            "recall_by_height": [each._asdict() | {"recall": each.recall} for each in self.heights],
            "recall_by_aspect": [each._asdict() | {"recall": each.recall} for each in self.aspects],
        }


def recall_by_size(samples: Sequence[EvalSample], rows: Sequence[ImageScore]) -> tuple[list[SizeBin], list[SizeBin]]:
    """Recall of the care regions of a set by text height and by aspect ratio (length / height)."""
    heights, aspects = sizes_of([polygon for sample in samples for polygon in sample.polygons])
    care = np.concatenate([np.zeros(0, bool), *(~sample.ignore for sample in samples)])
    found = np.zeros(len(care), bool)
    first = 0
    for sample, row in zip(samples, rows, strict=True):
        found[[first + region for region, _ in row.pairs]] = True
        first += len(sample.polygons)
    return _bins(heights[care], found[care], HEIGHT_STEPS), _bins(aspects[care], found[care], ASPECTS)


def sizes_of(polygons: Sequence[Polygon]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Text height (px, at least 1) and length / height (at least 1) of K regions: (K,) each.

    Both are measured on the smallest rotated rectangle."""
    heights, lengths = text_sizes(polygons)
    return heights, np.maximum(lengths / heights, 1.0)


def fit_of(samples: Sequence[EvalSample], rows: Sequence[ImageScore]) -> BoxFit | None:
    """See `BoxFit`; None if nothing was found."""
    pairs = [(sample, *pair) for sample, row in zip(samples, rows, strict=True) for pair in row.pairs]
    if not pairs:
        return None
    regions = [[sample.polygons[region]] for sample, region, _ in pairs]  # each pair as one image
    found = [[sample.detections[index].polygon] for sample, _, index in pairs]
    overlaps = find_overlaps(regions, found, [sample.name for sample, *_ in pairs])
    return BoxFit(float(overlaps.iou.mean()), float((overlaps.detection_area / overlaps.region_area).mean()))


def _bins(values: NDArray[np.float64], found: NDArray[np.bool_], edges: Sequence[float]) -> list[SizeBin]:
    place = np.searchsorted(edges, values, side="right") - 1
    count, hits = (np.bincount(place[chosen], minlength=len(edges) - 1) for chosen in (slice(None), found))
    ends = [high if math.isfinite(high) else None for high in edges[1:]]
    return [SizeBin(*row) for row in zip(edges[:-1], ends, count.tolist(), hits.tolist(), strict=True)]
