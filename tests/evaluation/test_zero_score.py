"""The explanation of an hmean of 0: the count after each step, and the step that lost the last regions."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from resnet18_ocrdet.evaluation.evaluator import explain_zero
from resnet18_ocrdet.evaluation.metrics import Score
from resnet18_ocrdet.inference.postprocess import DecodeStats
from resnet18_ocrdet.model.contract import Contract

CONTRACT = Contract(
    backbone="resnet18",
    height=640,
    width=800,
    resize="keep",
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    color_order="RGB",
    precision="fp32",
    shrink_ratio=0.4,
    min_text_size=8,
    bin_thresh=0.3,
    box_thresh=0.6,
    unclip_ratio=1.5,
    max_candidates=1000,
    shape="quad",
)


def score(regions: int) -> Score:
    return Score(0.0, 0.0, 0.0, 0.0, matched=0, care_regions=regions, care_detections=0)


def test_all_counts_are_listed():
    steps, _ = explain_zero(score(37), DecodeStats(0.875, 50, 40, 30, 20), 0.42, CONTRACT)
    assert re.findall(r"\d+(?:\.\d+)?", steps) == ["0", "37", "0.88", "50", "40", "30", "20", "0.42", "0.5"]


def test_the_singular_is_used():
    steps, _ = explain_zero(score(1), DecodeStats(0.9, 1, 1, 1, 1), 0.0, CONTRACT)
    assert "1 region to find" in steps and "1 contour above" in steps and "1 box → best" in steps


@pytest.mark.parametrize(
    ("stats", "best_iou", "lost"),
    [
        (DecodeStats(0.29, 0, 0, 0, 0), 0.0, "probability: no pixel is above decode.bin_thresh=0.3."),
        (DecodeStats(0.9, 100, 0, 0, 0), 0.0, "size: every contour is thinner than 3 px at 640x800."),
        (
            DecodeStats(0.9, 101, 0, 0, 0),
            0.0,
            "size: 101 contours for 10 regions, all thinner than 3 px: noise, not text.",
        ),
        (DecodeStats(0.9, 9, 8, 0, 0), 0.0, "score: no contour has a mean probability of decode.box_thresh=0.6."),
        (DecodeStats(0.9, 100, 8, 0, 0), 0.0, "score: no contour has a mean probability of decode.box_thresh=0.6."),
        (DecodeStats(0.9, 101, 8, 0, 0), 0.0, "score: 101 contours for 10 regions, none with a mean probability of "),
        (DecodeStats(0.9, 9, 8, 7, 0), 0.0, "size: every box is thinner than 5 px after unclip_ratio=1.5"),
        (DecodeStats(0.9, 9, 8, 7, 6), 0.51, "matching: all boxes are on don't-care regions"),
        (DecodeStats(0.9, 9, 8, 7, 6), 0.5, "IoU: boxes are on the text but do not fit it (best IoU 0.50)."),
        (DecodeStats(0.9, 9, 8, 7, 6), 0.31, "IoU: boxes are on the text but do not fit it (best IoU 0.31)."),
        (DecodeStats(0.9, 9, 8, 7, 6), 0.3, "IoU: boxes are not on the labels (best IoU 0.30)."),
        (DecodeStats(0.9, 9, 8, 7, 6), 0.0, "IoU: boxes are not on the labels (best IoU 0.00)."),
    ],
)
def test_the_first_step_without_regions_is_named(stats: DecodeStats, best_iou: float, lost: str):
    _, line = explain_zero(score(10), stats, best_iou, CONTRACT)
    assert line.startswith(f"lost at: {lost}")


def test_labels_are_not_blamed_for_misplaced_boxes_during_the_mining_warm_up():
    stats = DecodeStats(0.9, 9, 8, 7, 6)
    early, late = (explain_zero(score(10), stats, 0.1, CONTRACT, warming_up)[1] for warming_up in (True, False))
    assert "not on the labels (best IoU 0.10)" in early and "early in training" in early and "EXIF" not in early
    assert "EXIF" in late


def test_the_thresholds_come_from_the_contract():
    other = replace(CONTRACT, bin_thresh=0.45, box_thresh=0.7, unclip_ratio=2.0)
    for stats, named in (
        (DecodeStats(0.4, 0, 0, 0, 0), "decode.bin_thresh=0.45"),
        (DecodeStats(0.9, 3, 3, 0, 0), "decode.box_thresh=0.7"),
        (DecodeStats(0.9, 3, 3, 3, 0), "unclip_ratio=2"),
        (DecodeStats(0.9, 3, 3, 3, 3), ""),
    ):
        assert named in explain_zero(score(1), stats, 0.0, other)[1]


def test_stats_of_several_images_are_added_up():
    parts = [DecodeStats(0.2, 3, 2, 1, 0), DecodeStats(0.7, 30, 20, 10, 5)]
    assert DecodeStats.together(parts) == DecodeStats(0.7, 33, 22, 11, 5)
    assert DecodeStats.together([]) == DecodeStats(0.0, 0, 0, 0, 0)
