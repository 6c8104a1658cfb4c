"""Runs with scheduler=constant that are continued, and branches of them that end with a decay."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from conftest import TINY, installed
from resnet18_ocrdet.model.checkpoint import load_checkpoint
from train_runner import last, same, train

WORDS = (*TINY, "scheduler=constant", "optimizer.lr=0.004", "train.ema=0.9")


@pytest.mark.slow
def test_a_longer_run_equals_one_that_was_planned_longer(tmp_path: Path, monkeypatch, capsys):
    assert train(monkeypatch, *WORDS, "train.epochs=2", f"run_dir={tmp_path}/planned") == 0
    assert train(monkeypatch, *WORDS, "train.epochs=1", f"run_dir={tmp_path}/longer") == 0
    capsys.readouterr()
    assert train(monkeypatch, f"resume={tmp_path}/longer", "train.epochs=2") == 0
    assert "note: the decay" not in capsys.readouterr().out
    for part in ("model", "average", "step", "best_hmean"):
        assert same(last(tmp_path / "planned")[part], last(tmp_path / "longer")[part]), part


@pytest.mark.slow
def test_a_branch_decays_and_the_run_goes_on(tmp_path: Path, monkeypatch, records):
    assert train(monkeypatch, *WORDS, "train.epochs=1", f"run_dir={tmp_path}/long") == 0
    shutil.copytree(tmp_path / "long", tmp_path / "decayed")
    words = ("train.epochs=3", "scheduler.decay_epochs=2", "augment.crop_size=96x96")
    done = installed("ocrdet-train", f"resume={tmp_path}/decayed", *words, cwd=tmp_path)
    assert done.returncode == 0 and "crop_size was None, is now 96x96" in done.stdout
    assert done.stdout.count("note: ") == 0
    ended = load_checkpoint(tmp_path / "decayed/checkpoints/last.pt")
    # 2 steps an epoch: the last step begins at epoch 2.5, three quarters into the decay
    assert ended["optimizer"]["param_groups"][0]["lr"] == pytest.approx(0.004 * (1 - 0.75**0.5))
    assert train(monkeypatch, f"resume={tmp_path}/long", "train.epochs=3") == 0
    assert {record.lr for record in records} == {0.004}
