"""Pages on their side: the turn that makes the text lie, and regions back in the image as it was."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resnet18_ocrdet import Detector
from resnet18_ocrdet.inference.orientation import TURNS, best_turn, lying_text, turn, turn_back
from resnet18_ocrdet.inference.postprocess import Decoded, DecodeStats
from resnet18_ocrdet.structures import Detection, TextLine


def found(*boxes: tuple[float, float, float, float]) -> Decoded:
    regions = [
        Detection(np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32), 0.5)
        for left, top, right, bottom in boxes
    ]
    return Decoded(regions, DecodeStats.together([]))


@given(st.sampled_from(TURNS), st.integers(1, 7), st.integers(1, 7), st.data())
def test_a_pixel_is_found_where_it_was_before_the_turn(rotation: int, height: int, width: int, data):
    y, x = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    image = np.zeros((height, width, 3), np.uint8)
    image[y, x] = 255
    turned = turn(image, rotation)
    ((row, column),) = np.argwhere(turned[..., 0])
    back = turn_back(found((column, row, column, row)), rotation, height, width)
    assert back.detections[0].polygon.tolist() == [[x, y]] * 4 and back.rotation == rotation


def test_the_first_corner_stays_that_of_the_text():
    upright = found((10, 20, 40, 30))._replace(
        lines=[TextLine((0,), np.array([[10, 20], [40, 20], [40, 30], [10, 30]], np.float32))]
    )
    back = turn_back(upright, 90, height=100, width=200)  # the page was turned clockwise to read it
    quad = [[20, 89], [20, 59], [30, 59], [30, 89]]  # in the image the text runs upwards
    assert back.detections[0].quad.tolist() == quad
    assert back.lines is not None and back.lines[0].quad.tolist() == quad
    assert back.detections[0].score == 0.5


def test_standing_text_counts_against_a_turn():
    assert lying_text(found((0, 0, 30, 10))) == pytest.approx(15.0)
    assert lying_text(found((0, 0, 10, 30))) == pytest.approx(-15.0)
    assert lying_text(found((0, 0, 10, 12))) == 0.0  # no direction
    assert lying_text(found()) == 0.0


def test_another_turn_must_be_clearly_better():
    lengths = {90: 10, 270: 115}

    def turned(rotation: int) -> Decoded:
        return found((0, 0, lengths[rotation], 5))

    assert best_turn(found((0, 0, 100, 5)), turned) == 0
    lengths[270] = 130
    assert best_turn(found((0, 0, 100, 5)), turned) == 270
    assert best_turn(found(), lambda rotation: found()) == 0
    assert best_turn(found((0, 0, 5, 100)), lambda rotation: found()) == 0  # nothing lies after a turn either


def test_the_turn_with_the_higher_scores_is_the_one_that_is_not_upside_down():
    sure = [Detection(each.quad, 0.7, each.quad) for each in found((0, 0, 100, 5)).detections]
    unsure = found((0, 0, 110, 5)).detections  # 0.5
    looks = {90: Decoded(unsure, DecodeStats.together([])), 270: Decoded(sure, DecodeStats.together([]))}
    assert best_turn(found(), looks.__getitem__) == 270
    assert best_turn(found((0, 0, 100, 5)), looks.__getitem__) == 270  # 70 is 1.2 times 50 and more, 55 is not


@pytest.mark.slow
@pytest.mark.parametrize("rotation", [90, 270])
def test_a_page_on_its_side_is_found_as_if_it_were_upright(rotation: int):
    page = np.full((1754, 1240, 3), 250, np.uint8)
    for y in range(120, 1680, 40):
        cv2.putText(page, "words of a page in lines", (100, y), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (20, 20, 25), 2)
    upright = Detector()(page)
    on_its_side = turn(page, 360 - rotation)
    expected = turn_back(Decoded(upright, DecodeStats.together([])), rotation, *on_its_side.shape[:2]).detections
    found, missed = Detector()(on_its_side), Detector(orientation="off")(on_its_side)
    print(f"{len(found)} regions upright and on its side, {len(missed)} with orientation=off")
    assert len(found) >= 150
    assert [each.quad.tolist() for each in found] == [each.quad.tolist() for each in expected]
