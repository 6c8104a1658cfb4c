"""Hints about the coordinates of result files."""

from __future__ import annotations

import numpy as np
import pytest

from resnet18_ocrdet.evaluation.metrics import EvalSample
from resnet18_ocrdet.evaluation.result_hints import coordinate_hint
from resnet18_ocrdet.structures import Detection
from scored_images import box

SIZES = [(400, 600), (300, 800)]
LABELS = [
    [box(40, 60, 120, 30), box(300, 200, 90, 24), box(20, 320, 200, 40)],
    [box(500, 40, 100, 20), box(60, 250, 160, 30)],
]


def samples(change):
    return [
        EvalSample(
            f"{number}.jpg",
            tuple(polygons),
            np.zeros(len(polygons), bool),
            [Detection(np.asarray(change(polygon, size), np.float32), 0.5) for polygon in polygons],
        )
        for number, (polygons, size) in enumerate(zip(LABELS, SIZES, strict=True))
    ]


def hint(change, hmean=0.0):
    return coordinate_hint(samples(change), SIZES, hmean)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda polygon, _: polygon[:, ::-1], ("x and y exchanged: ", "with x before y")),
        (
            lambda polygon, _: polygon[:, ::-1] / 2,
            ("x and y exchanged, made for images of another size", "x before y and coordinates times 2"),
        ),
        (lambda polygon, _: polygon / 2, ("times 2", "another size")),
        (lambda polygon, _: polygon * 2, ("times 0.5", "another size")),
        (lambda polygon, _: polygon * (0.8, 1.6), ("times 1.25 (x) and 0.625 (y)", "another size")),
        (lambda polygon, size: polygon / size[::-1], ("between 0 and 1", "times width and height")),
    ],
)
def test_what_is_wrong_with_the_coordinates(change, words):
    found = hint(change)
    assert "hmean is 1.0000" in found and all(word in found for word in words)


def test_no_hint_without_a_reason():
    assert hint(lambda polygon, _: polygon, hmean=1.0) is None
    assert hint(lambda polygon, _: polygon) is None  # nothing is better than what there is
    assert hint(lambda polygon, _: polygon[::-1] * 0.01 + 700) is None
    assert coordinate_hint([EvalSample("a", (), np.zeros(0, bool), [])], [(9, 9)], 0.0) is None


def test_false_detections_do_not_hide_the_scale():
    halved = samples(lambda polygon, _: polygon / 2)
    more = [each._replace(detections=[*each.detections, Detection(box(5, 5, 20, 9), 0.4)]) for each in halved]
    # 5 regions, 7 detections, 5 matches
    assert f"{2 * 5 / 12:.4f}" in coordinate_hint(more, SIZES, 0.0)
