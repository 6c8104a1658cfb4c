"""What a trainer may switch on: accumulation, clipping, averaging, early stop, freezing, rates by layer and batch."""

from __future__ import annotations

import json
import os
import signal
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from torch import nn

from conftest import TINY
from resnet18_ocrdet import build
from resnet18_ocrdet.cli import _train
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.evaluation.metrics import IcdarMetric
from resnet18_ocrdet.evaluation.records import Score
from resnet18_ocrdet.model.checkpoint import load_checkpoint, shipped_weights
from resnet18_ocrdet.model.dbnet import DBNet
from resnet18_ocrdet.model.loss import DBLoss
from resnet18_ocrdet.structures import LossParts, Maps, Targets
from resnet18_ocrdet.train import engine
from resnet18_ocrdet.train.ema import ModelEma
from resnet18_ocrdet.train.engine import StepRecord
from resnet18_ocrdet.train.guard import Verdict
from resnet18_ocrdet.train.optim import param_groups
from resnet18_ocrdet.train.schedule import Poly, Scaled

WORDS = (*TINY, "data.train_size=8", "train.epochs=1", "train.workers=0")  # 4 steps of 2


def train(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["ocrdet-train", *words])
    return run_command("train", _train)


@pytest.fixture
def records(monkeypatch) -> list[StepRecord]:
    """Of every step of the runs that follow."""
    seen: list[StepRecord] = []
    original = engine.StepRecord

    def record(*fields):
        seen.append(original(*fields))
        return seen[-1]

    monkeypatch.setattr(engine, "StepRecord", record)
    return seen


def last(run: Path):
    return load_checkpoint(run / "checkpoints/last.pt")


@pytest.mark.slow
def test_accumulated_batches_make_one_step(tmp_path: Path, monkeypatch, capsys, records):
    assert train(monkeypatch, *WORDS, "train.accumulate=2", f"run_dir={tmp_path}/run") == 0
    assert "batch 2 x 2, 1 epoch of 2 steps on 8 images" in capsys.readouterr().out
    assert [len(record.names) for record in records] == [4, 4]
    assert last(tmp_path / "run")["step"] == 2 and last(tmp_path / "run")["images_per_step"] == 4


def test_too_few_images_for_one_step_are_refused(tmp_path: Path, monkeypatch, capsys):
    assert train(monkeypatch, *WORDS, "train.accumulate=5", f"run_dir={tmp_path}/run") == 2
    assert "8 images make 4 batches of 2, but a step takes 5" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_gradient_of_two_batches_is_the_mean_of_their_gradients():
    torch.manual_seed(0)
    net = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    state = engine.TrainState(net, net, optimizer, scaler, _Held(), None)  # type: ignore[arg-type]
    inputs = [torch.rand(4, 3), torch.rand(4, 3)]
    gradients = []
    for x in inputs:
        net.zero_grad()
        net(x).mean().backward()
        gradients.append(net.weight.grad.clone())
    compute = engine.Compute(torch.device("cpu"), nullcontext)
    ones = torch.ones(1, 2, 2, dtype=torch.uint8)
    targets = Targets(ones, ones, ones, ones)
    batches = [engine.Batch(x, targets, ("a",), (), (), (), ()) for x in inputs]

    def criterion(maps, targets, mining):
        total = maps.mean()
        return LossParts(total, total, total, total)

    loss, text, _ = engine.add_up_gradients(state, batches, criterion, compute)  # type: ignore[arg-type]
    torch.testing.assert_close(net.weight.grad, (gradients[0] + gradients[1]) / 2)
    assert text > 0 and float(loss.total) == pytest.approx(sum(net(x).mean().item() for x in inputs) / 2)


class _Held:
    share = 1.0


def test_clipped_gradients_are_reported_with_their_norm_before():
    net = nn.Linear(2, 1, bias=False)
    net.weight.grad = torch.tensor([[3.0, 4.0]])  # length 5
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    state = engine.TrainState(net, net, torch.optim.SGD(net.parameters(), lr=1.0), scaler, _Held(), None)  # type: ignore[arg-type]
    assert float(engine.finish_gradients(state, None)) == pytest.approx(5.0)
    assert net.weight.grad.norm() == pytest.approx(5.0)
    assert float(engine.finish_gradients(state, 1.0)) == pytest.approx(5.0)
    assert net.weight.grad.norm() == pytest.approx(1.0, rel=1e-4)
    assert float(engine.finish_gradients(state, 10.0)) == pytest.approx(1.0, rel=1e-4)
    assert net.weight.grad.norm() == pytest.approx(1.0, rel=1e-4)


