"""Shapes of labelling tools as outlines: turned boxes, ellipses, lines."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from resnet18_ocrdet.data.formats.location import LabelError
from resnet18_ocrdet.data.formats.points import flat_polygon
from resnet18_ocrdet.data.formats.shapes import closed_line, ellipse, turned, turned_box, without_end
from resnet18_ocrdet.geometry.polygon import area

THREE_FOURTHS = math.atan2(3, 4)  # cosine 0.8, sine 0.6


def test_a_positive_angle_turns_clockwise_on_the_screen():
    """The right end of the text goes down: from (25, -10) beside the centre to (26, 7)."""
    box = turned_box(75, 50, 125, 70, THREE_FOURTHS)
    assert box.dtype == "float32"
    assert box == pytest.approx(np.array([[86, 37], [126, 67], [114, 83], [74, 53]], np.float32), abs=1e-4)
    corner = turned([(40, 10), (90, 10), (90, 30), (40, 30)], (40, 10), THREE_FOURTHS)
    assert corner == pytest.approx(np.array([[40, 10], [80, 40], [68, 56], [28, 26]], np.float32), abs=1e-4)
    assert turned_box(1, 2, 3, 4, 0).tolist() == [[1, 2], [3, 2], [3, 4], [1, 4]]


def test_an_ellipse():
    outline = ellipse((50, 40), (20, 10), math.pi / 2)  # its long axis stands
    assert outline.shape == (64, 2)
    assert outline[[0, 16, 32, 48]] == pytest.approx(
        np.array([[50, 60], [40, 40], [50, 20], [60, 40]], np.float32), abs=1e-4
    )
    assert area(outline) == pytest.approx(math.pi * 200, rel=0.002)


def test_only_a_line_whose_ends_meet_is_an_outline():
    square = [0, 0, 100, 0, 100, 40, 0, 40, 0, 3]
    assert closed_line(flat_polygon(square)).tolist() == np.reshape(square, (5, 2)).tolist()
    assert closed_line(flat_polygon([0, 0, 100, 0, 100, 40, 0, 0])).tolist() == [[0, 0], [100, 0], [100, 40]]
    with pytest.raises(LabelError, match="4 corners whose ends are 40 px apart") as error:
        closed_line(flat_polygon([0, 0, 100, 0, 100, 40, 0, 40]))
    assert error.value.code == "GT022"
    with pytest.raises(LabelError, match="a line of 3 corners"):
        closed_line(flat_polygon([0, 0, 9, 9, 0, 0]))  # there and back
    assert len(without_end(flat_polygon([0, 0, 1, 0, 0, 0]))) == 3  # a triangle needs its corners


@pytest.mark.parametrize("angle", [math.inf, math.nan])
def test_an_angle_that_is_not_finite(angle: float):
    with pytest.raises(LabelError) as error:
        turned_box(0, 0, 1, 1, angle)
    assert error.value.code == "GT021"


def test_numbers_beyond_every_range_give_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        turned_box(-1e308, 0, 1e308, math.inf, 1)
        ellipse((math.inf, 0), (1e308, 1e308), 1)
        closed_line(flat_polygon([math.inf, 0, -math.inf, 0, 1e300, 1, 0, 0]))
