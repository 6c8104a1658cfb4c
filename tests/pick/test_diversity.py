"""Farthest-first selection and copies of a picture."""

from __future__ import annotations

from itertools import islice

import cv2
import numpy as np
import pytest

from resnet18_ocrdet.pick.diversity import EVEN, farthest_first, originals, unit_features
from resnet18_ocrdet.pick.survey import picture_of

NONE = np.zeros((0, 2), np.float32)


def directions(*degrees: float) -> np.ndarray:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def order(features, unsure, labelled=NONE):
    return [choice.image for choice in farthest_first(features, np.array(unsure), labelled)]


def test_features_have_unit_length():
    # sqrt(9, 16) = (3, 4), length 5
    assert unit_features(np.array([[9.0, 16.0], [0.0, 0.0]], np.float32)) == pytest.approx(
        np.array([[0.6, 0.8], [0.0, 0.0]])
    )


def test_the_least_sure_image_is_first_and_the_farthest_next():
    assert order(directions(0, 5, 90, 45), [0.0, 1.0, 0.0, 0.0]) == [1, 2, 3, 0]


def test_labelled_images_count_as_picked():
    assert order(directions(0, 5, 90), [0.0, 0.0, 0.0], directions(90)) == [0, 1, 2]
    assert order(directions(0, 45, 90), [0.0, 0.0, 0.0], directions(0, 90))[0] == 1


def test_weight_and_distance_are_multiplied():
    # from 0 degrees: 1 - cos 60 = 0.5 and 1 - cos 90 = 1; EVEN + 0.2 > 2 * EVEN, so the nearer one wins
    assert EVEN + 0.2 > 2 * EVEN
    assert order(directions(60, 90), [0.2, 0.0], directions(0)) == [0, 1]
    assert order(directions(60, 90), [0.0, 0.0], directions(0)) == [1, 0]


def test_every_image_comes_once_and_the_first_of_equals_is_taken():
    features = np.abs(np.random.default_rng(0).normal(size=(40, 8))).astype(np.float32)
    features = unit_features(np.concatenate([features, features]))
    unsure = np.tile(np.linspace(0, 1, 40), 2)
    found = order(features, unsure, features[:0])
    assert sorted(found) == list(range(80)) and max(found[:40]) < 40
    assert order(features, unsure, features[:0]) == found


def test_distance_and_novelty_of_a_choice():
    first, second = islice(farthest_first(directions(0, 60, 90), np.zeros(3), NONE), 2)
    assert (first.image, first.distance, first.novelty) == (0, 1.0, 0.0)
    assert second.image == 2 and second.distance == pytest.approx(1.0) and second.novelty == 1.0


def scene(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return cv2.resize(noise, (320, 240), interpolation=cv2.INTER_CUBIC)


def test_scaled_and_saved_copies_are_found_and_others_are_not():
    half = cv2.resize(scene(1), (160, 120), interpolation=cv2.INTER_AREA)
    saved = cv2.imdecode(cv2.imencode(".jpg", scene(1), [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_COLOR)
    pictures = [picture_of(image) for image in (scene(0), scene(1), half, saved, scene(2), scene(0))]
    assert originals(pictures) == [None, None, 1, 1, None, 0]
    assert originals(pictures, known=3) == [None, None, None, 1, None, 0]  # three labelled ones
    assert originals([]) == []


def test_pages_of_one_layout_are_no_copies():
    pages = []
    for word in ("Market", "Street"):
        page = np.full((240, 320, 3), 250, np.uint8)
        cv2.rectangle(page, (0, 0), (320, 60), (20, 60, 120), -1)
        cv2.putText(page, word, (30, 160), cv2.FONT_HERSHEY_SIMPLEX, 2.0, (0, 0, 0), 6)
        pages.append(picture_of(page))
    assert originals(pages) == [None, None]
