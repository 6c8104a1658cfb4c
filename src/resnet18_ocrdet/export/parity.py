"""Does the exported network say the same? Both look at the same images; maps and boxes are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from ..evaluation.metrics import IcdarMetric
from ..evaluation.records import EvalSample
from ..inference.predictor import Predictor
from ..structures import Image


class Tolerance(NamedTuple):
    """What two networks may differ by."""

    prob: float  # of a probability, anywhere in the maps
    hmean: float  # of one's boxes against the other's, at least
    boxes: int  # that they were compared on, at least


TOLERANCES = {
    "fp32": Tolerance(1e-4, 0.999, 0),  # float32 on two libraries differs by about 1e-6
    "int8": Tolerance(1.0, 0.9, 10),  # the bundled weights on photos: 0.2 and 0.97; a single pixel says nothing there
}


class Parity(NamedTuple):
    """How far two networks differ."""

    images: int
    largest: float  # difference of a probability, anywhere in the maps
    boxes: int  # of the first network
    hmean: float  # of the second one's boxes, with the first one's as the truth; 1 where neither finds any

    def holds(self, allowed: Tolerance) -> bool:
        """Whether both can be used for each other. NaN in a map never can."""
        return self.largest <= allowed.prob and self.hmean >= allowed.hmean and self.boxes >= allowed.boxes


def compare(
    first: Predictor, second: Predictor, images: Iterable[Image], advance: Callable[[], None] = lambda: None
) -> Parity:
    """Let both look at every image. The detectors must have the same contract."""
    largest, answers = 0.0, []
    for number, image in enumerate(images):
        (wanted, placement), (got, _) = first.look(image), second.look(image)
        largest = float(np.maximum(largest, np.abs(wanted - got).max()))  # NaN stays
        truth = tuple(each.polygon for each in first.decode(wanted, placement))
        found = second.decode(got, placement)
        answers.append(EvalSample(str(number), truth, np.zeros(len(truth), bool), found))
        advance()
    metric = IcdarMetric()
    metric.update_all(answers)
    boxes, found_boxes = (
        sum(map(len, part)) for part in zip(*((a.polygons, a.detections) for a in answers), strict=True)
    )
    hmean = (metric.result().hmean or 0.0) if boxes or found_boxes else 1.0
    return Parity(len(answers), largest, boxes, hmean)
