"""Everything that the report of an evaluation shows about a score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..evaluation.bootstrap import Interval, intervals
from ..evaluation.metrics import IcdarMetric, ImageScore, PrecisionRecall
from ..evaluation.records import EvalSample, Score
from .mistakes import Mistake, count_mistakes, find_mistakes
from .sizes import BoxFit, SizeBin, fit_of, recall_by_size


class ErrorAnalysis(NamedTuple):
    """A score with its details. Images are in the order of the set."""

    score: Score
    interval_95: dict[str, Interval | None]
    samples: Sequence[EvalSample]
    rows: Sequence[ImageScore]
    mistakes: Sequence[Mistake]
    heights: Sequence[SizeBin]
    aspects: Sequence[SizeBin]
    fit: BoxFit | None
    curve: PrecisionRecall | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for metrics.json."""
        return {
            **self.score._asdict(),
            "images": len(self.rows),
            "interval_95": self.interval_95,
            "mistakes": dict(count_mistakes(self.mistakes)),
            "fit": None if self.fit is None else self.fit._asdict(),
            "recall_by_height": [each._asdict() | {"recall": each.recall} for each in self.heights],
            "recall_by_aspect": [each._asdict() | {"recall": each.recall} for each in self.aspects],
        }


def analyze(metric: IcdarMetric, samples: Sequence[EvalSample]) -> ErrorAnalysis:
    """Analyze a score. samples: what `metric` was updated with, in the same order."""
    rows = metric.images
    heights, aspects = recall_by_size(samples, rows)
    return ErrorAnalysis(
        score=metric.result(),
        interval_95=intervals(rows),
        samples=samples,
        rows=rows,
        mistakes=find_mistakes(samples, rows),
        heights=heights,
        aspects=aspects,
        fit=fit_of(samples, rows),
        curve=metric.curve(),
    )
