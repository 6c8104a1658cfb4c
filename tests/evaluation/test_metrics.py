"""The ICDAR 2015 score: cases computed by hand, and random sets against a plain reference implementation."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icdar_reference import score_image, score_set
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.evaluation.metrics import EvalSample, IcdarMetric, average_precision
from resnet18_ocrdet.geometry import overlap
from resnet18_ocrdet.geometry.overlap import find_overlaps
from resnet18_ocrdet.structures import Detection
from scored_images import box, images

NAN = math.nan


def found(polygon, score=0.9):
    return Detection(polygon, score)


def score(regions, detections, ignore=None):
    metric = IcdarMetric()
    flags = np.array(ignore if ignore is not None else [False] * len(regions), bool)
    return metric.update(regions, flags, detections, "img_1.jpg"), metric.result()


def test_perfect():
    row, total = score([box(0, 0, 10, 10), box(20, 0, 10, 10)], [found(box(20, 0, 10, 10)), found(box(0, 0, 10, 10))])
    assert row.pairs == ((0, 1), (1, 0))
    assert total == (1.0, 1.0, 1.0, 1.0, 2, 2, 2)


def test_nothing_overlaps():
    _, total = score([box(0, 0, 10, 10)], [found(box(50, 50, 10, 10))])
    assert total == (0.0, 0.0, 0.0, 0.0, 0, 1, 1)


@pytest.mark.parametrize(
    ("height", "matched"),
    [
        (6, 1),  # 10 × 6 inside 10 × 10: IoU 60 / 100
        (5, 0),  # 50 / 100 is exactly 0.5: not above it
        (4, 0),  # 40 / 100
        (19, 1),  # 10 × 10 inside 10 × 19: 100 / 190 = 0.526
        (20, 0),  # 100 / 200 is exactly 0.5
    ],
)
def test_iou_must_be_above_one_half(height, matched):
    row, _ = score([box(0, 0, 10, 10)], [found(box(0, 0, 10, height))])
    assert row.matched == matched


def test_a_region_matches_one_detection():
    # Both detections overlap by 100 %: the second is a false positive. P = 1/2, R = 1/1, hmean = 2 · 0.5 / 1.5 = 2/3
    _, total = score([box(0, 0, 10, 10)], [found(box(0, 0, 10, 10)), found(box(0, 0, 10, 10))])
    assert (total.precision, total.recall, total.hmean) == (0.5, 1.0, pytest.approx(2 / 3))


def test_a_detection_matches_one_region():
    _, total = score([box(0, 0, 10, 10), box(0, 0, 10, 10)], [found(box(0, 0, 10, 10))])
    assert (total.precision, total.recall) == (1.0, 0.5)


def test_a_region_matches_the_first_detection_not_the_best():
    # Region A is 0..10. Detection 0 is 0..7 (IoU 0.7), detection 1 is 0..10 (IoU 1): A takes detection 0.
    first, best = found(box(0, 0, 7, 10)), found(box(0, 0, 10, 10))
    assert score([box(0, 0, 10, 10)], [first, best])[0].pairs == ((0, 0),)
    assert score([box(0, 0, 10, 10)], [best, first])[0].pairs == ((0, 0),)


def test_greedy_order_can_lose_a_match():
    # All 10 px high, so IoU is a ratio of widths: A and `wide` 10/12, B and `wide` 11/12, A and `narrow` 5.5/10,
    # B and `narrow` 5.5/11 = 0.5, which is no match.
    region_a, region_b = box(0, 0, 10, 10), box(0, 0, 11, 10)
    wide, narrow = found(box(0, 0, 12, 10)), found(box(0, 0, 5.5, 10))
    # A comes first and takes `wide`, the only one that B could have had.
    assert score([region_a, region_b], [wide, narrow])[0].pairs == ((0, 0),)
    assert score([region_b, region_a], [wide, narrow])[0].pairs == ((0, 0), (1, 1))


def test_detection_on_dont_care_is_not_counted():
    # 6 of its 10 px of width are on the don't-care region: 0.6 > 0.5
    row, total = score([box(0, 0, 10, 10)], [found(box(4, 0, 10, 10))], ignore=[True])
    assert row.dont_care_detections == (0,)
    assert total == (0.0, None, None, None, 0, 0, 0)


def test_detection_half_on_dont_care_is_counted():
    # 5 of 10 px: exactly 0.5 is not above it
    row, _ = score([box(0, 0, 10, 10)], [found(box(5, 0, 10, 10))], ignore=[True])
    assert (row.care_detections, row.dont_care_detections) == (1, ())


def test_shares_on_two_dont_care_regions_do_not_add_up():
    # 4 of 10 px on each: 0.4 and 0.4
    row, _ = score([box(0, 0, 4, 10), box(6, 0, 4, 10)], [found(box(0, 0, 10, 10))], ignore=[True, True])
    assert row.care_detections == 1


def test_detection_on_dont_care_cannot_match():
    # Equal to a care region, but also inside a don't-care region: removed before the matching
    row, _ = score([box(0, 0, 10, 10), box(0, 0, 20, 20)], [found(box(0, 0, 10, 10))], ignore=[False, True])
    assert (row.matched, row.care_regions, row.care_detections) == (0, 1, 0)


def test_dont_care_region_is_not_missed():
    _, total = score([box(0, 0, 10, 10), box(50, 0, 10, 10)], [found(box(0, 0, 10, 10))], ignore=[False, True])
    assert (total.precision, total.recall) == (1.0, 1.0)


def test_no_ground_truth():
    row, total = score([], [found(box(0, 0, 10, 10))])
    assert (row.precision, row.recall, row.hmean) == (0.0, 1.0, 0.0)  # the official script's values for one image
    assert total == (0.0, None, None, None, 0, 0, 1)


def test_no_detections():
    row, total = score([box(0, 0, 10, 10)], [])
    assert (row.precision, row.recall, row.hmean) == (0.0, 0.0, 0.0)
    assert total == (0.0, 0.0, 0.0, 0.0, 0, 1, 0)


def test_empty_image_and_empty_set():
    row, total = score([], [])
    assert (row.precision, row.recall, row.hmean) == (1.0, 1.0, 1.0)
    assert total == IcdarMetric().result() == (0.0, None, None, None, 0, 0, 0)


def test_zero_area_never_matches():
    point, line = np.full((4, 2), 5, np.float32), np.array([[0, 0], [9, 9], [4, 4]], np.float32)
    row, _ = score([point, line], [found(point), found(line)])
    assert (row.matched, row.care_regions, row.care_detections) == (0, 2, 2)
    assert score([box(0, 0, 10, 10)], [found(point)], ignore=[True])[0].care_detections == 1


def test_bow_tie_counts_the_area_of_its_two_triangles():
    # Corners in crossed order: two triangles of 25 px² each, top and bottom of the square; the shoelace sum would be 0.
    bow_tie = np.array([[0, 0], [10, 0], [0, 10], [10, 10]], np.float32)
    assert score([bow_tie], [found(bow_tie)])[0].matched == 1  # IoU 50 / 50
    # The upper triangle alone: 25 / 50 = 0.5, no match
    assert score([bow_tie], [found(np.array([[0, 0], [10, 0], [5, 5]], np.float32))])[0].matched == 0
    # The whole square: 50 / 100 = 0.5, no match
    assert score([bow_tie], [found(box(0, 0, 10, 10))])[0].matched == 0


def test_any_vertex_count():
    triangle = np.array([[0, 0], [10, 0], [0, 10]], np.float32)
    hexagon = np.array([[0, 0], [5, -1], [10, 0], [10, 10], [5, 11], [0, 10]], np.float32)  # 110 px² over the square
    row, _ = score([box(0, 0, 10, 10), box(50, 0, 10, 10)], [found(triangle), found(hexagon)])
    assert row.pairs == ((0, 1),)  # triangle: 50 / 100; hexagon: 100 / 110


def test_inputs_are_not_changed():
    region, detection = box(0, 0, 10, 10), box(1, 1, 10, 10)
    copies = region.copy(), detection.copy()
    score([region], [found(detection)])
    np.testing.assert_array_equal((region, detection), copies)


def test_not_finite_is_refused():
    with pytest.raises(ValueError, match=r"img_1\.jpg: coordinates must be finite"):
        score([box(0, 0, NAN, 10)], [])


def test_average_precision_by_hand():
    # By falling score: hit, miss, hit, miss, hit -> precisions at the hits 1/1, 2/3, 3/5; 4 regions, one never found
    scores, hits = np.array([0.5, 0.9, 0.8, 0.7, 0.6]), np.array([True, True, False, True, False])
    assert average_precision(scores, hits, 4) == pytest.approx((1 + 2 / 3 + 3 / 5) / 4)


def test_equal_scores_keep_their_order():
    assert average_precision(np.array([0.5, 0.5]), np.array([True, False]), 1) == 1.0
    assert average_precision(np.array([0.5, 0.5]), np.array([False, True]), 1) == 0.5


def test_ap_ranks_over_all_images():
    metric = IcdarMetric()
    metric.update([box(0, 0, 10, 10)], np.array([False]), [found(box(0, 0, 10, 10), 0.6)], "img_1.jpg")
    metric.update([box(0, 0, 10, 10)], np.array([False]), [found(box(50, 0, 10, 10), 0.7)], "img_2.jpg")
    # the miss of 0.7 ranks before the hit of 0.6: AP = (1/2) / 2 regions
    assert metric.result().ap == pytest.approx(0.25)
    assert [(row.name, row.matched) for row in metric.images] == [("img_1.jpg", 1), ("img_2.jpg", 0)]


def test_ap_leaves_out_dont_care_detections():
    # The detection of score 0.95 is on a don't-care region; without it the hit ranks first
    detections = [found(box(50, 0, 10, 10), 0.95), found(box(0, 0, 10, 10), 0.5)]
    _, total = score([box(0, 0, 10, 10), box(50, 0, 10, 10)], detections, ignore=[False, True])
    assert total.ap == 1.0


def test_ap_is_none_without_a_score():
    detections = [found(box(0, 0, 10, 10)), found(box(50, 0, 10, 10), NAN)]
    _, total = score([box(0, 0, 10, 10)], detections)
    assert total.ap is None
    assert total.hmean == pytest.approx(2 / 3)


@settings(max_examples=150, deadline=None)
@given(st.lists(images(), max_size=3))
def test_agrees_with_the_reference(image_set):
    agree(image_set)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@given(st.lists(images(), max_size=3))
def test_agrees_with_the_reference_on_a_thousand_sets(image_set):
    agree(image_set)


def agree(image_set):
    metric = IcdarMetric()
    for polygons, ignore, detections in image_set:
        row = metric.update(polygons, ignore, detections, "img.jpg")
        pairs, care_regions, care = score_image(polygons, ignore, detections)
        assert list(row.pairs) == pairs
        assert (row.care_regions, row.care_detections) == (care_regions, len(care))
    together = IcdarMetric()
    samples = [EvalSample("img.jpg", tuple(polygons), ignore, found) for polygons, ignore, found in image_set]
    assert together.update_all(samples) == metric.images
    assert (together.result(), together.best_iou) == (metric.result(), metric.best_iou)
    total, expected = metric.result(), score_set(image_set)
    assert total[:4] == pytest.approx(expected)
    curve = metric.curve()
    assert (curve is None) == (total.ap is None)
    if curve is not None and len(curve.score):
        assert (curve.precision[-1], curve.recall[-1]) == pytest.approx((total.precision, total.recall))
        gained = np.diff(curve.recall, prepend=0.0)  # 1 / care regions at each hit
        assert (curve.precision * gained).sum() == pytest.approx(total.ap)


def test_a_large_set_is_scored_in_chunks(monkeypatch):
    samples = [
        EvalSample(f"img_{n}.jpg", (box(0, 0, 10, 10),), np.array([False]), [found(box(n, 0, 10, 10))])
        for n in range(7)
    ]
    whole = IcdarMetric()
    whole.update_all(samples)
    monkeypatch.setattr("resnet18_ocrdet.evaluation.metrics.CHUNK", 3)
    parts = IcdarMetric()
    parts.update_all(samples)
    assert parts.images == whole.images
    assert parts.result() == whole.result()
    # moved by n of 10 px: IoU (10 - n) / (10 + n) is above 1/2 up to n = 3
    assert [row.matched for row in whole.images] == [1, 1, 1, 1, 0, 0, 0]


def test_coordinates_that_are_not_finite_are_refused_with_the_image():
    samples = [
        EvalSample("good.jpg", (box(0, 0, 9, 9),), np.array([False]), []),
        EvalSample("bad.jpg", (box(0, 0, 9, 9), box(NAN, 0, 9, 9)), np.array([False, False]), []),
    ]
    with pytest.raises(ValueError, match=r"bad\.jpg: coordinates must be finite"):
        IcdarMetric().update_all(samples)


def scattered(count, seed, side):
    corners = np.random.default_rng(seed).uniform(0, side, (count, 2)).tolist()
    return [box(x, y, 30, 12) for x, y in corners]


@pytest.mark.parametrize("block", [1, 7, 50, 1000])
def test_blocks_give_the_same_pairs_in_the_same_order(block, monkeypatch):
    empty = np.zeros((4, 2), np.float32)
    regions = [scattered(20, 1, 100), [], [*scattered(9, 2, 60), empty], scattered(3, 3, 50)]
    detections = [scattered(15, 4, 100), scattered(5, 5, 100), [empty, *scattered(12, 6, 60)], []]
    names = [f"{number}.jpg" for number in range(4)]
    whole = find_overlaps(regions, detections, names)
    assert len(whole.region) > 20
    monkeypatch.setattr(overlap, "BLOCK", block)
    monkeypatch.setattr(overlap, "SHAPES", block)
    for one, other in zip(whole, find_overlaps(regions, detections, names), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_thousands_of_regions_and_detections_in_one_image_need_little_memory():
    regions, detections = scattered(3000, 1, 9000), scattered(3000, 2, 9000)
    tracemalloc.start()
    find_overlaps([regions], [detections], ["page.jpg"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6  # a table of all pairs would have 9 million rows of 16 bytes


def test_too_many_overlapping_boxes_are_refused_with_the_image_and_the_counts():
    spot = [box(0, 0, 30, 12)] * 1100
    with pytest.raises(UserError, match=r"^b\.jpg: more than 1048576 pairs .* of 1100 regions and 1100 detections"):
        find_overlaps([[box(0, 0, 9, 9)], spot], [[], spot], ["a.jpg", "b.jpg"])
