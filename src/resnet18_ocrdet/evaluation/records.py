"""The records of a score."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..structures import Detection, Polygon


class EvalSample(NamedTuple):
    """One image of a set that is scored: what is true, and what was found. All in original image pixels."""

    name: str
    polygons: tuple[Polygon, ...]  # K regions
    ignore: NDArray[np.bool_]  # (K,) don't-care flags
    detections: list[Detection]  # M


class Score(NamedTuple):
    """Result over a set of images, fractions 0..1. None where it is undefined (nothing to divide by)."""

    precision: float | None
    recall: float | None
    hmean: float | None
    ap: float | None
    matched: int  # detections that found a care region
    care_regions: int
    care_detections: int  # detections that do not lie on don't-care regions
