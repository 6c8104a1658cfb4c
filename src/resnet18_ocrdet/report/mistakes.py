"""Why regions were not found and detections found nothing: each is put into exactly one mistake.

A region or detection that is don't-care makes no mistake.
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

Kind = Literal["missed", "split", "merged", "too tight", "too loose", "misplaced", "false", "duplicate"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MEANING: dict[Kind, str] = {
    "missed": "a region without a detection of its own",
    "split": "a region in the place of which several detections lie",
    "merged": "a region that shares its detection with another region",
    "too tight": "a detection within its region, too small for it",
    "too loose": "a detection round its region, too large for it",
    "misplaced": "a detection beside its region, partly on it",
    "false": "a detection without a region of its own",
    "duplicate": "a detection on a region that has another one",
}
MOST = 0.5  # of an outline's area: mostly inside the other one
NEAR_IOU = 0.1  # a region and a detection that overlap less have nothing to do with each other
INSIDE = 0.7  # of an outline's area: all but inside, so that the fault is its size and not its place


class Mistake(NamedTuple):
    """One thing that went wrong in one image."""

    image: int  # place in the set
    kind: Kind
    regions: tuple[int, ...]  # regions that were not found for this reason; empty: false, duplicate
    detections: tuple[int, ...]  # the detections to blame; empty: missed. Of a merged one, it may have found another
    iou: float  # the best of these regions with these detections; where one of both is empty, with any; 0..1


def find_mistakes(answers: Sequence[EvalSample], rows: Sequence[ImageScore]) -> list[Mistake]:
    """Name what went wrong in a set, image by image. rows: what `IcdarMetric.update_all` said of the answers."""
    found = []
    for number, (answer, row, pairs) in enumerate(zip(answers, rows, _pairs(answers), strict=True)):
        care = np.flatnonzero(~answer.ignore).tolist()
        counted = sorted(set(range(len(answer.detections))) - set(row.dont_care_detections))
        sorted_out = _Sorting(pairs, care, counted, dict(row.pairs))
        found += [Mistake(number, *mistake) for mistake in sorted_out.mistakes()]
    return found


def count_mistakes(mistakes: Sequence[Mistake]) -> dict[Kind, int]:
    """How many regions were not found for each reason; of "false" and "duplicate", how many detections there are."""
    counts = dict.fromkeys(KINDS, 0)
    for mistake in mistakes:
        counts[mistake.kind] += len(mistake.regions) or len(mistake.detections)
    return counts


_Found = tuple[Kind, tuple[int, ...], tuple[int, ...], float]


class _Pair(NamedTuple):
    """A region and a detection that share an area."""

    region: int
    found: int
    iou: float
    covered: float  # share of the region that the detection covers, 0..1
    inside: float  # share of the detection that lies on the region, 0..1


class _Sorting:
    """One image: regions and detections leave as soon as their mistake has a name."""

    def __init__(self, pairs: Sequence[_Pair], care: list[int], counted: list[int], taken: dict[int, int]) -> None:
        """pairs: by rising region, then by rising detection. taken: the detection of each region that was found."""
        self.of_region: dict[int, list[_Pair]] = defaultdict(list)
        self.of_found: dict[int, list[_Pair]] = defaultdict(list)
        for pair in pairs:
            self.of_region[pair.region].append(pair)
            self.of_found[pair.found].append(pair)
        self.care, self.counted, self.taken = set(care), set(counted), taken
        self.regions = dict.fromkeys(region for region in care if region not in taken)  # not found; sets in order
        blessed = set(taken.values())
        self.detections = dict.fromkeys(found for found in counted if found not in blessed)  # found nothing

    def mistakes(self) -> Iterator[_Found]:
        """The clearest ones first: what is several to one cannot be too tight as well."""
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

    def _split(self) -> Iterator[_Found]:
        for region in list(self.regions):
            parts = [pair for pair in self.of_region[region] if pair.inside > MOST and pair.found in self.detections]
            if len(parts) > 1:
                yield "split", (region,), tuple(pair.found for pair in parts), _best(parts)

    def _merged(self) -> Iterator[_Found]:
        for found in [*self.taken.values(), *self.detections]:
            covered = [pair for pair in self.of_found[found] if pair.covered > MOST and pair.region in self.care]
            lost = [pair for pair in covered if pair.region in self.regions]
            if len(covered) > 1 and lost:
                yield "merged", tuple(pair.region for pair in lost), (found,), _best(lost)

    def _wrong_size(self) -> Iterator[_Found]:
        open_pairs = [
            pair for region in self.regions for pair in self.of_region[region] if pair.found in self.detections
        ]
        near = [pair for pair in open_pairs if pair.iou > NEAR_IOU or pair.inside > MOST]
        for pair in sorted(near, key=lambda pair: (-pair.iou, pair.region, pair.found)):
            if pair.region in self.regions and pair.found in self.detections:
                yield _size_of(pair), (pair.region,), (pair.found,), pair.iou

    def _duplicate(self) -> Iterator[_Found]:
        for found in list(self.detections):
            on = [pair for pair in self.of_found[found] if pair.region in self.care and pair.region not in self.regions]
            if any(pair.inside > MOST or pair.iou > MOST for pair in on):
                yield "duplicate", (), (found,), _best(on)


def _size_of(pair: _Pair) -> Kind:
    if max(pair.covered, pair.inside) < INSIDE:
        return "misplaced"
    return "too tight" if pair.inside > pair.covered else "too loose"


def _best(pairs: Iterable[_Pair]) -> float:
    return max((pair.iou for pair in pairs), default=0.0)


def _pairs(answers: Sequence[EvalSample]) -> Iterator[list[_Pair]]:
    """Of each image; CHUNK of them are compared in one call, so that the memory does not grow with the set."""
    for first in range(0, len(answers), CHUNK):
        part = answers[first : first + CHUNK]
        regions = [answer.polygons for answer in part]
        outlines = [[found.polygon for found in answer.detections] for answer in part]
        overlaps = find_overlaps(regions, outlines, [answer.name for answer in part])
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
