"""What a detector is unsure of, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from resnet18_ocrdet.pick.uncertainty import (
    Uncertainty,
    count_unmatched,
    is_unsure,
    lowest_score,
    map_entropy,
    rank_unsure,
    share_below,
)
from scored_images import box


def test_a_score_near_the_threshold_is_unsure():
    # margin 0.15: candidates from 0.4 on, sure from 0.7 on
    assert lowest_score(0.55) == pytest.approx(0.4)
    assert [is_unsure(score, 0.55) for score in (0.41, 0.69, 0.71, 0.99)] == [True, True, False, False]
    assert lowest_score(0.1) == 0.0


def test_entropy_of_the_pixels_that_may_be_text():
    # one bit at 0.5; H(0.25) = 0.25 * 2 + 0.75 * log2(4/3) = 0.8113; 0.05 is below `faint`
    prob_map = np.array([[0.5, 0.25], [0.05, 0.05]], np.float32)
    assert map_entropy(prob_map, 0.1) == pytest.approx((1 + 0.8113) / 2, abs=1e-4)
    assert map_entropy(np.ones((2, 2), np.float32), 0.1) == pytest.approx(0.0, abs=1e-9)
    assert map_entropy(np.zeros((2, 2), np.float32), 0.1) == 0.0


def test_regions_that_one_pass_finds():
    first = [box(0, 0, 100, 20), box(0, 50, 100, 20)]
    second = [box(2, 1, 100, 20), box(300, 0, 50, 20), box(0, 50, 30, 20)]  # the last one covers 30 % of the second
    assert count_unmatched(first, second) == 1 + 2
    assert count_unmatched(first, first) == 0
    assert count_unmatched(first, []) == 2
    assert count_unmatched([], []) == 0


def test_images_are_ranked_by_each_sign():
    sure = Uncertainty(regions=30, unsure=0, entropy=0.1, seen=60, unmatched=0)
    some = Uncertainty(regions=30, unsure=3, entropy=0.2, seen=60, unmatched=3)
    most = Uncertainty(regions=30, unsure=15, entropy=0.4, seen=60, unmatched=20)
    assert rank_unsure([some, most, sure]).tolist() == [0.5, 1.0, 0.0]
    assert rank_unsure([]).tolist() == []
    assert rank_unsure([sure]).tolist() == [0.0]


def test_one_unsure_region_of_one_counts_less_than_many_of_many():
    # 1 / (1 + 3) = 0.25 is below 12 / (30 + 3) = 0.36
    one, many = Uncertainty(regions=1, unsure=1), Uncertainty(regions=30, unsure=12)
    assert rank_unsure([one, many]).tolist() == [0.0, 1.0]


def test_a_sign_that_no_image_shows_is_left_out():
    without_second_pass = [Uncertainty(5, 0, 0.1), Uncertainty(5, 5, 0.2)]
    assert rank_unsure(without_second_pass).tolist() == [0.0, 1.0]


def test_equal_values_have_the_same_share():
    assert share_below(np.array([3.0, 1.0, 1.0])).tolist() == [1.0, 0.0, 0.0]
