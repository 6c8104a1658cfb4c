"""Frozen parts, and learning rates by layer and batch size."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from conftest import TINY
from resnet18_ocrdet.model.checkpoint import load_checkpoint
from resnet18_ocrdet.model.dbnet import DBNet
from resnet18_ocrdet.train.optim import param_groups
from train_runner import last, train

WORDS = (*TINY, "data.train_size=8", "train.epochs=1", "train.workers=0")  # 4 steps of 2


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


def test_what_is_frozen_for_a_while_is_in_the_optimizer_without_a_state():
    net = DBNet()
    net.freeze("layer1")
    groups = param_groups(net, 0.0, with_frozen=True)
    assert sum(len(group["params"]) for group in groups) == len(list(net.parameters()))
    # conv1 and its batch norm; 4 convolutions of 64 x 64 x 3 x 3 and their batch norms
    frozen = 64 * 3 * 49 + 2 * 64 + 4 * (64 * 64 * 9 + 2 * 64)
    assert sum(p.numel() for p in net.parameters() if not p.requires_grad) == frozen == 157_504
    net.freeze(None)
    assert all(p.requires_grad for p in net.parameters()) and net.train().backbone.bn1.training


@pytest.mark.slow
def test_frozen_parts_are_trained_from_the_given_epoch_on(tmp_path: Path, monkeypatch, capsys):
    words = (*WORDS, "train.freeze=layer1", "train.unfreeze_epoch=2", "train.keep_last=3", "train.epochs=3")
    assert train(monkeypatch, *words, f"run_dir={tmp_path}/run") == 0
    start, end = (load_checkpoint(tmp_path / f"run/checkpoints/{name}.pt") for name in ("last-2", "last"))
    assert (start["epoch"], end["epoch"]) == (2, 3)  # last-1 is the one before the validation
    moved = {key for key, value in start["model"].items() if not torch.equal(value, end["model"][key])}
    assert {"backbone.conv1.weight", "backbone.layer1.1.bn2.running_var", "neck.lateral.0.weight"} <= moved
    assert len(start["optimizer"]["state"]) < len(end["optimizer"]["state"])
    assert train(monkeypatch, f"resume={tmp_path}/run", "train.epochs=4", "train.unfreeze_epoch=null") == 2
    assert "which weights the optimizer holds" in capsys.readouterr().err


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
    assert "which weights the optimizer holds" in capsys.readouterr().err


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
