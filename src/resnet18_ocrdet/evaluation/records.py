"""Records of an evaluation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..structures import Detection, Polygon


class EvalSample(NamedTuple):
    """One image with its labels and its detections, in original image pixels."""

    name: str
    polygons: tuple[Polygon, ...]  # K regions
    ignore: NDArray[np.bool_]  # (K,) don't-care flags
    detections: list[Detection]  # M


class Score(NamedTuple):
    """Result over a set of images, fractions 0..1. None if undefined (division by zero)."""

    precision: float | None
    recall: float | None
    hmean: float | None
    ap: float | None
    matched: int  # detections that match a care region
    care_regions: int
    care_detections: int  # detections that are not on don't-care regions
