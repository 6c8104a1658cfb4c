"""ocrdet-train reports why a run cannot succeed: labels, numbers or settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conftest import assert_mentions
from grey_photos import WORD, box, photos
from resnet18_ocrdet.cli import _train
from resnet18_ocrdet.commands.launch import run_command

SMALL = ("input_size=64x64", "train.batch_size=2", "train.workers=0", "train.epochs=1", "data=custom")


def train(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["ocrdet-train", *words])
    return run_command("train", _train)


def test_labels_that_are_all_dont_care_are_refused_with_their_share(tmp_path: Path, monkeypatch, capsys):
    root = photos(tmp_path / "set", *[box(10, 20, 90, 30, "###") + box(10, 70, 90, 30, "###")] * 5)
    # 5 images, one of them drawn for validation: 4 x 2 regions to train on
    assert train(monkeypatch, *SMALL, root, f"run_dir={tmp_path}/run") == 2
    assert_mentions(capsys.readouterr().err, "none of the 8 training regions", "100% don't-care", "###", "0% too small")
    assert not (tmp_path / "run").exists()


def test_training_without_labels_is_refused(tmp_path: Path, monkeypatch, capsys):
    assert train(monkeypatch, *SMALL, photos(tmp_path / "set", *[""] * 5), f"run_dir={tmp_path}/run") == 2
    assert_mentions(capsys.readouterr().err, "training images", "no labelled regions")


def test_text_too_small_at_the_largest_zoom_is_refused_with_numbers(tmp_path: Path, monkeypatch, capsys):
    # 128 px to 64: half. 4 px high becomes 2, three times that (augment.scale_max) 6, and 8 are needed.
    root = photos(tmp_path / "set", *[box(10, 20, 60, 4)] * 5)
    assert train(monkeypatch, *SMALL, root, f"run_dir={tmp_path}/run") == 2
    error = capsys.readouterr().err
    assert_mentions(error, "none of the 4 training regions", "0% don't-care", "100% too small", "64x64", "3 times")
    assert_mentions(error, "input_size", "train.min_text_size", "8")


def test_text_too_small_without_zoom_is_noted_with_the_needed_factor(tmp_path: Path, monkeypatch, capsys):
    # 10 px high becomes 5 at 64x64: 15 when zoomed 3 times, enough for training, but 8 / 5 = 1.6 times the sides fit it
    root = photos(tmp_path / "set", *[box(10, 20, 60, 10)] * 5)
    assert train(monkeypatch, *SMALL, root, "train.preview=true", f"run_dir={tmp_path}/run") == 0
    notes = [line for line in capsys.readouterr().out.splitlines() if "too small" in line]
    for note, part, count in zip(notes, ("training", "validation"), ("0 of 4", "0 of 1"), strict=True):
        assert_mentions(note, "note:", part, count, "100% too small", "64x64", "5.0 px", "input_size", "1.6 times")


def test_a_far_too_low_learning_rate_is_detected_from_the_weights(tmp_path: Path, monkeypatch, capsys):
    root = photos(tmp_path / "set", *[WORD] * 5)
    assert train(monkeypatch, *SMALL, root, "optimizer.lr=1e-9", f"run_dir={tmp_path}/run") == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "optimizer.lr=1e-09" in line]
    assert_mentions(line, "warning:", "weights", "2 steps", "0.007", "SGD", "0.001", "AdamW")
    (moved,) = re.findall(r"[\d.]+e-\d+", line.replace("1e-09", ""))  # as a fraction of the length of the weights
    assert 0 < float(moved) < 2e-7
    assert line in (tmp_path / "run/train.log").read_text()


def test_the_same_images_for_training_and_validation_are_counted(tmp_path: Path, monkeypatch, capsys):
    words = (*SMALL, photos(tmp_path / "set", *[WORD] * 4), "train.preview=true", f"run_dir={tmp_path}/run")
    assert train(monkeypatch, *words, "data.train=0-3", "data.val=0-3") == 0
    notes = [line for line in capsys.readouterr().out.splitlines() if re.match("note: .*validation", line)]
    overlap, both = sorted(notes, key=lambda note: "data.val" in note)
    assert_mentions(both, "data.train", "data.val", "0-3")
    assert_mentions(overlap, "4 of 4", f"{tmp_path}/set/images/0.jpg")
    assert train(monkeypatch, *words, "data.train=0-2", "data.val=2-3") == 0
    assert_mentions(capsys.readouterr().out, "note: 1 of 2", f"{tmp_path}/set/images/2.jpg")
    assert train(monkeypatch, *words, "data.train=0-2", "data.val=3-3") == 0
    assert not re.search("note: .*validation", capsys.readouterr().out)


def test_hmean_0_prints_each_stage_and_where_regions_were_lost(tmp_path: Path, monkeypatch, capsys):
    words = (*SMALL, photos(tmp_path / "set", *[WORD] * 5), f"run_dir={tmp_path}/run")
    assert train(monkeypatch, *words, "decode.bin_thresh=1") == 0  # no probability is above it
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning: ")]
    assert not any("optimizer.lr" in line for line in lines)  # the default learning rate moves the weights
    stages, lost = [line for line in lines if "hmean 0" in line or "lost at" in line]
    assert_mentions(stages, "1 region", "0 contours", "bin_thresh", "0 above box_thresh", "0 boxes", "IoU 0.00")
    assert re.search(r"probability [01]\.\d\d", stages)
    assert_mentions(lost, "probability", "decode.bin_thresh=1")
