"""Regions cut out and rotated upright."""

from __future__ import annotations

import numpy as np
import pytest

from resnet18_ocrdet.detections.upright import upright


def picture() -> np.ndarray:
    """Every pixel encodes its position: red 4·row, green 4·column."""
    rows, columns = np.mgrid[0:60, 0:60]
    return np.stack([4 * rows, 4 * columns, np.zeros((60, 60))], axis=-1).astype(np.uint8)


def test_a_horizontal_region_is_a_slice_of_the_image():
    quad = np.array([[10, 20], [40, 20], [40, 30], [10, 30]], np.float32)
    assert np.array_equal(upright(picture(), quad), picture()[20:30, 10:40])


def test_a_region_that_stands_stays_vertical():
    high = np.array([[40, 10], [50, 10], [50, 40], [40, 40]], np.float32)
    assert np.array_equal(upright(picture(), high), picture()[10:40, 40:50])


def test_a_rotated_region_keeps_its_size():
    quad = np.array([[10, 20], [34, 10], [39, 22], [15, 32]], np.float32)  # sides 26 and 13
    cut = upright(picture(), quad)
    assert cut.shape == (13, 26, 3)
    assert np.abs(cut[0, 0, :2].astype(int) - [80, 40]).max() <= 2
    assert np.abs(cut[-1, -1, :2].astype(int) - [4 * 22, 4 * 39]).max() <= 8  # one pixel before the corner


@pytest.mark.parametrize("corners", [[[5, 5], [5, 5], [5, 5], [5, 5]], [[5, 5], [20, 5], [20, 5], [5, 5]]])
def test_a_region_without_area_is_one_pixel_high(corners):
    assert upright(picture(), np.array(corners, np.float32)).shape[0] == 1


def test_beyond_the_image_its_border_is_repeated():
    quad = np.array([[-10, -10], [5, -10], [5, 5], [-10, 5]], np.float32)
    cut = upright(picture(), quad)
    assert cut.shape == (15, 15, 3) and np.array_equal(cut[:10, :10], np.zeros((10, 10, 3)))
