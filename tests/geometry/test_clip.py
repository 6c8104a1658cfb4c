"""Polygons cut at the border of the image."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from resnet18_ocrdet.geometry.polygon import area, clip_to_image


def points(*corners):
    return np.array(corners, np.float32)


SQUARE_40 = points((20, 20), (60, 20), (60, 60), (20, 60))
BOW_TIE = points((10, 10), (50, 50), (50, 10), (10, 50))


@pytest.mark.parametrize("corner", [(0, 0), (99, 49), (99, 0)])
def test_a_polygon_that_touches_the_border_from_inside_is_unchanged(corner):
    polygon = points((40, 10), (60, 40), corner)
    (piece,) = clip_to_image(polygon, 50, 100)
    np.testing.assert_array_equal(piece, polygon)
    assert piece is not polygon


@pytest.mark.parametrize("shift", [(200, 0), (-200, 0), (0, 200), (0, -200), (79.5, 0)])
def test_a_polygon_outside_has_no_pieces(shift):
    # the last pixel centre is at x = 99: 20 + 79.5 is outside
    assert clip_to_image(SQUARE_40 + np.float32(shift), 100, 100) == []


def test_the_outline_is_cut_not_only_its_vertices():
    # the triangle's tip at x = -20 is cut off at x = 0: its height there is 30 · 20 / 40 = 15 on either side
    (piece,) = clip_to_image(points((-20, 50), (20, 20), (20, 80)), 100, 100)
    assert {tuple(c) for c in piece.tolist()} == {(0, 35), (20, 20), (20, 80), (0, 65)}
    # (30 + 60) / 2 · 20
    assert area(piece) == 900


def test_the_last_pixel_centre_is_the_border():
    # 100 columns: x ends at 99, not at 99.5 or 100; the strip up to there is 9 · 10
    (piece,) = clip_to_image(points((90, 10), (99.5, 10), (99.5, 20), (90, 20)), 100, 100)
    assert area(piece) == 90


def test_a_cut_can_leave_two_pieces_largest_first():
    # a U with its base below the image: arms 10 and 30 wide, 40 high inside
    arms = points((10, 60), (20, 60), (20, 120), (50, 120), (50, 60), (80, 60), (80, 140), (10, 140))
    pieces = clip_to_image(arms, 101, 101)
    assert [area(piece) for piece in pieces] == [1200, 400]


def test_a_self_crossing_outline_is_split():
    # bow tie that crosses at (30, 30): the left half is inside, the right half up to x = 40 only
    pieces = clip_to_image(BOW_TIE, 100, 41)
    # left: 40 · 20 / 2 = 400; right: 20 · 10 / 2 = 100
    assert [area(piece) for piece in pieces] == [400, 100]
    # a spike without area changes nothing
    spiked = np.concatenate([BOW_TIE, points((10, 10), (-20, 10))])
    assert [area(piece) for piece in clip_to_image(spiked, 100, 41)] == [400, 100]


def test_a_line_across_the_border_has_no_pieces():
    assert clip_to_image(points((-10, 5), (10, 5), (30, 5)), 50, 50) == []


@given(st.lists(st.tuples(st.integers(-40, 140), st.integers(-40, 140)), min_size=3, max_size=6))
@settings(max_examples=150, deadline=None)
def test_pieces_lie_in_the_image_and_add_up(corners):
    polygon = points(*corners)
    shape = shapely.make_valid(shapely.Polygon(polygon))
    window = shapely.box(0, 0, 99, 79)
    assume(not window.covers(shape))  # an outline inside is returned unchanged, with its crossings
    # pieces of an outline that crosses itself twice can have holes, which are filled
    holes = sum(
        shapely.Polygon(r).area for p in shapely.get_parts(shape) if p.geom_type == "Polygon" for r in p.interiors
    )
    assume(holes == 0)
    pieces = clip_to_image(polygon, 80, 100)
    assert sum(map(area, pieces)) == pytest.approx(shapely.intersection(shape, window).area, abs=0.05)
    for piece in pieces:
        assert piece.dtype == np.float32 and len(piece) >= 3
        assert (piece >= 0).all() and (piece[:, 0] <= 99).all() and (piece[:, 1] <= 79).all()
