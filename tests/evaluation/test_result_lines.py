"""Lines of result files: boxes, quads and polygons, with scores and texts."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resnet18_ocrdet.data.text_file import TextLine
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.evaluation.result_lines import form_of, parse_line

QUAD = "10,20,110,20,110,60,10,60"  # the same region as BOX
BOX = "10,20,110,60"
CORNERS = [[10, 20], [110, 20], [110, 60], [10, 60]]


def read(*lines):
    form = form_of(lines)
    return [parse_line(TextLine(number, line), "a.txt", form) for number, line in enumerate(lines, start=1)]


def scores(*lines):
    """None for a line without a score."""
    return [None if math.isnan(each.score) else each.score for each in read(*lines)]


@pytest.mark.parametrize("start", [QUAD, BOX, BOX.replace(",", " "), BOX.replace(",", "\t"), QUAD.replace(",", ", ")])
@pytest.mark.parametrize(
    ("end", "score"),
    [("", None), (",0.9", 0.9), (",0.9,word", 0.9), (",word", None), (",0.9,two words, a comma", 0.9), (",1", 1.0)],
)
def test_a_region_with_and_without_score_and_text(start, end, score):
    if "," not in start:
        end = end.replace(",", start[2])
    (found,) = read(start + end)
    assert found.polygon.tolist() == CORNERS
    assert (None if math.isnan(found.score) else found.score) == score


def test_a_number_that_is_the_text_is_no_score():
    assert scores(f"{QUAD},word", f"{QUAD},2024", f"{QUAD},0.5") == [None, None, None]
    assert scores(f"{BOX},word", f"{BOX},2024", f"{BOX},1,000", f"{BOX},1,000,000") == [None] * 4
    assert scores(f"{BOX},0.5,2024", f"{BOX},0.25,word", BOX) == [0.5, 0.25, None]
    assert scores(f"{BOX},87.5", f"{BOX},12") == [87.5, 12.0]  # per cent


def test_more_corners_only_where_the_set_has_them():
    twelve = "0,0,50,0,100,0,100,20,50,20,0,20"
    assert [len(each.polygon) for each in read(twelve, f"{twelve},0.5", f"{QUAD},0.75", QUAD)] == [6, 6, 4, 4]
    assert scores(twelve, f"{twelve},0.5", f"{QUAD},0.75") == [None, 0.5, 0.75]
    assert [len(each.polygon) for each in read(f"{twelve},0.5,word", f"{QUAD},0.7,word")] == [6, 4]
    assert scores(f"{QUAD},0.5,word", f"{QUAD},0.7,1,2,3", QUAD) == [0.5, 0.7, None]  # digits as text
    assert [len(each.polygon) for each in read(f"{QUAD},0.5,word", f"{QUAD},0.7,1,2,3")] == [4, 4]


def test_a_polygon_among_many_quads_with_texts_takes_no_score_from_them():
    polygon, quad = "30,0,50,0,100,0,100,20,50,20,30,20", f"{QUAD},0.75,word"
    found = read(*[quad] * 150, f"{polygon},0.5,word", f"{QUAD},0.7,1,2,3")
    assert [each.score for each in found] == [0.75] * 150 + [0.5, 0.7]
    assert [len(each.polygon) for each in found] == [4] * 150 + [6, 4]
    assert [len(each.polygon) for each in read(f"{QUAD},word", f"{polygon},0.5,word")] == [4, 6]
    assert scores(f"{polygon},0.5,word", f"{polygon},0.25,word") == [0.5, 0.25]
    found = read(*[quad] * 150, "1,2,30,2,40,5,30,9,1,9,0.5,word")  # the ninth number is a corner
    assert (len(found[-1].polygon), found[-1].score) == (5, 0.5)


def refused(*lines):
    with pytest.raises(UserError) as caught:
        read(*lines)
    return str(caught.value)


def test_boxes_and_quads_are_never_mixed():
    assert refused(QUAD, QUAD, BOX).startswith("a.txt:3: column 13: a region needs 8 or more numbers, got 4")
    assert refused(BOX, BOX, QUAD).startswith("a.txt:3: column 26: 8 numbers; most lines have 4")
    assert refused(f"{BOX},word", f"{BOX},word", f"{QUAD},word").startswith("a.txt:3: column 27: 8 numbers; most")
    assert refused(BOX, f"{BOX},0.5,7").startswith("a.txt:2: column 19: 6 numbers; most lines have 4")
    assert "needs 8 or more numbers, got 6" in refused("1,2,3,4,5,6")
    assert "needs 8 or more numbers, got 7" in refused("1,2,3,4,5,6,7", "1,2,3,4,5,6,7,word")
    assert "needs 8 or more numbers, got 2" in refused("1,2")
    assert "needs 4 numbers, left,top,right,bottom, or 8, got 2" in refused(BOX, BOX, "1,2")


def test_a_width_and_height_is_not_a_box():
    assert "not a width and a height; got 100,50,40,80" in refused("100,50,40,80")
    assert "not a width and a height" in refused("10,50,40,20,0.5,word")


@given(st.lists(st.tuples(*[st.integers(0, 500)] * 4, st.floats(0, 1)), min_size=1, max_size=5), st.booleans())
def test_boxes_are_the_quads_of_their_corners(boxes, texts):
    end = ",word 1, 2" if texts else ""
    boxes = [(x, y, x + w, y + h, score) for x, y, w, h, score in boxes]
    short = [f"{left},{top},{right},{bottom},{score:.4f}{end}" for left, top, right, bottom, score in boxes]
    long = [f"{l},{t},{r},{t},{r},{b},{l},{b},{score:.4f}{end}" for l, t, r, b, score in boxes]  # noqa: E741
    for one, other in zip(read(*short), read(*long), strict=True):
        assert one.polygon.tolist() == other.polygon.tolist() and one.score == other.score


def test_the_form_is_described():
    assert form_of([f"{BOX},0.5,word"]).describe(1, [0.5], 4) == (
        "1 line of left,top,right,bottom, a score, a text that is not used"
    )
    assert (
        form_of([QUAD, QUAD])
        .describe(2, [87.5], 6)
        .endswith("x4,y4, up to 6 corners, a score in 1 of 2 of 87.5 to 87.5")
    )
