"""Is the difference of two scores on the same images significant? Paired bootstrap over images (Efron, 1979)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..evaluation.bootstrap import LEVEL, NAMES, Interval, draw_scores, interval
from ..evaluation.metrics import ImageScore


class ScoreChange(NamedTuple):
    """Difference of a second score from a first one, fractions -1..1."""

    by: dict[str, float | None]  # of each of NAMES: second minus first; None if one of them is undefined
    interval_95: dict[str, Interval | None]
    better: float | None  # fraction of the draws with a higher second hmean, ties count half; 0..1
    gained: int  # regions found only by the second
    lost: int  # regions found only by the first

    @property
    def is_noise(self) -> bool:
        """Whether the interval of the hmean contains 0."""
        ends = self.interval_95["hmean"]
        return ends is None or ends[0] <= 0.0 <= ends[1]


def compare_scores(first: Sequence[ImageScore], second: Sequence[ImageScore], seed: int = 0) -> ScoreChange:
    """Compare two detectors on the same images in the same order; each draw uses the same images for both.

    Raises ValueError if the images differ."""
    if [row.name for row in first] != [row.name for row in second]:
        raise ValueError("the two scores are of different images")
    old, new = draw_scores(first, seed), draw_scores(second, seed)
    whole = {name: new.whole[name] - old.whole[name] for name in NAMES}
    drawn = {name: new.drawn[name] - old.drawn[name] for name in NAMES}
    moved = {name: values[np.isfinite(values)] for name, values in drawn.items()}
    hmean = moved["hmean"]
    pairs = [({r for r, _ in a.pairs}, {r for r, _ in b.pairs}) for a, b in zip(first, second, strict=True)]
    return ScoreChange(
        by={name: float(value) if np.isfinite(value) else None for name, value in whole.items()},
        interval_95={name: interval(values) for name, values in moved.items()},
        better=float(((hmean > 0) + 0.5 * (hmean == 0)).mean()) if len(hmean) else None,
        gained=sum(len(b - a) for a, b in pairs),
        lost=sum(len(a - b) for a, b in pairs),
    )


def describe_change(change: ScoreChange) -> str:
    """One sentence: is the change of hmean more than chance?"""
    ends = change.interval_95["hmean"]
    if ends is None:
        return "hmean is undefined for one of them: they cannot be compared."
    if change.by["hmean"] == 0 and ends == (0.0, 0.0):
        return "hmean does not change."
    difference = (
        f"hmean changes by {change.by['hmean']:+.3f}, {LEVEL:.0%} interval over images {ends[0]:+.3f} to {ends[1]:+.3f}"
    )
    if change.is_noise:
        return f"{difference}: this may be chance; neither is shown to be better on these images."
    return f"{difference}: more than chance, the {'new' if ends[0] > 0 else 'old'} one is better."
