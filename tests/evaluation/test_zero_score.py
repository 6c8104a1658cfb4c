"""An hmean of 0: the way of the regions from the map to a match, and the first stage that none of them passed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from resnet18_ocrdet.evaluation.records import Score
from resnet18_ocrdet.evaluation.zero_score import explain_zero
from resnet18_ocrdet.inference.records import DecodeStats
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


def test_the_funnel_has_every_number():
    funnel, _ = explain_zero(score(37), DecodeStats(0.875, 50, 40, 30, 20), 0.42, CONTRACT)
    assert funnel == (
        "hmean 0, step by step: 37 regions to find → highest probability 0.88 → 50 contours above bin_thresh → "
        "40 large enough → 30 above box_thresh → 20 boxes → best IoU 0.42 (above 0.5 counts)"
    )


def test_one_is_called_one():
    funnel, _ = explain_zero(score(1), DecodeStats(0.9, 1, 1, 1, 1), 0.0, CONTRACT)
    assert "1 region to find" in funnel and "1 contour above" in funnel and "1 box → best" in funnel


@pytest.mark.parametrize(
    ("stages", "best_iou", "lost"),
    [
        (DecodeStats(0.29, 0, 0, 0, 0), 0.0, "probability: no pixel is above decode.bin_thresh=0.3."),
        (DecodeStats(0.9, 100, 0, 0, 0), 0.0, "size: every contour is thinner than 3 px at 640x800."),
        (
            DecodeStats(0.9, 101, 0, 0, 0),
            0.0,
            "size: 101 contours for 10 regions, all thinner than 3 px: speckle, not text.",
        ),
        (DecodeStats(0.9, 9, 8, 0, 0), 0.0, "score: no contour has a mean probability of decode.box_thresh=0.6."),
        (DecodeStats(0.9, 100, 8, 0, 0), 0.0, "score: no contour has a mean probability of decode.box_thresh=0.6."),
        (DecodeStats(0.9, 101, 8, 0, 0), 0.0, "score: 101 contours for 10 regions, none with a mean probability of "),
        (DecodeStats(0.9, 9, 8, 7, 0), 0.0, "size: every box is thinner than 5 px after growing by unclip_ratio=1.5"),
        (DecodeStats(0.9, 9, 8, 7, 6), 0.51, "matching: the boxes lie on don't-care regions only"),
        (DecodeStats(0.9, 9, 8, 7, 6), 0.5, "IoU: boxes lie on the text and do not fit it (best IoU 0.50)."),
        (DecodeStats(0.9, 9, 8, 7, 6), 0.31, "IoU: boxes lie on the text and do not fit it (best IoU 0.31)."),
        (DecodeStats(0.9, 9, 8, 7, 6), 0.3, "IoU: the boxes lie beside the labels (best IoU 0.30)."),
        (DecodeStats(0.9, 9, 8, 7, 6), 0.0, "IoU: the boxes lie beside the labels (best IoU 0.00)."),
    ],
)
def test_the_first_stage_that_nothing_passed_is_named(stages: DecodeStats, best_iou: float, lost: str):
    _, line = explain_zero(score(10), stages, best_iou, CONTRACT)
    assert line.startswith(f"lost at: {lost}")


def test_boxes_in_wrong_places_say_nothing_about_labels_before_mining_is_complete():
    stages = DecodeStats(0.9, 9, 8, 7, 6)
    early, late = (explain_zero(score(10), stages, 0.1, CONTRACT, warming_up)[1] for warming_up in (True, False))
    assert "beside the labels (best IoU 0.10), as they do early. Train longer" in early and "EXIF" not in early
    assert "EXIF" in late


def test_the_thresholds_are_those_of_the_contract():
    other = replace(CONTRACT, bin_thresh=0.45, box_thresh=0.7, unclip_ratio=2.0)
    for stages, named in (
        (DecodeStats(0.4, 0, 0, 0, 0), "decode.bin_thresh=0.45"),
        (DecodeStats(0.9, 3, 3, 0, 0), "decode.box_thresh=0.7"),
        (DecodeStats(0.9, 3, 3, 3, 0), "unclip_ratio=2"),
        (DecodeStats(0.9, 3, 3, 3, 3), ""),
    ):
        assert named in explain_zero(score(1), stages, 0.0, other)[1]


def test_stages_of_several_images_are_added_up():
    parts = [DecodeStats(0.2, 3, 2, 1, 0), DecodeStats(0.7, 30, 20, 10, 5)]
    assert DecodeStats.together(parts) == DecodeStats(0.7, 33, 22, 11, 5)
    assert DecodeStats.together([]) == DecodeStats(0.0, 0, 0, 0, 0)
