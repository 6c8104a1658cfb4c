"""How much a score varies between sets of similar images: percentile bootstrap over images (Efron, 1979)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .metrics import ImageScore

DRAWS = 2000  # the 95 % limits then vary by about 0.001 between seeds
LEVEL = 0.95
NAMES = ("precision", "recall", "hmean")

Interval = tuple[float, float]


class Draws(NamedTuple):
    """Each of NAMES for a set, and for DRAWS sets drawn from it; NaN where undefined."""

    whole: dict[str, float]
    drawn: dict[str, NDArray[np.float64]]  # (DRAWS,) each


def draw_scores(images: Sequence[ImageScore], seed: int = 0) -> Draws:
    """Draw whole images with replacement, because words of one photo are not independent.

    The same seed draws the same indices from any set of this size."""
    counts = np.array([(row.matched, row.care_detections, row.care_regions) for row in images], np.float64)
    counts = counts.reshape(-1, 3)
    rng = np.random.default_rng(seed)
    shares = np.full(len(counts), 1 / max(len(counts), 1))
    times = rng.multinomial(len(counts), shares, DRAWS) if len(counts) else np.zeros((DRAWS, 0))  # (DRAWS, N)
    whole, drawn = _scores(counts.sum(axis=0)[None]), _scores(times @ counts)
    return Draws({name: float(value[0]) for name, value in whole.items()}, drawn)


def intervals(images: Sequence[ImageScore], seed: int = 0) -> dict[str, Interval | None]:
    """The 95 % interval (low, high) of each of NAMES, fractions 0..1; None where undefined."""
    drawn = draw_scores(images, seed).drawn
    return {name: interval(values[np.isfinite(values)]) for name, values in drawn.items()}


def interval(values: NDArray[np.float64]) -> Interval | None:
    """The 95 % interval of finite values; None without values."""
    if not len(values):
        return None
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _scores(counts: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Each of NAMES for rows of matched, counted detections and care regions."""
    matched, found, true = counts.T
    with np.errstate(invalid="ignore", divide="ignore"):
        hmean = np.where(true > 0, 2 * matched / (found + true), np.nan)  # harmonic mean of the other two
        return dict(zip(NAMES, (matched / found, matched / true, hmean), strict=True))