def test_the_average_follows_the_hand_worked_numbers():
    net = nn.Linear(1, 1, bias=False)
    average = ModelEma(net, decay=0.5)
    told = []
    for value in (1.0, 2.0, 4.0):
        net.weight.data.fill_(value)
        average.update(net)
        told.append(average.model.weight.item())
    # copied first; then the share kept is min(0.5, (1 + n) / (10 + n)): 2/11 after one, 3/12 after two
    assert told == pytest.approx([1.0, 2 / 11 * 1 + 9 / 11 * 2, 0.25 * (2 / 11 + 18 / 11) + 0.75 * 4])
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

    monkeypatch.setattr("resnet18_ocrdet.commands.train.IcdarMetric", Same)
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


@pytest.mark.parametrize(
    ("up_to", "frozen"),
    [(None, []), ("stem", ["conv1", "bn1"]), ("layer2", ["conv1", "bn1", "layer1", "layer2"])],
)
def test_frozen_parts_do_not_change(up_to, frozen):
    torch.manual_seed(0)
    net = DBNet()
    net.freeze(up_to)
    net.train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    optimizer = torch.optim.SGD(param_groups(net, 0.0), lr=0.1)
    maps = net(torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8))
    (maps.prob_logits.mean() + maps.thresh_logits.mean()).backward()
    optimizer.step()
    moved = {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}
    still = {name for name in before if name.startswith(tuple(f"backbone.{part}." for part in frozen))}
    assert not moved & still
    assert {"backbone.layer4.1.conv2.weight", "backbone.layer3.0.bn1.running_mean"} <= moved
    assert ("backbone.conv1.weight" in moved) is (up_to is None)


def test_frozen_statistics_leave_the_weights_trainable():
    net = DBNet()
    net.freeze(None, statistics=True)
    net.train()
    assert not net.backbone.bn1.training and net.backbone.training and net.neck.training
    assert all(parameter.requires_grad for parameter in net.parameters())
    net.eval()
    assert not net.training


@pytest.mark.slow
def test_another_freeze_at_resume_is_refused(tmp_path: Path, monkeypatch, capsys):
    assert train(monkeypatch, *WORDS, "train.freeze=layer1", f"run_dir={tmp_path}/run") == 0
    assert train(monkeypatch, f"resume={tmp_path}/run", "train.epochs=2", "train.freeze=null") == 2
    assert "train.freeze and optimizer.layer_decay say which weights" in capsys.readouterr().err


def test_layer_decay_lowers_the_rates_of_earlier_layers():
    net = DBNet()
    groups = param_groups(net, 0.01, layer_decay=0.5)
    factor = {id(p): group["lr_factor"] for group in groups for p in group["params"]}
    named = dict(net.named_parameters())
    wanted = {"conv1.weight": 1 / 32, "layer1.0.conv1.weight": 1 / 16, "layer4.0.conv1.weight": 1 / 2}
    assert {name: factor[id(named[f"backbone.{name}"])] for name in wanted} == wanted
    assert factor[id(named["prob_head.0.weight"])] == 1.0
    assert len(factor) == len(named) == sum(len(group["params"]) for group in groups)
    assert all(p.ndim > 1 for group in groups if group["weight_decay"] for p in group["params"])
    net.freeze("stem")
    assert all(group["lr_factor"] != 1 / 32 for group in param_groups(net, 0.01, layer_decay=0.5))


@pytest.mark.slow
def test_training_uses_the_rate_factor_of_each_group(tmp_path: Path, monkeypatch):
    assert train(monkeypatch, *WORDS, "optimizer.layer_decay=0.5", f"run_dir={tmp_path}/run") == 0
    rates = {round(group["lr"] / 0.007, 5) for group in last(tmp_path / "run")["optimizer"]["param_groups"]}
    assert rates == {0.03125, 0.0625, 0.125, 0.25, 0.5, 1.0}


@pytest.mark.slow
def test_the_rate_for_another_batch_size_is_scaled_and_reported(tmp_path: Path, monkeypatch, capsys, records):
    words = (*WORDS, "optimizer.base_batch_size=16", f"run_dir={tmp_path}/run")
    assert train(monkeypatch, *words) == 0
    line = (
        "optimizer.lr=0.007 is for 16 images per step; a step has 2 (1 x 2 x 1), so all rates are multiplied by 0.125"
    )
    assert line in capsys.readouterr().out
    assert records[0].lr == pytest.approx(0.007 / 8)
    assert Scaled(Poly(0.1, 10), 3.0)(5.0) == pytest.approx(3.0 * Poly(0.1, 10)(5.0))


@pytest.mark.slow
def test_fp16_halves_an_overflowing_scale_and_continues(tmp_path: Path, monkeypatch, capsys, records):
    scale = {"init_scale": 2.0**40}  # far above what fp16 gradients hold

    def scaler(device, precision):
        return torch.amp.GradScaler(device.type, enabled=precision == "fp16", **scale)

    monkeypatch.setattr("resnet18_ocrdet.commands.train_parts.gradient_scaler", scaler)
    words = (*WORDS, "precision=fp16", "train.epochs=9", "train.val_every=9", f"run_dir={tmp_path}/run")
    assert train(monkeypatch, *words) == 0
    verdicts = [record.verdict for record in records]
    assert verdicts[0] is Verdict.OVERFLOW and verdicts[-1] is Verdict.GOOD
    out = capsys.readouterr().out
    assert "step 1: fp16 gradients overflowed; the loss scale is halved" in out
    content = last(tmp_path / "run")
    assert content["guard"]["skipped"] == 0 and content["scaler"]["scale"] < 2.0**40
    assert content["contract"]["precision"] == "fp16"
    assert all(torch.isfinite(value).all() for value in content["model"].values() if value.is_floating_point())


