"""The corners of a quad: clockwise from the top-left of its text, for all angles and proportions."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats import icdar2015 as labels
from resnet18_ocrdet.geometry.polygon import LONG_SIDE, min_area_quad, order_quads

angles = st.floats(-180, 180)
permutations = st.permutations(range(4))


def box(length, height, degrees, centre=(700.0, 700.0)):
    """A word, its corners clockwise from the top-left, turned clockwise on the screen."""
    angle = math.radians(degrees)
    along = np.array([math.cos(angle), math.sin(angle)]) * length / 2
    down = np.array([-math.sin(angle), math.cos(angle)]) * height / 2
    corners = np.array([-along - down, along - down, along + down, down - along])
    return (corners + centre).astype(np.float32)


def ordered(corners, order=range(4)):
    return order_quads(np.asarray(corners, np.float32)[None, list(order)])[0]


def top_of(quad):
    """Length of the upper side, and its direction in degrees, 0 to the right, 90 down."""
    across, down = (quad[1] - quad[0]).tolist()
    return math.hypot(across, down), math.degrees(math.atan2(down, across))


@settings(max_examples=300, deadline=None)
@given(st.floats(1.55, 60), st.floats(5, 20), angles, permutations)
def test_the_long_side_points_right_or_the_region_stands(ratio, height, degrees, order):
    length, direction = top_of(ordered(box(ratio * height, height, degrees), order))
    upright = (degrees + 90) % 180 - 90  # of the long side, -90..90
    assume(abs(abs(upright) - 75) > 0.1)
    if abs(upright) < 75:
        assert length == pytest.approx(ratio * height, rel=1e-3) and direction == pytest.approx(upright, abs=0.1)
    else:  # the upper short side, which is level within 15°
        leaning = upright - 90 if upright > 0 else upright + 90
        assert length == pytest.approx(height, rel=1e-3) and direction == pytest.approx(leaning, abs=0.1)


@settings(max_examples=200, deadline=None)
@given(st.floats(1, 1.45), st.floats(5, 20), angles, permutations)
def test_the_top_of_an_almost_square_region_is_nearest_to_the_horizontal(ratio, height, degrees, order):
    _, direction = top_of(ordered(box(ratio * height, height, degrees), order))
    nearest = (degrees + 45) % 90 - 45
    assume(abs(abs(nearest) - 45) > 0.1)
    assert direction == pytest.approx(nearest, abs=0.1)


@settings(max_examples=200, deadline=None)
@given(st.floats(1, 60), angles, permutations)
def test_the_corners_are_the_given_ones_clockwise_whatever_their_order(ratio, degrees, order):
    given_corners = box(10 * ratio, 10, degrees)
    quad = ordered(given_corners, order)
    assert sorted(quad.tolist()) == sorted(given_corners.tolist())
    (ax, ay), (bx, by) = quad[2] - quad[0], quad[3] - quad[1]
    assert ax * by - ay * bx > 0  # clockwise where y points down
    np.testing.assert_array_equal(quad, ordered(given_corners))
    np.testing.assert_array_equal(quad, ordered(quad))


@pytest.mark.parametrize("degrees", [75.5, 80, 85, 89, 90, 91, 95, 100, 104.5])
@pytest.mark.parametrize("sizes", [(90, 30), (300, 30), (1231, 31)])
def test_words_on_their_side_and_columns_begin_at_the_top_left(sizes, degrees):
    quad = ordered(box(*sizes, degrees))
    by_y = np.argsort(quad[:, 1])
    assert set(by_y[:2]) == {0, 1}  # the upper two corners
    assert quad[0, 0] < quad[1, 0] and quad[3, 0] < quad[2, 0]


def test_a_leaning_column_by_hand():
    # https://github.com/RapidAI/RapidOCR/issues/708: by x alone the first corner would be (9, 1605)
    assert ordered([[9, 1605], [90, 32], [144, 34], [63, 1607]])[0].tolist() == [90, 32]


def test_ties():
    upright, lying = box(30, 10, 90), box(30, 10, 0)
    assert ordered(upright).tolist() == [[695, 685], [705, 685], [705, 715], [695, 715]]
    assert ordered(lying).tolist() == [[685, 695], [715, 695], [715, 705], [685, 705]]
    diamond = [[0, 5], [5, 0], [10, 5], [5, 10]]  # 45°: from the upper of the two leftmost corners, as by x
    assert ordered(diamond).tolist() == [[5, 0], [10, 5], [5, 10], [0, 5]]
    point = np.full((4, 2), 3, np.float32)
    assert ordered(point).tolist() == point.tolist()
    line = [[3, 9], [3, 2], [3, 9], [3, 2]]  # without width, vertical
    assert ordered(line)[:2, 1].tolist() == [2, 2]
    assert LONG_SIDE == 1.5


def test_no_quads():
    assert order_quads(np.zeros((0, 4, 2), np.float32)).shape == (0, 4, 2)


@settings(max_examples=100, deadline=None)
@given(st.floats(2, 40), angles)
def test_smallest_rectangles_have_this_order(ratio, degrees):
    assume(abs(abs((degrees + 90) % 180 - 90) - 75) > 1)
    outline = box(20 * ratio, 20, degrees)
    quad, _ = min_area_quad(outline)
    assert np.abs(quad - ordered(outline)).max() < 0.2


@pytest.mark.slow
def test_it_agrees_with_labels(icdar2015: Path):
    records = labels.read(icdar2015, Report())["train"]
    words = [
        polygon for record in records for polygon, skip in zip(record.polygons, record.ignore, strict=True) if not skip
    ]
    quads = np.array([word for word in words if len(word) == 4], np.float32)
    same = (order_quads(quads)[:, 0] == quads[:, 0]).all(axis=1)
    ends = np.sort(np.linalg.norm(quads[:, [1, 3]] - quads[:, :1], axis=2), axis=1)
    steep = np.array([abs(top_of(quad)[1]) > 45 for quad in quads])  # as labelled: read along a steep side
    print(f"{same.mean():.1%} of {len(same)} readable words begin at the labelled corner")
    assert len(quads) == 4468 and same.mean() > 0.997
    read_steeply = same[steep & (ends[:, 1] >= LONG_SIDE * ends[:, 0])]
    assert len(read_steeply) > 20 and read_steeply.mean() > 0.8
