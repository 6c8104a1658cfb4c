"""Text heights relative to the images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from resnet18_ocrdet.data.labels import LabelledImages
from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.data.text_sizes import measure_text


def record(size: tuple[int, int], *heights: float, ignored: int = 0) -> LabelRecord:
    boxes = [np.array([[0, 0], [50, 0], [50, high], [0, high]], np.float32) for high in heights]
    flags = np.arange(len(boxes)) >= len(boxes) - ignored
    return LabelRecord(Path("a.jpg"), None, tuple(boxes), flags, ("",) * len(boxes), size=size)


def test_heights_are_shares_of_the_root_of_the_area():
    # 200x50: a side of 100. 11 heights from 5 to 15 px
    found = measure_text(LabelledImages([record((200, 50), *range(5, 16))]))
    assert found is not None and found == pytest.approx((0.06, 0.10, 0.14, 4.0))


def test_dont_care_regions_do_not_count():
    found = measure_text(LabelledImages([record((100, 100), 10.0, 40.0, ignored=1), record((100, 100))]))
    assert found is not None and found == pytest.approx((0.1, 0.1, 0.1, 1.0))


def test_no_text_and_rendered_scenes():
    assert measure_text(LabelledImages([record((100, 100), 10.0, ignored=1)])) is None
    assert measure_text(LabelledImages([])) is None
    assert measure_text(SyntheticScenes(2, 64, 64, seed=0)) is None
