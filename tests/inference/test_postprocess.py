"""Probability map to regions."""

from __future__ import annotations

import math
import pickle

import cv2
import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from resnet18_ocrdet.data.targets import shrink_distances
from resnet18_ocrdet.geometry.polygon import area, offsets
from resnet18_ocrdet.inference.postprocess import MIN_SIDE_PX, MIN_UNCLIPPED_SIDE_PX, Decoder, means_inside
from resnet18_ocrdet.structures import Detection, ResizeTransform

HEIGHT, WIDTH = 160, 224
SAME = ResizeTransform(HEIGHT, WIDTH, 1.0, 1.0)


def box(left, top, right, bottom):
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def turned(width, height, degrees, centre=(110, 80)):
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (box(-width / 2, -height / 2, width / 2, height / 2) @ turn + centre).astype(np.float32)


def shrunk(polygon):
    return offsets([polygon], -np.array(shrink_distances([polygon], 0.4)))[0]


def prob_map(*polygons, level=0.9, size=(HEIGHT, WIDTH)):
    """The map of a perfect network: `level` on the polygons, 0 elsewhere."""
    plane = np.zeros(size, np.float32)
    for polygon in polygons:
        cv2.fillPoly(plane, [np.rint(polygon).astype(np.int32)], level)
    return plane


def iou(left, right):
    left, right = shapely.Polygon(left), shapely.Polygon(right)
    return shapely.intersection(left, right).area / shapely.union(left, right).area


@pytest.mark.parametrize(
    "region",
    [
        # side s: shrunk by 0.21 s to 0.58 s, grown again by 1.5 · 0.58 s / 4 = 0.2175 s: 1.015 s
        box(60, 30, 140, 110),
        # 80 x 40: D = 3200 · 0.84 / 240 = 11.2, left 57.6 x 17.6; grown by 1.5 · 1014 / 150.4 = 10.1: 77.8 x 37.8, 92 %
        box(60, 50, 140, 90),
        turned(90, 60, 30),
        turned(90, 60, -70),
        turned(100, 100, 45),
    ],
    ids=["square", "2:1", "30 degrees", "-70 degrees", "diamond"],
)
@pytest.mark.parametrize("shape", ["quad", "polygon"])
def test_decoding_undoes_the_shrinking_of_the_targets(region, shape):
    (detection,) = Decoder(shape=shape)(prob_map(shrunk(region)), SAME)
    assert iou(detection.polygon, region) > 0.9
    assert 0.84 < detection.score < 0.9001  # the outline counts, and part of a rotated quad's is outside
    assert detection.polygon.dtype == np.float32
    assert isinstance(detection.score, float)


def test_growth_follows_the_unclip_ratio():
    # core 40 x 40: A / L = 10, so 15 px on each side at 1.5 and 20 px at 2
    for ratio, left in [(1.5, 45), (2.0, 40), (1.0, 50)]:
        (detection,) = Decoder(unclip_ratio=ratio)(prob_map(box(60, 60, 100, 100)), SAME)
        assert detection.polygon.tolist() == [
            [left, left],
            [160 - left, left],
            [160 - left, 160 - left],
            [left, 160 - left],
        ]


def test_a_map_without_text_has_no_regions():
    assert Decoder()(np.zeros((HEIGHT, WIDTH), np.float32), SAME) == []
    assert Decoder()(np.full((HEIGHT, WIDTH), 0.29, np.float32), SAME) == []


def test_the_whole_map_can_be_text():
    (detection,) = Decoder()(np.ones((HEIGHT, WIDTH), np.float32), SAME)
    np.testing.assert_array_equal(detection.polygon, box(0, 0, WIDTH - 1, HEIGHT - 1))
    assert detection.score == 1.0


def test_bin_thresh_applies_to_pixels():
    # two words at 0.9 joined by a bridge at 0.4: one region below it, two above
    plane = prob_map(box(100, 70, 120, 90), level=0.4)
    plane = np.maximum(plane, prob_map(box(20, 60, 100, 100), box(120, 60, 200, 100), level=0.9))
    assert len(Decoder(bin_thresh=0.3)(plane, SAME)) == 1
    assert len(Decoder(bin_thresh=0.5)(plane, SAME)) == 2
    # "above" the threshold: a map equal to it is not text
    level = np.full((HEIGHT, WIDTH), 0.5, np.float32)
    assert Decoder(bin_thresh=0.5, box_thresh=0.1)(level, SAME) == []


def test_box_thresh_applies_to_regions():
    plane = np.maximum(prob_map(box(20, 20, 80, 50), level=0.5), prob_map(box(120, 20, 180, 50), level=0.8))
    scores = {thresh: sorted(d.score for d in Decoder(box_thresh=thresh)(plane, SAME)) for thresh in (0.4, 0.6, 0.9)}
    assert scores[0.4] == pytest.approx([0.5, 0.8])
    assert scores[0.6] == pytest.approx([0.8])
    assert scores[0.9] == []


