"""Outlines of run-length encoded masks and of masks in PNG images."""

from __future__ import annotations

import base64
import time

import cv2
import numpy as np
import pytest

from resnet18_ocrdet.data.formats.location import LabelError
from resnet18_ocrdet.data.formats.mask_outlines import MAX_PIECES, outlines, png_outlines
from resnet18_ocrdet.data.formats.run_lengths import rle_outlines, row_outlines
from resnet18_ocrdet.data.polygon_repair import is_simple
from resnet18_ocrdet.geometry.polygon import area

# 10 rows, 12 columns. Columns 3 to 8 are filled in rows 2 to 4, columns 7 and 8 also in rows 5 to 7; one more pixel is
# in column 0, row 9. By column: 9 empty, 1 filled; 10 + 10 + 2 empty; 3 filled, 7 empty, four times; 6 filled, 4 empty;
# 6 filled; 2 + 30 empty.
COUNTS = [9, 1, 22, 3, 7, 3, 7, 3, 7, 3, 7, 6, 4, 6, 32]
BIG_PIECE = [[3, 2], [9, 2], [9, 8], [7, 8], [7, 5], [3, 5]]
PIXEL = [[0, 9], [1, 9], [1, 10], [0, 10]]

# The same as text, by hand: from the fourth number on, the number two before is subtracted, so
# 9 1 22 2 -15 0 0 0 0 0 0 3 -3 0 28. One character has 5 bits with sign, from -16 to 15: 9 is chr(48 + 9), -15 is
# chr(48 + 17), -3 is chr(48 + 29). 22 = 22 + 0 * 32 takes two: chr(48 + 32 + 22) and chr(48); so does 28: l and 0.
TEXT = "91f02A0000003M0l0"


def as_lists(polygons):
    return [polygon.tolist() for polygon in polygons]


@pytest.mark.parametrize("counts", [COUNTS, TEXT])
def test_the_outline_runs_along_the_edges_of_the_pixels(counts):
    polygons = rle_outlines({"size": [10, 12], "counts": counts})
    assert as_lists(polygons) == [BIG_PIECE, PIXEL]
    assert all(polygon.dtype == np.float32 for polygon in polygons)


def test_a_mask_may_end_early_and_span_whole_columns():
    assert as_lists(rle_outlines({"size": [4, 9], "counts": [4, 8]})) == [[[1, 0], [3, 0], [3, 4], [1, 4]]]


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([2, 3, 5], [[[2, 0], [5, 0], [5, 1], [2, 1]]]),
        ([0, 2, 3, 2, 3], [[[0, 0], [2, 0], [2, 2], [0, 2]]]),
        ([0, 1, 3, 2, 4], [[[0, 0], [1, 0], [1, 2], [0, 2]], [[4, 0], [5, 0], [5, 1], [4, 1]]]),
    ],
)
def test_runs_of_rows(runs, expected):
    """5 columns, 2 rows: the third mask is # . . . # above # . . . ."""
    assert as_lists(row_outlines(runs, 2, 5)) == expected


def test_rows_and_columns_of_the_same_mask():
    """The mask of COUNTS row by row: rows 2 to 4 have 3 empty, 6 filled, 3 empty; rows 5 to 7 have 7, 2, 3."""
    rows = [24 + 3, 6, 6, 6, 6, 6, 3 + 7, 2, 10, 2, 10, 2, 3 + 12, 1, 11]
    assert as_lists(row_outlines(rows, 10, 12)) == [BIG_PIECE, PIXEL]


@pytest.mark.parametrize(
    ("runs", "height", "width", "words"),
    [
        ([2, 5, 2], 2, 5, "5x2 px has runs of 9"),
        ([2, 5, 4], 2, 5, "runs of 11"),
        ([], 2, 5, "runs of 0"),
        ([10], 2, 5, "without any pixel"),
        ([0], 0, 0, "0x0"),
        ([4], 2, 10**9, "1e[+]09x2 px"),
        ([4], 2, float("nan"), "nanx2 px"),
    ],
)
def test_rows_that_are_no_mask(runs, height, width, words):
    with pytest.raises(LabelError, match=words) as error:
        row_outlines(runs, height, width)
    assert error.value.code == "GT022"


def test_pixels_that_touch_at_their_corners_are_one_piece():
    """The outline goes past (1, 1) on both sides, from the middle of a side to that of the next one."""
    (outline,) = outlines(np.eye(2, dtype=np.bool_))
    upper = [[0, 0], [1, 0], [1, 0.5], [1.5, 1]]
    assert outline.tolist() == [*upper, [2, 1], [2, 2], [1, 2], [1, 1.5], [0.5, 1], [0, 1]]
    random = np.random.default_rng(0).random((40, 40)) > 0.5
    assert all(is_simple(piece) for piece in outlines(random))


