"""Several data sets in one training: how many images of each an epoch shows, and which.

Legend: S sets, of which the first is the main one.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from .datasets import DatasetItem, TrainDataset

GOLDEN = 0.6180339887498949  # (sqrt(5) - 1) / 2: steps of this share of a list visit it as evenly as possible


class MixedDataset:
    """The S sets one after another, each with an augmentation of its own."""

    def __init__(self, sets: Sequence[TrainDataset], shown: Sequence[int]) -> None:
        """sets: the main one first; the number of the first image of each is that of all images before it.

        shown: images an epoch of each, (S,); all of the main one."""
        assert [part.first for part in sets] == [0, *accumulate(map(len, sets[:-1]))] and shown[0] == len(sets[0])
        self.sets, self.shown = tuple(sets), tuple(shown)
        self._firsts = [part.first for part in sets]
        self._starts = [0, *accumulate(shown[:-1])]

    def __len__(self) -> int:
        """Count the images of an epoch."""
        return sum(self.shown)

    def __getitem__(self, key: tuple[int, int]) -> DatasetItem:
        """key: as of `keys`."""
        return self.sets[bisect_right(self._firsts, key[1]) - 1][key]

    def key(self, epoch: int, place: int) -> tuple[int, int]:
        """How often the image at a place of an epoch was shown before, and its number among the images of all sets.

        place: 0 <= place < len(self), before the epoch is shuffled. Of the main set each epoch shows every image once;
        of another set the next ones, in an order that is spread over its list, over and over."""
        number = bisect_right(self._starts, place) - 1
        part, shown = self.sets[number], self.shown[number]
        times, at = divmod(epoch * shown + place - self._starts[number], len(part))
        return times, part.first + (at if number == 0 else at * _stride(len(part)) % len(part))


def shown_per_epoch(main: int, shares: Sequence[float]) -> list[int]:
    """Images an epoch of sets that make up these shares of it, at least one. main: images of the main set.

    shares: above 0, less than 1 together."""
    together = main / (1.0 - math.fsum(shares))
    return [max(1, round(share * together)) for share in shares]


def _stride(length: int) -> int:
    """A step that visits every place of a list of this length before any twice."""
    step = max(1, round(GOLDEN * length))
    while math.gcd(step, length) != 1:
        step += 1
    return step
