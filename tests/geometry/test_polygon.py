"""Polygon functions: values computed by hand, and properties of random outlines."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from resnet18_ocrdet.geometry.polygon import (
    area,
    areas_and_perimeters,
    clip_to_image,
    is_tangle,
    min_area_quad,
    offsets,
    order_quads,
    transform,
)


def points(*corners):
    return np.array(corners, np.float32)


SQUARE_10 = points((0, 0), (10, 0), (10, 10), (0, 10))  # clockwise on screen
SQUARE_40 = points((20, 20), (60, 20), (60, 60), (20, 60))
TRIANGLE = points((0, 0), (4, 0), (0, 3))
BOW_TIE = points((10, 10), (50, 50), (50, 10), (10, 50))
DUMBBELL = points(  # two 20 x 20 squares joined by a bar 20 long and 4 high
    (0, 0), (20, 0), (20, 8), (40, 8), (40, 0), (60, 0), (60, 20), (40, 20), (40, 12), (20, 12), (20, 20), (0, 20)
)


def rotated_box(centre, width, height, degrees):
    angle = math.radians(degrees)
    along = np.array([math.cos(angle), math.sin(angle)]) * width / 2
    down = np.array([-math.sin(angle), math.cos(angle)]) * height / 2
    corners = [-along - down, along - down, along + down, -along + down]
    return (np.array(centre) + corners).astype(np.float32)


def offset(polygon, distance):
    return offsets([np.asarray(polygon)], np.array([distance]))[0]


@st.composite
def boxes(draw):
    centre = draw(st.tuples(st.floats(-100, 100), st.floats(-100, 100)))
    width, height = draw(st.floats(8, 200)), draw(st.floats(8, 200))
    return rotated_box(centre, width, height, draw(st.floats(-180, 180)))


def test_areas_by_hand():
    assert area(SQUARE_10) == area(SQUARE_10[::-1]) == 100
    assert area(TRIANGLE) == 6  # 4 · 3 / 2
    assert area(BOW_TIE) == 0  # the two halves have opposite signs
    # two squares 20 · 20 and the bar 20 · 4
    assert area(DUMBBELL) == 880
    assert area(points((3, 3), (9, 9), (5, 5))) == 0


def test_area_is_exact_far_from_the_origin():
    # in float32 the products of the shoelace would be rounded to steps of 64 here
    assert area(SQUARE_10 + np.float32(30000)) == 100


def test_perimeters_by_hand():
    _, lengths = areas_and_perimeters([SQUARE_10, TRIANGLE, points((7, 7), (7, 7), (7, 7))])
    assert lengths.tolist() == [40, 3 + 4 + 5, 0]


@pytest.mark.parametrize("polygon", [SQUARE_40, SQUARE_40[::-1]], ids=["clockwise", "counter-clockwise"])
def test_offset_inwards_moves_each_side(polygon):
    piece = offset(polygon, -5.0)
    # 20 + 5 .. 60 - 5
    assert {tuple(corner) for corner in piece.tolist()} == {(25, 25), (55, 25), (55, 55), (25, 55)}
    assert piece.dtype == np.int32


def test_offset_outwards_rounds_the_corners():
    piece = offset(SQUARE_40, 8.0)
    assert (piece.min(axis=0) == 12).all() and (piece.max(axis=0) == 68).all()
    # square + four strips 40 · 8 + a circle of radius 8 = 1600 + 1280 + 201
    assert area(piece) == pytest.approx(3081, rel=0.02)
    assert len(piece) > 8


def test_offset_out_and_in_again_is_the_square():
    grown = offset(SQUARE_40, 8.0)
    back = offset(grown, -8.0)
    # rounding to whole pixels keeps the sides but blunts the corners
    overlap = shapely.intersection(shapely.Polygon(back), shapely.Polygon(SQUARE_40)).area
    assert overlap / shapely.union(shapely.Polygon(back), shapely.Polygon(SQUARE_40)).area > 0.97
    shrunk = offset(SQUARE_40, -8.0)
    again = offset(shrunk, 8.0)
    assert (again.min(axis=0) == 20).all() and (again.max(axis=0) == 60).all()


@pytest.mark.parametrize("distance", [-5.0, -6.0, -1000.0])
def test_a_polygon_shrunk_by_half_its_width_vanishes(distance):
    assert len(offset(SQUARE_10, distance)) == 0


def test_of_two_pieces_the_larger_one_is_kept():
    # each square keeps 14 · 14 = 196; the bar was only 4 high. One vertex of the opening bulges by a pixel
    assert area(offset(DUMBBELL, -3.0)) == pytest.approx(196, abs=4)
    lopsided = DUMBBELL.copy()
    lopsided[4:8, 1] *= 3  # the right square becomes 20 wide and 60 high, above the bar as below
    lopsided[[4, 5], 1] = -20
    for polygon in (lopsided, np.roll(lopsided, 5, axis=0)):
        piece = offset(polygon, -3.0)
        assert area(piece) > 2 * 196 and piece[:, 0].min() > 30


@pytest.mark.parametrize("distance", [-2.0, 0.0, 2.0])
@pytest.mark.parametrize(
    "corners", [[(5, 5)] * 4, [(5.1, 5.2), (5.3, 5.4), (5.5, 5.1)], [(5, 5), (5, 5)]], ids=["point", "subpixel", "pair"]
)
def test_a_polygon_on_one_pixel_has_no_offset(corners, distance):
    assert len(offset(points(*corners), distance)) == 0


def test_a_polygon_without_area_only_grows():
    line = points((5, 5), (20, 5), (40, 5))
    assert len(offset(line, -2.0)) == 0
    grown = offset(line, 2.0)
    assert (grown.min(axis=0) == (3, 3)).all() and (grown.max(axis=0) == (42, 7)).all()


@given(boxes())
@settings(max_examples=100, deadline=None)
def test_min_area_quad_of_a_rectangle_is_the_rectangle(box):
    quad, side = min_area_quad(box)
    sides = np.linalg.norm(box - np.roll(box, -1, axis=0), axis=1)
    assert side == pytest.approx(sides.min(), abs=0.05)
    assert area(quad) == pytest.approx(area(box), rel=0.01)
    gaps = np.linalg.norm(quad[:, None] - box[None], axis=2)
    assert gaps.min(axis=1).max() < 0.2  # px: each corner of one is a corner of the other


def test_min_area_quad_of_contours_and_thin_outlines():
    quad, side = min_area_quad(np.array([[[2, 3]], [[12, 3]], [[12, 9]], [[2, 9]]], np.int32))
    assert quad.tolist() == [[2, 3], [12, 3], [12, 9], [2, 9]]
    assert quad.dtype == np.float32 and side == 6
    assert min_area_quad(points((5, 5), (20, 5), (40, 5)))[1] == 0
    assert min_area_quad(points((5, 5)))[1] == 0


def test_transform_affine_by_hand():
    # quarter turn, then 5 to the right: (x, y) -> (-y + 5, x)
    matrix = np.array([[0.0, -1.0, 5.0], [1.0, 0.0, 0.0]])
    moved = transform(points((0, 0), (2, 0), (2, 3)), matrix)
    assert moved.tolist() == [[5, 0], [5, 2], [2, 2]]
    assert moved.dtype == np.float32


def test_transform_perspective_by_hand():
    # w = 1 + x / 10: (10, 4) -> (20, 4) / 2, (0, 6) stays
    matrix = np.array([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.1, 0.0, 1.0]])
    assert transform(points((10, 4), (0, 6), (5, 3)), matrix) == pytest.approx(
        np.array([[10, 2], [0, 6], [10 / 1.5, 2]], np.float32)
    )


def test_transform_agrees_with_opencv():
    corners = points((3, 4), (90, 10), (80, 70), (10, 60))
    target = points((10, 0), (70, 20), (60, 60), (0, 50))
    matrix = cv2.getPerspectiveTransform(corners, target)
    assert transform(corners, matrix) == pytest.approx(target, abs=1e-3)
    inside = points((40, 30), (50, 30), (45, 50))
    assert transform(inside, matrix) == pytest.approx(cv2.perspectiveTransform(inside[None], matrix)[0], abs=1e-3)
    assert transform(transform(inside, matrix), np.linalg.inv(matrix)) == pytest.approx(inside, abs=1e-3)


CUT = SQUARE_40 - np.float32(30)  # crosses the corner of the image


@pytest.mark.parametrize(
    "call",
    [
        area,
        lambda p: areas_and_perimeters([p]),
        lambda p: offset(p, -2.0),
        lambda p: offset(p, 2.0),
        min_area_quad,
        lambda p: order_quads(p[None]),
        lambda p: clip_to_image(p, 100, 100),
        lambda p: clip_to_image(p, 20, 20),
        lambda p: transform(p, np.eye(3) * 2),
    ],
)
@pytest.mark.parametrize("polygon", [SQUARE_40, CUT], ids=["inside", "cut"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inputs_are_not_changed_and_results_are_not_views(call, polygon, dtype):
    given_points = polygon.astype(dtype)
    before = given_points.copy()
    result = call(given_points)
    np.testing.assert_array_equal(given_points, before)
    for part in result if isinstance(result, (list, tuple)) else [result]:
        if isinstance(part, np.ndarray):
            assert not np.shares_memory(part, given_points)


def test_transform_does_not_change_its_matrix():
    matrix = np.array([[2.0, 0, 1], [0, 2, 1], [0, 0, 2]])
    before = matrix.copy()
    transform(SQUARE_10, matrix)
    np.testing.assert_array_equal(matrix, before)


def test_overlapping_sides_are_a_tangle_and_many_collinear_corners_are_not():
    again = np.array([5, 5, *[50, 5, 50, 25, 5, 2] * 160], np.float32).reshape(-1, 2)
    assert is_tangle(again)
    steps = np.linspace(0, 100, 101)[:-1]
    bow_tie = np.concatenate(  # four sides of 100 corners each, two of which cross once
        [np.stack(each, axis=1) for each in ((steps, 0 * steps), (100 - steps, steps), (steps, 0 * steps + 100))]
        + [np.stack((100 - steps, 100 - steps), axis=1)]
    ).astype(np.float32)
    assert not is_tangle(bow_tie)
    turns = np.linspace(0, 2 * np.pi, 5001)[:-1]
    wheel = (100 * np.stack([np.cos(turns), np.sin(turns)], axis=1)).astype(np.float32)
    wheel[[2, 3]] = wheel[[3, 2]]  # two of five thousand corners exchanged
    assert not is_tangle(wheel)
