"""Families of a folder, their scripts, and text drawn in one line."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from conftest import opencv5
from resnet18_ocrdet.data.synthetic import fonts as module
from resnet18_ocrdet.data.synthetic import glyphs
from resnet18_ocrdet.data.synthetic.fonts import Fonts, can_draw, capital_height, draw_text, find_fonts, read_faces
from resnet18_ocrdet.data.synthetic.glyphs import INK_LEVEL
from resnet18_ocrdet.errors import UserError

SIZE = 40  # px per em


@pytest.fixture(scope="module")
def ttf() -> Path:
    return Path(pytest.importorskip("matplotlib").get_data_path()) / "fonts/ttf"


@pytest.fixture(scope="module")
def fonts(ttf: Path) -> Fonts:
    return find_fonts(ttf)


def test_families_are_found_with_all_their_styles(fonts, ttf):
    names = {family[0].family: {face.style for face in family} for family in fonts.families["latin"]}
    assert names["DejaVu Sans"] == {"Book", "Bold", "Oblique", "Bold Oblique"}
    assert fonts.scripts == ("latin",)
    assert len(fonts.files) == len(list(ttf.glob("*.ttf")))
    assert "Last Resort High-Efficiency" not in names  # it draws one box for all characters


def test_families_are_drawn_equally_often_however_many_files_they_have(fonts):
    rng = np.random.default_rng(0)
    drawn = Counter(fonts.draw(rng, "latin").family for _ in range(1200))
    share = 1 / len(fonts.families["latin"])
    assert all(times / 1200 == pytest.approx(share, abs=0.03) for times in drawn.values())


def test_missing_characters_are_known(fonts):
    (sans,) = (faces[0] for faces in fonts.families["latin"] if faces[0].family == "DejaVu Sans")
    assert can_draw(sans, "Straße 39,50 ?") and not can_draw(sans, "国") and not can_draw(sans, "A\u0378")


@pytest.mark.parametrize("opencv", [pytest.param(True, marks=opencv5), False])
@pytest.mark.parametrize("text", ["Hxg", "39,50", "No.", "W" * 30, "i"])
def test_a_text_is_cropped_to_its_ink(fonts, opencv: bool, text: str):
    (serif,) = (faces[0] for faces in fonts.families["latin"] if faces[0].family == "DejaVu Serif")
    ink = draw_text(serif._replace(opencv=opencv), text, SIZE)
    assert all(edge.max() > INK_LEVEL for edge in (ink.mask[0], ink.mask[-1], ink.mask[:, 0], ink.mask[:, -1]))
    assert ink.mask.shape[1] == pytest.approx(ink.advance, abs=0.3 * SIZE)
    assert ink.top < 0 < ink.top + len(ink.mask) + 2
    assert -0.2 * SIZE < ink.left < 0.2 * SIZE


@opencv5
def test_opencv_and_pillow_draw_almost_the_same_size(fonts):
    for family in fonts.families["latin"]:
        if family[0].family.startswith("DejaVu"):
            ours, pillow = (draw_text(family[0]._replace(opencv=opencv), "Hxg39", SIZE) for opencv in (True, False))
            assert np.array(ours.mask.shape) / pillow.mask.shape == pytest.approx(1.05, abs=0.08)


def test_capitals_are_measured(fonts):
    (sans,) = (faces[0] for faces in fonts.families["latin"] if faces[0].family == "DejaVu Sans")
    plain = sans._replace(opencv=False)
    assert capital_height(plain, "latin") == pytest.approx(0.729, abs=0.01)  # 1493 of 2048 units, in the file's OS/2
    if glyphs.OPENCV_DRAWS:
        assert capital_height(sans, "latin") == pytest.approx(0.729 * 1.08, abs=0.01)  # OpenCV draws 8 % larger


def test_without_a_folder_the_built_in_faces_draw():
    fonts = find_fonts(None)
    assert fonts.files == ()
    for script in fonts.scripts:
        face = fonts.draw(np.random.default_rng(0), script)
        text = {"latin": "Ab1", "chinese": "中国", "japanese": "あア"}[script]
        assert can_draw(face, text) and draw_text(face, text, SIZE).mask.any()
    assert draw_text(face, " ", SIZE).mask.size == 0


def test_without_opencv_5_the_built_in_face_is_pillows(monkeypatch):
    monkeypatch.setattr(module, "OPENCV_DRAWS", False)
    monkeypatch.setattr(glyphs, "OPENCV_DRAWS", False)
    glyphs.glyph.cache_clear()
    find_fonts.cache_clear()
    try:
        (face,) = (face for family in find_fonts(None).families["latin"] for face in family)
        assert find_fonts(None).scripts == ("latin",) and not face.opencv
        assert can_draw(face, "39,50?") and not can_draw(face, "国")
        assert draw_text(face, "Hxg", SIZE).mask.shape == pytest.approx((38, 64), abs=8)
    finally:
        glyphs.glyph.cache_clear()
        find_fonts.cache_clear()


def test_a_damaged_font_is_named(ttf, tmp_path):
    data = bytearray((ttf / "DejaVuSans.ttf").read_bytes())
    (start,) = (int.from_bytes(data[at + 8 : at + 12], "big") for at in [data.index(b"glyf")])
    data[start : start + 100_000] = b"\xff" * 100_000
    (tmp_path / "damaged.ttf").write_bytes(data)
    with pytest.raises(UserError, match=r"fonts: .*damaged\.ttf is damaged"):
        find_fonts(tmp_path)


@opencv5
@pytest.mark.parametrize("drawn, end", [(0, 20), (255, -33_554_400), (255, 4000)])
def test_a_font_that_opencv_cannot_draw_is_drawn_by_pillow(ttf, monkeypatch, drawn, end):
    def put_text(canvas, *_):
        canvas[:1] = drawn
        return (end, 0), 400

    assert read_faces(ttf / "DejaVuSans.ttf")[0].opencv
    monkeypatch.setattr(module.cv2, "putText", put_text)
    assert not read_faces(ttf / "DejaVuSans.ttf")[0].opencv
