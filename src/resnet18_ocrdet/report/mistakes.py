"""Why regions were not found and detections are false: each belongs to exactly one mistake.

Don't-care regions and detections are not counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np

from ..evaluation.metrics import EvalSample, ImageScore
from ..geometry.overlap import find_overlaps

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
    images = enumerate(zip(samples, rows, strict=True))
    return [mistake for number, (sample, row) in images for mistake in _ImageMistakes(number, sample, row).mistakes()]


def count_mistakes(mistakes: Sequence[Mistake]) -> dict[MistakeKind, int]:
    """Regions not found for each reason; for "false" and "duplicate", the number of detections."""
    counts = dict.fromkeys(KINDS, 0)
    for mistake in mistakes:
        counts[mistake.kind] += len(mistake.regions) or len(mistake.detections)
    return counts


class _Pair(NamedTuple):
    """A region and a detection that overlap."""

    region: int
    found: int
    iou: float
    covered: float  # fraction of the region covered by the detection, 0..1
    inside: float  # fraction of the detection inside the region, 0..1


class _ImageMistakes:
    """Classifies the mistakes of one image; regions and detections are removed once they belong to one."""

    def __init__(self, image: int, sample: EvalSample, row: ImageScore) -> None:
        self.image, self.taken = image, dict(row.pairs)  # taken: the detection of each region that was found
        self.care = set(np.flatnonzero(~sample.ignore).tolist())
        self.counted = set(range(len(sample.detections))) - set(row.dont_care_detections)
        self.regions = dict.fromkeys(sorted(self.care - self.taken.keys()))  # not found; an ordered set
        self.detections = dict.fromkeys(sorted(self.counted - set(self.taken.values())))  # false
        self.of_region: dict[int, list[_Pair]] = defaultdict(list)
        self.of_found: dict[int, list[_Pair]] = defaultdict(list)
        for pair in _pairs(sample):
            self.of_region[pair.region].append(pair)
            self.of_found[pair.found].append(pair)

    def mistakes(self) -> Iterator[Mistake]:
        """The clearest ones first: a region that is split cannot be too tight as well."""
        for step in (self._split, self._merged, self._wrong_size, self._duplicate):
            for mistake in step():
                for region in mistake.regions:
                    self.regions.pop(region, None)
                for found in mistake.detections:
                    self.detections.pop(found, None)
                yield mistake
        for region in self.regions:
            near = [pair for pair in self.of_region[region] if pair.found in self.counted]
            yield self._mistake("missed", [region], [], near)
        for found in self.detections:
            near = [pair for pair in self.of_found[found] if pair.region in self.care]
            yield self._mistake("false", [], [found], near)

    def _mistake(
        self, kind: MistakeKind, regions: Iterable[int], detections: Iterable[int], pairs: Sequence[_Pair]
    ) -> Mistake:
        """pairs: those whose best IoU counts."""
        best = max((pair.iou for pair in pairs), default=0.0)
        return Mistake(self.image, kind, tuple(regions), tuple(detections), best)

    def _split(self) -> Iterator[Mistake]:
        for region in list(self.regions):
            parts = [pair for pair in self.of_region[region] if pair.inside > MOST and pair.found in self.detections]
            if len(parts) > 1:
                yield self._mistake("split", [region], [pair.found for pair in parts], parts)

    def _merged(self) -> Iterator[Mistake]:
        for found in [*self.taken.values(), *self.detections]:
            covered = [pair for pair in self.of_found[found] if pair.covered > MOST and pair.region in self.care]
            lost = [pair for pair in covered if pair.region in self.regions]
            if len(covered) > 1 and lost:
                yield self._mistake("merged", [pair.region for pair in lost], [found], lost)

    def _wrong_size(self) -> Iterator[Mistake]:
        open_pairs = [
            pair for region in self.regions for pair in self.of_region[region] if pair.found in self.detections
        ]
        near = [pair for pair in open_pairs if pair.iou > NEAR_IOU or pair.inside > MOST]
        for pair in sorted(near, key=lambda pair: (-pair.iou, pair.region, pair.found)):
            if pair.region in self.regions and pair.found in self.detections:
                yield self._mistake(_size_of(pair), [pair.region], [pair.found], [pair])

    def _duplicate(self) -> Iterator[Mistake]:
        for found in list(self.detections):
            on = [pair for pair in self.of_found[found] if pair.region in self.care and pair.region not in self.regions]
            if any(pair.inside > MOST or pair.iou > MOST for pair in on):
                yield self._mistake("duplicate", [], [found], on)


def _size_of(pair: _Pair) -> MistakeKind:
    if max(pair.covered, pair.inside) < INSIDE:
        return "misplaced"
    return "too tight" if pair.inside > pair.covered else "too loose"


def _pairs(sample: EvalSample) -> list[_Pair]:
    """Sorted by region, then by detection."""
    outlines = [found.polygon for found in sample.detections]
    overlaps = find_overlaps([sample.polygons], [outlines], [sample.name])
    covered = overlaps.area / overlaps.region_area[overlaps.region]
    inside = overlaps.area / overlaps.detection_area[overlaps.detection]
    columns = (overlaps.region, overlaps.detection, overlaps.iou, covered, inside)
    return [_Pair(*values) for values in zip(*(column.tolist() for column in columns), strict=True)]
