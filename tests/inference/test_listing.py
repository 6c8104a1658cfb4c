"""Regions in reading order and in lines."""

from __future__ import annotations

import numpy as np
import pytest

from page_layouts import word
from resnet18_ocrdet.inference.listing import Listing
from resnet18_ocrdet.inference.postprocess import Decoded, DecodeStats
from resnet18_ocrdet.structures import Detection

STAGES = DecodeStats(0.9, 4, 4, 4, 4)
WORDS = [word(60, 102, 40), word(0, 100, 50), word(60, 0, 40), word(0, 0, 50)]  # from below, as contours are listed


def found(corners=tuple(WORDS)):
    return Decoded([Detection(np.array(each, np.float32), n / 10) for n, each in enumerate(corners)], STAGES)


def scores(decoded):
    return [round(each.score * 10) for each in decoded.detections]


@pytest.mark.parametrize(("order", "expected"), [("reading", [3, 2, 1, 0]), ("right_to_left", [2, 3, 0, 1])])
def test_orders(order, expected):
    decoded = Listing(order)(found())
    assert scores(decoded) == expected and decoded.stages == STAGES and decoded.lines is None


def test_lines_hold_indices_in_the_list_as_it_is():
    assert Listing("none")(found()) is not None and scores(Listing("none")(found())) == [0, 1, 2, 3]
    for order, expected in [("reading", [(0, 1), (2, 3)]), ("none", [(3, 2), (1, 0)])]:
        decoded = Listing(order, lines=True)(found())
        assert decoded.lines is not None and [line.regions for line in decoded.lines] == expected
        first = decoded.lines[0].quad
        assert first == pytest.approx(np.array([[0, 0], [100, 0], [100, 20], [0, 20]]), abs=1e-3)


def test_an_image_without_text():
    assert Listing("reading")(found(())) == Decoded([], STAGES)
    assert Listing("none", lines=True)(found(())) == Decoded([], STAGES, [])