def test_a_minimum_of_negatives_raises_the_gradient_of_images_without_text():
    """16 pixels, one of them wrong: with the floor of 2 its gradient is 8 times that of the mean over all."""
    logits = torch.full((1, 1, 4, 4), -6.0)
    logits[0, 0, 0, 0] = 6.0
    zeros = torch.zeros(1, 4, 4, dtype=torch.uint8)
    targets = Targets(zeros, torch.ones_like(zeros), zeros, zeros)
    slopes = []
    for floor in (0, 2):
        leaf = logits.clone().requires_grad_()
        DBLoss(min_negatives=floor)(Maps(leaf, torch.zeros_like(leaf)), targets).prob.backward()
        slopes.append(float(leaf.grad[0, 0, 0, 0]))
    assert slopes[0] == pytest.approx(torch.sigmoid(torch.tensor(6.0)).item() / 16)
    assert slopes[1] == pytest.approx(8 * slopes[0])


def test_the_minimum_counts_per_image_and_applies_below_the_ratio():
    logits = torch.linspace(-3, 3, 128).reshape(2, 1, 8, 8)
    text = torch.zeros(2, 8, 8, dtype=torch.uint8)
    text[0, 0, :4] = 1  # 4 text pixels in the batch: 12 hard negatives at 3 to 1
    targets = Targets(text, torch.ones_like(text), text, text)

    def prob(floor: int) -> float:
        return float(DBLoss(min_negatives=floor)(Maps(logits, logits), targets).prob)

    assert prob(6) == prob(0)  # 2 x 6 are those 12
    assert prob(7) != prob(0)


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


def test_the_gradient_scaler_is_on_only_for_fp16():
    from resnet18_ocrdet.runtime.device import gradient_scaler

    for precision, enabled in (("fp32", False), ("bf16", False), ("fp16", True)):
        assert gradient_scaler(torch.device("cpu"), precision).is_enabled() is enabled
    assert build.build_compute(torch.device("cpu"), "fp16")[1] == "fp16"


@pytest.mark.slow
def test_with_everything_switched_on_a_signal_in_mid_epoch_changes_nothing(tmp_path: Path, monkeypatch, records):
    words = (*WORDS, "data.train_size=16", "train.epochs=3", "precision=fp16", "train.ema=0.9", "train.accumulate=2")
    words = (*words, "train.clip_norm=1", "train.freeze=stem", "optimizer.layer_decay=0.7", "optimizer=adamw")
    words = (*words, "scheduler=onecycle", "train.early_stop=3")
    assert train(monkeypatch, *words, f"run_dir={tmp_path}/whole") == 0
    losses = [float(record.loss.total) for record in records]
    assert len(losses) == 12  # 4 steps of 2 x 2 images an epoch
    records.clear()
    original = engine.StepRecord

    def record(*fields):
        if fields[0] == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(*fields)

    with monkeypatch.context() as patch:
        patch.setattr(engine, "StepRecord", record)
        assert train(patch, *words, f"run_dir={tmp_path}/halves") == 143
    assert len(records) == 6
    assert train(monkeypatch, f"resume={tmp_path}/halves") == 0
    assert [float(record.loss.total) for record in records] == losses
    ours, theirs = last(tmp_path / "whole"), last(tmp_path / "halves")
    for part in ("model", "scaler"):
        assert ours[part].keys() == theirs[part].keys()
        assert all(same(ours[part][key], theirs[part][key]) for key in ours[part])
    assert all(torch.equal(value, theirs["average"]["model"][key]) for key, value in ours["average"]["model"].items())


def same(one, other) -> bool:
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


@pytest.mark.slow
def test_a_checkpoint_of_schema_2_gives_its_weights_but_is_not_resumed(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    content = dict(last(tiny_run))
    for key in ("about", "average", "scaler", "images_per_step", "world", "not_better"):
        del content[key]
    old = tmp_path / "run/checkpoints/last.pt"
    old.parent.mkdir(parents=True)
    torch.save(content | {"schema": 2}, old)
    assert train(monkeypatch, f"resume={old}") == 2
    assert (
        f"schema 2, now 3), which saved less than a resume needs; a new run from its weights: init.weights={old}"
        in (capsys.readouterr().err)
    )
    assert train(monkeypatch, *WORDS, f"init.weights={old}", f"run_dir={tmp_path}/new") == 0
