"""Characters of font files, compared with fontTools."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from resnet18_ocrdet.data.synthetic.coverage import CHARACTERS, covered

tt_lib = pytest.importorskip("fontTools.ttLib")  # comes with matplotlib
FOLDER = Path(pytest.importorskip("matplotlib").get_data_path()) / "fonts/ttf"


def characters(path: Path, number: int = 0) -> set[int]:
    return set(np.flatnonzero(covered(path, number)).tolist())


@pytest.mark.parametrize("name", ["DejaVuSans.ttf", "DejaVuSerif.ttf", "STIXGeneral.ttf", "cmr10.ttf"])
def test_the_characters_of_a_font_are_those_that_fonttools_finds(name):
    cmap = tt_lib.TTFont(FOLDER / name).getBestCmap()
    assert characters(FOLDER / name) == {code for code in cmap if code < CHARACTERS}


def test_a_font_of_one_box_for_many_characters_has_none():
    path = FOLDER / "LastResortHE-Regular.ttf"
    if not path.exists():
        pytest.skip("this matplotlib has no font of format 13")
    assert not characters(path)


def test_the_faces_of_a_collection_are_told_apart(tmp_path):
    names = ("DejaVuSans.ttf", "STIXGeneral.ttf")
    collection = tt_lib.TTCollection()
    collection.fonts = [tt_lib.TTFont(FOLDER / name) for name in names]
    collection.save(tmp_path / "two.ttc")
    assert [characters(tmp_path / "two.ttc", number) for number in (0, 1)] == [characters(FOLDER / n) for n in names]


def test_a_font_that_is_cut_or_damaged_has_no_characters(tmp_path):
    data = (FOLDER / "DejaVuSans.ttf").read_bytes()
    for number, content in enumerate((data[:11], data[:300], data[:12] + bytes(400), b"")):
        path = tmp_path / f"{number}.ttf"
        path.write_bytes(content)
        assert not covered(path, 0).any()
