"""Which images differ most: farthest-first selection, and copies of the same picture.

Legend: N images, L labelled ones, C channels. A feature is a row of unit length, not negative, so that the distance
1 - cosine is 0 for the same direction and at most 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..check.image_stats import ImageStats
from ..check.images import near_pairs

Features = NDArray[np.float32]  # (N, C)

EVEN = 0.1  # weight of an image that the detector is sure of; the least sure one has EVEN + 1
BLOCK = 1024  # rows that are compared at once


class Choice(NamedTuple):
    """One image that was picked."""

    image: int  # index
    distance: float  # 0..1, to the nearest one that is picked or labelled; 1 without any
    novelty: float  # 0..1, share of the images left at that moment that are nearer to one


def unit_features(pooled: NDArray[np.float32]) -> Features:
    """(N, C) features for comparisons, from channel means that are not negative.

    The root keeps a few strong channels from deciding alone (Arandjelović and Zisserman, CVPR 2012)."""
    rooted: Features = np.sqrt(pooled)
    unit: Features = rooted / np.maximum(np.linalg.norm(rooted, axis=1, keepdims=True), np.float32(1e-12))
    return unit


def originals(pictures: Sequence[ImageStats], known: int = 0) -> list[int | None]:
    """For each image that is a scaled or re-saved copy of an earlier one, the index of that one, which is no copy
    itself; None for the others. known: the first images, which are never copies."""
    found: list[int | None] = [None] * len(pictures)
    for index, pairs in groupby(near_pairs(pictures, pictures), itemgetter(1)):
        earlier = [one for one, _ in pairs if one < index >= known and found[one] is None]
        found[index] = min(earlier, default=None)
    return found


def farthest_first(features: Features, unsure: NDArray[np.float64], labelled: Features) -> Iterator[Choice]:
    """All N images in the order of picking: each time the one with the largest product of its distance to those that
    are picked or labelled and its weight, the first one of equals.

    k-center greedy, as for core-sets (Sener and Savarese, ICLR 2018), with the weight EVEN + unsure. unsure: (N,) 0..1.
    labelled: (L, C)."""
    weights = EVEN + unsure
    distances = np.ones(len(features))
    for start in range(0, len(labelled), BLOCK):
        nearest = (features @ labelled[start : start + BLOCK].T).max(axis=1, initial=0.0)
        distances = np.minimum(distances, np.maximum(1.0 - nearest, 0.0))
    left = np.ones(len(features), np.bool_)
    for _ in range(len(features)):
        index = int(np.where(left, weights * distances, -1.0).argmax())
        left[index] = False
        others = distances[left]
        novelty = float((others < distances[index]).mean()) if len(others) else 0.0
        yield Choice(index, float(distances[index]), novelty)
        distances = np.minimum(distances, np.maximum(1.0 - features @ features[index], 0.0))
