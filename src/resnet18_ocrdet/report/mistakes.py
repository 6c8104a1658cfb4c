"""Why regions were not found and detections are false: each belongs to exactly one mistake.

Don't-care regions and detections are not counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple, get_args

import numpy as np

from ..evaluation.metrics import CHUNK, ImageScore
from ..evaluation.records import EvalSample
from ..geometry.overlap import find_overlaps, starts

MistakeKind = Literal["missed", "split", "merged", "too tight", "too loose", "misplaced", "false", "duplicate"]
KINDS: tuple[MistakeKind, ...] = get_args(MistakeKind)
MEANING: dict[MistakeKind, str] = {
    "missed": "a region without a detection",
    "split": "a region covered by several detections",
    "merged": "a region that shares its detection with another region",
    "too tight": "a detection inside its region, too small",
    "too loose": "a detection around its region, too large",
    "misplaced": "a detection that overlaps its region only partly",
    "false": "a detection without a region",
    "duplicate": "a second detection of a region that was found",
}
MOST = 0.5  # of a polygon's area: mostly inside the other one
NEAR_IOU = 0.1  # pairs that overlap less are unrelated
INSIDE = 0.7  # of a polygon's area: nearly inside, so that the size is wrong and not the position


class Mistake(NamedTuple):
    """One mistake in one image."""

    image: int  # index in the set
    kind: MistakeKind
    regions: tuple[int, ...]  # regions not found for this reason; empty for false and duplicate
    detections: tuple[int, ...]  # the wrong detections; empty for missed. A merged one may have found another region
    iou: float  # best of these regions with these detections (if one is empty: with any), 0..1


def find_mistakes(samples: Sequence[EvalSample], rows: Sequence[ImageScore]) -> list[Mistake]:
    """All mistakes of a set, image by image. rows: what `IcdarMetric.update_all` returned for the samples."""
    found = []
    for number, (sample, row, pairs) in enumerate(zip(samples, rows, _pairs(samples), strict=True)):
        care = np.flatnonzero(~sample.ignore).tolist()
        counted = sorted(set(range(len(sample.detections))) - set(row.dont_care_detections))
        image_mistakes = _ImageMistakes(pairs, care, counted, dict(row.pairs))
        found += [Mistake(number, *mistake) for mistake in image_mistakes.mistakes()]
    return found


def count_mistakes(mistakes: Sequence[Mistake]) -> dict[MistakeKind, int]:
    """Regions not found for each reason; for "false" and "duplicate", the number of detections."""
    counts = dict.fromkeys(KINDS, 0)
    for mistake in mistakes:
        counts[mistake.kind] += len(mistake.regions) or len(mistake.detections)
    return counts


_Classified = tuple[MistakeKind, tuple[int, ...], tuple[int, ...], float]


class _Pair(NamedTuple):
    """A region and a detection that overlap."""

    region: int
    found: int
    iou: float
    covered: float  # fraction of the region covered by the detection, 0..1
    inside: float  # fraction of the detection inside the region, 0..1


class _ImageMistakes:
    """Classifies the mistakes of one image; regions and detections are removed once they belong to one."""

    def __init__(self, pairs: Sequence[_Pair], care: list[int], counted: list[int], taken: dict[int, int]) -> None:
        """pairs: sorted by region, then by detection. taken: the detection of each region that was found."""
        self.of_region: dict[int, list[_Pair]] = defaultdict(list)
        self.of_found: dict[int, list[_Pair]] = defaultdict(list)
        for pair in pairs:
            self.of_region[pair.region].append(pair)
            self.of_found[pair.found].append(pair)
        self.care, self.counted, self.taken = set(care), set(counted), taken
        self.regions = dict.fromkeys(region for region in care if region not in taken)  # not found; ordered set
        matched = set(taken.values())
        self.detections = dict.fromkeys(found for found in counted if found not in matched)  # false

    def mistakes(self) -> Iterator[_Classified]:
        """The clearest ones first: a region that is split cannot be too tight as well."""
        for step in (self._split, self._merged, self._wrong_size, self._duplicate):
            for kind, regions, detections, iou in step():
                for region in regions:
                    self.regions.pop(region, None)
                for found in detections:
                    self.detections.pop(found, None)
                yield kind, regions, detections, iou
        for region in self.regions:
            yield "missed", (region,), (), _best(pair for pair in self.of_region[region] if pair.found in self.counted)
        for found in self.detections:
            yield "false", (), (found,), _best(pair for pair in self.of_found[found] if pair.region in self.care)

    def _split(self) -> Iterator[_Classified]:
        for region in list(self.regions):
            parts = [pair for pair in self.of_region[region] if pair.inside > MOST and pair.found in self.detections]
            if len(parts) > 1:
                yield "split", (region,), tuple(pair.found for pair in parts), _best(parts)

    def _merged(self) -> Iterator[_Classified]:
        for found in [*self.taken.values(), *self.detections]:
            covered = [pair for pair in self.of_found[found] if pair.covered > MOST and pair.region in self.care]
            lost = [pair for pair in covered if pair.region in self.regions]
            if len(covered) > 1 and lost:
                yield "merged", tuple(pair.region for pair in lost), (found,), _best(lost)

    def _wrong_size(self) -> Iterator[_Classified]:
        open_pairs = [
            pair for region in self.regions for pair in self.of_region[region] if pair.found in self.detections
        ]
        near = [pair for pair in open_pairs if pair.iou > NEAR_IOU or pair.inside > MOST]
        for pair in sorted(near, key=lambda pair: (-pair.iou, pair.region, pair.found)):
            if pair.region in self.regions and pair.found in self.detections:
                yield _size_of(pair), (pair.region,), (pair.found,), pair.iou

    def _duplicate(self) -> Iterator[_Classified]:
        for found in list(self.detections):
            on = [pair for pair in self.of_found[found] if pair.region in self.care and pair.region not in self.regions]
            if any(pair.inside > MOST or pair.iou > MOST for pair in on):
                yield "duplicate", (), (found,), _best(on)


def _size_of(pair: _Pair) -> MistakeKind:
    if max(pair.covered, pair.inside) < INSIDE:
        return "misplaced"
    return "too tight" if pair.inside > pair.covered else "too loose"


def _best(pairs: Iterable[_Pair]) -> float:
    return max((pair.iou for pair in pairs), default=0.0)


def _pairs(samples: Sequence[EvalSample]) -> Iterator[list[_Pair]]:
    """Overlapping pairs of each image. CHUNK images are compared per call to bound the memory."""
    for first in range(0, len(samples), CHUNK):
        part = samples[first : first + CHUNK]
        regions = [sample.polygons for sample in part]
        outlines = [[found.polygon for found in sample.detections] for sample in part]
        overlaps = find_overlaps(regions, outlines, [sample.name for sample in part])
        region, found = overlaps.region, overlaps.detection
        covered, inside = overlaps.area / overlaps.region_area[region], overlaps.area / overlaps.detection_area[found]
        first_region, first_found = starts(regions), starts(outlines)
        cuts = np.searchsorted(region, first_region).tolist()
        for n, (start, stop) in enumerate(pairwise(cuts)):
            own = slice(start, stop)
            columns = (region[own] - first_region[n], found[own] - first_found[n], overlaps.iou[own])
            yield [
                _Pair(*values)
                for values in zip(*(column.tolist() for column in (*columns, covered[own], inside[own])), strict=True)
            ]
