"""Which regions are text: flags of tools, classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from resnet18_ocrdet.data.record import Region, to_record
from resnet18_ocrdet.data.region_selection import select_regions, split_names
from resnet18_ocrdet.errors import UserError

BOX = np.array([[0, 0], [9, 0], [9, 9], [0, 9]], np.float32)


def records():
    """A marked region, a difficult line, a word, a crowd of words, a logo."""
    regions = [
        Region(BOX, "###", True, 1, category="word"),
        Region(BOX + 1, "b", False, 2, "difficult", "line"),
        Region(BOX + 2, "c", False, 3, category="word"),
        Region(BOX + 3, "d", False, 4, "iscrowd", "word"),
        Region(BOX + 4, "e", False, 5, category="logo"),
    ]
    return {"train": [to_record(Path("1.png"), Path("1.json"), regions)]}


def test_flags_decide_and_are_counted_by_cause():
    chosen = select_regions(records(), ("iscrowd",))
    (record,) = chosen.splits["train"]
    assert record.ignore.tolist() == [True, False, False, True, False]
    assert record.flags == () and record.categories == ("word", "line", "word", "word", "logo")
    assert chosen.causes == {"mark": 1, "iscrowd": 1}
    causes, unused, classes = chosen.lines
    assert "mark (###) 1" in causes and "iscrowd 1" in causes
    assert "difficult 1" in unused and "data.ignore_flags=iscrowd,difficult" in unused
    assert "word 3, line 1, logo 1" in classes and "data.classes=" in classes


def test_no_flag_counts_if_none_is_asked_for():
    chosen = select_regions(records(), ("none",), typed=True)
    assert chosen.causes == {"mark": 1}


@pytest.mark.parametrize(
    ("other", "lines", "ignore"),
    [("mask", [1, 2, 3, 4, 5], [True, True, False, True, True]), ("drop", [1, 3, 4], [True, False, True])],
)
def test_other_classes_are_masked_or_left_out(other, lines, ignore):
    chosen = select_regions(records(), ("iscrowd",), classes=["word"], other=other)
    (record,) = chosen.splits["train"]
    assert record.lines.tolist() == lines and record.ignore.tolist() == ignore
    assert chosen.causes.total() == sum(ignore)
    assert "word is text, 2 regions of others" in chosen.lines[-1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"flags": ("hard",), "typed": True}, ["ignore_flags", "'hard'", "difficult 1"]),
        ({"classes": ["text"]}, ["classes", "'text'", "word 3"]),
    ],
)
def test_a_flag_or_class_that_no_region_has_is_refused(options, words):
    with pytest.raises(UserError) as caught:
        select_regions(records(), **options)
    assert all(word in str(caught.value) for word in words)


def test_one_class_and_no_flags_are_not_mentioned():
    regions = [Region(BOX, "a", category="text"), Region(BOX + 1, "b", category="text")]
    assert select_regions({"train": [to_record(Path("1.png"), None, regions)]}).lines == ()


def test_names_are_separated_by_commas():
    assert split_names("word, text line") == ["word", "text line"]
    assert split_names(None) is None
