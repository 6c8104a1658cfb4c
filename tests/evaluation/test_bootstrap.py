"""Bootstrap intervals against exact values and the binomial law."""

from __future__ import annotations

import numpy as np
import pytest

from resnet18_ocrdet.evaluation.bootstrap import NAMES, intervals
from resnet18_ocrdet.evaluation.metrics import ImageScore


def image(matched, regions, detections):
    return ImageScore("a", matched, regions, detections, (), (), ())


def test_equal_images_have_intervals_of_width_zero():
    assert intervals([image(1, 2, 4)] * 7) == {"precision": (0.25, 0.25), "recall": (0.5, 0.5), "hmean": (1 / 3, 1 / 3)}


def test_undefined_scores_have_no_interval():
    assert intervals([]) == dict.fromkeys(NAMES)
    assert intervals([image(0, 0, 0)]) == dict.fromkeys(NAMES)
    assert intervals([image(0, 0, 3)]) == {"precision": (0.0, 0.0), "recall": None, "hmean": None}
    assert intervals([image(0, 3, 0)] * 2) == {"precision": None, "recall": (0.0, 0.0), "hmean": (0.0, 0.0)}


def test_single_words_follow_the_binomial_law():
    rng = np.random.default_rng(0)
    found = rng.random(400) < 0.7
    low, high = intervals([image(int(hit), 1, 1) for hit in found])["recall"]
    share = found.mean()
    reach = 1.96 * np.sqrt(share * (1 - share) / 400)
    assert (low, high) == pytest.approx((share - reach, share + reach), abs=0.005)


def test_words_of_one_photo_count_as_one():
    alone = [image(int(hit), 1, 1) for hit in [True, False] * 50]
    together = [image(10 * hit, 10, 10) for hit in [True, False] * 5]
    widths = [high - low for low, high in (intervals(images)["recall"] for images in (alone, together))]
    assert widths[1] > 2.5 * widths[0]  # the square root of 10
    assert intervals(alone) == intervals(alone)
    assert intervals(alone, seed=1) != intervals(alone)
