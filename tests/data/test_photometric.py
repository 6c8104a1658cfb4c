"""Photometric changes: bounded, and drawn from the generator alone."""

from __future__ import annotations

import numpy as np
import pytest

from resnet18_ocrdet.data.augment import Augment
from resnet18_ocrdet.data.photometric import add_noise, compress, draw_jpeg, draw_noise, draw_shading, shade
from resnet18_ocrdet.structures import Sample

GREY = np.full((200, 300, 3), 160, np.uint8)
ALL = Augment(color=0.3, blur=1.0, noise=1.0, jpeg=1.0, shading=1.0)


def test_changes_that_are_off_draw_no_random_numbers():
    for augment in (Augment(color=0.0), Augment(color=0.4, blur=1, noise=1, jpeg=1, shading=1, photometric=0.0)):
        rng = np.random.default_rng(0)
        assert augment.draw_changes(rng) == []
        assert rng.random() == np.random.default_rng(0).random()


def test_changes_are_applied_from_the_scene_to_the_file():
    names = [change.func.__name__ for change in ALL.draw_changes(np.random.default_rng(0))]
    assert names == ["shade", "transform_color", "blur", "add_noise", "compress"]


@pytest.mark.parametrize(("key", "probability"), [("blur", 0.6), ("noise", 0.2), ("jpeg", 0.4), ("shading", 0.8)])
def test_probability_and_strength_are_multiplied(key, probability):
    for strength in (1.0, 0.5):
        augment = Augment(color=0.0, photometric=strength, **{key: probability})
        drawn = [len(augment.draw_changes(np.random.default_rng(seed))) for seed in range(600)]
        assert np.mean(drawn) == pytest.approx(probability * strength, abs=0.07)


def test_half_the_strength_gives_half_the_range():
    def values(draw, key, strength):
        return [draw(strength, np.random.default_rng(seed)).keywords[key] for seed in range(300)]

    # noise 3 .. 14 levels, at half strength 3 .. 8.5; quality 85 .. 30, then 85 .. 57.5
    assert 12 < max(values(draw_noise, "std", 1.0)) <= 14 and 7 < max(values(draw_noise, "std", 0.5)) <= 8.5
    assert min(values(draw_jpeg, "quality", 1.0)) < 35 and 57 <= min(values(draw_jpeg, "quality", 0.5)) < 62
    assert min(values(draw_shading, "light_left", 1.0)) < 0.5 and min(values(draw_shading, "light_left", 0.5)) > 0.7


@pytest.mark.parametrize("shape", [(1, 1, 3), (32, 700, 3), (200, 300, 3), (1100, 40, 3)])
def test_shape_dtype_and_input_are_kept(shape):
    image = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    before = image.copy()
    for seed in range(3):
        changed = image
        for change in ALL.draw_changes(np.random.default_rng(seed)):
            changed = change(changed)
        assert changed.shape == shape and changed.dtype == np.uint8
    np.testing.assert_array_equal(image, before)


def test_a_gradient_darkens_in_its_direction():
    # light from 1.2 on the left to 0.8 on the right, and nothing brighter than it was: 160 to 160 · 0.8 / 1.2 = 107
    lit = shade(GREY, slope=(-0.4, 0.0), side=0.0, offset=0.0, edge=0.1, light_left=1.0)
    assert lit[:, 0].min() >= 158 and lit[:, -1].mean() == pytest.approx(107, abs=3)
    assert (np.diff(lit[100, :, 0].astype(int)) <= 0).all() and np.ptp(lit[:, 150]) == 0


def test_a_shadow_has_an_edge_and_a_lit_side():
    shaded = shade(GREY, slope=(0.0, 0.0), side=0.0, offset=0.0, edge=0.05, light_left=0.5)
    # the right half is in shadow
    assert (shaded[:, :120] == 160).all() and (np.abs(shaded[:, 180:].astype(int) - 80) <= 1).all()
    assert shaded[:, 120:180].mean() == pytest.approx(120, abs=6)


def test_noise_has_the_given_strength_and_no_bias():
    for row, column in ((0, 0), (1023, 1023), (500, 900)):
        noisy = add_noise(GREY, 8.0, row, column).astype(np.float64)
        assert noisy.std() == pytest.approx(8.0, rel=0.06) and noisy.mean() == pytest.approx(160, abs=0.5)
    assert not np.array_equal(add_noise(GREY, 8.0, 0, 0), add_noise(GREY, 8.0, 7, 3))
    wide = add_noise(np.full((64, 2100, 3), 128, np.uint8), 8.0, 3, 5)
    assert wide.std() == pytest.approx(8.0, rel=0.06)


def test_jpeg_keeps_the_colours():
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, :32], image[:, 32:] = (200, 30, 20), (20, 40, 190)
    pressed = compress(image, quality=60).astype(int)
    assert not np.array_equal(pressed, image)
    np.testing.assert_allclose(pressed[10:50, 8:24].mean(axis=(0, 1)), (200, 30, 20), atol=8)
    np.testing.assert_allclose(pressed[10:50, 40:56].mean(axis=(0, 1)), (20, 40, 190), atol=8)


def test_polygons_do_not_depend_on_photometric_changes():
    quad = np.array([[60, 50], [150, 70], [140, 130], [50, 105]], np.float32)
    source = Sample("a", GREY, (quad,), np.array([False]))
    plain = Augment(color=0.0)
    loud = Augment(color=0.4, blur=1.0, noise=1.0, jpeg=1.0, shading=1.0)
    for seed in range(5):
        views = [augment(source, 96, 96, np.random.default_rng(seed)) for augment in (plain, loud)]
        assert all(map(np.array_equal, views[0].polygons, views[1].polygons))
        assert not np.array_equal(views[0].image, views[1].image)
        again = loud(source, 96, 96, np.random.default_rng(seed))
        np.testing.assert_array_equal(views[1].image, again.image)
