"""Training targets of random regions against a literal implementation."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from db_reference import make_targets, text_heights
from resnet18_ocrdet.data.targets import TargetMaker, offset_outline, shrink_distances

HEIGHT, WIDTH = 72, 96


@st.composite
def quads(draw):
    """A rotated rectangle with every corner moved a little; may lie partly outside the image."""
    centre = draw(st.floats(-15, WIDTH + 15)), draw(st.floats(-15, HEIGHT + 15))
    sides = draw(st.floats(5, 70)), draw(st.floats(5, 40))
    quad = cv2.boxPoints((centre, sides, draw(st.floats(0, 360))))
    nudge = draw(st.lists(st.floats(-1.5, 1.5), min_size=8, max_size=8))
    return quad + np.array(nudge, np.float32).reshape(4, 2)


@st.composite
def stars(draw):
    """A simple, often concave outline: 5 to 9 vertices in order around a centre."""
    count = draw(st.integers(5, 9))
    radii = np.array(draw(st.lists(st.floats(7, 35), min_size=count, max_size=count)))
    angles = np.arange(count) * 2 * np.pi / count + draw(st.floats(0, 6))
    centre = np.array([draw(st.floats(0, WIDTH)), draw(st.floats(0, HEIGHT))])
    return (centre + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)).astype(np.float32)


def regions():
    whole = quads().map(np.rint).map(np.float32)
    return st.lists(st.tuples(quads() | whole | stars(), st.booleans() | st.just(False)), min_size=1, max_size=4)


@given(regions(), st.sampled_from([0.3, 0.4, 0.5]))
@settings(max_examples=120, deadline=None)
def test_equal_to_the_literal_implementation(labelled, ratio):
    polygons = [polygon for polygon, _ in labelled]
    ignore = np.array([flag for _, flag in labelled])
    make = TargetMaker(shrink_ratio=ratio)
    # a rectangle of exactly 8 px may be on either side, and so may one of two equal minimum rectangles
    for polygon in polygons:
        heights = text_heights(polygon)
        assume(max(heights) < 7.99 or min(heights) > 8.01)
    ours = make(polygons, ignore, HEIGHT, WIDTH)
    reference = make_targets(polygons, ignore, HEIGHT, WIDTH, shrink_ratio=ratio)
    np.testing.assert_array_equal(ours.prob_map, reference.prob_map)
    np.testing.assert_array_equal(ours.prob_mask, reference.prob_mask)
    np.testing.assert_array_equal(ours.thresh_mask, reference.thresh_mask)
    # 0.5: rounding to bytes; 0.05: float32, measured at 0.004 (the limit is 1)
    level = ours.thresh_map.astype(np.float64)
    assert (level >= reference.thresh_low * 255 - 0.55).all()
    assert (level <= reference.thresh_high * 255 + 0.55).all()


def test_shrink_distances_of_a_square():
    square, point = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], np.float32), np.full((3, 2), 7, np.float32)
    # side 10: area 100, perimeter 40, r = 0.4 -> 100 · (1 - 0.16) / 40 = 2.1 px
    assert shrink_distances([square, point], 0.4) == [pytest.approx(2.1), 0]
    assert shrink_distances([square], 1.0) == [0]  # keeps everything
    assert len(offset_outline(square, 2.1, 0).shrunk) == 1


@given(quads(), st.floats(0.1, 0.9))
@settings(max_examples=50, deadline=None)
def test_shrink_distances_grow_with_the_scale_and_ignore_the_direction(quad, ratio):
    distance, doubled, reverse = shrink_distances([quad, quad * 2, quad[::-1]], ratio)
    assert doubled == pytest.approx(2 * distance, rel=1e-4)
    assert reverse == pytest.approx(distance)


@given(quads())
@settings(max_examples=50, deadline=None)
def test_an_outline_moved_inwards_is_inside(quad):
    assume(shapely.Polygon(quad).is_valid)
    shape = shapely.Polygon(quad).buffer(1.5)  # whole-pixel coordinates
    for piece in offset_outline(quad, shrink_distances([quad], 0.4)[0], 0).shrunk:
        assert shape.contains(shapely.Polygon(piece).buffer(0))
