"""The reference implementations of the benchmarks give the same results as the package."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts/benchmarks"))  # scripts are no package

import bench_detect
import bench_eval
import detect_sides
import reference_detect
import reference_eval
from resnet18_ocrdet.evaluation.metrics import IcdarMetric
from resnet18_ocrdet.inference.postprocess import Decoder
from resnet18_ocrdet.model.dbnet import DBNet
from resnet18_ocrdet.structures import Detection, ResizeTransform


def box(x, y, width, height):
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.float32)


# -- scoring


@pytest.mark.parametrize("seed", range(5))
def test_both_scores_of_random_sets_are_equal(seed):
    rng = np.random.default_rng(seed)
    images = [bench_eval.make_labelled(rng) for _ in range(10)]
    metric, counts = IcdarMetric(), []
    bench_eval.score_ours(metric, images)
    bench_eval.score_reference(counts, images)
    assert bench_eval.score_differences(metric, counts) == []
    total = reference_eval.combine(counts)
    assert 0.5 < total.precision < 0.95 and 0.5 < total.recall < 0.95  # some are detected and some are not


@pytest.mark.parametrize(
    ("regions", "ignore", "found", "counts"),
    [
        ([box(0, 0, 10, 10)], [False], [box(0, 0, 10, 6)], (1, 1, 1)),  # IoU 60 / 100
        ([box(0, 0, 10, 10)], [False], [box(0, 0, 10, 5)], (0, 1, 1)),  # exactly 0.5: not above it
        ([box(0, 0, 10, 10)], [False], [box(0, 0, 10, 10)] * 2, (1, 1, 2)),  # the second is a false alarm
        ([box(0, 0, 10, 10)], [True], [box(0, 0, 10, 6)], (0, 0, 0)),  # on a don't-care region: neither counts
        ([box(0, 0, 10, 10)], [True], [box(0, 5, 10, 10)], (0, 0, 1)),  # with exactly half of its area: it counts
        # the first region takes its first match, although the second detection fits better
        ([box(0, 0, 10, 10)], [False], [box(0, 0, 10, 7), box(0, 0, 10, 10)], (1, 1, 2)),
        ([], [], [box(0, 0, 10, 10)], (0, 0, 1)),
        ([box(0, 0, 10, 10)], [False], [], (0, 1, 0)),
    ],
)
def test_matches_computed_by_hand(regions, ignore, found, counts):
    assert reference_eval.score_image(regions, ignore, found) == counts
    row = IcdarMetric().update(regions, np.array(ignore, bool), [Detection(polygon, 0.9) for polygon in found], "")
    assert (row.matched, row.care_regions, row.care_detections) == counts


def test_scores_of_a_set():
    # 3 of 4 detections, 3 of 6 regions: P 0.75, R 0.5, hmean 2 · 0.375 / 1.25 = 0.6
    images = [reference_eval.Counts(1, 2, 1), reference_eval.Counts(2, 4, 3)]
    assert reference_eval.combine(images) == pytest.approx((0.75, 0.5, 0.6))
    assert reference_eval.combine([reference_eval.Counts(0, 0, 0)]) == (0, 0, 0)


def test_different_scores_are_reported():
    metric = IcdarMetric()
    bench_eval.score_ours(metric, [bench_eval.Labelled([box(0, 0, 9, 9)], np.zeros(1, bool), [])])
    lines = bench_eval.score_differences(metric, [reference_eval.Counts(1, 1, 1)])
    assert len(lines) == 4 and "recall is 0.0, 1.0" in lines[1] and "1 images" in lines[3]


# -- decoding


@pytest.mark.parametrize("blobs", [10, 100])
def test_both_decoders_find_the_same_boxes(blobs):
    prob_map = bench_eval.make_map(blobs, np.random.default_rng(7))
    height, width = prob_map.shape
    ours = Decoder()(prob_map, ResizeTransform(height, width, 1.0, 1.0))
    boxes, scores = reference_eval.decode(prob_map, height, width)
    assert len(ours) == len(boxes) == blobs
    others, worst, _ = bench_eval.box_differences(ours, boxes, height, width)
    assert (others, worst <= bench_eval.ROUNDING) == (0, True)
    np.testing.assert_array_equal(np.array([found.score for found in ours], np.float32), scores)


def test_the_reference_decodes_a_square_computed_by_hand():
    # core of 40 x 40: grown by 1.5 · 1600 / 160 = 15 px on each side; in an image of twice the map's size
    plane = np.zeros((160, 200), np.float32)
    plane[60:101, 60:101] = 0.75
    boxes, scores = reference_eval.decode(plane, 320, 400)
    assert boxes.tolist() == [[[90, 90], [230, 90], [230, 230], [90, 230]]]
    assert scores.tolist() == [0.75]


def test_the_reference_leaves_out_thin_and_faint_blobs():
    plane = np.zeros((160, 200), np.float32)
    plane[20:23, 20:120] = 0.9  # 2 px between its outer rows
    plane[60:100, 20:120] = 0.5  # above 0.3, below 0.6
    boxes, scores = reference_eval.decode(plane, 160, 200)
    assert boxes.shape == (0, 4, 2) and scores.shape == (0,)


def test_boxes_that_differ_are_counted():
    whole = np.array([box(10, 10, 30, 20), box(100, 50, 40, 20)], np.int16)
    ours = [Detection(each.astype(np.float32) + np.float32(0.25), 0.9) for each in whole]
    assert bench_eval.box_differences(ours, whole, 80, 200) == (0, 0.25, 0)
    moved = [ours[0], Detection(ours[1].polygon + np.float32([0, 2]), 0.9)]
    assert bench_eval.box_differences(moved, whole, 80, 200) == (1, 2.25, 0)
    assert bench_eval.box_differences(ours[:1], whole, 80, 200)[0] == 1
    assert bench_eval.box_differences(ours, whole[:1], 80, 200)[0] == 1
    assert bench_eval.box_differences([], whole, 80, 200) == (2, float("inf"), 0)
    assert bench_eval.box_differences([], whole[:0], 80, 200) == (0, 0.0, 0)
    # in an image of 80 x 140 the second ends at x = 140; the last pixel is 139
    inside = [ours[0], Detection(np.minimum(whole[1], (139, 79)).astype(np.float32), 0.9)]
    assert bench_eval.box_differences(inside, whole, 80, 140) == (0, 0.25, 1)


# -- detection


def test_the_published_network_computes_what_ours_does():
    torch.manual_seed(0)
    ours, published = DBNet().eval(), reference_detect.PublishedDBNet().eval()
    with torch.no_grad():
        for part in (ours.backbone, ours.prob_head):  # statistics as if trained
            for layer in part.modules():
                if isinstance(layer, torch.nn.BatchNorm2d):
                    layer.running_mean.uniform_(-0.2, 0.2)
                    layer.running_var.uniform_(0.5, 2)
        wanted = published.state_dict()
        published.load_state_dict({name: ours.state_dict()[name] for name in wanted})
        image = torch.randint(0, 256, (1, 3, 64, 96), dtype=torch.uint8)
        expected = ours(image, with_thresh=False).prob_map
        assert expected.std() > 0.01
        torch.testing.assert_close(published(ours.normalize(image)), expected, rtol=0, atol=1e-5)


def test_the_preprocessing_of_the_reference():
    image = np.full((4, 6, 3), (255.0, 0.0, 104.00698793), np.float32)
    planes = reference_detect.prepare(image, 8, 12)
    assert planes.shape == (1, 3, 8, 12) and planes.dtype == torch.float32 and planes.is_contiguous()
    # (255 - 122.679) / 255 = 0.519; -116.669 / 255 = -0.458; 0
    assert planes[0, :, 0, 0].tolist() == pytest.approx([0.51891, -0.45752, 0.0], abs=1e-5)


def test_both_programs_find_the_labels(tmp_path, monkeypatch):
    monkeypatch.setattr(detect_sides, "HEIGHT", 128)
    monkeypatch.setattr(detect_sides, "WIDTH", 192)
    monkeypatch.setattr(detect_sides, "keep_freed_memory", lambda: True)  # it would last for later tests
    threads = cv2.getNumThreads()
    image = np.full((64, 96, 3), 200, np.uint8)
    cv2.imwrite(str(tmp_path / "0.jpg"), image)
    regions = (box(8, 8, 40, 16), box(50, 36, 36, 20))  # of the photo; the map is twice as large
    prob_map = detect_sides.label_map(regions, ResizeTransform(64, 96, 2.0, 2.0))
    try:
        predictor = detect_sides.make_predictor("fp32", tmp_path)
        for program in (detect_sides.reference_program(), detect_sides.our_program(predictor)):
            marks, boxes = program(tmp_path / "0.jpg", prob_map)
            assert boxes == 2
            assert len(marks) == len(detect_sides.STAGES) + 1 and marks == sorted(marks)
        np.save(tmp_path / "0.npy", prob_map)
        times = detect_sides.overlapped(predictor, tmp_path, 1)
        assert set(times) == {"alone", "overlapped"} and min(times.values()) > 0
    finally:
        cv2.setNumThreads(threads)


def test_medians_of_stages():
    found = [
        {"decode": d, "preprocess": 1.0, "network": n, "post-processing": 2.0} for d, n in ((3, 9), (1, 5), (2, 70))
    ]
    assert bench_detect.median(found, "network") == 9
    assert bench_detect.median(found) == 15  # of 15, 9 and 75; the medians of the stages add up to 14
