"""How unsure a detector is of an image: from the scores of its regions, its map, and a second pass.

Legend: H W pixels of a map, M regions, N images.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..geometry.overlap import find_overlaps, first_come_pairs
from ..inference.postprocess import ProbMap
from ..structures import Polygon

MARGIN = 0.15  # of a score: a region that is nearer to box_thresh is unsure
FAINT = 0.25  # of bin_thresh: the lowest probability of a trace of text
SAME_IOU = 0.5  # of two regions that are the same, as in the ICDAR 2015 protocol
PRIOR_REGIONS = 3  # added to the number of regions, so that one unsure region of one does not count as all of them


class Uncertainty(NamedTuple):
    """What a detector is unsure of in one image."""

    regions: int = 0  # candidates: those found, and those that score up to MARGIN below box_thresh
    unsure: int = 0  # of them, within MARGIN of box_thresh
    entropy: float = 0.0  # bits, 0..1, see `map_entropy`
    seen: int = 0  # regions of both passes together; 0 without a second pass
    unmatched: int = 0  # of them, those that only one pass finds


def is_unsure(score: float, box_thresh: float) -> bool:
    """Whether the score of a region leaves open if it is text."""
    return score < box_thresh + MARGIN


def lowest_score(box_thresh: float) -> float:
    """Of a candidate, 0..1."""
    return max(box_thresh - MARGIN, 0.0)


def map_entropy(prob_map: ProbMap, faint: float) -> float:
    """Mean binary entropy in bits of the pixels above `faint`, 0..1; 0 if there are none. prob_map: (H, W) 0..1."""
    text = prob_map[prob_map > faint].astype(np.float64)
    if not len(text):
        return 0.0
    other = np.maximum(1.0 - text, np.finfo(np.float64).tiny)
    return float(-(text * np.log2(text) + other * np.log2(other)).mean())


def count_unmatched(first: Sequence[Polygon], second: Sequence[Polygon]) -> int:
    """Regions of two passes that the other pass does not find. Raises UserError as `find_overlaps` does."""
    overlaps = find_overlaps([first], [second], [""])
    same = np.flatnonzero(overlaps.iou >= SAME_IOU)
    matched = len(first_come_pairs(overlaps.region[same], overlaps.detection[same]))
    return len(first) + len(second) - 2 * matched


def rank_unsure(images: Sequence[Uncertainty]) -> NDArray[np.float64]:
    """(N,) 0..1: the mean, over its three signs, of the share of images that are less unsure by it."""
    if not images:
        return np.zeros(0)
    signs = [
        [image.unsure / (image.regions + PRIOR_REGIONS) for image in images],
        [image.entropy for image in images],
        [image.unmatched / (image.seen + PRIOR_REGIONS) for image in images],
    ]
    ranks = [share_below(np.array(sign)) for sign in signs if any(sign)] or [np.zeros(len(images))]
    mean: NDArray[np.float64] = np.stack(ranks).mean(axis=0)
    return mean


def share_below(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) share of the values that are smaller than each, 0..1."""
    below = np.searchsorted(np.sort(values), values, side="left").astype(np.float64)
    return below / max(len(values) - 1, 1)
