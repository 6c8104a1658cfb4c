"""Letters as masks, drawn by OpenCV 5 or by Pillow."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from conftest import opencv5
from resnet18_ocrdet.data.synthetic import glyphs
from resnet18_ocrdet.data.synthetic.glyphs import CAP_PER_EM, LATIN_FACES, check_font, opencv_letter, pillow_letter
from resnet18_ocrdet.errors import UserError

SIZE = 100  # px per em


@pytest.mark.parametrize("draw", [pytest.param(opencv_letter, marks=opencv5), pillow_letter])
@pytest.mark.parametrize("face", LATIN_FACES)
def test_capitals_stand_on_the_baseline_and_have_the_stated_height(draw, face: str):
    canvas, advance = draw(face, "H", SIZE, 500)
    left, top, width, height = cv2.boundingRect(np.asarray(canvas))
    assert canvas.shape == (3 * SIZE, 4 * SIZE) and canvas.dtype == np.uint8 and canvas.max() == 255
    assert top + height == 2 * SIZE
    assert height == pytest.approx(CAP_PER_EM * SIZE, abs=8)
    assert left >= SIZE and advance == pytest.approx(width, abs=25)


def test_a_glyph_is_placed_relative_to_pen_and_baseline():
    comma = glyphs.glyph("sans", ",", SIZE, 500)
    assert comma.top < 0 < comma.top + len(comma.mask) and abs(comma.left) < comma.advance < SIZE
    assert comma.mask.any(axis=0).all() and comma.mask.any(axis=1).all()


@pytest.mark.parametrize("opencv", [pytest.param(True, marks=opencv5), False])
def test_a_font_file_is_checked_and_draws(opencv: bool, tmp_path: Path, monkeypatch):
    fonts = Path(pytest.importorskip("matplotlib").get_data_path()) / "fonts/ttf"
    monkeypatch.setattr(glyphs, "OPENCV_DRAWS", opencv)
    check_font(fonts / "DejaVuSerif.ttf")
    canvas, advance = (opencv_letter if opencv else pillow_letter)(str(fonts / "DejaVuSerif.ttf"), "H", SIZE, 500)
    assert canvas.any() and advance == pytest.approx(87, abs=20)
    (tmp_path / "cut.ttf").write_bytes((fonts / "DejaVuSerif.ttf").read_bytes()[:60])
    if not opencv:  # OpenCV 5.0.0 crashes on it
        with pytest.raises(UserError, match=r"cut\.ttf is not a TrueType or OpenType font that Pillow can read"):
            check_font(tmp_path / "cut.ttf")
