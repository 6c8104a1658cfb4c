"""Resizing and padding images, and mapping coordinates back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resnet18_ocrdet.data.letterbox import NO_LIMIT, letterbox, scale_to
from resnet18_ocrdet.structures import ResizeTransform


def grey(height, width, level=200):
    return np.full((height, width, 3), level, np.uint8)


def scaled_size(transform):
    return round(transform.height * transform.scale_y), round(transform.width * transform.scale_x)


def test_keep_gives_the_area_at_the_images_own_ratio():
    # 100 x 400 on 64 x 64: scale sqrt(4096 / 40000) = 0.32 -> 32 x 128
    canvas, transform = letterbox(grey(100, 400), 64, 64, "keep")
    assert canvas.shape == (32, 128, 3)
    assert transform == ResizeTransform(100, 400, 0.32, 0.32)


def test_short_side():
    # 100 x 400, trained at 64 x 96: scale 64 / 100 -> 64 x 256
    canvas, transform = letterbox(grey(100, 400), 64, 96, "short_side")
    assert canvas.shape == (64, 256, 3)
    assert transform == ResizeTransform(100, 400, 0.64, 0.64)
    canvas, transform = letterbox(grey(400, 100), 64, 96, "short_side")
    assert canvas.shape == (256, 64, 3)


def test_stretch_fills_the_size():
    canvas, transform = letterbox(grey(100, 400), 64, 96, "stretch")
    assert canvas.shape == (64, 96, 3)
    assert transform == ResizeTransform(100, 400, 0.64, 0.24)
    assert (canvas == 200).all()


@pytest.mark.parametrize("resize", ["keep", "short_side", "stretch"])
def test_an_image_of_the_right_size_is_unchanged(resize):
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    before = image.copy()
    canvas, transform = letterbox(image, 64, 96, resize)
    np.testing.assert_array_equal(canvas, image)
    assert transform == ResizeTransform(64, 96, 1.0, 1.0)
    canvas[:] = 0
    np.testing.assert_array_equal(image, before)


@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from(["keep", "short_side", "stretch"]))
@settings(max_examples=80, deadline=None)
def test_sides_are_multiples_of_32_with_less_than_32_of_black_padding(height, width, resize):
    canvas, transform = letterbox(grey(height, width), 64, 96, resize)
    rows, columns = scaled_size(transform)
    assert canvas.dtype == np.uint8
    assert canvas.shape[0] % 32 == 0 and 0 <= canvas.shape[0] - rows < 32
    assert canvas.shape[1] % 32 == 0 and 0 <= canvas.shape[1] - columns < 32
    assert (canvas[:rows, :columns] == 200).all()
    assert not canvas[rows:].any() and not canvas[:, columns:].any()


@pytest.mark.parametrize("resize", ["keep", "short_side", "stretch"])
def test_one_pixel(resize):
    canvas, transform = letterbox(grey(1, 1), 64, 64, resize)
    assert canvas.shape == (64, 64, 3) and (canvas == 200).all()
    assert transform == ResizeTransform(1, 1, 64.0, 64.0)


@pytest.mark.parametrize(
    ("resize", "shape", "rows", "columns"),
    [
        # 5 x 2000 on 64 x 64: sqrt(4096 / 10000) = 0.64 -> 3.2 and 1280
        ("keep", (32, 1280, 3), 3, 1280),
        # 64 / 5 would make 25,600 columns; at most 16 times 64 = 1024: 0.512, 5 rows become 2.56
        ("short_side", (32, 1024, 3), 3, 1024),
        ("stretch", (64, 64, 3), 64, 64),
    ],
)
def test_a_very_wide_image(resize, shape, rows, columns):
    canvas, transform = letterbox(grey(5, 2000), 64, 64, resize)
    assert canvas.shape == shape
    assert scaled_size(transform) == (rows, columns)
    assert (canvas[:rows, :columns] == 200).all() and not canvas[rows:].any()
    # the scales are those of the whole pixels: the image's right and lower edges are the canvas's
    edges = np.array([[1999.5, 4.5]], np.float32)
    assert transform.to_canvas(edges)[0] == pytest.approx([columns - 0.5, rows - 0.5])


@pytest.mark.parametrize("size", [(1, 10000), (10000, 1)])
def test_a_side_has_at_least_one_pixel(size):
    # 1 x 10000 on 32 x 32: sqrt(1024 / 10000) = 0.32 of a pixel high, at least 1
    canvas, transform = letterbox(grey(*size), 32, 32, "keep")
    assert min(scaled_size(transform)) == 1
    assert canvas.any()


def test_pixel_centres_are_whole_numbers_on_both_sides():
    transform = ResizeTransform(10, 20, 2.0, 4.0)
    # the centre of the first pixel: (0 + 0.5) · 4 - 0.5 = 1.5 and (0 + 0.5) · 2 - 0.5 = 0.5
    assert transform.to_canvas(np.array([[0, 0], [19, 9]], np.float32)).tolist() == [[1.5, 0.5], [77.5, 18.5]]
    # (1.5 + 0.5) / 4 - 0.5 = 0
    assert transform.to_original(np.array([[1.5, 0.5]], np.float32)).tolist() == [[0, 0]]


def test_original_coordinates_can_be_clipped_to_the_image():
    transform = ResizeTransform(10, 20, 2.0, 2.0)
    far = np.array([[-9, -9], [200, -9], [200, 200], [0, 19.5]], np.float32)
    # (19.5 + 0.5) / 2 - 0.5 = 9.5, beyond the last pixel centre 9; (0 + 0.5) / 2 - 0.5 = -0.25
    assert transform.to_original(far)[3].tolist() == [-0.25, 9.5]
    assert transform.clip(transform.to_original(far)).tolist() == [[0, 0], [19, 0], [19, 9], [0, 9]]


@given(
    st.integers(2, 3000),
    st.integers(2, 3000),
    st.floats(0.01, 20),
    st.floats(0.01, 20),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=6),
)
@settings(max_examples=100, deadline=None)
def test_round_trip(height, width, scale_y, scale_x, fractions):
    transform = ResizeTransform(height, width, scale_y, scale_x)
    polygon = np.array(fractions, np.float32) * np.array([width - 1, height - 1], np.float32)
    before = polygon.copy()
    back = transform.to_original(transform.to_canvas(polygon))
    # float32 keeps 0.5 px on the canvas to about 1e-6 of the side; divided by a scale of 0.01 that grows
    assert np.abs(back - polygon).max() < 0.02
    assert back.dtype == np.float32
    np.testing.assert_array_equal(polygon, before)


@pytest.mark.parametrize("resize", ["keep", "short_side", "stretch"])
@pytest.mark.parametrize("size", [(40, 60), (200, 120), (500, 333)])
def test_polygons_match_the_resized_pixels(resize, size):
    height, width = size
    image = np.zeros((*size, 3), np.uint8)
    left, top, right, bottom = width // 4, height // 3, width // 2, height * 2 // 3
    image[top : bottom + 1, left : right + 1] = 255
    canvas, transform = letterbox(image, 96, 128, resize)
    polygon = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    weight = canvas[:, :, 0].astype(np.float64)
    ys, xs = np.mgrid[: canvas.shape[0], : canvas.shape[1]]
    centre = [(weight * xs).sum() / weight.sum(), (weight * ys).sum() / weight.sum()]
    # bilinear and area weights move no mass: only rounding to bytes and the canvas border could
    assert transform.to_canvas(polygon).mean(axis=0) == pytest.approx(centre, abs=0.05)


@pytest.mark.parametrize(
    ("resize", "shape", "rows", "columns"),
    [
        # 40 x 60 on 256 x 512: sqrt(131072 / 2400) = 7.4 and 256 / 40 = 6.4 are limited to 1.6: 64 x 96
        ("keep", (64, 96, 3), 64, 96),
        ("short_side", (64, 96, 3), 64, 96),
        ("fit", (256, 512, 3), 64, 96),  # the canvas keeps its size
        ("stretch", (256, 512, 3), 256, 512),  # has no ratio to keep: unlimited
    ],
)
def test_small_images_are_enlarged_up_to_the_limit(resize, shape, rows, columns):
    canvas, transform = letterbox(grey(40, 60), 256, 512, resize, 1.6)
    assert canvas.shape == shape
    assert scaled_size(transform) == (rows, columns)
    assert (canvas[:rows, :columns] == 200).all() and not canvas[rows:].any() and not canvas[:, columns:].any()


@given(
    st.integers(1, 300),
    st.integers(1, 300),
    st.sampled_from(["keep", "short_side", "fit", "stretch"]),
    st.floats(0.05, NO_LIMIT),
)
@settings(max_examples=80, deadline=None)
def test_no_scale_is_above_the_limit(height, width, resize, max_scale):
    free = scale_to(height, width, 64, 96, resize)
    limited = scale_to(height, width, 64, 96, resize, max_scale)
    assert limited == (free if resize == "stretch" else tuple(min(scale, max_scale) for scale in free))
    _, transform = letterbox(grey(height, width), 64, 96, resize, max_scale)
    rows, columns = scaled_size(transform)
    most = float("inf") if resize == "stretch" else max_scale
    assert rows <= max(1, height * most + 0.5) and columns <= max(1, width * most + 0.5)  # rounded to whole pixels
    if max(free) <= max_scale:  # the limit changes nothing
        assert transform == letterbox(grey(height, width), 64, 96, resize)[1]
