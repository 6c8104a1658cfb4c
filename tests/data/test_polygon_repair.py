"""Repair of labelled polygons."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.polygon_repair import is_simple, repair_polygon, repair_record, untangle, without_repeats
from resnet18_ocrdet.data.record import Region, to_record
from resnet18_ocrdet.data.targets import TargetMaker
from resnet18_ocrdet.geometry.polygon import area

SQUARE = [[10, 10], [40, 10], [40, 30], [10, 30]]
BOW_TIE = [[10, 10], [40, 30], [40, 10], [10, 30]]  # two corners exchanged


def polygon(points):
    return np.array(points, np.float32)


def cleaned(*outlines, texts=None):
    regions = [
        Region(polygon(points), "a" if texts is None else texts[number], line=number + 1)
        for number, points in enumerate(outlines)
    ]
    report = Report()
    return repair_record(to_record(Path("1.jpg"), Path("1.txt"), regions), report), report


@pytest.mark.parametrize(
    ("outline", "code", "left"),
    [
        (SQUARE, None, 600),
        (SQUARE[::-1], None, 600),  # anticlockwise: row 32
        (SQUARE[2:] + SQUARE[:2], None, 600),  # another first corner: row 33
        (SQUARE[:3], "PG030", 300),
        (BOW_TIE, "PG031", 600),
        ([*SQUARE, SQUARE[0]], "PG034", 600),
        ([SQUARE[0], SQUARE[0], *SQUARE[1:]], "PG034", 600),
        ([[0, 0], [10, 0], [10, 10], [6, 10], [6, -2], [4, -2], [4, 10], [0, 10]], "PG031", 40),  # a strip sticks out
    ],
)
def test_outlines_are_made_simple(outline, code, left):
    record, report = cleaned(outline)
    assert [finding.code for finding in report] == ([code] if code else [])
    shape = shapely.Polygon(record.polygons[0])
    assert shape.is_valid and shape.area == pytest.approx(left, abs=0.01)
    assert not record.ignore[0] and record.ignore[1:].all() and record.lost == 0
    if report:
        assert report[0].place == "1.txt:1"


@pytest.mark.parametrize("outline", [[[10, 10], [20, 20], [40, 40], [30, 30]], [[5, 5], [25, 5], [5, 5], [25, 5]]])
def test_regions_without_area_become_a_dont_care_stroke(outline):
    record, report = cleaned(outline)
    assert [finding.code for finding in report] == ["PG035"]
    assert record.ignore.tolist() == [True]
    stroke = shapely.Polygon(record.polygons[0])
    assert all(stroke.buffer(1e-3).contains(shapely.Point(point)) for point in outline) and stroke.area > 10


def test_a_single_point_is_dropped():
    record, report = cleaned([[7, 7], [7, 7], [7, 7], [7, 7]], SQUARE)
    assert [finding.code for finding in report] == ["PG035"]
    assert len(record.polygons) == 1 and record.lines.tolist() == [2] and record.lost == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e9])
def test_invalid_coordinates_are_lost(bad):
    record, report = cleaned([[bad, 1], [5, 1], [5, 9], [1, 9]], SQUARE)
    assert [(finding.code, finding.line) for finding in report] == [("GT021", 1)]
    assert len(record.polygons) == 1 and record.lost == 1


def test_duplicate_regions_are_dropped_unless_their_texts_differ():
    record, report = cleaned(SQUARE, SQUARE, SQUARE, texts=["a", "a", "b"])
    assert record.texts == ("a", "b")
    assert [(finding.code, finding.line) for finding in report] == [("GT029", 2)]


def test_dont_care_flags_stay_with_their_regions():
    regions = [
        Region(polygon(SQUARE), "###", True, 1),
        Region(polygon([[np.nan, 0], [1, 1], [2, 2]]), "x", False, 2),
        Region(polygon(SQUARE) + 50, "word", False, 3),
    ]
    record = repair_record(to_record(Path("1.jpg"), Path("1.txt"), regions), Report())
    assert record.ignore.tolist() == [True, False]
    assert record.texts == ("###", "word") and record.lines.tolist() == [1, 3]


def test_targets_do_not_depend_on_direction_and_first_corner():
    make = TargetMaker()
    planes = [
        make([polygon(points)], np.array([False]), 64, 64) for points in (SQUARE, SQUARE[::-1], SQUARE[1:] + SQUARE[:1])
    ]
    for others in planes[1:]:
        for plane, other in zip(planes[0], others, strict=True):
            np.testing.assert_array_equal(plane, other)


points = st.tuples(st.integers(-5, 60), st.integers(-5, 60))


@given(st.lists(points, min_size=0, max_size=9))
def test_repaired_polygons_are_simple_with_an_area_or_dont_care(outline):
    done = repair_polygon(polygon(outline).reshape(-1, 2))
    assert done.pieces or done.code == "PG035"
    for piece in done.pieces:
        shape = shapely.Polygon(piece)
        assert len(piece) >= 3 and shape.is_valid and shape.area > 0
        assert done.masked == (done.code == "PG035")


@given(st.lists(points, min_size=4, max_size=4, unique=True))
def test_four_corners_in_any_order_are_the_same_region(corners):
    hull = shapely.MultiPoint(corners).convex_hull
    if hull.geom_type != "Polygon" or len(hull.exterior.coords) != 5:
        return  # one lies inside the triangle of the others, or on a line: ambiguous
    done = repair_polygon(polygon(corners))
    assert shapely.Polygon(done.pieces[0]).area == pytest.approx(hull.area)


def test_smaller_pieces_of_a_crossing_outline_are_dont_care():
    figure_eight = [[0, 0], [10, 0], [20, 10], [30, 10], [30, 0], [20, 0], [10, 10], [0, 10]]
    record, report = cleaned(figure_eight, SQUARE)
    assert [area(outline) for outline in record.polygons[:2]] == pytest.approx([125, 125])
    assert record.ignore.tolist() == [False, True, False] and record.texts == ("a", "a", "a")
    assert [record.line(region) for region in range(3)] == [1, 1, 2]
    assert "1 smaller piece don't-care" in report[0].detail


def test_helpers():
    assert is_simple(polygon(SQUARE)) and not is_simple(polygon(BOW_TIE))
    assert is_simple(polygon([[0, 0], [10, 0], [2, 2], [0, 10]]))  # concave
    assert without_repeats(polygon([[1, 1], [1, 1]])).shape == (0, 2)
    assert untangle(polygon([[0, 0], [9, 9], [0, 0], [9, 9], [4, 4]])) == []


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "tiny",
    [
        [[100, 6e-39], [6.1e-39, 6.08e-39], [6.03e-39, 6.12e-39], [6.13e-39, 2.3e-41]],
        [[2.3509887e-38, 0], [9.6296497e-35, 2], [0, 5.9807867e-39], [6.1013208e-39, 4.5917748e-40]],
        [[10, 60], [6.0185311e-36, 9.8607613e-32], [9.4039548e-38, 1.5046328e-36], [9.4039548e-38, 0]],
    ],
)
def test_corners_that_are_hardly_apart_cause_no_warning(tiny):
    record, report = cleaned(tiny)
    assert [finding.code for finding in report] == ["PG035"] and record.ignore.tolist() == [True]
