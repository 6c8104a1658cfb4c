"""Compares an exported network with its checkpoint: maps and boxes on the same images."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from ..evaluation.metrics import EvalSample, IcdarMetric
from ..inference.predictor import Predictor
from ..structures import Image


class Tolerance(NamedTuple):
    """The allowed difference of two networks."""

    prob: float  # of a probability, anywhere in the maps
    hmean: float  # at least, of one's boxes against the other's
    boxes: int  # at least, to compare on


TOLERANCES = {
    "fp32": Tolerance(1e-4, 0.999, 0),  # float32 on two libraries differs by about 1e-6
    "fp16": Tolerance(0.02, 0.97, 0),  # the bundled weights on photos: below 0.001 and 0.997
    "int8": Tolerance(1.0, 0.9, 10),  # the bundled weights on photos: 0.2 and 0.97; a single pixel means nothing there
}


class Parity(NamedTuple):
    """The difference of two networks."""

    images: int
    largest: float  # difference of a probability, anywhere in the maps
    boxes: int  # of the first network
    hmean: float  # of the second one's boxes, with the first one's as ground truth; 1 if both find none

    def holds(self, allowed: Tolerance) -> bool:
        """Whether one can replace the other. NaN in a map is never allowed."""
        return self.largest <= allowed.prob and self.hmean >= allowed.hmean and self.boxes >= allowed.boxes


def measure_parity(
    first: Predictor, second: Predictor, images: Iterable[Image], advance: Callable[[], None] = lambda: None
) -> Parity:
    """Run both on every image. They must have the same contract."""
    largest, samples = 0.0, []
    for number, image in enumerate(images):
        (expected, transform), (actual, _) = first.predict_map(image), second.predict_map(image)
        largest = float(np.maximum(largest, np.abs(expected - actual).max()))  # NaN stays
        truth = tuple(each.polygon for each in first.decode(expected, transform))
        detections = second.decode(actual, transform)
        samples.append(EvalSample(str(number), truth, np.zeros(len(truth), bool), detections))
        advance()
    metric = IcdarMetric()
    metric.update_all(samples)
    boxes = sum(len(each.polygons) for each in samples)
    nothing_found = not boxes and not any(each.detections for each in samples)
    return Parity(len(samples), largest, boxes, 1.0 if nothing_found else metric.result().hmean or 0.0)
