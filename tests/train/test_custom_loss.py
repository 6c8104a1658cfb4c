"""A loss is one class: the training loop asks it for everything it needs to know."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from conftest import TINY
from resnet18_ocrdet import build
from resnet18_ocrdet.model.checkpoint import load_checkpoint
from resnet18_ocrdet.model.loss import DBLoss
from resnet18_ocrdet.structures import Maps, Targets
from resnet18_ocrdet.train.diagnosis import FLAT_SPOT, Diagnosis
from resnet18_ocrdet.train.engine import StepRecord
from resnet18_ocrdet.train.guard import Guard, Verdict
from train_runner import train

SEEN: list[float] = []  # how far hard negatives were mined, call by call


class PlainTerms(NamedTuple):
    total: Tensor
    entropy: Tensor


class PlainLoss(nn.Module):
    """Cross-entropy over all pixels."""

    terms = PlainTerms._fields
    negative_ratio = None
    initial_loss = 2 * math.log(2.0)

    def __init__(self, **_: float) -> None:
        super().__init__()

    def forward(self, maps: Maps, targets: Targets, mining: float = 1.0) -> PlainTerms:
        SEEN.append(mining)
        loss = F.binary_cross_entropy_with_logits(maps.prob_logits[:, 0].float(), targets.prob_map.float())
        assert maps.thresh_logits is not None
        return PlainTerms(2 * loss + 0 * maps.thresh_logits.float().sum(), loss)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resnet18_ocrdet.model.loss.DBLoss", PlainLoss)
    SEEN.clear()


def test_a_loss_without_hard_negatives_trains_and_logs_its_own_terms(plain, tmp_path: Path, monkeypatch, capsys):
    words = (*TINY, "train.epochs=1", f"run_dir={tmp_path}/run")
    assert train(monkeypatch, *words) == 0
    assert set(SEEN) == {1.0}
    (record,) = map(json.loads, (tmp_path / "run/metrics.jsonl").read_text().splitlines())
    for name in ("train_loss", "val_loss"):
        assert set(record[name]) == {"total", "entropy"}
        assert record[name]["total"] == pytest.approx(2 * record[name]["entropy"], rel=1e-5)
    (events,) = (tmp_path / "run/tensorboard").glob("events*")
    assert b"train/loss_entropy" in events.read_bytes()
    assert load_checkpoint(tmp_path / "run/checkpoints/last.pt")["mining"]["share"] == 1.0
    assert train(monkeypatch, f"resume={tmp_path}/run", "train.epochs=2") == 0
    assert "resumed at epoch 2" in capsys.readouterr().out


def test_the_guard_asks_the_loss_what_is_normal():
    from config_runner import configs

    (cfg,) = configs("train")
    assert Guard(PlainLoss().initial_loss, **cfg.train.guard).worst == pytest.approx(2 * math.log(2.0))
    assert Guard(DBLoss().initial_loss, **cfg.train.guard).worst == pytest.approx(5 * math.log(2.0) + 3.0)
    assert build.build_mining(cfg, PlainLoss()).share == 1.0
    assert build.build_mining(cfg, DBLoss()).share == 0.0


def test_a_loss_without_hard_negatives_has_no_flat_spot():
    diagnosis = Diagnosis(PlainLoss(), warmed_up=True)
    loss = PlainTerms(torch.tensor(1.1246), torch.tensor(0.5623))
    record = StepRecord(1, 0.0, 0.007, loss, 1.0, Verdict.GOOD, 1.0, True, 0.0, 1.0, ("a.jpg",))
    assert [diagnosis.step(record) for _ in range(2 * FLAT_SPOT)] == [None] * 2 * FLAT_SPOT
