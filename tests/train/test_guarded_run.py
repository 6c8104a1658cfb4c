"""What a run does when its numbers go wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from pathlib import Path

import pytest
import torch

from conftest import TINY
from resnet18_ocrdet.model import loss
from resnet18_ocrdet.model.checkpoint import load_checkpoint
from resnet18_ocrdet.model.loss import DBLoss
from resnet18_ocrdet.structures import LossParts
from train_runner import train

WORDS = (*TINY, "data.train_size=20", "train.epochs=2", "train.val_every=2")  # 10 steps an epoch


@pytest.fixture
def plant(monkeypatch) -> Callable[[Collection[int]], None]:
    """Let the loss of these steps, counted from 1, be NaN."""

    def planted(steps: Collection[int]) -> None:
        calls = 0

        class Planted(DBLoss):
            def forward(self, *arguments):
                nonlocal calls
                parts = super().forward(*arguments)
                calls += torch.is_grad_enabled()
                return LossParts(parts.total * float("nan"), *parts[1:]) if calls in steps else parts

        monkeypatch.setattr(loss, "DBLoss", Planted)

    return planted


@pytest.mark.slow
def test_one_bad_step_is_skipped_counted_and_named(plant, tmp_path: Path, monkeypatch, capsys):
    plant([4])
    assert train(monkeypatch, *WORDS, f"run_dir={tmp_path}/run") == 0
    (line,) = [text for text in capsys.readouterr().out.splitlines() if text.startswith("step 4 skipped")]
    assert line.startswith("step 4 skipped (loss nan") and "1 so far" in line and "synthetic_" in line
    content = load_checkpoint(tmp_path / "run/checkpoints/last.pt")
    assert content["step"] == 20 and content["guard"]["skipped"] == 1 and content["guard"]["lr_scale"] == 1.0
    first = json.loads((tmp_path / "run/metrics.jsonl").read_text().splitlines()[0])
    assert 0 < first["train_loss"]["total"] < 100  # the NaN is not in the mean


def test_a_loss_that_stays_bad_rolls_back_and_stops_with_3(plant, tmp_path: Path, monkeypatch, capsys):
    plant(range(6, 1000))
    words = (*WORDS, "train.epochs=9", "train.guard.patience=2", "train.guard.rollbacks=2")
    assert train(monkeypatch, *words, f"run_dir={tmp_path}/run") == 3
    out = capsys.readouterr().out
    assert "learning rate halved (1 of 2 times)" in out and "learning rate halved (2 of 2 times)" in out
    assert "stopped: " in out and "at step 10 after 2 roll-backs" in out  # 6 7 back, 8 9 back, 10 11 stop
    assert "none of its images is constant" in out
    content = load_checkpoint(tmp_path / "run/checkpoints/last.pt")
    assert content["guard"]["lr_scale"] == 0.125
    assert all(torch.isfinite(value).all() for value in content["model"].values() if value.is_floating_point())
    report = json.loads((tmp_path / "run/stopped/report.json").read_text())
    assert [entry["name"].startswith("synthetic_") for entry in report] == [True, True]
    assert {path.name for path in (tmp_path / "run/stopped").iterdir()} == {
        "00.png", "00.txt", "01.png", "01.txt", "report.json"
    }  # fmt: skip


@pytest.mark.slow
def test_a_rate_of_10_gets_a_note_and_ends_without_a_traceback(tmp_path: Path, monkeypatch, capsys):
    words = (*WORDS, "train.epochs=20", "optimizer.lr=10")
    code = train(monkeypatch, *words, f"run_dir={tmp_path}/run")
    captured = capsys.readouterr()
    assert code == 3 and captured.err == ""
    assert "note: optimizer.lr=10" in captured.out
    assert "learning rate halved" in captured.out


@pytest.mark.slow
def test_the_default_rate_does_none_of_this(tmp_path: Path, monkeypatch, capsys):
    assert train(monkeypatch, *WORDS, f"run_dir={tmp_path}/run") == 0
    out = capsys.readouterr().out
    assert "skipped" not in out and "halved" not in out and "note: optimizer.lr" not in out


def test_constant_images_and_extreme_targets_are_named(tmp_path: Path):
    import numpy as np

    from resnet18_ocrdet.data.datasets import DatasetItem
    from resnet18_ocrdet.data.loader import collate
    from resnet18_ocrdet.data.targets import TargetMaker
    from resnet18_ocrdet.structures import ResizeTransform, Sample
    from resnet18_ocrdet.train.bad_batch import write_bad_batch

    whole = np.array([[-500, -500], [600, -500], [600, 600], [-500, 600]], np.float32)  # shrinks to more than the image
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    cases = [(np.full((64, 64, 3), 7, np.uint8), (), []), (noise, (whole,), [False]), (noise, (whole,), [True])]
    views = []
    for number, (image, polygons, ignore) in enumerate(cases):
        sample = Sample(f"{number}.jpg", image, polygons, np.array(ignore, bool))
        planes = TargetMaker(0.4, 0.3, 0.7, 8)(sample.polygons, sample.ignore, 64, 64)
        views.append(DatasetItem(image, planes, ResizeTransform(64, 64, 1.0, 1.0), sample, len(views)))
    lines = write_bad_batch(tmp_path, [collate(views)])
    assert "0.jpg: constant image" in lines[0]
    assert "1.jpg: 100% of it is labelled as text" in lines[1]
    assert "2.jpg: 100% of it is don't-care" in lines[2]
    assert (tmp_path / "02.txt").read_text().endswith(",###\n")
