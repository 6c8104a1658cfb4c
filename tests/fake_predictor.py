"""A predictor without a network, for tests of what is around it."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import numpy as np

from resnet18_ocrdet.inference.postprocess import Decoded, DecodeStats
from resnet18_ocrdet.inference.predictor import Predictor, Prepared
from resnet18_ocrdet.structures import Detection, ResizeTransform


class FakePredictor(Predictor):
    """Finds one region per image, scored by the first pixel, and records the size of each batch."""

    def __init__(self, decode=lambda prob_map, _: [Detection(np.zeros((4, 2), np.float32), float(prob_map[0, 0]))]):
        self.batches: list[int] = []
        trace = SimpleNamespace(trace=lambda *args: Decoded(decode(*args), DecodeStats.together([])))
        network = partial(self.run)
        network.batch_size = 1  # type: ignore[attr-defined]
        super().__init__(network, None, trace)  # type: ignore[arg-type]

    def prepare(self, image):
        return Prepared(image, image, ResizeTransform(*image.shape[:2], 1.0, 1.0), 1.0)

    def run(self, canvases):
        if len(canvases) > 1 and any(canvas[0, 0, 0] > 200 for canvas in canvases):
            raise RuntimeError("out of memory")
        self.batches.append(len(canvases))
        return [canvas[:, :, 0].astype(np.float32) for canvas in canvases]
