"""The precision-recall curve of a set and the shift of its matched centres: cases computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from resnet18_ocrdet.evaluation.metrics import IcdarMetric, average_precision, pair_shifts, precision_recall
from resnet18_ocrdet.structures import Detection

NAN = math.nan


def pair_shift(region, detection):
    (shift,) = pair_shifts([region], [detection])
    return shift


def box(x, y, width, height):
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.float32)


def found(polygon, score=0.9):
    return Detection(polygon, score)


def test_precision_recall_by_hand():
    # By falling score 0.9 hit, 0.8 miss, 0.7 miss, 0.6 hit, 0.5 hit; 4 regions
    scores, hits = np.array([0.5, 0.9, 0.8, 0.7, 0.6]), np.array([True, True, False, False, True])
    curve = precision_recall(scores, hits, 4)
    np.testing.assert_allclose(curve.precision, [1, 1 / 2, 1 / 3, 2 / 4, 3 / 5])
    np.testing.assert_allclose(curve.recall, [1 / 4, 1 / 4, 1 / 4, 2 / 4, 3 / 4])
    assert curve.score.tolist() == [0.9, 0.8, 0.7, 0.6, 0.5]
    assert {part.dtype for part in curve} == {np.dtype(np.float64)}
    assert average_precision(scores, hits, 4) == pytest.approx((1 + 2 / 4 + 3 / 5) / 4)  # its precisions at the hits


def test_ties_of_the_curve_keep_their_order():
    miss_first = precision_recall(np.array([0.5, 0.5, 0.9]), np.array([False, True, True]), 2)
    np.testing.assert_allclose(miss_first.precision, [1, 1 / 2, 2 / 3])
    hit_first = precision_recall(np.array([0.5, 0.5, 0.9]), np.array([True, False, True]), 2)
    np.testing.assert_allclose(hit_first.precision, [1, 1, 2 / 3])


def test_curve_of_a_set_ends_at_its_result():
    metric = IcdarMetric()
    on_dont_care = found(box(50, 0, 10, 10), 0.95)  # not counted: no point of the curve
    regions, ignore = [box(0, 0, 10, 10), box(50, 0, 10, 10)], np.array([False, True])
    metric.update(regions, ignore, [found(box(0, 0, 10, 10), 0.6), on_dont_care], "img_1.jpg")
    metric.update([box(0, 0, 10, 10)], np.array([False]), [found(box(50, 0, 10, 10), 0.7)], "img_2.jpg")
    curve, total = metric.curve(), metric.result()
    # 0.7 misses, 0.6 hits one of two care regions
    assert [part.tolist() for part in curve] == [[0.0, 0.5], [0.0, 0.5], [0.7, 0.6]]
    assert (curve.precision[-1], curve.recall[-1]) == (total.precision, total.recall)


def test_curve_without_detections_is_empty():
    metric = IcdarMetric()
    metric.update([box(0, 0, 10, 10)], np.array([False]), [], "img_1.jpg")
    assert [part.shape for part in metric.curve()] == [(0,)] * 3


def test_curve_is_none_if_ap_is_none():
    metric = IcdarMetric()
    assert metric.curve() is None  # no image
    metric.update([], np.zeros(0, bool), [found(box(0, 0, 10, 10))], "img_1.jpg")
    assert metric.curve() is None  # no care region
    metric.update([box(0, 0, 10, 10)], np.array([False]), [found(box(0, 0, 10, 10))], "img_2.jpg")
    assert metric.curve() is not None
    metric.update([box(0, 0, 10, 10)], np.array([True]), [found(box(0, 0, 10, 10), NAN)], "img_3.jpg")
    assert metric.curve() is None  # a detection without a score, although it is not counted


def rotated(polygon, degrees):
    turn = np.deg2rad(degrees)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return (polygon @ matrix.T).astype(np.float32)


@pytest.mark.parametrize("degrees", [0, 30, 90, -75])
def test_shift_by_half_the_height(degrees):
    # text 100 × 20 px moved by 10 px along its line, then across it: half of the 20 px
    text = box(0, 0, 100, 20)
    for moved in (box(10, 0, 100, 20), box(0, 10, 100, 20)):
        assert pair_shift(rotated(text, degrees), rotated(moved, degrees)) == pytest.approx(0.5, abs=1e-5)


def test_shift_of_a_perfect_quad_around_a_trapezoid_is_zero():
    # its smallest rectangle is 0..100 × 0..20, although its centroid is below 10
    trapezoid = np.array([[20, 0], [80, 0], [100, 20], [0, 20]], np.float32)
    assert pair_shift(trapezoid, box(0, 0, 100, 20)) == pytest.approx(0.0, abs=1e-6)


def test_a_flat_region_counts_as_one_pixel_high():
    # 0.25 px high, moved by 2 px
    assert pair_shift(box(0, 0, 50, 0.25), box(2, 0, 50, 0.25)) == pytest.approx(2.0)


def test_center_shift_is_the_mean_over_the_pairs_of_the_set():
    # 100 × 20 px; detection 0 matches nothing, 1 is 2 px off: 0.1 heights, 2 is 4 px off: 0.2; img_2: 6 px off: 0.3
    metric = IcdarMetric()
    regions = [box(0, 0, 100, 20), box(0, 100, 100, 20), box(0, 200, 100, 20)]
    detections = [found(box(500, 0, 100, 20)), found(box(2, 0, 100, 20)), found(box(0, 104, 100, 20))]
    first = metric.update(regions, np.array([False] * 3), detections, "img_1.jpg")
    assert first.shifts == pytest.approx((0.1, 0.2))
    metric.update([box(0, 0, 100, 20)], np.array([False]), [found(box(6, 0, 100, 20))], "img_2.jpg")
    assert metric.center_shift() == pytest.approx((0.1 + 0.2 + 0.3) / 3)


def test_center_shift_is_none_without_a_match():
    assert IcdarMetric().center_shift() is None
    metric = IcdarMetric()
    row = metric.update([box(0, 0, 10, 10)], np.array([False]), [found(box(50, 50, 10, 10))], "img_1.jpg")
    assert row.shifts == () and metric.center_shift() is None
