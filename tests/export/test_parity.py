"""The comparison of an exported network with its checkpoint."""

from __future__ import annotations

import numpy as np
import pytest

from resnet18_ocrdet.export.parity import TOLERANCES, Parity, measure_parity
from resnet18_ocrdet.inference.postprocess import Decoder
from resnet18_ocrdet.structures import ResizeTransform


class FakePredictor:
    """Predicts one rectangle, shifted by `shift` px, with a probability higher by `more`."""

    def __init__(self, shift: int, more: float = 0.0) -> None:
        self.shift, self.more, self.decode = shift, more, Decoder(box_thresh=0.1)

    def predict_map(self, image):
        prob_map = np.zeros((64, 96), np.float32)
        if image.any():
            prob_map[20:40, 10 + self.shift : 60 + self.shift] = 0.8 + self.more
        return prob_map, ResizeTransform(64, 96, 1.0, 1.0)


@pytest.mark.parametrize(
    ("shift", "more", "largest", "hmean", "holds"),
    [(0, 0.0, 0.0, 1.0, True), (0, 5e-5, 5e-5, 1.0, True), (0, 1e-3, 1e-3, 1.0, False), (40, 0.0, 0.8, 0.0, False)],
)
def test_differences_are_measured(shift, more, largest, hmean, holds):
    image = np.full((64, 96, 3), 9, np.uint8)
    parity = measure_parity(FakePredictor(0), FakePredictor(shift, more), [image, image])  # type: ignore[arg-type]
    assert (parity.images, parity.boxes, parity.holds(TOLERANCES["fp32"])) == (2, 2, holds)
    assert parity.largest == pytest.approx(largest, rel=1e-3) and parity.hmean == hmean


def test_two_empty_results_agree_and_nan_does_not():
    blank = np.zeros((64, 96, 3), np.uint8)
    assert measure_parity(FakePredictor(0), FakePredictor(0), [blank]) == Parity(1, 0.0, 0, 1.0)  # type: ignore[arg-type]
    parity = measure_parity(FakePredictor(0), FakePredictor(0, float("nan")), [blank + 9, blank])  # type: ignore[arg-type]
    assert np.isnan(parity.largest)
    for allowed in TOLERANCES.values():
        assert not parity.holds(allowed) and not Parity(1, float("nan"), 5, 1.0).holds(allowed)
