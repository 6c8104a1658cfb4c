"""Reading order and lines, on pages whose order is known."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import page_layouts as layouts
from page_layouts import oblique, turned, word
from resnet18_ocrdet.geometry.polygon import order_quads
from resnet18_ocrdet.geometry.reading_order import line_quad, reading_lines

LAYOUTS = [layouts.article, layouts.receipt, layouts.table, layouts.page, layouts.signs]


def quads_of(layout, seed=0):
    return np.array(layout(np.random.default_rng(seed)), np.float64)


def order_of(quads, **options):
    """Indices in the order of reading, of quads that are given in any order."""
    mixed = np.random.default_rng(1).permutation(len(quads))
    lines = reading_lines(quads[mixed].astype(np.float32), **options)
    return mixed[np.concatenate(lines)].tolist()


def is_read_in_order(quads, **options):
    return order_of(order_quads(quads.astype(np.float32)), **options) == [*range(len(quads))]


@pytest.mark.parametrize("degrees", [0, 3, 20, -20, -60])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_five_layouts_at_any_slant(layout, degrees):
    assert is_read_in_order(turned(quads_of(layout), degrees))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_detections_are_not_exact(layout):
    quads = quads_of(layout, seed=4)
    noise = np.random.default_rng(2).normal(0, 1, quads.shape)
    assert is_read_in_order(np.rint(turned(quads, 12) + noise))


@pytest.mark.parametrize("layout", [layouts.article, layouts.receipt, layouts.table, layouts.page])
def test_a_page_photographed_from_the_side(layout):
    quads = oblique(turned(quads_of(layout), 8))
    top = quads[:, 1] - quads[:, 0]
    slopes = np.degrees(np.arctan2(top[:, 1], top[:, 0]))
    assert slopes.max() - slopes.min() > 3  # of its lines
    assert is_read_in_order(quads)


def test_columns_whose_gutter_is_slanted():
    quads = quads_of(layouts.article)
    middle = quads.mean(axis=(0, 1))
    narrow = (quads - middle) / (1 + 0.2 * (quads[..., 1:] - middle[1]) / 900) + middle  # towards the bottom
    assert is_read_in_order(narrow) and is_read_in_order(np.rint(turned(narrow, 5)))


@pytest.mark.parametrize("layout", [layouts.article, layouts.page])
def test_text_along_the_margin_is_read_before_or_after_the_page(layout):
    quads = quads_of(layout)
    at = np.array([word(20, 100, 26, 560), word(1500, 300, 26, 560)], np.float64)
    assert is_read_in_order(np.concatenate([at[:1], quads, at[1:]]))


def test_a_heading_above_columns_of_vertical_text_is_read_first():
    quads = np.concatenate([np.array([word(420, 0, 300, 30)], np.float64), quads_of(layouts.columns)])
    assert is_read_in_order(quads) and is_read_in_order(turned(quads, 4))


def test_far_below_columns_something_else_begins():
    rng = np.random.default_rng(0)
    columns = [layouts.paragraph(x, 100, 500, 8, rng) for x in (100, 640)]
    number = [word(604, 700, 30)]  # of the page, between the columns
    lower = [layouts.paragraph(x, 1000, 500, 8, rng) for x in (100, 640)]  # below a figure
    assert is_read_in_order(np.array([*columns[0], *columns[1], *number, *lower[0], *lower[1]], np.float64))


@pytest.mark.parametrize("degrees", [0, 6, -9])
def test_columns_of_vertical_text_follow_each_other_to_the_left(degrees):
    quads = turned(quads_of(layouts.columns), degrees)
    assert is_read_in_order(quads) and is_read_in_order(quads, right_to_left=True)
    assert len(reading_lines(order_quads(quads.astype(np.float32)))) == 6


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("degrees", [90, 180, -90])
def test_the_corners_tell_which_way_up_the_text_is(layout, degrees):
    assert order_of(turned(quads_of(layout), degrees)) == [*range(len(quads_of(layout)))]


@pytest.mark.parametrize("layout", [layouts.article, layouts.table])
def test_right_to_left(layout):
    quads = quads_of(layout)
    quads[..., 0] = 2000 - quads[..., 0]
    assert is_read_in_order(quads, right_to_left=True) and not is_read_in_order(quads)


def test_lines_by_hand():
    quads = np.array(
        [
            word(60, 102, 40),  # the second word of the second line
            word(0, 0, 50),
            word(0, 100, 50),  # 10 px before the next word
            word(70, 4, 50),  # 20 px: as far as a word is high
            word(145, 2, 30),  # 25 px: another line
            word(0, 200, 50, height=45),  # more than twice as high as the next word
            word(55, 212, 50),
        ],
        np.float32,
    )
    assert [line.tolist() for line in reading_lines(quads)] == [[1, 3], [4], [2, 0], [5], [6]]


def test_lines_of_a_page():
    rng = np.random.default_rng(0)
    rows = [layouts.line(100, 50 + 30 * number, 900, rng) for number in range(20)]
    lines = reading_lines(turned(np.concatenate(rows), 15))
    assert [len(line) for line in lines] == [len(row) for row in rows]


def test_a_line_has_a_rectangle_in_the_direction_of_its_words():
    quads = np.array([word(0, 0, 50), word(60, 0, 50)], np.float32)
    assert line_quad(quads) == pytest.approx(np.array([[0, 0], [110, 0], [110, 20], [0, 20]]), abs=1e-3)
    assert line_quad(quads[:1]).tolist() == quads[0].tolist()
    upside_down = np.array([np.roll(quad, 2, axis=0) for quad in quads])
    assert line_quad(upside_down) == pytest.approx(np.array([[110, 20], [0, 20], [0, 0], [110, 0]]), abs=1e-3)
    standing = np.array([word(0, 0, 20, 50), word(0, 60, 20, 50)], np.float32)
    assert line_quad(standing) == pytest.approx(np.array([[0, 0], [20, 0], [20, 110], [0, 110]]), abs=1e-3)


def test_few_and_degenerate_regions():
    assert reading_lines(np.zeros((0, 4, 2), np.float32)) == []
    assert [line.tolist() for line in reading_lines(np.zeros((1, 4, 2), np.float32))] == [[0]]
    same = np.tile(np.array(word(10, 10, 100), np.float32), (50, 1, 1))
    assert [line.tolist() for line in reading_lines(same)] == [[index] for index in range(50)]
    assert sorted(np.concatenate(reading_lines(np.zeros((40, 4, 2), np.float32)))) == [*range(40)]


@pytest.mark.parametrize("factor", [1e-3, 1e4])
def test_the_unit_does_not_matter(factor):
    quads = quads_of(layouts.article)
    assert order_of(quads * factor) == [*range(len(quads))]
    assert order_of(quads[:40] + 1e6) == [*range(40)]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.floats(-1e5, 1e5, width=32)] * 2, *[st.floats(0, 500, width=32)] * 2, st.floats(-180, 180)),
        max_size=40,
    ),
    st.booleans(),
)
def test_every_region_is_in_one_line(boxes, right_to_left):
    quads = [turned(np.array([word(x, y, width, height)]), degrees)[0] for x, y, width, height, degrees in boxes]
    lines = reading_lines(np.array(quads, np.float32).reshape(-1, 4, 2), right_to_left)
    assert sorted(region for line in lines for region in line.tolist()) == [*range(len(boxes))]


def test_thousands_of_words_take_a_moment():
    rng = np.random.default_rng(0)
    quads = np.concatenate(
        [np.array(layouts.paragraph(700 * column, 0, 650, 90, rng), np.float64) for column in range(4)]
    )
    assert len(quads) > 2000
    began = time.process_time()
    assert is_read_in_order(quads)
    assert time.process_time() - began < 0.5  # about 0.05 s
