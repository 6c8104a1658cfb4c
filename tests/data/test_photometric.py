"""Light, colour, lens, sensor and file: cheap, bounded, drawn from the generator alone."""

from __future__ import annotations

import numpy as np
import pytest

from resnet18_ocrdet.data.augment import Augment
from resnet18_ocrdet.data.photometric import Look, Photometric, Shade, add_noise, apply_look, cast_light
from resnet18_ocrdet.structures import Sample

NOTHING = Look(None, None, None, None, None)
GREY = np.full((200, 300, 3), 160, np.uint8)
ALL = Photometric(color=0.3, blur=1.0, noise=1.0, jpeg=1.0, shading=1.0)


def test_nothing_is_done_where_nothing_is_asked_for():
    for looks in (Photometric(color=0.0), Photometric(0.4, 1.0, 1.0, 1.0, 1.0, strength=0.0)):
        rng = np.random.default_rng(0)
        assert looks.draw(rng) == NOTHING
        assert rng.random() == np.random.default_rng(0).random()  # and nothing was drawn
    assert apply_look(GREY, NOTHING) is GREY


def test_probabilities_and_strength_are_multiplied():
    counts = {}
    for strength in (1.0, 0.5):
        looks = [
            Photometric(0.0, 0.6, 0.2, 0.4, 0.8, strength).draw(np.random.default_rng(seed)) for seed in range(600)
        ]
        counts[strength] = [
            np.mean([getattr(look, step) is not None for look in looks]) for step in ("blur", "noise", "jpeg", "shade")
        ]
    np.testing.assert_allclose(counts[1.0], [0.6, 0.2, 0.4, 0.8], atol=0.07)
    np.testing.assert_allclose(counts[0.5], [0.3, 0.1, 0.2, 0.4], atol=0.07)


def test_half_the_strength_reaches_half_as_far():
    looks = [Photometric(0.0, 1.0, 1.0, 1.0, 1.0).draw(np.random.default_rng(seed)) for seed in range(300)]
    weak = [Photometric(0.0, 2.0, 2.0, 2.0, 2.0, 0.5).draw(np.random.default_rng(seed)) for seed in range(300)]
    # noise 3 .. 14 levels, at half strength 3 .. 8.5; quality 85 .. 30, then 85 .. 57.5
    assert 12 < max(look.noise[0] for look in looks) <= 14 and 7 < max(look.noise[0] for look in weak) <= 8.5
    assert min(look.jpeg for look in looks) < 35 and 57 <= min(look.jpeg for look in weak) < 62
    assert min(look.shade.left for look in looks) < 0.5 and min(look.shade.left for look in weak) > 0.7


@pytest.mark.parametrize("shape", [(1, 1, 3), (32, 700, 3), (200, 300, 3), (1100, 40, 3)])
def test_shape_type_and_input_are_kept(shape):
    image = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    before = image.copy()
    for seed in range(3):
        changed = apply_look(image, ALL.draw(np.random.default_rng(seed)))
        assert changed.shape == shape and changed.dtype == np.uint8
    np.testing.assert_array_equal(image, before)


def test_a_gradient_falls_off_in_its_direction():
    # light from 1.2 on the left to 0.8 on the right, and nothing brighter than it was: 160 to 160 · 0.8 / 1.2 = 107
    lit = cast_light(GREY, Shade((-0.4, 0.0), 0.0, 0.0, 0.1, 1.0))
    assert lit[:, 0].min() >= 158 and lit[:, -1].mean() == pytest.approx(107, abs=3)
    assert (np.diff(lit[100, :, 0].astype(int)) <= 0).all() and np.ptp(lit[:, 150]) == 0


def test_a_shadow_has_an_edge_and_a_lit_side():
    shaded = cast_light(GREY, Shade((0.0, 0.0), 0.0, 0.0, 0.05, 0.5))
    # the half on the right lies in the shadow
    assert (shaded[:, :120] == 160).all() and (np.abs(shaded[:, 180:].astype(int) - 80) <= 1).all()
    assert shaded[:, 120:180].mean() == pytest.approx(120, abs=6)


def test_noise_has_the_strength_it_says_and_no_bias():
    for row, column in ((0, 0), (1023, 1023), (500, 900)):
        noisy = add_noise(GREY, 8.0, row, column).astype(np.float64)
        assert noisy.std() == pytest.approx(8.0, rel=0.06) and noisy.mean() == pytest.approx(160, abs=0.5)
    assert not np.array_equal(add_noise(GREY, 8.0, 0, 0), add_noise(GREY, 8.0, 7, 3))
    wide = add_noise(np.full((64, 2100, 3), 128, np.uint8), 8.0, 3, 5)
    assert wide.std() == pytest.approx(8.0, rel=0.06)


def test_jpeg_leaves_colours_where_they_are():
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, :32], image[:, 32:] = (200, 30, 20), (20, 40, 190)
    pressed = apply_look(image, NOTHING._replace(jpeg=60)).astype(int)
    assert not np.array_equal(pressed, image)
    np.testing.assert_allclose(pressed[10:50, 8:24].mean(axis=(0, 1)), (200, 30, 20), atol=8)
    np.testing.assert_allclose(pressed[10:50, 40:56].mean(axis=(0, 1)), (20, 40, 190), atol=8)


def test_the_polygons_do_not_depend_on_the_looks():
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
