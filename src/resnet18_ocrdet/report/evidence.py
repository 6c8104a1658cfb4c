"""Everything that is known of a score besides the score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..evaluation.bootstrap import Interval, intervals
from ..evaluation.metrics import IcdarMetric, ImageScore, PrecisionRecall
from ..evaluation.records import EvalSample, Score
from .mistakes import Mistake, count_mistakes, find_mistakes
from .sizes import Fit, Share, fit_of, recall_by_size


class Evidence(NamedTuple):
    """A score and what it is made of. Images are in the order of the set."""

    score: Score
    interval_95: dict[str, Interval | None]
    answers: Sequence[EvalSample]
    rows: Sequence[ImageScore]
    mistakes: Sequence[Mistake]
    heights: Sequence[Share]
    aspects: Sequence[Share]
    fit: Fit | None
    curve: PrecisionRecall | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for metrics.json."""
        return {
            **self.score._asdict(),
            "images": len(self.rows),
            "interval_95": self.interval_95,
            "mistakes": dict(count_mistakes(self.mistakes)),
            "fit": None if self.fit is None else self.fit._asdict(),
            "recall_by_height": [share._asdict() | {"recall": share.recall} for share in self.heights],
            "recall_by_aspect": [share._asdict() | {"recall": share.recall} for share in self.aspects],
        }


def gather(metric: IcdarMetric, answers: Sequence[EvalSample]) -> Evidence:
    """Look into a score. answers: what `metric` was given, in the same order."""
    rows = metric.images
    heights, aspects = recall_by_size(answers, rows)
    return Evidence(
        score=metric.result(),
        interval_95=intervals(rows),
        answers=answers,
        rows=rows,
        mistakes=find_mistakes(answers, rows),
        heights=heights,
        aspects=aspects,
        fit=fit_of(answers, rows),
        curve=metric.curve(),
    )
