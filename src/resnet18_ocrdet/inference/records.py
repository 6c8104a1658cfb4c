"""The records of decoding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..structures import Detection


class DecodeStats(NamedTuple):
    """How far the regions of one image, or of a set, came on the way from the probability map to boxes."""

    max_prob: float  # highest probability of any pixel, 0..1
    contours: int  # connected areas above bin_thresh
    large: int  # of them not too small
    confident: int  # of them above box_thresh
    boxes: int  # of them still large enough after growing back

    @classmethod
    def together(cls, parts: Sequence[DecodeStats]) -> DecodeStats:
        """Of several images: the highest probability, the sums of the counts."""
        if not parts:
            return cls(0.0, 0, 0, 0, 0)
        highest, *counts = zip(*parts, strict=True)
        return cls(max(highest), *map(sum, counts))


class Decoded(NamedTuple):
    """What a probability map says: its regions, and how many were lost on the way."""

    detections: list[Detection]
    stages: DecodeStats
