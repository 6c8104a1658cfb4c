"""scripts/text_free.py: rectangles without text, computed by hand and compared with an exhaustive search."""

from __future__ import annotations

import subprocess
import sys
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

SCRIPTS = Path(__file__).parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))  # scripts are not a package

from text_free import CELL, MARGIN, Box, free_parts, largest_free  # noqa: E402


def every_rectangle(free, least):
    rows, columns = free.shape
    spans = product(range(rows), range(columns), range(1, rows + 1), range(1, columns + 1))
    return [
        (bottom - top) * (right - left)
        for top, left, bottom, right in spans
        if bottom - top >= least and right - left >= least and free[top:bottom, left:right].all()
    ]


@settings(max_examples=200, deadline=None)
@given(arrays.arrays(np.bool_, st.tuples(st.integers(1, 7), st.integers(1, 7))), st.integers(1, 4))
def test_no_free_rectangle_is_larger(free, least):
    areas, found = every_rectangle(free, least), largest_free(free, least)
    if found is None:
        assert not areas
        return
    assert free[found.top : found.bottom, found.left : found.right].all()
    assert min(found.bottom - found.top, found.right - found.left) >= least
    assert (found.bottom - found.top) * (found.right - found.left) == max(areas)


def test_a_word_in_the_middle_leaves_the_sides():
    word = np.array([[600, 200], [680, 200], [680, 520], [600, 520]], np.float32)
    left, right = sorted(free_parts(720, 1280, [word]))
    assert left == Box(0, 0, (600 - MARGIN - 1) // CELL * CELL, 720)
    assert right == Box(-(-(680 + MARGIN + 1) // CELL) * CELL, 0, 1280, 720)
    assert list(free_parts(720, 1280, [])) == [Box(0, 0, 1280, 720)]
    assert list(free_parts(250, 1280, [])) == []


@pytest.mark.slow
def test_the_script_cuts_training_photos_only(tmp_path: Path):
    root = tmp_path / "set"
    for folder in ("ch4_training_images", "ch4_training_localization_transcription_gt"):
        (root / folder).mkdir(parents=True)
    photo = np.full((320, 640, 3), 90, np.uint8)
    photo[100:120, 500:560] = 255
    for number in (1, 2, 3):
        cv2.imwrite(str(root / f"ch4_training_images/img_{number}.png"), photo)
        gt = root / f"ch4_training_localization_transcription_gt/gt_img_{number}.txt"
        gt.write_text("500,100,560,100,560,120,500,120,word\n")
    words = ["data=icdar2015", "data.root=set", "data.train=1-2", "data.val=3-3", "--output", "parts"]
    done = subprocess.run(
        [sys.executable, SCRIPTS / "text_free.py", *words], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 parts of 2 images in parts" in done.stdout
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == ["img_1_0.jpg", "img_2_0.jpg"]
    part = cv2.imread(str(tmp_path / "parts/img_1_0.jpg"))
    assert part.shape == (320, (500 - MARGIN - 1) // CELL * CELL, 3)
    assert part.max() < 100
