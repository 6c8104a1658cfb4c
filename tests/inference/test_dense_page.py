"""A newspaper page: A4 at 300 dpi, columns of 9 pt, more words than `decode.max_candidates`."""

from __future__ import annotations

import time

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import pytest
import shapely

from resnet18_ocrdet import Detector

HEIGHT, WIDTH = 3508, 2480  # px
SIZE = 37.5  # px: 9 pt
LEADING, GAP = 40, 10
COLUMNS, MARGIN, GUTTER = 5, 90, 50
LETTERS = list("etaoinshrdlucmfwypvbgk")
FOUND = 0.5  # intersection over union


def draw_page() -> tuple[np.ndarray, list[tuple[float, float, float, float]]]:
    """The page, and the left, top, right and bottom of its words."""
    rng = np.random.default_rng(1)
    page = PIL.Image.new("RGB", (WIDTH, HEIGHT), (248, 247, 242))
    pen, font = PIL.ImageDraw.Draw(page), PIL.ImageFont.load_default(SIZE)
    column = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GUTTER) / COLUMNS
    boxes = []
    for left in (MARGIN + index * (column + GUTTER) for index in range(COLUMNS)):
        for y in range(MARGIN, HEIGHT - MARGIN - LEADING, LEADING):
            x = left
            while True:
                text = "".join(rng.choice(LETTERS, rng.integers(2, 7)))
                box = pen.textbbox((x, y), text, font=font)
                if box[2] > left + column:
                    break
                pen.text((x, y), text, font=font, fill=(25, 25, 30))
                boxes.append(box)
                x = box[2] + GAP
    return np.asarray(page), boxes


@pytest.mark.slow
def test_a_newspaper_page_is_found_in_tiles():
    page, words = draw_page()
    assert len(words) >= 1800
    detector = Detector(input_size=(736, 1280))  # so the page is searched in tiles, at its own pixels
    began = time.perf_counter()
    found = detector(page)
    print(f"{len(words)} words, {len(found)} regions, {time.perf_counter() - began:.1f} s")
    tree = shapely.STRtree([shapely.Polygon(each.polygon) for each in found])
    hits = 0
    for word in (shapely.box(*word) for word in words):
        near = tree.geometries[tree.query(word)]
        shared = shapely.area(shapely.intersection(near, word)) / shapely.area(shapely.union(near, word))
        hits += bool((shared > FOUND).any())
    print(f"recall {hits / len(words):.3f}")
    assert hits >= 0.85 * len(words)
    upper = sum(each.polygon[:, 1].max() < 1260 for each in found)
    assert upper > 0.25 * len(found)  # a limit that counts from the bottom left nothing there