def test_the_score_is_the_mean_inside():
    plane = prob_map(box(40, 40, 79, 59), level=0.6)
    plane[40:60, 40:60] = 1.0  # the left half: 20 of 40 columns
    (detection,) = Decoder()(plane, SAME)
    assert detection.score == pytest.approx(0.8)


def mean_inside(plane, polygon):
    (mean,) = means_inside(plane, [polygon])
    return mean


def test_mean_inside_by_hand():
    plane = np.zeros((6, 8), np.float32)
    plane[2:5, 1:4] = [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9]]
    assert mean_inside(plane, box(1, 2, 3, 4)) == pytest.approx(0.5)
    assert mean_inside(plane, box(1, 2, 2, 3)) == pytest.approx((0.1 + 0.2 + 0.4 + 0.5) / 4)
    # and one more row, of zeros
    assert mean_inside(plane, box(1, 2, 3, 5)) == pytest.approx(4.5 / 12)
    # triangle with its outline: two corners, the hypotenuse and the pixels below it
    assert mean_inside(plane, np.float32([[1, 2], [1, 4], [3, 4]])) == pytest.approx(
        (0.1 + 0.4 + 0.5 + 0.7 + 0.8 + 0.9) / 6
    )


@pytest.mark.parametrize("polygon", [box(-5, -5, 2, 2), box(5, 3, 20, 20), box(-9, -9, 30, 30)])
def test_mean_inside_accepts_polygons_beyond_the_border(polygon):
    plane = np.full((6, 8), 0.7, np.float32)
    assert mean_inside(plane, polygon) == pytest.approx(0.7)
    assert mean_inside(plane, polygon + np.float32(100)) == 0  # outside of the map


def test_max_candidates():
    plane = prob_map(*(box(10 + 40 * i, 20, 30 + 40 * i, 40) for i in range(5)))
    assert len(Decoder()(plane, SAME)) == 5
    assert len(Decoder(max_candidates=2)(plane, SAME)) == 2


def test_beyond_the_limit_the_most_probable_regions_are_kept():
    # 300 specks at the bottom, which OpenCV lists first, and nine words whose probabilities rise to the right
    whole_size = ResizeTransform(200, 400, 1.0, 1.0)
    words = [box(10 + 40 * i, 20, 30 + 40 * i, 40) for i in range(9)]
    plane = np.zeros((200, 400), np.float32)
    for number, word in enumerate(words):
        cv2.fillPoly(plane, [word.astype(np.int32)], 0.61 + 0.03 * number)
    plane[150:198:8, 2:398:8] = 1.0
    whole = Decoder().trace(plane, whole_size)
    assert (whole.stages.contours, whole.stages.large, len(whole.detections), whole.stages.surplus) == (309, 9, 9, 0)
    kept, stages, *_ = Decoder(max_candidates=4).trace(plane, whole_size)
    assert (len(kept), stages.surplus, stages.confident) == (4, 5, 4)
    by_score = sorted(whole.detections, key=lambda each: -each.score)
    assert {each.score for each in kept} == {each.score for each in by_score[:4]}
    order = [each.score for each in whole.detections]
    assert [each.score for each in kept] == [score for score in order if score >= by_score[3].score]
    # the rule of the DB reference: the first contours, specks included
    reference, stages, *_ = Decoder(max_candidates=300, candidates="first").trace(plane, whole_size)
    assert len(reference) == 0 and stages.surplus == 0
    assert len(Decoder(max_candidates=305, candidates="first")(plane, whole_size)) == 5
    assert len(Decoder(max_candidates=305)(plane, whole_size)) == 9


@pytest.mark.parametrize(("rows", "regions"), [(3, 0), (4, 1)])
def test_thin_regions_are_noise(rows, regions):
    # between pixel centres: 3 rows are 2 px apart, 4 rows 3 px
    assert MIN_SIDE_PX == 3
    plane = np.zeros((HEIGHT, WIDTH), np.float32)
    plane[50 : 50 + rows, 40:120] = 1
    # grown by 3 · 79 · 2 / 162 = 2.9 px the thinner one would pass the second limit
    assert len(Decoder(unclip_ratio=3.0)(plane, SAME)) == regions


