"""Training targets of random regions against a literal implementation."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from db_reference import make_targets, text_heights
from resnet18_ocrdet.data.targets import TargetMaker

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
