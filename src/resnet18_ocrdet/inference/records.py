"""Records of decoding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..structures import Detection


class DecodeStats(NamedTuple):
    """How many regions of an image, or of a set, were left after each step from probability map to boxes."""

    max_prob: float  # highest probability of any pixel, 0..1
    contours: int  # above bin_thresh
    large: int  # not too small
    confident: int  # above box_thresh
    boxes: int  # large enough after unclipping

    @classmethod
    def together(cls, parts: Sequence[DecodeStats]) -> DecodeStats:
        """Combine several images: the highest probability, the sums of the counts."""
        if not parts:
            return cls(0.0, 0, 0, 0, 0)
        highest, *counts = zip(*parts, strict=True)
        return cls(max(highest), *map(sum, counts))


class Decoded(NamedTuple):
    """The regions of a probability map, and how many were lost at which step."""

    detections: list[Detection]
    stages: DecodeStats
