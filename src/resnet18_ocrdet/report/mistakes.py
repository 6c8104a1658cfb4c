"""Why regions were not found and detections found nothing: each is put into exactly one mistake.

Legend: K regions and M detections of one image. A region or detection that is don't-care makes no mistake.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np

from ..matching import Shared, shared_areas
from ..metrics import CHUNK, ImageScore
from ..structures import Answer

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


def find_mistakes(answers: Sequence[Answer], rows: Sequence[ImageScore]) -> list[Mistake]:
    """Name what went wrong in a set, image by image. rows: what `IcdarMetric.update_all` said of the answers."""
    found = []
    for number, (answer, row, shared) in enumerate(zip(answers, rows, _shared(answers), strict=True)):
        care = np.flatnonzero(~answer.ignore).tolist()
        counted = sorted(set(range(len(answer.detections))) - set(row.dont_care_detections))
        sorted_out = _Sorting(shared, care, counted, dict(row.pairs))
        found += [Mistake(number, *mistake) for mistake in sorted_out.mistakes()]
    return found


def count_mistakes(mistakes: Sequence[Mistake]) -> dict[Kind, int]:
    """How many regions were not found for each reason; of "false" and "duplicate", how many detections there are."""
    counts = dict.fromkeys(KINDS, 0)
    for mistake in mistakes:
        counts[mistake.kind] += len(mistake.regions) or len(mistake.detections)
    return counts


_Found = tuple[Kind, tuple[int, ...], tuple[int, ...], float]


class _Sorting:
    """One image: regions and detections leave as soon as their mistake has a name."""

    def __init__(self, shared: Shared, care: list[int], counted: list[int], pairs: dict[int, int]) -> None:
        self.shared, self.care, self.counted, self.pairs = shared, care, counted, pairs
        self.regions = [region for region in care if region not in pairs]  # not found
        self.detections = [found for found in counted if found not in set(pairs.values())]  # found nothing

    def mistakes(self) -> Iterator[_Found]:
        """The clearest ones first: what is several to one cannot be too tight as well."""
        for step in (self._split, self._merged, self._wrong_size, self._duplicate):
            for kind, regions, detections, iou in step():
                self.regions = [region for region in self.regions if region not in regions]
                self.detections = [found for found in self.detections if found not in detections]
                yield kind, regions, detections, iou
        for region in self.regions:
            yield "missed", (region,), (), self._best((region,), self.counted)
        for found in self.detections:
            yield "false", (), (found,), self._best(self.care, (found,))

    def _split(self) -> Iterator[_Found]:
        for region in list(self.regions):
            parts = tuple(found for found in self.detections if self.shared.of_detection[region, found] > MOST)
            if len(parts) > 1:
                yield "split", (region,), parts, self._best((region,), parts)

    def _merged(self) -> Iterator[_Found]:
        for found in [*self.pairs.values(), *self.detections]:
            covered = [region for region in self.care if self.shared.of_region[region, found] > MOST]
            lost = tuple(region for region in covered if region in self.regions)
            if len(covered) > 1 and lost:
                yield "merged", lost, (found,), self._best(lost, (found,))

    def _wrong_size(self) -> Iterator[_Found]:
        iou, inside = self.shared.iou, self.shared.of_detection
        pairs = [(k, m) for k in self.regions for m in self.detections]
        near = [(iou[k, m], k, m) for k, m in pairs if iou[k, m] > NEAR_IOU or inside[k, m] > MOST]
        for value, region, found in sorted(near, key=lambda pair: (-pair[0], *pair[1:])):
            if region in self.regions and found in self.detections:
                yield self._size_of(region, found), (region,), (found,), float(value)

    def _size_of(self, region: int, found: int) -> Kind:
        covered, inside = self.shared.of_region[region, found], self.shared.of_detection[region, found]
        if max(covered, inside) < INSIDE:
            return "misplaced"
        return "too tight" if inside > covered else "too loose"

    def _duplicate(self) -> Iterator[_Found]:
        for found in list(self.detections):
            taken = [region for region in self.care if region not in self.regions]
            on = [region for region in taken if self.shared.of_detection[region, found] > MOST]
            if on or self._best(taken, (found,)) > MOST:
                yield "duplicate", (), (found,), self._best(taken, (found,))

    def _best(self, regions: Sequence[int], detections: Sequence[int]) -> float:
        return float(self.shared.iou[np.ix_(regions, detections)].max(initial=0.0))


def _shared(answers: Sequence[Answer]) -> Iterator[Shared]:
    """Of each image; CHUNK of them are compared in one call, so that the memory does not grow with the set."""
    for first in range(0, len(answers), CHUNK):
        part = answers[first : first + CHUNK]
        outlines = [[found.polygon for found in answer.detections] for answer in part]
        yield from shared_areas([answer.polygons for answer in part], outlines, [answer.name for answer in part])
