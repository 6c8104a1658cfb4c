"""Shapes of labelling tools as outlines: turned boxes, ellipses, lines, masks."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from resnet18_ocrdet.data.formats.location import LabelError
from resnet18_ocrdet.data.formats.masks import MAX_PIXELS, PixelBudget, mask_of_runs, mask_outlines
from resnet18_ocrdet.data.formats.points import flat_polygon
from resnet18_ocrdet.data.formats.shapes import closed_line, ellipse, turned, turned_box, without_end
from resnet18_ocrdet.data.polygon_repair import is_simple
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
    with pytest.raises(LabelError, match="ends are 40 px apart") as error:
        closed_line(flat_polygon([0, 0, 100, 0, 100, 40, 0, 40]))
    assert error.value.code == "GT022"
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
        closed_line(flat_polygon([math.inf, 0, -math.inf, 0, 1e300, 1]))
        mask_outlines(np.ones((1, 1), np.uint8), math.inf, 1e300)


def test_runs_are_rows_and_begin_with_zeros():
    mask = mask_of_runs([2, 5, 3], height=2, width=5)
    assert mask.tolist() == [[0, 0, 1, 1, 1], [1, 1, 0, 0, 0]] and mask.dtype == "uint8"
    assert mask_of_runs([0, 4], 2, 2).tolist() == [[1, 1], [1, 1]]
    assert mask_of_runs([1] * 600, 2, 300)[0, :4].tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("runs", "height", "width", "words"),
    [
        ([2, 5, 2], 2, 5, "2x5|5x2 px has runs of 9"),
        ([2, 5, 4], 2, 5, "runs of 11"),
        ([], 2, 5, "runs of 0"),
        ([2, -5, 13], 2, 5, "run of -5"),
        ([0], 0, 0, "0x0"),
        ([4], 2, 10**9, "megapixels"),
        ([MAX_PIXELS + 1], 1, MAX_PIXELS + 1, "megapixels"),
    ],
)
def test_runs_that_are_no_mask(runs, height, width, words):
    with pytest.raises(LabelError, match=words) as error:
        mask_of_runs(runs, height, width)
    assert error.value.code == "GT022"


def test_a_box_as_mask():
    (outline,) = mask_outlines(np.ones((2, 5), np.uint8), left=40, top=60)
    assert outline.tolist() == [[40.25, 60.25], [44.75, 60.25], [44.75, 61.75], [40.25, 61.75]]


def test_each_piece_is_an_outline():
    mask = np.zeros((7, 9), np.uint8)
    mask[5, 1] = mask[1:3, 4:8] = 1
    upper, lower = mask_outlines(mask)
    assert upper.tolist() == [[4.25, 1.25], [7.75, 1.25], [7.75, 2.75], [4.25, 2.75]]
    assert lower.tolist() == [[1.25, 5.25], [1.75, 5.25], [1.75, 5.75], [1.25, 5.75]]


def test_a_thin_mask_is_simple_and_has_an_area():
    """A stroke one pixel wide, with pixels that only touch at their corners; a hole is filled."""
    mask = np.eye(6, dtype=np.uint8)
    mask[0, :] = mask[:, 5] = 1
    (outline,) = mask_outlines(mask)
    assert is_simple(outline) and area(outline) > 10
    assert outline.min() >= 0 and outline.max() <= 6
    random = (np.random.default_rng(0).random((40, 40)) > 0.5).astype(np.uint8)
    assert all(is_simple(piece) for piece in mask_outlines(random))


def test_an_empty_mask_and_one_of_specks():
    with pytest.raises(LabelError, match="without any pixel"):
        mask_outlines(np.zeros((2, 2), np.uint8))
    specks = np.zeros((200, 200), np.uint8)
    specks[::3, ::3] = 1
    with pytest.raises(LabelError, match="4489 pieces"):
        mask_outlines(specks)


def test_a_small_file_has_few_pixels():
    budget = PixelBudget(size=1000)
    budget.take(100_000_000)
    with pytest.raises(LabelError, match="more pixels than its size explains"):
        budget.take(1_000_001)
    budget.take(1_000_000)
    with pytest.raises(LabelError):
        budget.take(math.nan)
