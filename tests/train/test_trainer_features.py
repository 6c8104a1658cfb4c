"""Optional parts of a training: averaged weights, early stopping, the record of where a run comes from."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
import torch
from torch import nn

from conftest import TINY
from eval_calls import score
from resnet18_ocrdet.evaluation.metrics import IcdarMetric, Score
from resnet18_ocrdet.model.checkpoint import shipped_weights
from resnet18_ocrdet.model.loss import DBLoss
from resnet18_ocrdet.train import engine
from resnet18_ocrdet.train.optim import ModelEma
from train_runner import last, train

WORDS = (*TINY, "data.train_size=8", "train.epochs=1", "train.workers=0")  # 4 steps of 2


def test_the_average_follows_the_hand_worked_numbers():
    """Statistics of batch norm are averaged as the weights are, so that they fit them."""
    for net, name in ((nn.Linear(1, 1, bias=False), "weight"), (nn.BatchNorm2d(1), "running_var")):
        average = ModelEma(net, decay=0.5)
        averages = []
        for value in (1.0, 2.0, 4.0):
            getattr(net, name).data.fill_(value)
            average.update(net)
            averages.append(getattr(average.model, name).item())
        # copied first; then the share kept is min(0.5, (1 + n) / (10 + n)): 2/11 after one, 3/12 after two
        assert averages == pytest.approx([1.0, 2 / 11 * 1 + 9 / 11 * 2, 0.25 * (2 / 11 + 18 / 11) + 0.75 * 4])


def test_an_average_goes_on_where_it_was():
    net = nn.Linear(1, 1, bias=False)
    average = ModelEma(net, decay=0.5)
    average.update(net)
    other = ModelEma(nn.Linear(1, 1, bias=False), decay=0.5)
    other.load_state_dict(average.state_dict())
    net.weight.data.fill_(8.0)
    average.update(net)
    other.update(net)
    assert torch.equal(other.model.weight, average.model.weight)


@pytest.mark.slow
def test_averaged_weights_are_validated_shipped_and_resumed(tmp_path: Path, monkeypatch, capsys):
    words = (*WORDS, "train.ema=0.9", "scheduler.step_size=1")
    assert train(monkeypatch, *words, "train.epochs=2", f"run_dir={tmp_path}/whole") == 0
    content = last(tmp_path / "whole")
    assert content["average"]["steps"] == 8
    validated = json.loads((tmp_path / "whole/metrics.jsonl").read_text().splitlines()[-1])
    _, scored = score(monkeypatch, tmp_path, f"checkpoint={tmp_path}/whole/checkpoints/last.pt", "workers=0")
    assert scored["loss"]["total"] == pytest.approx(validated["val_loss"]["total"], rel=1e-3)
    name = "backbone.conv1.weight"
    assert torch.equal(shipped_weights(content)[name], content["average"]["model"][name])
    assert not torch.equal(shipped_weights(content)[name], content["model"][name])
    assert train(monkeypatch, *words, f"run_dir={tmp_path}/halves") == 0
    assert train(monkeypatch, f"resume={tmp_path}/halves", "train.epochs=2") == 0
    assert "best hmean, averaged weights" in capsys.readouterr().out
    ours, theirs = shipped_weights(content), shipped_weights(last(tmp_path / "halves"))
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.slow
def test_a_run_without_progress_stops_early(tmp_path: Path, monkeypatch, capsys):
    class Same(IcdarMetric):
        def result(self):
            return Score(0.5, 0.5, 0.5, 0.5, 1, 2, 2)

    monkeypatch.setattr("resnet18_ocrdet.evaluation.evaluator.IcdarMetric", Same)
    words = (*WORDS, "train.mining_warmup=false", "train.epochs=9", "train.early_stop=2", f"run_dir={tmp_path}/run")
    assert train(monkeypatch, *words) == 0
    out = capsys.readouterr().out
    assert "stopped early: 2 validations without a better hmean (train.early_stop=2)" in out
    assert len((tmp_path / "run/metrics.jsonl").read_text().splitlines()) == 3  # the first counts as the best
    assert train(monkeypatch, f"resume={tmp_path}/run") == 0
    assert "stopped early: 2 validations" in capsys.readouterr().out
    assert train(monkeypatch, f"resume={tmp_path}/run", "train.early_stop=4") == 0
    assert len((tmp_path / "run/metrics.jsonl").read_text().splitlines()) == 5


@pytest.mark.slow
def test_a_run_that_has_found_nothing_yet_is_not_stopped_early(tmp_path: Path, monkeypatch, capsys):
    words = (*WORDS, "optimizer.lr=1e-9", "train.epochs=4", "train.early_stop=1", f"run_dir={tmp_path}/run")
    assert train(monkeypatch, *words) == 0
    assert last(tmp_path / "run")["best_hmean"] == 0.0 and last(tmp_path / "run")["not_better"] == 0
    assert len((tmp_path / "run/metrics.jsonl").read_text().splitlines()) == 4


@pytest.mark.slow
def test_an_average_switched_on_by_a_resume_begins_with_the_weights(tmp_path: Path, monkeypatch):
    assert train(monkeypatch, *WORDS, f"run_dir={tmp_path}/run") == 0
    before = last(tmp_path / "run")["model"]
    seen = []
    original = ModelEma.load_state_dict

    def load(self, state):
        original(self, state)
        seen.append({key: value.clone() for key, value in self.model.state_dict().items()})

    monkeypatch.setattr(ModelEma, "load_state_dict", load)
    assert train(monkeypatch, f"resume={tmp_path}/run", "train.epochs=2", "train.ema=0.9", "precision=fp16") == 0
    assert all(torch.equal(seen[0][key], before[key]) for key in before)
    assert last(tmp_path / "run")["average"]["steps"] > 0


@pytest.mark.slow
def test_a_failure_within_a_step_saves_the_previous_step(tmp_path: Path, monkeypatch, capsys):
    """Batch norm has seen the batch already; a resume sees it again."""
    words = (*WORDS, "train.epochs=2")
    assert train(monkeypatch, *words, f"run_dir={tmp_path}/whole") == 0
    calls = 0

    class Full(DBLoss):
        def forward(self, *arguments):
            nonlocal calls
            calls += 1
            if calls == 3:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return super().forward(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr("resnet18_ocrdet.model.loss.DBLoss", Full)
        assert train(patch, *words, f"run_dir={tmp_path}/halves") == 1
    assert "step 2 is saved" in capsys.readouterr().out
    assert train(monkeypatch, f"resume={tmp_path}/halves") == 0
    ours, theirs = last(tmp_path / "whole")["model"], last(tmp_path / "halves")["model"]
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.slow
def test_a_run_records_where_code_and_data_come_from(tmp_path: Path, monkeypatch, capsys):
    assert train(monkeypatch, *WORDS, f"run_dir={tmp_path}/run") == 0
    about = json.loads((tmp_path / "run/about.json").read_text())
    assert about == last(tmp_path / "run")["about"]
    assert set(about["data"]) == {"train", "val"} and len(about["data"]["train"]) == 64
    for name in ("curves.png", "precision_recall.png"):
        assert (tmp_path / "run" / name).read_bytes()[:4] == b"\x89PNG"
    out = capsys.readouterr().out
    assert "in epoch 1" in out and f"curves:   {tmp_path}/run/curves.png" in out
    assert train(monkeypatch, f"resume={tmp_path}/run", "train.epochs=2", "data.seed=5") == 0
    assert "note: the images or labels have changed" in capsys.readouterr().out


@pytest.mark.slow
def test_with_everything_switched_on_a_signal_in_mid_epoch_changes_nothing(tmp_path: Path, monkeypatch, records):
    words = (*WORDS, "data.train_size=16", "train.epochs=3", "precision=fp16", "train.ema=0.9", "train.accumulate=2")
    words = (*words, "train.clip_norm=1", "train.freeze=stem", "optimizer.layer_decay=0.7", "optimizer=adamw")
    words = (*words, "train.unfreeze_epoch=1", "mix1=synthetic", "train.mix1_share=0.2")  # 4 of 20 images
    words = (*words, "scheduler=onecycle", "train.early_stop=3")
    assert train(monkeypatch, *words, f"run_dir={tmp_path}/whole") == 0
    losses = [record.loss["total"] for record in records]
    assert len(losses) == 15  # 5 steps of 2 x 2 images an epoch
    records.clear()
    original = engine.StepRecord

    def record(*fields):
        if fields[0] == 7:  # two steps after the stem was released
            os.kill(os.getpid(), signal.SIGTERM)
        return original(*fields)

    with monkeypatch.context() as patch:
        patch.setattr(engine, "StepRecord", record)
        assert train(patch, *words, f"run_dir={tmp_path}/halves") == 143
    assert len(records) == 7
    assert train(monkeypatch, f"resume={tmp_path}/halves") == 0
    assert [record.loss["total"] for record in records] == losses
    ours, theirs = last(tmp_path / "whole"), last(tmp_path / "halves")
    for part in ("model", "scaler"):
        assert ours[part].keys() == theirs[part].keys()
        assert all(same(ours[part][key], theirs[part][key]) for key in ours[part])
    assert all(torch.equal(value, theirs["average"]["model"][key]) for key, value in ours["average"]["model"].items())


def same(one, other) -> bool:
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


@pytest.mark.slow
def test_a_checkpoint_of_schema_2_is_not_resumed_but_gives_weights(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    content = dict(last(tiny_run))
    for key in ("about", "average", "scaler", "images_per_step", "world", "not_better"):
        del content[key]
    old = tmp_path / "run/checkpoints/last.pt"
    old.parent.mkdir(parents=True)
    torch.save(content | {"schema": 2}, old)
    assert train(monkeypatch, f"resume={old}") == 2
    error = capsys.readouterr().err
    assert "schema 2, now 3" in error and f"init.weights={old}" in error
    assert train(monkeypatch, *WORDS, f"init.weights={old}", f"run_dir={tmp_path}/new") == 0