@pytest.mark.parametrize(("side", "regions"), [(4, 0), (8, 1)])
def test_regions_still_small_after_growing_are_noise(side, regions):
    # 4 x 4 pixels span 3 x 3 px: above the first limit; A / L · 0.5 = 9 / 12 · 0.5 = 0.4 adds no whole pixel
    assert MIN_UNCLIPPED_SIDE_PX == 5
    plane = np.zeros((HEIGHT, WIDTH), np.float32)
    plane[50 : 50 + side, 40 : 40 + side] = 1
    assert len(Decoder(unclip_ratio=0.5)(plane, SAME)) == regions


@pytest.mark.parametrize("degrees", range(0, 180, 15))
def test_quads_run_clockwise_from_their_top_left_corner(degrees):
    (detection,) = Decoder()(prob_map(turned(90, 30, degrees)), SAME)
    quad = detection.polygon
    assert quad.shape == (4, 2)
    assert shapely.is_ccw(shapely.LinearRing(quad))  # clockwise where y points down
    left = np.sort(quad[:, 0])[:2]
    assert sorted([quad[0, 0], quad[3, 0]]) == list(left) and quad[0, 1] <= quad[3, 1]


def banana():
    angles = np.linspace(np.pi, 2 * np.pi, 30)
    arc = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.concatenate([arc * 80, arc[::-1] * 55]).astype(np.float32) + np.float32([110, 110])


def test_curved_text_keeps_its_curve_as_a_polygon():
    plane = prob_map(banana())
    (polygon,) = Decoder(shape="polygon")(plane, SAME)
    (quad,) = Decoder(shape="quad", box_thresh=0.2)(plane, SAME)
    assert len(polygon.polygon) > 4 and len(quad.polygon) == 4
    distance = area(banana()) * 1.5 / shapely.Polygon(banana()).length
    (grown,) = offsets([banana()], np.array([distance]))
    assert iou(polygon.polygon, grown) > 0.9
    assert iou(quad.polygon, grown) < 0.7
    # much of the quad is not text, which lowers its score
    assert polygon.score > 0.85 > 0.6 > quad.score


def test_each_region_is_found_at_its_place():
    regions = [box(15, 15, 75, 45), box(120, 20, 200, 60), turned(80, 30, 20, (70, 115))]
    found = Decoder()(prob_map(*map(shrunk, regions)), SAME)
    assert len(found) == 3
    for region in regions:
        assert max(iou(region, detection.polygon) for detection in found) > 0.8


def test_padding_is_ignored():
    # an image of 100 x 150 in the corner of the canvas
    transform = ResizeTransform(100, 150, 1.0, 1.0)
    word = box(20, 20, 80, 60)
    clean = Decoder()(prob_map(word), transform)
    on_padding = prob_map(word, box(160, 20, 210, 60), box(20, 110, 120, 150))
    (detection,) = Decoder()(on_padding, transform)
    np.testing.assert_array_equal(detection.polygon, clean[0].polygon)
    # a region across the padding ends at the border of the image and is scored on its part inside
    across = prob_map(box(100, 20, 149, 60), level=0.9) + prob_map(box(150, 20, 210, 60), level=0.35)
    (cut,) = Decoder()(across, transform)
    assert cut.polygon[:, 0].max() == 149
    assert cut.score == pytest.approx(0.9)


