"""Don't-care regions by cause, in the words of messages."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from format_files import build
from resnet18_ocrdet.data.ignore_causes import LOST, MARK, OTHER_CLASS, IgnoreCauses, marks_of
from resnet18_ocrdet.data.record import Region, to_record
from resnet18_ocrdet.data.region_counts import RegionCounts, low_usability_note, no_usable_region_error
from resnet18_ocrdet.data.region_selection import select_regions
from resnet18_ocrdet.data.splits import custom

BOX = np.array([[0, 0], [9, 0], [9, 9], [0, 9]], np.float32)


def test_causes_in_words():
    causes = IgnoreCauses.of({"difficult": 2, MARK: 5, OTHER_CLASS: 1, LOST: 0}, ("*", "###"))
    assert str(causes) == "*, ###, difficult, other class"
    assert causes.listed() == "mark (*, ###) 5, difficult 2, other class 1"
    assert str(IgnoreCauses()) == "###" and IgnoreCauses().listed() == ""
    assert pickle.loads(pickle.dumps(causes)) == causes  # for loader processes


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({}, "regions with the text ### are ignored"),
        ({MARK: 2, "difficult": 1}, "regions with the text ### are ignored"),
        ({"difficult": 2, MARK: 1}, "data.ignore_flags=none"),
        ({OTHER_CLASS: 1}, "data.classes"),
        ({LOST: 3}, "correct these labels"),
    ],
)
def test_the_remedy_is_for_the_most_frequent_cause(counts, words):
    causes = IgnoreCauses.of(counts)
    assert words in causes.remedy()
    found = RegionCounts(8, 8, 0, 0, 0, 0.0, causes)
    assert words in (no_usable_region_error(found, "640x640", 8) or "")
    assert f"don't-care ({causes})" in (low_usability_note(found, "training", "640x640", 8) or "")


def test_the_marks_are_those_of_the_labels():
    assert marks_of({"*": 3, "###": 5, "": 9}) == ("###", "*") and marks_of({"": 2}) == ("###",)
    assert marks_of({"x" * 99: 1}) == ("x" * 20,)
    regions = [Region(BOX, "*", True), Region(BOX + 1, "a", flag="difficult,blurred"), Region(BOX + 2, "b", flag="x")]
    chosen = select_regions({"train": [to_record(Path("1.png"), None, regions)]}, ("blurred",))
    assert chosen.splits["train"][0].ignore.tolist() == [True, True, False]
    assert chosen.marks == ("*",) and chosen.causes == {MARK: 1, "blurred": 1}
    assert "mark (*) 1, blurred 1" in chosen.lines[0]
    assert "difficult 1, x 1" in chosen.lines[1]


def test_the_images_of_a_training_know_the_causes(tmp_path):
    shapes = [{"label": "a", "points": [[0, 0], [4, 0], [4, 4]], "shape_type": "polygon", "difficult": True}]
    files = {f"{n}.json": {"shapes": shapes, "imagePath": f"{n}.png"} for n in (1, 2, 3)}
    build(tmp_path, files | {f"{n}.png": None for n in (1, 2, 3)})
    assert str(custom(tmp_path).train.causes) == "difficult"
    shapes.append({"label": "b", "points": 7})
    build(tmp_path, {"3.json": json.dumps({"shapes": shapes, "imagePath": "3.png"})})
    assert str(custom(tmp_path).train.causes) == "difficult, labels that cannot be read"
