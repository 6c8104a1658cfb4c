"""Augmentation changes pixels and polygons in the same way."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from resnet18_ocrdet.data.augment import Augment
from resnet18_ocrdet.data.photometric import color_matrix
from resnet18_ocrdet.data.region_clipping import MIN_VISIBLE
from resnet18_ocrdet.geometry.polygon import area, transform
from resnet18_ocrdet.structures import Sample

STILL = {
    "flip": 0.0,
    "rotate": 0.0,
    "scale_min": 1.0,
    "scale_max": 1.0,
    "perspective": 0.0,
    "color": 0.0,
    "blur": 0.0,
}
QUAD = np.array([[60, 50], [150, 70], [140, 130], [50, 105]], np.float32)


def sample(image, *polygons, ignore=None):
    flags = np.zeros(len(polygons), bool) if ignore is None else np.array(ignore, bool)
    return Sample("a.jpg", image, polygons, flags)


def drawn(polygon, height, width):
    """White text on black: the labelled polygon, filled."""
    image = np.zeros((height, width, 3), np.uint8)
    cv2.fillPoly(image, [np.rint(polygon).astype(np.int32)], (255, 255, 255))
    return sample(image, polygon)


def noise(height, width):
    return np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8)


def compare(view):
    """IoU of the bright pixels with the filled polygons, and the distance of their centres, px."""
    bright = view.image[:, :, 0] > 127
    labelled = np.zeros(bright.shape, np.uint8)
    for polygon in view.polygons:
        cv2.fillPoly(labelled, [np.rint(polygon).astype(np.int32)], 1)
    iou = (bright & (labelled == 1)).sum() / (bright | (labelled == 1)).sum()
    weight = view.image[:, :, 0].astype(np.float64)  # grey edges count partially: sub-pixel precision
    ys, xs = np.mgrid[: weight.shape[0], : weight.shape[1]]
    centre = np.array([(weight * xs).sum(), (weight * ys).sum()]) / weight.sum()
    (polygon,) = view.polygons
    moments = cv2.moments(polygon)
    return iou, float(np.hypot(*(centre - np.array([moments["m10"], moments["m01"]]) / moments["m00"])))


def test_zeros_leave_an_image_of_the_right_size_unchanged():
    image = noise(96, 128)
    for crop in (False, True):
        view = Augment(**STILL, crop=crop)(sample(image, QUAD / 2), 96, 128, np.random.default_rng(0))
        if not crop:  # a crop may be anywhere, also partly outside the image
            np.testing.assert_array_equal(view.image, image)
            np.testing.assert_allclose(view.polygons, [QUAD / 2])
        assert view.image.shape == (96, 128, 3)


@pytest.mark.parametrize("size", [(160, 200), (320, 400), (80, 100), (160, 64)])
def test_without_crop_the_whole_image_is_shown(size):
    source = drawn(QUAD, 160, 200)
    view = Augment(**STILL, crop=False)(source, *size, np.random.default_rng(0))
    assert view.image.shape == (*size, 3)
    # one scale for both sides, the image at the top left
    scale = min(size[0] / 160, size[1] / 200)
    np.testing.assert_allclose(view.polygons[0], (QUAD + 0.5) * scale - 0.5, atol=0.7)
    iou, apart = compare(view)
    assert iou > 0.9 and apart < 0.2
    below, right = round(160 * scale), round(200 * scale)
    assert not view.image[below:].any() and not view.image[:, right:].any()


@pytest.mark.parametrize(
    "options",
    [
        {"flip": 1.0},
        {"rotate": 40.0},
        {"scale_min": 0.5, "scale_max": 0.8},
        {"perspective": 0.1},
        {"rotate": 180.0, "scale_min": 0.5, "scale_max": 3.0, "flip": 0.5, "perspective": 0.1},
    ],
    ids=["flip", "rotate", "scale", "perspective", "all"],
)
@pytest.mark.parametrize("size", [(160, 200), (96, 224)])
def test_without_crop_whole_images_are_transformed(options, size):
    augment = Augment(**STILL | options, crop=False)
    corners = np.array([[0, 0], [199, 0], [199, 159], [0, 159]], np.float32)
    for seed in range(6):
        source = drawn(QUAD, 160, 200)
        matrix = augment.draw_transform(source, *size, np.random.default_rng(seed)).matrix
        moved = transform(corners, matrix)
        assert moved.min() >= -0.01 and (moved <= np.float32([size[1] - 0.99, size[0] - 0.99])).all(), seed
        assert not np.allclose(matrix[:2, :2], np.eye(2) * matrix[0, 0]) or "scale_min" in options
        view = augment(source, *size, np.random.default_rng(seed))
        iou, apart = compare(view)
        assert iou > 0.85 and apart < 0.3, seed


def test_zoom_without_crop_is_limited_to_the_whole_image():
    zoomed = Augment(**STILL | {"scale_min": 3.0, "scale_max": 3.0}, crop=False)
    matrix = zoomed.draw_transform(drawn(QUAD, 160, 200), 80, 100, np.random.default_rng(0)).matrix
    assert matrix[0, 0] == pytest.approx(79 / 159) and matrix[1, 1] == pytest.approx(79 / 159)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"rotate": 40.0},
        {"scale_min": 0.6, "scale_max": 1.2},
        {"flip": 1.0},
        {"perspective": 0.1},
        {"rotate": 15.0, "scale_min": 0.6, "scale_max": 1.2, "flip": 0.5, "perspective": 0.08},
    ],
    ids=["shift", "rotate", "scale", "flip", "perspective", "all"],
)
def test_polygons_follow_the_pixels(options):
    augment, seen = Augment(**STILL | options), 0
    for seed in range(12):
        view = augment(drawn(QUAD, 200, 240), 200, 240, np.random.default_rng(seed))
        if len(view.polygons) != 1:
            continue
        iou, apart = compare(view)
        assert iou > 0.9, seed
        # measured: up to 0.12. Half a pixel would fail: a wrong pixel centre, or mirroring about the wrong axis
        assert apart < 0.2, seed
        seen += 1
    assert seen >= 8


@pytest.mark.parametrize("zoom", [0.45, 0.24, 0.1])
@pytest.mark.parametrize("options", [{}, {"rotate": 20.0, "flip": 0.5, "perspective": 0.05}], ids=["plain", "turned"])
def test_strong_reductions_stay_aligned(zoom, options):
    # below half size the image is first reduced by area
    large = QUAD * 6
    augment = Augment(**STILL | {"scale_min": zoom, "scale_max": zoom} | options)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        view = augment(drawn(large, 1000, 1200), 1000, 1200, rng)
        iou, apart = compare(view)
        assert iou > 0.9, seed
        assert apart < 0.2, seed


def test_a_reduction_averages_instead_of_picking_pixels():
    # every fourth column is white: a quarter of 255 = 64 everywhere once they blur
    image = np.zeros((800, 800, 3), np.uint8)
    image[:, ::4] = 255
    augment = Augment(**STILL | {"scale_min": 0.125, "scale_max": 0.125})
    view = augment(sample(image), 800, 800, np.random.default_rng(1))
    seen = view.image[view.image.sum(axis=2) > 0].astype(float)
    assert len(seen) > 5000
    assert np.median(seen) == pytest.approx(64, abs=2) and seen.std() < 20


def test_flip_mirrors_the_image():
    image = noise(64, 96)
    view = Augment(**STILL | {"flip": 1.0})(sample(image), 64, 96, np.random.default_rng(3))
    np.testing.assert_allclose(view.image.astype(int), image[:, ::-1].astype(int), atol=1)


def test_the_same_random_numbers_give_the_same_view():
    augment = Augment(perspective=0.1, blur=0.5)
    source = sample(noise(120, 150), QUAD / 2, QUAD / 3)
    first, again, other = (augment(source, 64, 96, np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.image, again.image)
    assert all(map(np.array_equal, first.polygons, again.polygons))
    np.testing.assert_array_equal(first.ignore, again.ignore)
    assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize("crop", [True, False])
def test_the_input_sample_is_unchanged(crop):
    source = sample(noise(120, 150), QUAD / 2, QUAD - 90, ignore=[False, True])
    image, polygons, flags = source.image.copy(), [p.copy() for p in source.polygons], source.ignore.copy()
    augment = Augment(perspective=0.1, blur=1.0, crop=crop)
    for size in [(64, 64), (120, 150)]:
        view = augment(source, *size, np.random.default_rng(0))
        view.image[:] = 0
        for polygon in view.polygons:
            polygon[:] = -1
    np.testing.assert_array_equal(source.image, image)
    assert all(map(np.array_equal, source.polygons, polygons))
    np.testing.assert_array_equal(source.ignore, flags)


@pytest.mark.parametrize("size", [(32, 32), (64, 96), (96, 32)])
@pytest.mark.parametrize("shape", [(1, 1), (5, 300), (300, 5), (70, 90)])
def test_views_have_exactly_the_requested_size(size, shape):
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32) * np.float32([shape[1] - 1, shape[0] - 1])
    for crop in (True, False):
        for source in (sample(noise(*shape)), sample(noise(*shape), corners)):
            view = Augment(perspective=0.1, crop=crop)(source, *size, np.random.default_rng(0))
            assert view.image.shape == (*size, 3) and view.image.dtype == np.uint8
            assert len(view.polygons) == len(view.ignore) and view.ignore.dtype == np.bool_
            for polygon in view.polygons:
                assert polygon.dtype == np.float32
                assert (polygon >= 0).all() and (polygon <= np.float32([size[1] - 1, size[0] - 1])).all()


def still_view(*polygons, ignore=None):
    """An unchanged view of a 100 x 100 image."""
    source = sample(np.zeros((100, 100, 3), np.uint8), *polygons, ignore=ignore)
    return Augment(**STILL, crop=False)(source, 100, 100, np.random.default_rng(0))


def box(left, top, right, bottom):
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def test_regions_outside_are_dropped():
    view = still_view(box(110, 10, 130, 20), box(10, 10, 40, 20), box(-50, 5, -10, 9), ignore=[False, True, False])
    assert len(view.polygons) == 1
    np.testing.assert_array_equal(view.polygons[0], box(10, 10, 40, 20))
    assert view.ignore.tolist() == [True]


def test_cut_regions_are_clipped_and_small_rests_become_dont_care():
    # 99 is the last pixel centre: of 100 px, 39 and 29 are left
    view = still_view(box(60, 10, 160, 20), box(70, 30, 170, 40), box(60, 50, 160, 60), ignore=[False, False, True])
    assert MIN_VISIBLE == 0.3
    assert [area(polygon) for polygon in view.polygons] == [390, 290, 390]
    assert view.ignore.tolist() == [False, True, True]


def test_all_pieces_of_a_region_are_dont_care_or_none():
    # a U whose base is outside: two arms 10 x 50 of 1000 + 80 x 30 = 3400 are left, 29 %
    deep = np.array([[10, 50], [20, 50], [20, 110], [80, 110], [80, 50], [90, 50], [90, 140], [10, 140]], np.float32)
    view = still_view(deep)
    # 49 rows of 10, twice; whole: 80 · 90 - 60 · 60 = 3600; 980 / 3600 = 27 %
    assert sorted(area(polygon) for polygon in view.polygons) == [490, 490]
    assert view.ignore.tolist() == [True, True]
    # 80 · 70 - 3600 = 2000: 49 % together, though each arm alone is less than 30 %
    shallow = np.where(deep == 140, np.float32(120), deep)
    assert still_view(shallow).ignore.tolist() == [False, False]


def test_most_crops_show_text():
    # a word of 30 x 10 in a large image: found by chance about once in 40 crops
    source = sample(np.zeros((600, 600, 3), np.uint8), box(400, 80, 430, 90))
    augment = Augment(**STILL | {"scale_min": 6.0, "scale_max": 6.0})
    shown = [len(augment(source, 100, 100, np.random.default_rng(seed)).polygons) for seed in range(60)]
    assert 0.6 * 60 < sum(shown) < 60


def test_dont_care_regions_are_not_aimed_at():
    source = sample(np.zeros((600, 600, 3), np.uint8), box(400, 80, 430, 90), ignore=[True])
    augment = Augment(**STILL | {"scale_min": 6.0, "scale_max": 6.0})
    shown = [len(augment(source, 100, 100, np.random.default_rng(seed)).polygons) for seed in range(60)]
    assert sum(shown) < 0.3 * 60


def test_colour_changes_stay_in_range_and_keep_the_geometry():
    image = noise(64, 96)
    before = image.copy()
    for seed in range(5):
        changed = cv2.transform(image, color_matrix(0.25, np.random.default_rng(seed)))
        assert changed.shape == image.shape and changed.dtype == np.uint8
        assert not np.array_equal(changed, image)
        # the order of levels is kept in each channel
        for channel in range(3):
            levels = changed[:, :, channel].ravel()[np.argsort(image[:, :, channel].ravel(), kind="stable")]
            assert (np.diff(levels.astype(int)) >= 0).all()
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(cv2.transform(image, color_matrix(0.0, np.random.default_rng(0))), image)


def test_a_small_crop_shows_text_at_the_scale_of_the_evaluation():
    # 100x200 would be evaluated at 200x400, twice as large: training uses the same scale for any crop size
    whole = sample(noise(100, 200), QUAD / 2)
    augment = Augment(**STILL, evaluated_at=(200, 400))
    for size in ((96, 128), (160, 96), (200, 400)):
        matrix = augment.draw_transform(whole, *size, np.random.default_rng(1)).matrix
        assert np.diag(matrix) == pytest.approx([2.0, 2.0, 1.0])
        assert augment(whole, *size, np.random.default_rng(1)).image.shape == (*size, 3)
    plain = Augment(**STILL)(whole, 200, 400, np.random.default_rng(1))
    assert (plain.image == augment(whole, 200, 400, np.random.default_rng(1)).image).all()


def test_quarter_turns_go_both_ways_as_often_as_told():
    """A quarter of a turn moves the corner at the origin to another one, and the sides change places."""
    turned = Augment(**STILL, quarter_turns=0.5)
    angles = [
        np.rint(np.rad2deg(np.arctan2(matrix[1, 0], matrix[0, 0])))
        for matrix in (
            turned.draw_transform(drawn(QUAD, 160, 200), 160, 200, np.random.default_rng(seed)).matrix
            for seed in range(400)
        )
    ]
    shares = {angle: angles.count(angle) / 400 for angle in set(angles)}
    assert shares.keys() == {-90, 0, 90}
    # four standard deviations: 4 * sqrt(0.25 * 0.75 / 400) = 0.087
    assert shares == pytest.approx({-90: 0.25, 0: 0.5, 90: 0.25}, abs=0.087)


def test_a_turned_image_and_its_labels_agree():
    for crop in (False, True):
        augment = Augment(**STILL, quarter_turns=1.0, crop=crop, aim_at_text=1.0)
        iou, apart = compare(augment(drawn(QUAD, 160, 200), 240, 240, np.random.default_rng(1)))
        assert iou > 0.85 and apart < 0.3


def test_no_number_is_drawn_for_a_key_that_is_0():
    left = [np.random.default_rng(3) for _ in range(2)]
    matrices = [
        Augment(**options).draw_transform(drawn(QUAD, 160, 200), 96, 96, rng).matrix
        for rng, options in zip(left, ({}, {"quarter_turns": 0.0, "aim_at_small": 0.0}), strict=True)
    ]
    assert np.array_equal(*matrices) and left[0].random() == left[1].random()


def test_crops_are_aimed_at_text_and_at_small_text_as_often_as_told():
    """Words of 20, 30, 60 and 90 px in the corners of a large image: a crop on one of them sees no other."""
    heights, corners = (20, 30, 60, 90), ((0, 0), (1900, 0), (0, 1900), (1900, 1900))
    words = [
        np.array([[x, y], [x + 90, y], [x + 90, y + height], [x, y + height]], np.float32)
        for height, (x, y) in zip(heights, corners, strict=True)
    ]
    picture = sample(np.zeros((2000, 2000, 3), np.uint8), *words)

    def seen(**options):
        """Share of crops of 100 px that lie on each word."""
        augment, counts = Augment(**STILL, **options), np.zeros(4)
        for seed in range(300):
            matrix = augment.draw_transform(picture, 100, 100, np.random.default_rng(seed)).matrix
            for number, word in enumerate(words):
                moved = transform(word, matrix)
                counts[number] += moved.min() >= -0.01 and moved.max() <= 99.01
        return counts / 300

    assert seen(aim_at_text=0.0, evaluated_at=(2000, 2000)).sum() < 0.05
    assert seen(aim_at_text=1.0, evaluated_at=(2000, 2000)) == pytest.approx([0.25] * 4, abs=0.1)
    small = seen(aim_at_text=1.0, aim_at_small=1.0, evaluated_at=(2000, 2000))  # median 45: 20 and 30 are below it
    assert small == pytest.approx([0.5, 0.5, 0, 0], abs=0.12)
    half = seen(aim_at_text=1.0, aim_at_small=0.5, evaluated_at=(2000, 2000))
    assert half == pytest.approx([0.375, 0.375, 0.125, 0.125], abs=0.12)