def test_regions_are_given_in_original_pixels():
    word = box(40, 40, 120, 80)
    plane = prob_map(word)
    (canvas,) = Decoder()(plane, SAME)
    transform = ResizeTransform(HEIGHT * 2, WIDTH // 2, 0.5, 2.0)  # higher and narrower than the canvas
    (original,) = Decoder()(plane, transform)
    # pixel centres: x = (c + 0.5) / 2 - 0.5, y = (c + 0.5) / 0.5 - 0.5
    expected = (canvas.polygon + 0.5) / [2.0, 0.5] - 0.5
    np.testing.assert_allclose(original.polygon, expected, atol=1e-4)
    assert original.score == canvas.score


def test_regions_end_at_the_image():
    found = Decoder()(prob_map(box(0, 0, 60, 30), box(180, 120, 223, 159)), SAME)
    corners = np.concatenate([detection.polygon for detection in found])
    assert (corners.min(axis=0) == 0).all() and (corners.max(axis=0) == (WIDTH - 1, HEIGHT - 1)).all()


def test_one_pixel():
    assert Decoder()(np.ones((1, 1), np.float32), ResizeTransform(1, 1, 1.0, 1.0)) == []


def test_the_map_is_not_changed():
    plane = prob_map(turned(90, 30, 20))
    before = plane.copy()
    for shape in ("quad", "polygon"):
        Decoder(shape=shape)(plane, SAME)
    np.testing.assert_array_equal(plane, before)


def test_analytic_growth_of_a_square():
    # core of 40 x 40 px (its outer rows 40 apart): grown by 1.5 · 1600 / 160 = 15 px on each side
    plane = prob_map(box(60, 50, 100, 90))
    (detection,) = Decoder(unclip="analytic")(plane, SAME)
    np.testing.assert_allclose(detection.polygon, box(45, 35, 115, 105), atol=1e-3)


@pytest.mark.parametrize("degrees", [0, 13, -40, 77])
def test_clipper_and_analytic_give_nearly_the_same_box(degrees):
    plane = prob_map(shrunk(turned(90, 40, degrees)))
    ((exact,), (analytic,)) = (Decoder(unclip=way)(plane, SAME) for way in ("clipper", "analytic"))
    assert analytic.score == exact.score
    assert np.abs(analytic.polygon - exact.polygon).max() < 2.5
    assert iou(analytic.polygon, exact.polygon) > 0.9


def test_polygons_always_grow_by_pyclipper():
    plane = prob_map(box(60, 50, 100, 90), box(120, 20, 200, 60))
    exact, analytic = (Decoder(shape="polygon", unclip=way)(plane, SAME) for way in ("clipper", "analytic"))
    assert len(exact) == 2
    for left, right in zip(exact, analytic, strict=True):
        np.testing.assert_array_equal(left.polygon, right.polygon)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(-180, 180),
    st.floats(2.5, 5),
    st.sampled_from(["analytic", "clipper"]),
    st.sampled_from(["quad", "polygon"]),
)
def test_the_quad_begins_at_the_top_left_of_the_text_at_any_angle(degrees, ratio, unclip, shape):
    upright = (degrees + 90) % 180 - 90
    assume(abs(abs(upright) - 75) > 4)  # whole pixels
    (found,) = Decoder(shape=shape, unclip=unclip)(prob_map(shrunk(turned(28 * ratio, 28, degrees))), SAME)
    across, down = (found.quad[1] - found.quad[0]).tolist()
    if abs(upright) < 75:
        expected, length = upright, 28 * ratio
    else:
        expected, length = upright - math.copysign(90, upright), 28
    assert math.degrees(math.atan2(down, across)) == pytest.approx(expected, abs=4)
    assert math.hypot(across, down) == pytest.approx(length, rel=0.45)  # not the other side
    assert (found.quad is found.polygon) == (shape == "quad") and found.quad.shape == (4, 2)


@settings(max_examples=60, deadline=None)
@given(st.floats(-180, 180), st.floats(0, 1), st.floats(0, 1))
def test_quads_stay_inside_the_image(degrees, x, y):
    for found in Decoder(unclip="analytic")(prob_map(turned(90, 30, degrees, centre=(x * WIDTH, y * HEIGHT))), SAME):
        assert found.quad is found.polygon and found.quad.dtype == np.float32
        assert (found.quad >= 0).all() and (found.quad <= (WIDTH - 1, HEIGHT - 1)).all()


def test_the_corners_are_sorted_before_they_are_moved_to_the_border():
    # a word at 60° whose upper end is beyond the top: sorted after clipping, it would begin at another corner
    plane = prob_map(turned(120, 24, -60, centre=(110, 30)), size=(HEIGHT, WIDTH))
    (found,) = Decoder(unclip="analytic")(plane, SAME)
    assert found.quad[1, 1] == 0 or found.quad[2, 1] == 0
    across = found.quad[1] - found.quad[0]
    assert abs(across[0]) < abs(across[1]) and across[1] < 0  # along the word, upwards


@pytest.mark.parametrize("unclip", ["analytic", "clipper"])
def test_the_order_is_that_of_the_original_image(unclip):
    # at half the width a word at 60° is steeper than 75° on the canvas: atan(2 · tan 60°) = 73.9°, at 64° 76.3°
    squeezed = ResizeTransform(HEIGHT, 2 * WIDTH, 1.0, 0.5)
    word = turned(140, 30, 64, centre=(2 * 110, 80))
    (found,) = Decoder(unclip=unclip)(prob_map(word * np.float32([0.5, 1])), squeezed)
    along = found.quad[1] - found.quad[0]
    assert np.linalg.norm(along) > 90 and along[1] > along[0] > 0


def test_a_detection_unpacks_as_polygon_and_score():
    detection = Detection(box(1, 2, 9, 5), 0.75)
    polygon, score = detection
    assert polygon is detection.polygon is detection.quad and score == detection.score == 0.75 and len(detection) == 2
    outline = turned(20, 9, 10)
    curved = Detection(np.concatenate([outline, outline[:1]]), 0.5, quad=outline)
    assert curved.quad is outline
    again = pickle.loads(pickle.dumps(curved))
    assert np.array_equal(again.quad, outline) and np.array_equal(again.polygon, curved.polygon) and again.score == 0.5
    with pytest.raises(ValueError, match="quad"):
        _ = Detection(curved.polygon, 0.5).quad
