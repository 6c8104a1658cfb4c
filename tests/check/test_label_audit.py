"""Labels compared with predictions, by hand."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from resnet18_ocrdet.check.curvature import bend_of
from resnet18_ocrdet.check.label_audit import KINDS, MEANING, Predictions, audit_labels, find_issues, mean_support
from resnet18_ocrdet.data.record import Region, to_record
from resnet18_ocrdet.data.targets import shrink_distances
from resnet18_ocrdet.geometry.polygon import min_area_quads, offsets
from resnet18_ocrdet.inference.postprocess import Decoder
from resnet18_ocrdet.structures import Detection, ResizeTransform
from scored_images import box


def issues(labels, boxes, ignore=None, support=None, polygons=None, findable=0.8):
    count = len(labels)
    flags = np.array(ignore if ignore is not None else [False] * count, bool)
    found = [Detection(each, 0.9) for each in boxes]
    predictions = Predictions(
        found, polygons or boxes, np.array(support if support is not None else [0.8] * count, np.float64)
    )
    return find_issues(labels, flags, predictions, np.full(count, findable))


WORD = box(0, 0, 100, 20)


def test_no_issues_if_labels_and_predictions_agree():
    assert issues([WORD, box(200, 0, 60, 20)], [WORD, box(198, -1, 64, 22)]) == []
    assert issues([], []) == []


def test_text_without_a_label():
    assert issues([WORD], [WORD, box(300, 0, 80, 20)]) == [("missing label", (), (1,), 0.9)]


def test_a_detection_on_labels_is_not_a_missing_label():
    # two fifths of it on a label: something is odd, but the text there has a label
    assert [issue.kind for issue in issues([WORD], [WORD, box(60, 0, 100, 20)])] == []


def test_a_false_label_is_as_suspicious_as_text_of_its_height_is_findable():
    (issue,) = issues([WORD, box(0, 100, 100, 20)], [WORD], support=[0.8, 0.1], findable=0.7)
    assert issue == ("false label", (1,), (), pytest.approx(0.9 * 0.7))


def test_two_halves_of_a_word():
    (issue,) = issues([box(0, 0, 50, 20), box(50, 0, 50, 20)], [WORD])
    assert issue == ("split", (0, 1), (0,), pytest.approx(0.9))  # they touch, and together are what is seen


def test_two_words_in_one_detection_are_not_a_split_label():
    # 10 px apart at 20 px height: as far as a space; 5 px: half as doubtful
    (far,) = issues([box(0, 0, 45, 20), box(55, 0, 45, 20)], [WORD])
    (near,) = issues([box(0, 0, 47.5, 20), box(52.5, 0, 47.5, 20)], [WORD])
    assert (far.kind, far.suspicion) == ("split", 0)
    assert near.suspicion == pytest.approx(0.9 * 0.95 * 0.5)


def test_one_label_for_two_words():
    (issue,) = issues([WORD], [box(0, 0, 45, 20), box(55, 0, 45, 20)])
    assert issue == ("merged", (0,), (0, 1), pytest.approx(0.9 * 0.9))  # both cover 90 % of it


def test_sizes():
    # in both directions 1 / 0.6 and 1 / 1.5 of the label
    (tight,) = issues([box(20, 4, 60, 12)], [WORD])
    assert tight == ("too tight", (0,), (0,), pytest.approx(0.9 * 0.4))
    (loose,) = issues([box(-25, -5, 150, 30)], [WORD])
    assert loose == ("too loose", (0,), (0,), pytest.approx(0.9 / 3))


@pytest.mark.parametrize("seen", [box(0, 0, 60, 20), box(0, 5, 100, 10), box(-5, -1, 110, 22)])
def test_a_size_that_differs_slightly_or_in_one_direction_is_not_an_issue(seen):
    assert issues([WORD], [seen]) == []


def test_dont_care_labels_have_no_issues():
    labels = [WORD, box(0, 100, 100, 20)]
    assert issues(labels, [box(20, 4, 60, 12)], ignore=[True, True], support=[0, 0]) == []


def arc(radius=100.0, thickness=20.0, degrees=100.0):
    angles = np.deg2rad(np.linspace(270 - degrees / 2, 270 + degrees / 2, 24))
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.concatenate([ring * radius, (ring * (radius - thickness))[::-1]]).astype(np.float32) + 200


def test_curves():
    bent = arc()
    quad = box(*bent.min(axis=0), *(bent.max(axis=0) - bent.min(axis=0)))
    (issue,) = issues([quad], [quad], polygons=[bent])
    assert issue.kind == "curved in a quad" and 0.3 < issue.suspicion < 0.9
    assert issues([bent], [quad], polygons=[bent]) == []  # the label follows the curve
    assert issues([WORD], [WORD], polygons=[WORD]) == []


@pytest.mark.parametrize("degrees", [0, 40, 90])
def test_bends(degrees):
    turn = np.deg2rad(degrees)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    assert bend_of((WORD @ matrix).astype(np.float32)) < 0.1
    assert bend_of((arc() @ matrix).astype(np.float32)) > 1
    leaning = np.float32([[0, 0], [100, 8], [100, 20], [0, 30]])
    assert bend_of((leaning @ matrix).astype(np.float32)) < 0.15


def test_labels_of_text_that_the_network_never_finds_are_not_suspicious():
    heights, support = np.array([6.0, 7.0, 20.0, 22.0]), np.array([0.0, 0.1, 0.9, 0.7])
    assert mean_support(heights, support) == pytest.approx([0.05, 0.05, 0.8, 0.8])


def test_a_set_is_ranked(tmp_path):
    good = to_record(tmp_path / "a.jpg", None, [Region(WORD)])
    bad = to_record(tmp_path / "b.jpg", None, [Region(WORD), Region(box(0, 50, 60, 12), ignore=True)])
    agreed = Predictions([Detection(WORD, 0.9)], [WORD], np.array([0.9]))
    other = Predictions(
        [Detection(box(300, 0, 50, 20), 0.6), Detection(box(300, 90, 50, 20), 0.8)], [WORD, WORD], np.array([0.1, 0])
    )
    labels = audit_labels("x", 0, [(good, agreed), (bad, other)])
    assert labels.kinds == ["missing label", "false label"]
    assert [round(issue.suspicion, 2) for _, issue in labels.ranked("missing label")] == [0.8, 0.6]
    ((image, issue),) = labels.ranked("false label")
    assert image.record is bad and issue.suspicion == pytest.approx(0.9 * 0.5)  # half of the text of 20 px is found
    assert labels.worst == [image] and image.suspicion == pytest.approx(0.8 + 0.6 + 0.45)
    assert set(MEANING) == set(KINDS)


@pytest.mark.parametrize("bin_thresh", [0.3, 0.5])
def test_a_curved_word_on_a_probability_map_is_found_with_usual_thresholds(bin_thresh):
    """The map has the shrunk text; a quad around it would contain too much background to pass the box threshold."""
    text = arc(150, 40, 90)
    (core,) = offsets([text], -np.array(shrink_distances([text], 0.4)))
    prob_map = np.zeros((400, 400), np.float32)
    cv2.fillPoly(prob_map, [np.rint(core).astype(np.int32)], 0.95)
    decoder = Decoder(bin_thresh, 0.6, shape="polygon")
    (found,) = decoder(prob_map, ResizeTransform(400, 400, 1.0, 1.0))
    assert replace(decoder, shape="quad")(prob_map, ResizeTransform(400, 400, 1.0, 1.0)) == []
    quads, _ = min_area_quads([found.polygon])
    predictions = Predictions([found._replace(polygon=quads[0])], [found.polygon], np.array([0.5]))
    (issue,) = find_issues([quads[0]], np.array([False]), predictions, np.array([0.8]))
    assert issue.kind == "curved in a quad" and issue.suspicion > 0.4
