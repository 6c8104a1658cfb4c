"""scripts/cut_words.py: gaps worked out by hand on drawn blocks, and the whole command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))  # scripts are not a package

from cut_words import cut_columns, cut_segment  # noqa: E402


def ink(*spans, height=20, width=120):
    drawn = np.zeros((height, width), bool)
    for first, end in spans:
        drawn[:, first:end] = True
    return drawn


def test_the_widest_gaps_are_those_between_words():
    letters = ink((5, 15), (18, 28), (40, 50), (53, 63))  # gaps of 3, 12 and 3 columns
    assert cut_columns(letters, ["ab", "cd"]) == [(5, 28), (40, 63)]
    assert cut_columns(letters, ["abcd"]) == [(5, 63)]


@pytest.mark.parametrize(
    ("spans", "words"),
    [
        (((5, 15), (18, 28), (40, 50), (53, 63)), ["a", "b", "cd"]),  # the second gap is not clearly wider
        (((5, 15), (17, 27)), ["a", "b"]),  # 2 px of 20 is no space
        (((5, 15),), ["a", "b"]),  # no gap at all
        (((5, 7), (30, 100)), ["abcdefgh", "ij"]),  # 2 columns for 8 letters
        ((), ["a", "b"]),
    ],
)
def test_gaps_that_disagree_with_the_text_are_refused(spans, words):
    assert cut_columns(ink(*spans), words) is None


def test_a_lone_sign_may_be_narrow():
    assert cut_columns(ink((5, 45), (60, 62)), ["Cash", ":"]) == [(5, 45), (60, 62)]


def page():
    """Blocks of two letters each at columns 20-40 and 60-80, rows 30-50; the second word is lower at the top."""
    image = np.full((80, 120, 3), 255, np.uint8)
    for left in (20, 32):
        image[30:50, left : left + 8] = 0
    for left in (60, 72):
        image[36:50, left : left + 8] = 0
    return image


SEGMENT = np.array([[17, 27], [84, 27], [84, 53], [17, 53]], np.float32)


def test_boxes_hug_the_ink_of_each_word():
    first, second = cut_segment(page(), SEGMENT, "no me")
    assert (first.text, second.text) == ("no", "me")
    assert first.polygon.tolist() == [[19.5, 29.5], [39.5, 29.5], [39.5, 49.5], [19.5, 49.5]]
    assert second.polygon.tolist() == [[59.5, 35.5], [79.5, 35.5], [79.5, 49.5], [59.5, 49.5]]


def test_ink_of_the_next_line_and_specks_do_not_count():
    image = page()
    image[52:56, 42:58] = 0  # reaches one row into the segment
    image[40, 48:50] = 0
    assert len(cut_segment(image, SEGMENT, "no me")) == 2


def test_a_slanted_segment_stays_whole():
    assert cut_segment(page(), SEGMENT + np.float32([[0, -4], [0, 4], [0, 4], [0, -4]]), "no me") is None
    assert cut_segment(page(), SEGMENT[:3], "no me") is None


@pytest.mark.slow
def test_the_script_writes_links_and_labels(tmp_path: Path):
    for folder in ("images", "gts"):
        (tmp_path / "set" / folder).mkdir(parents=True)
    for number in (1, 2, 3):
        cv2.imwrite(str(tmp_path / f"set/images/{number}.png"), page())
        lines = "17,27,84,27,84,53,17,53,{}\n"
        texts = ("no me", "n o me", "-")
        (tmp_path / f"set/gts/gt_{number}.txt").write_text("".join(map(lines.format, texts)))
    words = ["data=custom", "data.root=set", "data.train=1-2", "data.val=3-3", "--output", "words"]
    done = subprocess.run(
        [sys.executable, SCRIPTS / "cut_words.py", *words], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 segments were one word, 2 cut, 2 whole" in done.stdout
    assert sorted(path.name for path in (tmp_path / "words/images").iterdir()) == ["1.png", "2.png"]
    assert (tmp_path / "words/images/1.png").is_symlink()
    lines = (tmp_path / "words/gts/gt_1.txt").read_text().splitlines()
    assert [line.rsplit(",", 1)[1] for line in lines] == ["no", "me", "###", "###"]
    assert lines[0].startswith("19.5,29.5,")
