"""The statistics of varied scenes, which are read from docs/synthetic.md."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from conftest import opencv5
from resnet18_ocrdet.data.synthetic.varied.source import VariedScenes

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))  # scripts are not a package

from scene_statistics import measure  # noqa: E402

SIDE = 320
FONTS = os.environ.get("OCRDET_FONTS")  # the folder that scripts/training_fonts.py has written


def stated() -> dict[str, tuple[float, ...]]:
    """Rows `| name | built-in | fonts | low | high |` of the page."""
    section = (
        (ROOT / "docs" / "synthetic.md").read_text(encoding="utf-8").split("## Varied scenes")[1].split("\n## ")[0]
    )
    rows = re.findall(r"^\| ([^|]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", section, re.MULTILINE)
    return {name.strip(): tuple(map(float, values)) for name, *values in rows}


def outside(found: dict[str, float], bands: dict[str, tuple[float, ...]]) -> list[str]:
    return [
        f"{name}: {value:.3f} not in {bands[name][2]}..{bands[name][3]}"
        for name, value in found.items()
        if not bands[name][2] <= value <= bands[name][3]
    ]


def test_the_page_states_what_is_measured_within_its_own_bands():
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    _, regions = VariedScenes(1, SIDE, SIDE, seed=0).draw(0)
    table = stated()
    assert set(table) == set(measure([(image, regions)]))
    assert all(low <= value <= high for *values, low, high in table.values() for value in values)


@opencv5
@pytest.mark.slow
def test_statistics_with_built_in_fonts_and_words():
    source = VariedScenes(1000, SIDE, SIDE, seed=0)
    assert outside(measure([source.draw(index) for index in range(1000)]), stated()) == []


@opencv5
@pytest.mark.slow
@pytest.mark.skipif(FONTS is None, reason="OCRDET_FONTS is not set: the folder of scripts/training_fonts.py")
def test_statistics_with_training_fonts_and_texts():
    folder = Path(str(FONTS))
    source = VariedScenes(1000, SIDE, SIDE, seed=0, fonts=folder / "fonts", texts=folder / "texts")
    assert outside(measure([source.draw(index) for index in range(1000)]), stated()) == []
