"""The page with the texts of an image."""

from __future__ import annotations

import numpy as np

from resnet18_ocrdet.viz.texts import text_page
from scored_images import box


def ink(page: np.ndarray) -> np.ndarray:
    return (page < 128).all(axis=2)


def test_a_text_is_inside_its_quad_and_as_large_as_it_fits():
    page = text_page(100, 200, [(box(20, 30, 150, 40), "Exit", 1.0)])
    rows, columns = np.nonzero(ink(page))
    assert page.shape == (100, 200, 3) and (page[:20] == 255).all()
    assert rows.min() >= 30 and rows.max() <= 70 and columns.min() >= 20 and columns.max() <= 170
    assert np.ptp(rows) >= 18  # 40 px / 1.3 per em, and capitals of 0.7 em: 21 px


def test_a_text_too_long_for_its_quad_is_made_narrower():
    page = text_page(100, 200, [(box(20, 30, 60, 40), "a long text", 1.0)])
    columns = np.flatnonzero((page < 200).any(axis=(0, 2)))
    assert columns.min() >= 20 and 60 < columns.max() <= 80


def test_texts_of_regions_that_stand_run_down():
    page = text_page(200, 100, [(box(40, 20, 30, 150), "Exit", 1.0)])
    rows, columns = np.nonzero(ink(page))
    assert np.ptp(rows) > 1.5 * np.ptp(columns)
    assert columns.min() >= 40 and columns.max() <= 70


def test_the_less_confident_the_redder():
    page = text_page(100, 200, [(box(20, 30, 150, 40), "Exit", 0.0)])
    darkest = page.reshape(-1, 3)[page.sum(axis=2).argmin()]
    assert darkest[0] == 255 and darkest[1:].max() < 60


def test_texts_at_the_border_and_beyond_are_cut():
    quads = [box(-30, -10, 100, 30), box(180, 90, 100, 30), box(500, 500, 50, 20), box(20, 30, 0, 0)]
    page = text_page(100, 200, [(quad, "Exit", 1.0) for quad in quads])
    assert ink(page)[:25, :60].any() and (text_page(100, 200, []) == 255).all()
