"""Labels against what a network sees, by hand."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from resnet18_ocrdet.check.doubted import judge
from resnet18_ocrdet.check.label_audit import KINDS, MEANING, Seen, bend_of, doubts_of, findable_shares
from resnet18_ocrdet.data.record import Region, to_record
from resnet18_ocrdet.geometry.batched import min_area_quads
from resnet18_ocrdet.geometry.polygon import offset, shrink_distance
from resnet18_ocrdet.inference.postprocess import Decoder
from resnet18_ocrdet.structures import Detection, ResizeTransform
from scored_images import box


def doubts(labels, boxes, ignore=None, support=None, outlines=None, findable=0.8):
    count = len(labels)
    flags = np.array(ignore if ignore is not None else [False] * count, bool)
    found = [Detection(each, 0.9) for each in boxes]
    seen = Seen(found, outlines or boxes, np.array(support if support is not None else [0.8] * count, np.float64))
    return doubts_of(labels, flags, seen, np.full(count, findable))


WORD = box(0, 0, 100, 20)


def test_agreement_is_no_doubt():
    assert doubts([WORD, box(200, 0, 60, 20)], [WORD, box(198, -1, 64, 22)]) == []
    assert doubts([], []) == []


def test_text_without_a_label():
    assert doubts([WORD], [WORD, box(300, 0, 80, 20)]) == [("missing label", (), (1,), 0.9)]


def test_a_detection_that_lies_on_labels_is_no_missing_label():
    # two fifths of it on a label: something is odd, but the text there has a label
    assert [doubt.kind for doubt in doubts([WORD], [WORD, box(60, 0, 100, 20)])] == []


def test_a_label_without_text_weighs_as_much_as_text_of_its_height_is_found():
    (doubt,) = doubts([WORD, box(0, 100, 100, 20)], [WORD], support=[0.8, 0.1], findable=0.7)
    assert doubt == ("false label", (1,), (), pytest.approx(0.9 * 0.7))


def test_halves_of_a_word():
    (doubt,) = doubts([box(0, 0, 50, 20), box(50, 0, 50, 20)], [WORD])
    assert doubt == ("split", (0, 1), (0,), pytest.approx(0.9))  # they touch, and together are what is seen


def test_two_words_in_one_detection_are_no_split_label():
    # 10 px apart at 20 px height: as far as a space; 5 px: half as doubtful
    (far,) = doubts([box(0, 0, 45, 20), box(55, 0, 45, 20)], [WORD])
    (near,) = doubts([box(0, 0, 47.5, 20), box(52.5, 0, 47.5, 20)], [WORD])
    assert (far.kind, far.suspicion) == ("split", 0)
    assert near.suspicion == pytest.approx(0.9 * 0.95 * 0.5)


def test_one_label_for_two_words():
    (doubt,) = doubts([WORD], [box(0, 0, 45, 20), box(55, 0, 45, 20)])
    assert doubt == ("merged", (0,), (0, 1), pytest.approx(0.9 * 0.9))  # both cover 90 % of it


def test_sizes():
    # in both directions 1 / 0.6 and 1 / 1.5 of the label
    (tight,) = doubts([box(20, 4, 60, 12)], [WORD])
    assert tight == ("too tight", (0,), (0,), pytest.approx(0.9 * 0.4))
    (loose,) = doubts([box(-25, -5, 150, 30)], [WORD])
    assert loose == ("too loose", (0,), (0,), pytest.approx(0.9 / 3))


@pytest.mark.parametrize("seen", [box(0, 0, 60, 20), box(0, 5, 100, 10), box(-5, -1, 110, 22)])
def test_a_size_that_differs_in_one_direction_or_a_little_is_no_doubt(seen):
    assert doubts([WORD], [seen]) == []


def test_nothing_is_doubted_of_dont_care():
    labels = [WORD, box(0, 100, 100, 20)]
    assert doubts(labels, [box(20, 4, 60, 12)], ignore=[True, True], support=[0, 0]) == []


def arc(radius=100.0, thickness=20.0, degrees=100.0):
    angles = np.deg2rad(np.linspace(270 - degrees / 2, 270 + degrees / 2, 24))
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.concatenate([ring * radius, (ring * (radius - thickness))[::-1]]).astype(np.float32) + 200


def test_curves():
    bent = arc()
    quad = box(*bent.min(axis=0), *(bent.max(axis=0) - bent.min(axis=0)))
    (doubt,) = doubts([quad], [quad], outlines=[bent])
    assert doubt.kind == "curved in a quad" and 0.3 < doubt.suspicion < 0.9
    assert doubts([bent], [quad], outlines=[bent]) == []  # the label follows the curve
    assert doubts([WORD], [WORD], outlines=[WORD]) == []


@pytest.mark.parametrize("degrees", [0, 40, 90])
def test_bends(degrees):
    turn = np.deg2rad(degrees)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    assert bend_of((WORD @ matrix).astype(np.float32)) < 0.1
    assert bend_of((arc() @ matrix).astype(np.float32)) > 1
    leaning = np.float32([[0, 0], [100, 8], [100, 20], [0, 30]])
    assert bend_of((leaning @ matrix).astype(np.float32)) < 0.15


def test_text_that_the_network_never_finds_is_not_to_blame():
    heights, support = np.array([6.0, 7.0, 20.0, 22.0]), np.array([0.0, 0.1, 0.9, 0.7])
    assert findable_shares(heights, support) == pytest.approx([0.05, 0.05, 0.8, 0.8])


def test_a_set_is_ranked(tmp_path):
    good = to_record(tmp_path / "a.jpg", None, [Region(WORD)])
    bad = to_record(tmp_path / "b.jpg", None, [Region(WORD), Region(box(0, 50, 60, 12), ignore=True)])
    agreed = Seen([Detection(WORD, 0.9)], [WORD], np.array([0.9]))
    other = Seen(
        [Detection(box(300, 0, 50, 20), 0.6), Detection(box(300, 90, 50, 20), 0.8)], [WORD, WORD], np.array([0.1, 0])
    )
    labels = judge("x", 0, [(good, agreed), (bad, other)])
    assert labels.kinds == ["missing label", "false label"]
    assert [round(doubt.suspicion, 2) for _, doubt in labels.ranked("missing label")] == [0.8, 0.6]
    ((image, doubt),) = labels.ranked("false label")
    assert image.record is bad and doubt.suspicion == pytest.approx(0.9 * 0.5)  # half of the text of 20 px is found
    assert labels.worst == [image] and image.weight == pytest.approx(0.8 + 0.6 + 0.45)
    assert set(MEANING) == set(KINDS)


@pytest.mark.parametrize("bin_thresh", [0.3, 0.5])
def test_a_bent_word_on_the_probability_map_is_found_with_the_thresholds_of_a_detector(bin_thresh):
    """As the network answers: the shrunk text, painted; a quad round it would hold too much background to count."""
    text = arc(150, 40, 90)
    (core,) = offset(text, -shrink_distance(text, 0.4))
    prob_map = np.zeros((400, 400), np.float32)
    cv2.fillPoly(prob_map, [np.rint(core).astype(np.int32)], 0.95)
    decoder = Decoder(bin_thresh, 0.6, shape="polygon")
    (found,) = decoder(prob_map, ResizeTransform(400, 400, 1.0, 1.0))
    assert replace(decoder, shape="quad")(prob_map, ResizeTransform(400, 400, 1.0, 1.0)) == []
    quads, _ = min_area_quads([found.polygon])
    seen = Seen([found._replace(polygon=quads[0])], [found.polygon], np.array([0.5]))
    (doubt,) = doubts_of([quads[0]], np.array([False]), seen, np.array([0.8]))
    assert doubt.kind == "curved in a quad" and doubt.suspicion > 0.4
