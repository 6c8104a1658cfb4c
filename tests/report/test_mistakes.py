"""Mistakes by hand; none is lost or counted twice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from resnet18_ocrdet.evaluation.metrics import EvalSample, IcdarMetric
from resnet18_ocrdet.report.mistakes import KINDS, MEANING, Mistake, count_mistakes, find_mistakes
from resnet18_ocrdet.structures import Detection
from scored_images import box, images


def found_in(regions, boxes, ignore=None):
    flags = np.array(ignore if ignore is not None else [False] * len(regions), bool)
    sample = EvalSample("img_1.jpg", tuple(regions), flags, [Detection(each, 0.9) for each in boxes])
    return find_mistakes([sample], IcdarMetric().update_all([sample]))


WORD = box(0, 0, 100, 20)  # 2000 px²


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([], ("missed", (0,), (), 0.0)),
        ([box(0, 0, 45, 20), box(50, 0, 50, 20)], ("split", (0,), (0, 1), 0.5)),  # 45 and 50 %, neither above one half
        ([box(0, 0, 45, 20)], ("too tight", (0,), (0,), 0.45)),
        ([box(-50, -10, 200, 40)], ("too loose", (0,), (0,), 0.25)),  # 2000 of 8000
        ([box(50, 0, 100, 20)], ("misplaced", (0,), (0,), 1 / 3)),  # half of it beside: 1000 of 3000
    ],
)
def test_a_word_that_was_not_found(boxes, expected):
    assert found_in([WORD], boxes) == [Mistake(0, *expected[:3], pytest.approx(expected[3]))]


def test_merged_words():
    # one box over two words of 1000 px² each: 1000 of 2100, below one half, for both
    words = [box(0, 0, 50, 20), box(55, 0, 50, 20)]
    assert found_in(words, [box(0, 0, 105, 20)]) == [Mistake(0, "merged", (0, 1), (0,), pytest.approx(10 / 21))]


def test_a_word_covered_by_the_box_of_its_neighbor():
    # the box finds the longer word, 1600 of 2100, and covers the shorter one
    words = [box(0, 0, 80, 20), box(85, 0, 20, 20)]
    assert found_in(words, [box(0, 0, 105, 20)]) == [Mistake(0, "merged", (1,), (0,), pytest.approx(4 / 21))]


def test_false_and_duplicate_detections():
    boxes = [WORD, box(0, 0, 100, 18), box(300, 300, 40, 20)]
    assert found_in([WORD], boxes) == [
        Mistake(0, "duplicate", (), (1,), pytest.approx(0.9)),
        Mistake(0, "false", (), (2,), 0.0),
    ]


def test_a_piece_of_a_found_word_is_a_duplicate():
    assert found_in([WORD], [box(0, 0, 80, 20), box(82, 0, 18, 20)]) == [
        Mistake(0, "duplicate", (), (1,), pytest.approx(0.18))
    ]


def test_a_distant_box_is_false_and_the_word_is_missed():
    # 5 of 100 px in common: IoU 1 / 39
    kinds = [mistake.kind for mistake in found_in([WORD], [box(95, 0, 100, 20)])]
    assert kinds == ["missed", "false"]


def test_all_pieces_in_a_word_belong_to_one_mistake():
    # 45 % of the word and a speck; three small pieces
    assert found_in([WORD], [box(0, 0, 45, 20), box(92, 0, 8, 20)]) == [
        Mistake(0, "split", (0,), (0, 1), pytest.approx(0.45))
    ]
    pieces = [box(0, 0, 30, 20), box(35, 0, 9, 20), box(50, 0, 9, 20)]
    assert found_in([WORD], pieces) == [Mistake(0, "split", (0,), (0, 1, 2), pytest.approx(0.3))]
    assert found_in([WORD], [box(92, 0, 8, 20)]) == [Mistake(0, "too tight", (0,), (0,), pytest.approx(0.08))]


def test_a_word_partly_covered_by_the_box_of_another_is_missed():
    # the box finds the upper word, 2000 of 2800, and covers 800 of the lower one: 800 / 4000
    (mistake,) = found_in([WORD, box(0, 20, 100, 20)], [box(0, 0, 100, 28)])
    assert mistake == Mistake(0, "missed", (1,), (), pytest.approx(0.2))


def test_a_detection_is_in_one_mistake_if_regions_overlap():
    regions = [box(0, 0, 300, 40), box(0, 0, 60, 20), box(70, 0, 60, 20)]
    mistakes = found_in(regions, [box(0, 0, 140, 25), box(160, 0, 100, 25)])
    assert sorted(m for mistake in mistakes for m in mistake.detections) == [0, 1]


def test_dont_care_regions_have_no_mistakes():
    assert found_in([WORD, box(200, 0, 100, 20)], [WORD, box(200, 0, 100, 19)], [False, True]) == []
    assert found_in([WORD], [], [True]) == []


def test_counts_of_regions_or_of_detections():
    words = [box(0, 0, 50, 20), box(55, 0, 50, 20), box(0, 100, 50, 20)]
    counts = count_mistakes(found_in(words, [box(0, 0, 105, 20), box(300, 0, 9, 9), box(320, 0, 9, 9)]))
    assert {kind: number for kind, number in counts.items() if number} == {"merged": 2, "missed": 1, "false": 2}
    assert set(MEANING) == set(KINDS) == set(counts)


@settings(max_examples=200, deadline=None)
@given(images(), images())
def test_everything_is_in_exactly_one_mistake(first, second):
    samples = [
        EvalSample(str(n), tuple(p), ignore, list(found)) for n, (p, ignore, found) in enumerate([first, second])
    ]
    rows = IcdarMetric().update_all(samples)
    mistakes = find_mistakes(samples, rows)
    for image, (sample, row) in enumerate(zip(samples, rows, strict=True)):
        own = [mistake for mistake in mistakes if mistake.image == image]
        pairs = dict(row.pairs)
        regions = sorted(region for mistake in own for region in mistake.regions)
        assert regions == [k for k in range(len(sample.polygons)) if not sample.ignore[k] and k not in pairs]
        used = {*pairs.values(), *row.dont_care_detections}
        blamed = sorted(m for mistake in own for m in set(mistake.detections) - set(pairs.values()))
        free = [m for m in range(len(sample.detections)) if m not in used]
        assert set(blamed) == set(free)
        alone = [m for mistake in own for m in mistake.detections if m not in pairs.values()]
        assert len(alone) == len(set(alone))
        assert all(0 <= mistake.iou <= 1 for mistake in own)
