"""How far a score would move on other images of the same kind: percentile bootstrap over images (Efron, 1979)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .metrics import ImageScore

DRAWS = 2000  # a 95 % limit of that many moves by about 0.001 from seed to seed
LEVEL = 0.95
NAMES = ("precision", "recall", "hmean")

Interval = tuple[float, float]


def intervals(images: Sequence[ImageScore], seed: int = 0) -> dict[str, Interval | None]:
    """Low and high end of the 95 % interval of each of NAMES, fractions 0..1; None where it is undefined.

    Whole images are drawn with replacement, as many as there are: words of one photo stand or fall together."""
    counts = np.array([(row.matched, row.care_detections, row.care_regions) for row in images], np.float64)
    if not len(counts):
        return dict.fromkeys(NAMES)
    rng = np.random.default_rng(seed)
    times = rng.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), DRAWS)  # (DRAWS, N)
    matched, found, true = (times @ counts).T
    with np.errstate(invalid="ignore", divide="ignore"):
        hmean = np.where(true > 0, 2 * matched / (found + true), np.nan)  # harmonic mean of the other two
        columns = (matched / found, matched / true, hmean)
    return {name: _interval(column[np.isfinite(column)]) for name, column in zip(NAMES, columns, strict=True)}


def _interval(values: NDArray[np.float64]) -> Interval | None:
    if not len(values):
        return None
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
