"""Labels of lines under a detector of words, and the other way round: by hand-made detections."""

from __future__ import annotations

import numpy as np
import pytest

from resnet18_ocrdet.commands.auto_measure import start_of
from resnet18_ocrdet.evaluation.evaluator import Validation
from resnet18_ocrdet.evaluation.metrics import EvalSample, IcdarMetric
from resnet18_ocrdet.inference.postprocess import DecodeStats
from resnet18_ocrdet.structures import Detection, Polygon
from resnet18_ocrdet.train.label_units import label_units
from resnet18_ocrdet.train.lr_rules import Start


def box(left: float, top: float, right: float, bottom: float) -> Polygon:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def lines(number: int) -> list[Polygon]:
    return [box(0, 30 * row, 300, 30 * row + 20) for row in range(number)]


def words(number: int) -> list[Polygon]:
    """Three on each line."""
    return [box(left, 30 * row, left + 90, 30 * row + 20) for row in range(number) for left in (0, 105, 210)]


def start(labels: list[Polygon], found: list[Polygon]) -> Start:
    sample = EvalSample("a.jpg", tuple(labels), np.zeros(len(labels), bool), [Detection(each, 0.9) for each in found])
    metric = IcdarMetric()
    metric.update_all([sample])
    return start_of(Validation({}, metric, metric.result(), DecodeStats.together([]), [sample], 1.0))


def test_lines_are_noticed_from_words_that_split_them():
    found = start(lines(10), words(10))
    assert found.hmean == 0.0 and "splits (10 of 10)" in found.other_units and "longer" in found.other_units
    assert found.longer
    assert "large gap" in found.gap() and "splits" in found.gap()


def test_words_are_noticed_from_lines_that_merge_them():
    found = start(words(10), lines(10))
    assert found.hmean == 0.0 and "merges (30 of 30)" in found.other_units and "smaller" in found.other_units
    assert not found.longer


def test_the_same_units_and_plain_misses_say_nothing():
    assert start(lines(10), lines(10)) == Start(1.0, "")
    assert start(lines(12), lines(2)) == Start(pytest.approx(2 * 2 / 14), "")
    assert start(lines(3), words(3)).other_units == ""  # too few to say


def test_a_good_score_with_lines_is_still_a_gap():
    # 30 of 40 lines found, the other 10 split
    found = start(lines(40), [*lines(30), *words(40)[90:]])
    assert found.hmean == pytest.approx(2 * 30 / (40 + 60)) and "splits (10 of 10)" in found.gap()
    assert found.good() == ""


@pytest.mark.parametrize(
    ("split", "merged", "lost", "regions", "noticed"),
    [
        (10, 0, 20, 100, True),
        (9, 0, 20, 100, False),  # less than half of the misses
        (10, 0, 20, 101, False),  # less than a tenth of the regions
        (0, 10, 20, 100, True),
        (5, 4, 9, 20, False),
        (0, 0, 0, 0, False),
    ],
)
def test_limits(split: int, merged: int, lost: int, regions: int, noticed: bool):
    assert bool(label_units(split, merged, lost, regions)) == noticed
