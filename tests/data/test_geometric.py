"""Geometric augmentation: drawn before the pixels are read, exact for reduced images, fair to every region."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resnet18_ocrdet.data.augment import Augment
from resnet18_ocrdet.data.geometric import Moves, draw_matrix, reduction, scaling, warp
from resnet18_ocrdet.data.image_io import read_image
from resnet18_ocrdet.data.labels import LabelledImages
from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.data.region_clipping import MIN_VISIBLE, move_regions, regions_in_image
from resnet18_ocrdet.data.synthetic.glyphs import OPENCV_DRAWS
from resnet18_ocrdet.geometry.polygon import area, clip_to_image, transform
from resnet18_ocrdet.structures import LazyPicture, Sample

STILL = {"flip": 0.0, "rotate": 0.0, "scale_min": 1.0, "scale_max": 1.0, "color": 0.0}


def box(left, top, right, bottom):
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def scaled(factor):
    return np.diag([factor, factor, 1.0])


def test_a_jpeg_is_reduced_unless_the_view_would_enlarge_it():
    size = (4000, 4000)
    cases = [(1.0, 1), (0.6, 1), (0.5, 2), (0.3, 2), (0.25, 4), (0.126, 4), (0.125, 8), (0.01, 8)]
    for factor, expected in cases:
        assert reduction(scaled(factor), size, (100, 100)) == expected, factor
    # stretched to a square, an image of 4000x1000 has a fifth of its rows, but most of its columns
    assert reduction(np.diag([0.8, 0.2, 1.0]), (4000, 1000), (800, 800)) == 1
    turn = np.array([[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1.0]])
    assert reduction(turn @ np.diag([0.5, 0.1, 1.0]), (4000, 1000), (800, 800)) == 2
    # a tilt: twice as large on the right side as on the left one
    tilted = scaled(0.5) @ np.array([[1, 0, 0], [0, 1, 0], [-1e-4, 0, 1.0]])
    assert reduction(tilted, size, (2000, 2000)) == 1


@pytest.mark.parametrize("reduce", [2, 4, 8])
@pytest.mark.parametrize("size", [(320, 480), (317, 475)])
def test_reduced_pixels_lie_where_the_matrix_says(tmp_path, reduce, size):
    # a soft blob, whose centre of mass has sub-pixel precision
    ys, xs = np.mgrid[: size[0], : size[1]]
    blob = 255 * np.exp(-((ys - 151) ** 2 + (xs - 203) ** 2) / (2 * 25.0**2))
    cv2.imwrite(str(tmp_path / "a.jpg"), blob.astype(np.uint8), (cv2.IMWRITE_JPEG_QUALITY, 98))
    image = read_image(tmp_path / "a.jpg", reduce)
    assert image.shape == (-(-size[0] // reduce), -(-size[1] // reduce), 3)
    weight = image[:, :, 0].astype(np.float64)
    weight[weight < 8] = 0
    rows, columns = np.mgrid[: weight.shape[0], : weight.shape[1]]
    centre = np.array([[(weight * columns).sum(), (weight * rows).sum()]]) / weight.sum()
    found = transform(centre, scaling(reduce, reduce))
    # measured: up to 0.03; a matrix without the half pixels is 0.5 to 3.5 off
    np.testing.assert_allclose(found, [[203, 151]], atol=0.15)


def with_orientation(path, value):
    """Put an EXIF block with one entry, the orientation, after the first marker of a JPEG."""
    entry = b"\x12\x01\x03\x00\x01\x00\x00\x00" + bytes([value, 0, 0, 0])
    exif = b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00" + entry + b"\x00\x00\x00\x00"
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:])


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_rotated_photos_are_reduced_upright_or_not_at_all(tmp_path, orientation):
    for size, divides in (((64, 96), True), ((63, 97), False)):
        pixels = np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8)
        path = tmp_path / f"{divides}.jpg"
        cv2.imwrite(str(path), cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_CUBIC))
        with_orientation(path, orientation)
        whole, half = read_image(path), read_image(path, 2)
        assert whole.shape[:2] == (size if orientation == 3 else size[::-1])
        if divides:
            mean = whole.reshape(whole.shape[0] // 2, 2, whole.shape[1] // 2, 2, 3).mean(axis=(1, 3))
            assert np.abs(half - mean).mean() < 3  # measured: 0.6; with a wrong rotation about 60
        else:
            np.testing.assert_array_equal(half, whole)


def test_a_view_of_a_large_jpeg_is_the_same_with_and_without_reduced_decoding(tmp_path):
    ys, xs = np.mgrid[:900, :1200]
    image = np.stack([127 + 120 * np.sin(xs / 40), 127 + 120 * np.sin(ys / 55), 127 + 120 * np.sin((xs + ys) / 70)], 2)
    path = tmp_path / "a.jpg"
    cv2.imwrite(str(path), image.astype(np.uint8), (cv2.IMWRITE_JPEG_QUALITY, 97))
    quad = box(300, 200, 700, 500)
    (picture,) = [
        LabelledImages([LabelRecord(path, None, (quad,), np.array([False]), ("",), size=(900, 1200))]).open(0)
    ]
    asked = []

    def pixels(reduce):
        asked.append(reduce)
        return picture.pixels(reduce)

    noted = picture._replace(read=pixels)
    whole = picture._replace(read=lambda reduce: read_image(path))
    for options in ({"scale_min": 0.3, "scale_max": 1.2, "rotate": 20.0, "perspective": 0.1}, {"crop": False}):
        for seed in range(6):
            views = [
                Augment(**STILL | options)(source, 224, 256, np.random.default_rng(seed)) for source in (noted, whole)
            ]
            difference = np.abs(views[0].image.astype(int) - views[1].image)
            assert np.median(difference) <= 2 and difference.mean() < 2.5, (options, seed)
            np.testing.assert_array_equal(views[0].polygons, views[1].polygons)
    assert set(asked) >= {2, 4}


def test_pixels_are_read_only_on_render():
    asked = []

    def pixels(reduce):
        asked.append(reduce)
        return np.zeros((50, 60, 3), np.uint8)

    picture = LazyPicture("a", 50, 60, (box(5, 5, 20, 20),), np.array([False]), pixels)
    augment = Augment()
    drawn = augment.draw_transform(picture, 64, 64, np.random.default_rng(0))
    assert not asked
    assert drawn.render(picture, 64, 64).shape == (64, 64, 3) and asked == [drawn.reduce]


@pytest.mark.parametrize("tilt", [0.0, 0.2])
def test_warping_only_the_visible_part_gives_the_same_pixels(tilt):
    limit = 2 if OPENCV_DRAWS else 16  # OpenCV 4 interpolates at 32 places per pixel in x and in y
    for seed in range(25):
        rng = np.random.default_rng(seed)
        image = rng.integers(0, 256, (150, 220, 3), dtype=np.uint8)
        matrix = draw_matrix((150, 220), (1.0, 1.0), Moves((0.8, 4.0), 30.0, 0.5, tilt), rng)
        shift = np.eye(3)
        shift[:2, 2] = rng.uniform(-60, 160, 2)
        ours, plain = warp(image, shift @ matrix, 96, 128), cv2.warpPerspective(image, shift @ matrix, (128, 96))
        assert np.abs(ours.astype(int) - plain).max() <= limit, seed


def test_every_care_region_may_be_shown():
    # five words in a large picture; at this zoom a window holds one of them
    words = [box(100 + 400 * i, 300 * (i % 3) + 50, 140 + 400 * i, 300 * (i % 3) + 62) for i in range(5)]
    source = Sample("a", np.zeros((1000, 2000, 3), np.uint8), tuple(words), np.array([False] * 5))
    augment, seen = Augment(**STILL | {"scale_min": 20.0, "scale_max": 20.0}), set()
    for seed in range(60):
        drawn = augment.draw_transform(source, 96, 96, np.random.default_rng(seed))
        for number, word in enumerate(words):
            middle = transform(word.mean(axis=0, keepdims=True), drawn.matrix)[0]
            if (middle >= 0).all() and (middle < 96).all():
                seen.add(number)
    assert seen == set(range(5))  # including the last one


def test_padding_is_not_trained_on_as_text():
    inside, half, sliver = box(10, 10, 40, 20), box(80, 10, 120, 20), box(95, 30, 180, 40)
    exact = box(60, 60, 100, 70)  # up to the column after the last one
    polygons, ignore = regions_in_image((inside, half, sliver, exact), np.zeros(4, bool), (100, 100))
    assert [float(polygon[:, 0].max()) for polygon in polygons] == [40, 99, 99, 100]
    assert ignore.tolist() == [False, False, True, False]
    scene = Sample("a", np.full((100, 100, 3), 255, np.uint8), (half,), np.zeros(1, bool))
    view = Augment(**STILL | {"scale_min": 0.5, "scale_max": 0.5})(scene, 100, 100, np.random.default_rng(0))
    (polygon,) = view.polygons
    assert view.image.any(axis=(0, 2))[np.rint(polygon[:, 0]).astype(int)].all()  # none of its columns is padding


@st.composite
def scenes(draw):
    height, width = draw(st.integers(20, 400)), draw(st.integers(20, 400))
    polygons = []
    for _ in range(draw(st.integers(1, 6))):
        corner = [draw(st.floats(-50, width + 20)), draw(st.floats(-50, height + 20))]
        polygons.append(box(0, 0, draw(st.floats(3, 200)), draw(st.floats(3, 200))) + np.float32(corner))
    ignore = draw(st.lists(st.booleans(), min_size=len(polygons), max_size=len(polygons)))
    return Sample("a", np.zeros((height, width, 3), np.uint8), tuple(polygons), np.array(ignore, bool))


@given(scenes(), st.integers(0, 2**31), st.sampled_from([0.0, 0.1, 0.5]))
@settings(max_examples=150, deadline=None)
def test_no_visible_region_is_dropped(scene, seed, tilt):
    augment = Augment(perspective=tilt, rotate=30.0)
    drawn = augment.draw_transform(scene, 96, 128, np.random.default_rng(seed))
    size = (scene.height, scene.width)
    for polygon, flag in zip(scene.polygons, scene.ignore, strict=True):
        (one, ignore) = move_regions((polygon,), np.array([flag]), drawn.matrix, size, (96, 128))
        if drawn.matrix[2, :2].any() and ((polygon @ drawn.matrix[2, :2] + drawn.matrix[2, 2]) <= 0.05).any():
            continue  # behind the camera: only its part in the image can be projected
        moved = transform(polygon, drawn.matrix)
        pieces = clip_to_image(moved, 96, 128)
        assert len(one) == len(pieces)
        share = sum(map(area, pieces)) / area(moved)
        assert all(ignore == (flag or share < MIN_VISIBLE)) or abs(share - MIN_VISIBLE) < 1e-4
    together, flags = move_regions(scene.polygons, scene.ignore, drawn.matrix, size, (96, 128))
    alone = [move_regions((p,), np.zeros(1, bool), drawn.matrix, size, (96, 128)) for p in scene.polygons]
    assert len(together) == sum(len(some) for some, _ in alone) == len(flags)


@given(st.integers(0, 2**31))
@settings(max_examples=150, deadline=None)
def test_a_tilt_never_folds_the_image(seed):
    rng = np.random.default_rng(seed)
    matrix = draw_matrix((300, 400), (1.0, 1.0), Moves((0.5, 3.0), 30.0, 0.0, 0.5), rng)
    corners = transform(box(0, 0, 399, 299), matrix)
    sides = np.roll(corners, -1, 0) - corners
    after = np.roll(sides, -1, 0)
    assert (sides[:, 0] * after[:, 1] > sides[:, 1] * after[:, 0]).all()
