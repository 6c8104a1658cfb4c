"""A run that cannot succeed says so, and why: in its numbers, its data or its settings."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from resnet18_ocrdet.cli import _train
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.viz.draw import write

SMALL = ("input_size=64x64", "train.batch_size=2", "train.workers=0", "train.epochs=1", "data=custom")


def train(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["ocrdet-train", *words])
    return run_command("train", _train)


def photos(root: Path, *labels: str, side: int = 128) -> str:
    """A set of square grey images with a dark word each, one per label file content. Returns `data.root=…`."""
    for part in ("images", "gts"):
        (root / part).mkdir(parents=True)
    for number, text in enumerate(labels):
        image = np.full((side, side, 3), 200 - number, np.uint8)  # none is a copy of another
        image[20:50, 10:100] = 40
        write(root / f"images/{number}.jpg", image)
        (root / f"gts/{number}.txt").write_text(text)
    return f"data.root={root}"


def box(x: int, y: int, width: int, height: int, text: str = "word") -> str:
    return f"{x},{y},{x + width},{y},{x + width},{y + height},{x},{y + height},{text}\n"


WORD = box(10, 20, 90, 30)


def test_labels_that_are_all_dont_care_are_refused_with_their_share(tmp_path: Path, monkeypatch, capsys):
    root = photos(tmp_path / "set", *[box(10, 20, 90, 30, "###") + box(10, 70, 90, 30, "###")] * 5)
    # 5 images, one of them drawn for validation: 4 x 2 regions to learn from
    assert train(monkeypatch, *SMALL, root, f"run_dir={tmp_path}/run") == 2
    error = capsys.readouterr().err
    assert "data: none of the 8 training regions can be learnt: 100% don't-care (###), 0% too small" in error
    assert "a region whose text is ### is never learnt" in error
    assert not (tmp_path / "run").exists()


def test_training_without_labels_is_refused(tmp_path: Path, monkeypatch, capsys):
    assert train(monkeypatch, *SMALL, photos(tmp_path / "set", *[""] * 5), f"run_dir={tmp_path}/run") == 2
    assert "the training images have no labelled regions at all" in capsys.readouterr().err


def test_text_too_small_at_the_largest_zoom_is_refused_with_numbers(tmp_path: Path, monkeypatch, capsys):
    # 128 px to 64: half. 4 px high becomes 2, three times that (augment.scale_max) 6, and 8 are needed.
    root = photos(tmp_path / "set", *[box(10, 20, 60, 4)] * 5)
    assert train(monkeypatch, *SMALL, root, f"run_dir={tmp_path}/run") == 2
    error = capsys.readouterr().err
    assert (
        "none of the 4 training regions can be learnt: 0% don't-care (###), 100% too small at 64x64, zoomed 3 t"
        in error
    )
    assert "a larger input_size, or a smaller train.min_text_size than 8" in error


def test_text_too_small_without_zoom_is_noted_with_the_needed_factor(tmp_path: Path, monkeypatch, capsys):
    # 10 px high becomes 5 at 64x64: 15 when zoomed 3 times, so it can be learnt, but 8 / 5 = 1.6 times the sides fit it
    root = photos(tmp_path / "set", *[box(10, 20, 60, 10)] * 5)
    assert train(monkeypatch, *SMALL, root, "train.preview=true", f"run_dir={tmp_path}/run") == 0
    notes = [line for line in capsys.readouterr().out.splitlines() if " too small at " in line]
    assert [line.split(": ")[1:3] for line in notes] == [
        ["training", "0 of 4 regions that count can be learnt"],
        ["validation", "0 of 1 region that counts is large enough to be found"],
    ]
    for line in notes:
        assert "100% too small at 64x64" in line
        assert line.endswith(
            "Text is 5.0 px high in the middle, 8 is the least: the input_size needs 1.6 times its sides"
        )


def test_a_far_too_low_learning_rate_is_detected_from_the_weights(tmp_path: Path, monkeypatch, capsys):
    root = photos(tmp_path / "set", *[WORD] * 5)
    assert train(monkeypatch, *SMALL, root, "optimizer.lr=1e-9", f"run_dir={tmp_path}/run") == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "hardly move" in line]
    moved = re.search(r"by (\S+) of their norm in 2 steps.* optimizer\.lr=1e-09, where 0\.007 is usual for SGD", line)
    assert moved is not None and float(moved[1]) < 2e-7
    assert line in (tmp_path / "run/train.log").read_text()


def test_the_same_images_for_training_and_validation_are_counted(tmp_path: Path, monkeypatch, capsys):
    words = (*SMALL, photos(tmp_path / "set", *[WORD] * 4), "train.preview=true", f"run_dir={tmp_path}/run")
    assert train(monkeypatch, *words, "data.train=0-3", "data.val=0-3") == 0
    out = capsys.readouterr().out
    assert "note: training and validation use the same images: data.train and data.val are both 0-3" in out
    assert f"note: 4 of 4 validation images in training too (first: {tmp_path}/set/images/0.jpg)" in out
    assert train(monkeypatch, *words, "data.train=0-2", "data.val=2-3") == 0
    assert (
        f"note: 1 of 2 validation images in training too (first: {tmp_path}/set/images/2.jpg)"
        in capsys.readouterr().out
    )
    assert train(monkeypatch, *words, "data.train=0-2", "data.val=3-3") == 0
    assert "in training too" not in capsys.readouterr().out


def test_hmean_0_prints_each_stage_and_where_regions_were_lost(tmp_path: Path, monkeypatch, capsys):
    words = (*SMALL, photos(tmp_path / "set", *[WORD] * 5), f"run_dir={tmp_path}/run")
    assert train(monkeypatch, *words, "decode.bin_thresh=1") == 0  # no probability is above it
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning: ")]
    assert not any("hardly move" in line for line in lines)  # the default rate moves the weights
    funnel, lost = [line for line in lines if "hmean 0" in line or "lost at" in line]
    shape = (
        r"warning: hmean 0, step by step: 1 region to find → highest probability [01]\.\d\d → 0 contours above "
        r"bin_thresh → 0 large enough → 0 above box_thresh → 0 boxes → best IoU 0\.00 \(above 0\.5 counts\)"
    )
    assert re.fullmatch(shape, funnel)
    assert lost.startswith("warning: lost at: probability: no pixel is above decode.bin_thresh=1. ")
