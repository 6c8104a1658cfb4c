"""The gradient of a step: accumulated, clipped, and scaled for fp16."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from conftest import TINY
from resnet18_ocrdet.structures import LossParts, Targets
from resnet18_ocrdet.train import engine
from resnet18_ocrdet.train.guard import Verdict
from train_runner import last, train

WORDS = (*TINY, "data.train_size=8", "train.epochs=1", "train.workers=0")  # 4 steps of 2


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
    compute = engine.Compute(torch.device("cpu"))
    ones = torch.ones(1, 2, 2, dtype=torch.uint8)
    targets = Targets(ones, ones, ones, ones)
    batches = [engine.Batch(x, targets, ("a",), (), (), (), ()) for x in inputs]

    def criterion(maps, targets, mining):
        total = maps.mean()
        return LossParts(total, total, total, total)

    criterion.terms = LossParts._fields
    loss, text, _ = engine.add_up_gradients(state, batches, criterion, compute)  # type: ignore[arg-type]
    torch.testing.assert_close(net.weight.grad, (gradients[0] + gradients[1]) / 2)
    assert text > 0 and float(loss["total"]) == pytest.approx(sum(net(x).mean().item() for x in inputs) / 2)


def test_the_mining_warm_up_follows_the_batches_with_text_only():
    """The cross-entropy of a batch without text is far lower, and would make mining grow too early."""
    net = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    state = engine.TrainState(net, net, optimizer, scaler, _Held(), None)  # type: ignore[arg-type]
    ones = torch.ones(1, 2, 2, dtype=torch.uint8)
    text, no_text, ignored = (Targets(ones * a, ones * b, ones, ones) for a, b in ((1, 1), (0, 1), (1, 0)))
    batches = [engine.Batch(torch.ones(1, 1), part, ("a",), (), (), (), ()) for part in (text, no_text, ignored)]
    values = iter((0.6, 0.1, 0.2))

    def criterion(maps, targets, mining):
        return LossParts(maps.mean(), torch.tensor(next(values)), maps.mean(), maps.mean())

    criterion.terms = LossParts._fields
    compute = engine.Compute(torch.device("cpu"))
    means = engine.add_up_gradients(state, batches, criterion, compute)  # type: ignore[arg-type]
    loss, has_text, cross_entropy, _ = engine.read_back(means, torch.tensor(1.0))
    assert has_text and cross_entropy == pytest.approx(0.6)
    assert loss["prob"] == pytest.approx(0.3)  # what is logged is the mean of all batches


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


def test_the_gradient_scaler_is_on_only_for_fp16():
    from resnet18_ocrdet.runtime.device import choose_precision, gradient_scaler

    for precision, enabled in (("fp32", False), ("bf16", False), ("fp16", True)):
        assert gradient_scaler(torch.device("cpu"), precision).is_enabled() is enabled
    assert choose_precision("fp16", torch.device("cpu")) == "fp16"


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
    assert "lower optimizer.lr" not in out and not (tmp_path / "run/guard.jsonl").exists()  # it is not a bad step
    assert content["contract"]["precision"] == "fp16"
    assert all(torch.isfinite(value).all() for value in content["model"].values() if value.is_floating_point())
