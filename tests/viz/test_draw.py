"""Outlines: how thick they are, and that they leave the text readable."""

from __future__ import annotations

import numpy as np
import pytest

from resnet18_ocrdet.viz import draw
from scored_images import box

COLOR = (0, 200, 0)


def changed(height, width, region):
    """(H, W): which pixels of a white image change."""
    image = np.full((height, width, 3), 255, np.uint8)
    return (draw.outline(image, [region]) != image).any(axis=2)


def inside(mask, x, y, width, height):
    return int(mask[y : y + height + 1, x : x + width + 1].sum())


@pytest.mark.parametrize("side", [400, 1280, 4000])
@pytest.mark.parametrize(("height", "line"), [(10, 1), (24, 2), (200, 3)])
def test_the_line_is_around_the_text_and_as_thick_as_its_height_allows(side, height, line):
    mask = changed(300, side, box(50, 40, 120, height))
    assert inside(mask, 50, 40, 120, height) == 0
    across = int(mask[40 + height // 2, 170:220].sum())  # from the right side outwards
    most = max(line, round(side / 500)) if height == 200 else line
    assert most <= across <= most + 4  # OpenCV draws 3 px as 5, and blurs one on each side
    assert inside(mask, 30, 20, 160, height + 40) == mask.sum()  # near the text


def test_small_words_stay_readable_on_a_page():
    """Lines of 10 px with 4 px between them, in a page of 2000 px: less than a twentieth of any text is touched."""
    page = np.full((2000, 1400, 3), 255, np.uint8)
    regions = [box(100 + 70 * column, 100 + 14 * row, 60, 10) for row in range(100) for column in range(15)]
    mask = (draw.outline(page, regions) != page).any(axis=2)
    touched = sum(inside(mask, 100 + 70 * column, 100 + 14 * row, 60, 10) for row in range(100) for column in range(15))
    assert touched < 0.05 * len(regions) * 61 * 11
    assert mask.sum() > len(regions) * 2 * 60  # and each has a line


def test_a_region_at_the_border_keeps_all_sides():
    mask = changed(60, 80, box(0, 0, 79, 59))
    assert mask[0].all() and mask[-1].all() and mask[:, 0].all() and mask[:, -1].all()
    assert not changed(60, 80, box(200, 200, 30, 10)).any()  # outside: not drawn on the border


@pytest.mark.parametrize("region", [np.array([[5, 5]] * 3), np.array([[5, 5], [30, 5], [60, 5]])])
def test_a_region_without_area_is_drawn(region):
    assert changed(20, 80, region.astype(np.float32)).any()


def test_curved_and_turned_regions_are_not_covered():
    angles = np.linspace(0, np.pi, 12)
    arc = np.concatenate([np.stack([np.cos(a) * r, np.sin(a) * r], 1) for a, r in ((angles, 80), (angles[::-1], 60))])
    region = (arc + 100).astype(np.float32)
    mask = changed(220, 220, region)
    core = draw.cv2.fillPoly(np.zeros((220, 220), np.uint8), [np.rint(region).astype(np.int32)], 1)
    assert (mask & (core > 0)).sum() < 0.02 * core.sum()


def test_nothing_to_draw():
    image = np.zeros((8, 8, 3), np.uint8)
    assert np.array_equal(draw.outline(image, []), image)
