"""Functions for many outlines against plain ones for one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from resnet18_ocrdet.data.targets import offset_outline
from resnet18_ocrdet.geometry.polygon import (
    area,
    areas_and_perimeters,
    grow_rectangles,
    min_area_quads,
    offsets,
    order_quads,
)

coordinates = st.floats(-50, 200, width=32)
points = st.tuples(coordinates, coordinates)
outlines = st.lists(
    st.lists(points, min_size=3, max_size=7).map(lambda corners: np.array(corners, np.float32)), max_size=5
)


@settings(max_examples=100, deadline=None)
@given(outlines)
def test_smallest_rectangles(polygons):
    quads, sides = min_area_quads(polygons)
    assert quads.shape == (len(polygons), 4, 2)
    for polygon, quad, side in zip(polygons, quads, sides, strict=True):
        rectangle = cv2.minAreaRect(polygon)
        np.testing.assert_array_equal(quad, order_quads(cv2.boxPoints(rectangle)[None])[0])
        assert side == min(rectangle[1])


@settings(max_examples=100, deadline=None)
@given(outlines)
def test_sizes(polygons):
    areas, lengths = areas_and_perimeters(polygons)
    assert areas.tolist() == pytest.approx([area(polygon) for polygon in polygons], rel=1e-9, abs=1e-8)
    assert lengths.tolist() == pytest.approx([shapely.LinearRing(polygon).length for polygon in polygons])


@settings(max_examples=100, deadline=None)
@given(outlines, st.floats(0.5, 12))
def test_offsets(polygons, distance):
    grown = offsets(polygons, np.full(len(polygons), distance))
    for polygon, outline in zip(polygons, grown, strict=True):
        pieces = offset_outline(polygon, distance, 0).dilated
        assert len(outline) == 0 if not pieces else area(outline) == max(map(area, pieces))


def test_a_point_has_no_offset_and_does_not_affect_the_others():
    point, square = np.full((4, 2), 7, np.float32), np.float32([[0, 0], [10, 0], [10, 10], [0, 10]])
    nothing, grown = offsets([point, square], np.array([2.0, 2.0]))
    assert len(nothing) == 0
    assert cv2.boundingRect(grown) == (-2, -2, 15, 15)  # OpenCV counts the last pixel


def test_rectangles_grow_by_their_distance_on_each_side():
    # 40 x 10 turned by 30 degrees, 3 px on each side: 46 x 16 with the same centre
    quad = cv2.boxPoints(((100, 80), (40, 10), 30))
    ((grown,), (side,)) = grow_rectangles(quad[None], np.array([3.0]))
    (x, y), size, _ = cv2.minAreaRect(grown)
    assert (x, y) == pytest.approx((100, 80), abs=1e-3)
    assert sorted(size) == pytest.approx([16, 46], abs=1e-3)
    assert side == pytest.approx(16, abs=1e-3)
    assert np.linalg.norm(grown - quad, axis=1) == pytest.approx([3 * 2**0.5] * 4, abs=1e-3)


def test_without_outlines():
    quads, sides = min_area_quads([])
    assert quads.shape == (0, 4, 2) and sides.shape == (0,)
    assert [part.shape for part in areas_and_perimeters([])] == [(0,), (0,)]
    assert offsets([], np.zeros(0)) == []
    assert grow_rectangles(np.zeros((0, 4, 2), np.float32), np.zeros(0))[0].shape == (0, 4, 2)
