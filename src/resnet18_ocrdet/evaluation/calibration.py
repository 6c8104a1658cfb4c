"""Find the best thresholds for a network: every combination is scored on images outside its training set.

The network runs once per image. Boxes are decoded for each bin_thresh and unclip_ratio; box_thresh only filters them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product, starmap
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..inference.postprocess import Decoder, ProbMap
from ..structures import Batch, Maps, Polygon, ResizeTransform
from .metrics import IcdarMetric

BIN_THRESHES = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
BOX_THRESHES = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
UNCLIP_RATIOS = (1.3, 1.5, 1.7, 1.9, 2.1)

# Fewer combinations, for the end of a training: few validation images do not tell neighbours apart. Boxes of long lines
# grow further than those of words.
COARSE = ((0.2, 0.3, 0.4, 0.5), (0.4, 0.5, 0.6, 0.7), (1.3, 1.5, 1.7, 1.9, 2.1, 2.4))


class Thresholds(NamedTuple):
    """A combination, as in `decode.*`."""

    bin_thresh: float
    box_thresh: float
    unclip_ratio: float


class ThresholdSweep:
    """Scores every combination image by image and keeps counts only. The current combination is one of them."""

    def __init__(
        self,
        decoder: Decoder,
        grid: tuple[Sequence[float], Sequence[float], Sequence[float]] = (BIN_THRESHES, BOX_THRESHES, UNCLIP_RATIOS),
    ) -> None:
        """grid: values of each threshold, in the order of `Thresholds`; the current ones are added."""
        self.current = Thresholds(decoder.bin_thresh, decoder.box_thresh, decoder.unclip_ratio)
        self._bins = _with(grid[0], decoder.bin_thresh)
        self._boxes = _with(grid[1], decoder.box_thresh)
        self._unclips = _with(grid[2], decoder.unclip_ratio)
        self._decoder = decoder
        # matched, detections that count, care regions
        self._counts = np.zeros((len(self._bins), len(self._boxes), len(self._unclips), 3), np.int64)

    def add_batch(self, batch: Batch, maps: Maps) -> None:
        """Add the images of a batch with what a network predicts for them."""
        prob_maps = maps.prob_map[:, 0].cpu().numpy()
        for image in zip(prob_maps, batch.transforms, batch.polygons, batch.ignore, batch.names, strict=True):
            self.add(*image)

    def add(
        self,
        prob_map: ProbMap,
        transform: ResizeTransform,
        polygons: Sequence[Polygon],
        ignore: NDArray[np.bool_],
        name: str,
    ) -> None:
        """Decode and score one image with every combination.

        prob_map: (H, W) float32, 0..1, of the whole canvas. polygons, ignore: K regions in pixels of the original
        image and their don't-care flags (K,)."""
        for (i, bin_thresh), (k, unclip_ratio) in product(enumerate(self._bins), enumerate(self._unclips)):
            decode = replace(self._decoder, bin_thresh=bin_thresh, box_thresh=self._boxes[0], unclip_ratio=unclip_ratio)
            found = decode(prob_map, transform)
            kept, counts = -1, (0, 0, 0)
            for j, box_thresh in enumerate(self._boxes):
                confident = [detection for detection in found if detection.score >= box_thresh]
                if len(confident) != kept:
                    row = IcdarMetric().update(polygons, ignore, confident, name)
                    kept, counts = len(confident), (row.matched, row.care_detections, row.care_regions)
                self._counts[i, j, k] += counts

    def hmeans(self) -> dict[Thresholds, float]:
        """The hmean of each combination, 0..1; 0 where it is undefined."""
        matched, found, regions = np.moveaxis(self._counts, -1, 0)
        hmeans = 2 * matched / np.maximum(found + regions, 1)  # of matched/found and matched/regions
        combinations = starmap(Thresholds, product(self._bins, self._boxes, self._unclips))
        return dict(zip(combinations, hmeans.ravel().tolist(), strict=True))


def best_of(hmeans: dict[Thresholds, float], current: Thresholds) -> Thresholds:
    """The combination with the highest hmean; among equal ones the nearest to `current`."""
    return max(hmeans, key=lambda it: (hmeans[it], -sum(abs(a - b) for a, b in zip(it, current, strict=True))))


def _with(grid: Sequence[float], value: float) -> tuple[float, ...]:
    return tuple(sorted({*grid, value}))