def test_a_stroke_of_one_pixel_keeps_its_area():
    """An L of 30 px down and 30 px to the right: 59 pixels."""
    mask = np.zeros((30, 30), np.bool_)
    mask[:, 0] = mask[29, :] = True
    (outline,) = outlines(mask)
    assert is_simple(outline) and area(outline) == pytest.approx(59)
    mask = np.eye(30, dtype=np.bool_)  # a slanted stroke
    (outline,) = outlines(mask)
    assert is_simple(outline) and 30 <= area(outline) <= 60


def test_a_mask_of_specks():
    specks = np.zeros((200, 200), np.bool_)
    specks[::3, ::3] = True
    with pytest.raises(LabelError, match=f"4489 pieces; up to {MAX_PIECES}") as error:
        outlines(specks)
    assert error.value.code == "GT028"


def test_a_slanted_mask_has_few_corners_and_the_same_area():
    y, x = np.mgrid[:300, :400]
    mask = ((x - 200) / 150) ** 2 + ((y - 140) / 50) ** 2 < 1
    changes = np.flatnonzero(np.diff(mask.T.ravel().astype(int))) + 1
    counts = np.diff(np.concatenate([[0], changes, [mask.size]])).tolist()
    (polygon,) = rle_outlines({"size": [300, 400], "counts": counts})
    assert len(polygon) < 200
    assert cv2.contourArea(polygon) == pytest.approx(mask.sum(), rel=0.005)
    assert np.abs(polygon.min(axis=0) - [51, 91]).max() <= 1 and np.abs(polygon.max(axis=0) - [350, 190]).max() <= 1


@pytest.mark.parametrize(
    ("value", "code", "words"),
    [
        ({"counts": [1]}, "GT022", "needs size, [height, width], got null"),
        ({"size": [10], "counts": [1]}, "GT022", "a list of 1 value"),
        ({"size": [0, 4], "counts": [1]}, "GT022", "size"),
        ({"size": [2**21, 1], "counts": [0, 5]}, "GT022", "a mask of 1x2.09715e+06 px"),
        ({"size": [10, 12]}, "GT022", "needs counts, a list or a string, got null"),
        ({"size": [10, 12], "counts": [5, -1]}, "GT020", "value 2 of counts of segmentation is -1"),
        ({"size": [10, 12], "counts": [5, True]}, "GT020", "value 2 of counts"),
        ({"size": [10, 12], "counts": [100, 21]}, "GT022", "counts 121 pixels, a mask of 10x12 has 120"),
        ({"size": [10, 12], "counts": [2**40] * 9}, "GT022", "pixels"),
        ({"size": [10, 12], "counts": [120]}, "GT022", "without any pixel"),
        ({"size": [10, 12], "counts": []}, "GT022", "without any pixel"),
        ({"size": [10, 12], "counts": ""}, "GT022", "without any pixel"),
        ({"size": [10, 12], "counts": "9 1"}, "GT022", "'9 1', not a run-length encoding"),
        ({"size": [10, 12], "counts": "f"}, "GT022", "not a run-length encoding"),  # the number goes on
        ({"size": [10, 12], "counts": "91é"}, "GT022", "not a run-length encoding"),
        ({"size": [10, 12], "counts": "A1"}, "GT022", "negative number"),
        ({"size": [10, 12], "counts": "PPPPPPPPP0"}, "GT022", "more than 35 bits"),
    ],
)
def test_a_bad_mask_is_refused_with_its_value_and_the_rule(value, code, words):
    with pytest.raises(LabelError) as caught:
        rle_outlines(value)
    assert caught.value.code == code and words in caught.value.detail


def test_a_short_text_about_a_huge_mask_costs_little():
    began = time.process_time()
    for _ in range(50):
        (polygon,) = rle_outlines({"size": [2**20, 2**20], "counts": [0, 2**40]})
    assert polygon.tolist() == [[0, 0], [2**20, 0], [2**20, 2**20], [0, 2**20]]
    assert time.process_time() - began < 1


def png(mask) -> str:
    return base64.b64encode(cv2.imencode(".png", np.array(mask, np.uint8))[1].tobytes()).decode()


def test_a_png_mask_begins_at_its_corner():
    (polygon,) = png_outlines(png([[1, 1, 1], [0, 0, 1]]), 20, 7)
    assert polygon.tolist() == [[20, 7], [23, 7], [23, 9], [22, 9], [22, 8], [20, 8]]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "needs mask, a PNG in Base64, got null"),
        ("iVBORw0KGgo=", "needs mask, a PNG in Base64"),
        ("%%%", "needs mask, a PNG in Base64"),
        (png([[0, 0], [0, 0]]), "without any pixel"),
        (base64.b64encode(base64.b64decode(png(np.ones((40, 40))))[:50]).decode(), "mask"),
    ],
)
def test_a_bad_png_mask_is_refused(value, words):
    with pytest.raises(LabelError) as caught:
        png_outlines(value, 0, 0)
    assert caught.value.code == "GT022" and words in caught.value.detail


def test_a_png_mask_of_many_pixels_is_not_decoded():
    data = bytearray(base64.b64decode(png([[1]])))
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    with pytest.raises(LabelError, match="60000x60000 pixels"):
        png_outlines(base64.b64encode(bytes(data)).decode(), 0, 0)
