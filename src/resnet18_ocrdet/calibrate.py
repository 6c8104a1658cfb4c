"""Which thresholds fit a network best: every combination is scored on images that did not train it.

The network runs once an image. Boxes are decoded at once, for each bin_thresh and unclip_ratio, and kept with their
scores; box_thresh only leaves boxes out, so it needs no decoding of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .metrics import IcdarMetric
from .postprocess import Decoder, ProbMap
from .structures import Detection, Placement, Polygon, Score

BIN_THRESHES = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
BOX_THRESHES = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
UNCLIP_RATIOS = (1.3, 1.5, 1.7, 1.9, 2.1)


class Thresholds(NamedTuple):
    """A combination, in the words of `decode.*`."""

    bin_thresh: float
    box_thresh: float
    unclip_ratio: float


class Truth(NamedTuple):
    """What one image shows."""

    polygons: tuple[Polygon, ...]
    ignore: NDArray[np.bool_]
    name: str


class Sweep:
    """Collects images, then scores every combination; the combination in use is always among them."""

    def __init__(self, decoder: Decoder) -> None:
        self.now = Thresholds(decoder.bin_thresh, decoder.box_thresh, decoder.unclip_ratio)
        self.bins = _with(BIN_THRESHES, decoder.bin_thresh)
        self.boxes = _with(BOX_THRESHES, decoder.box_thresh)
        self.unclips = _with(UNCLIP_RATIOS, decoder.unclip_ratio)
        self._decoder = decoder
        self._truths: list[Truth] = []
        self._found: dict[tuple[float, float], list[list[Detection]]] = {
            pair: [] for pair in product(self.bins, self.unclips)
        }

    def __len__(self) -> int:
        """Count the combinations."""
        return len(self._found) * len(self.boxes)

    def add(self, prob_map: ProbMap, placement: Placement, truth: Truth) -> None:
        """Decode one image in all ways. prob_map: (H, W) float32, 0..1, of the whole canvas."""
        self._truths.append(truth)
        for (bin_thresh, unclip_ratio), images in self._found.items():
            decoder = replace(self._decoder, bin_thresh=bin_thresh, box_thresh=self.boxes[0], unclip_ratio=unclip_ratio)
            images.append(decoder(prob_map, placement))

    def scores(self, advance: Callable[[], None] = lambda: None) -> dict[Thresholds, Score]:
        """The score of each combination. advance: called after each."""
        scored = {}
        for (bin_thresh, unclip_ratio), images in self._found.items():
            for box_thresh in self.boxes:
                metric = IcdarMetric()
                for truth, found in zip(self._truths, images, strict=True):
                    confident = [detection for detection in found if detection.score >= box_thresh]
                    metric.update(truth.polygons, truth.ignore, confident, truth.name)
                scored[Thresholds(bin_thresh, box_thresh, unclip_ratio)] = metric.result()
                advance()
        return scored


def best_of(scores: dict[Thresholds, Score], now: Thresholds) -> Thresholds:
    """The combination of highest hmean; of equal ones `now`, else the one nearest to it. An undefined hmean is 0."""
    return max(scores, key=lambda it: (scores[it].hmean or 0.0, -_distance(it, now)))


def _distance(one: Thresholds, other: Thresholds) -> float:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True))


def _with(grid: Sequence[float], value: float) -> tuple[float, ...]:
    return tuple(sorted({*grid, value}))
