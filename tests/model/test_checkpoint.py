"""Checkpoints: written completely or not at all, read without executing code."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
import torch

from checkpoint_content import content, tiny_net
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.model import checkpoint
from resnet18_ocrdet.model.checkpoint import SCHEMA, load_checkpoint, load_weights, save_checkpoint


def same(left, right):
    if isinstance(left, torch.Tensor):
        return isinstance(right, torch.Tensor) and left.dtype == right.dtype and torch.equal(left, right)
    if isinstance(left, dict):
        return isinstance(right, dict) and left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list):
        return isinstance(right, list) and len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and left == right


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def refusal(call, *arguments):
    with pytest.raises(UserError) as caught:
        call(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_round_trip(tmp_path):
    path, written = tmp_path / "last.pt", content()
    save_checkpoint(path, written)
    assert same(load_checkpoint(path), written)
    assert names(tmp_path) == ["last.pt"]


def test_a_new_file_replaces_the_old_one(tmp_path):
    path = tmp_path / "last.pt"
    save_checkpoint(path, content(epoch=1))
    save_checkpoint(path, content(epoch=2))
    assert load_checkpoint(path)["epoch"] == 2
    assert names(tmp_path) == ["last.pt"]


@pytest.mark.parametrize("error", [OSError("No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("existed", [True, False])
def test_an_interrupted_save_leaves_the_old_file(tmp_path, monkeypatch, error, existed):
    path = tmp_path / "last.pt"
    if existed:
        save_checkpoint(path, content(epoch=1))
    before = path.read_bytes() if existed else None

    def write_half(_, file):
        file.write(b"PK half a checkpoint")
        raise error

    monkeypatch.setattr(checkpoint.torch, "save", write_half)
    with pytest.raises(UserError if isinstance(error, OSError) else KeyboardInterrupt):
        save_checkpoint(path, content(epoch=2))
    assert names(tmp_path) == (["last.pt"] if existed else [])
    if existed:
        assert path.read_bytes() == before


def test_older_saves_are_renumbered_and_the_oldest_is_deleted(tmp_path):
    path = tmp_path / "last.pt"
    for epoch in range(1, 5):
        save_checkpoint(path, content(epoch=epoch), keep=3)
    epochs = {name: load_checkpoint(tmp_path / name)["epoch"] for name in names(tmp_path)}
    assert epochs == {"last.pt": 4, "last-1.pt": 3, "last-2.pt": 2}


def test_the_new_file_is_flushed_before_it_is_renamed(tmp_path, monkeypatch):
    path, seen = tmp_path / "last.pt", []
    fsync, replace = os.fsync, type(path).replace
    monkeypatch.setattr(checkpoint.os, "fsync", lambda fd: (seen.append("fsync"), fsync(fd)))
    monkeypatch.setattr(type(path), "replace", lambda self, to: (seen.append("replace"), replace(self, to))[1])
    save_checkpoint(path, content())
    assert seen == ["fsync", "replace", "fsync"]  # the file, the name, the folder that holds the name


def test_a_missing_file_or_a_folder_is_refused(tmp_path):
    path = tmp_path / "no.pt"
    assert refusal(load_checkpoint, path) == f"checkpoint {path}: no such file"
    assert str(tmp_path) in refusal(load_checkpoint, tmp_path)


@pytest.mark.parametrize(
    "broken",
    [
        lambda whole: b"",
        lambda whole: whole[:100],
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:-30],
        lambda whole: b"<!DOCTYPE html><html><body>404</body></html>",
        lambda whole: b"version https://git-lfs.github.com/spec/v1\n",
        lambda whole: pickle.dumps({"a": 1}, protocol=2)[:-3],
    ],
    ids=["empty", "start", "half", "end lost", "html", "lfs", "pickle"],
)
def test_damaged_files_are_refused_with_size_and_first_bytes(tmp_path, broken):
    whole, path = tmp_path / "whole.pt", tmp_path / "broken.pt"
    save_checkpoint(whole, content())
    data = broken(whole.read_bytes())
    path.write_bytes(data)
    message = refusal(load_checkpoint, path)
    assert f"checkpoint {path}: " in message
    assert f"{len(data)} bytes" in message and repr(data[:8]) in message


@pytest.mark.parametrize(
    "foreign",
    [{}, {"state_dict": {}}, tiny_net().state_dict(), [1, 2], torch.zeros(3), {"schema": SCHEMA, "model": {}}],
    ids=["empty", "other", "weights", "list", "tensor", "partial"],
)
def test_a_file_of_another_program_is_refused(tmp_path, foreign):
    path = tmp_path / "foreign.pt"
    torch.save(foreign, path)
    message = refusal(load_checkpoint, path)
    assert f"checkpoint {path}: not written by ocrdet-train ('" in message


@pytest.mark.parametrize("lost", ["schema", "optimizer", "best_hmean"])
def test_the_missing_part_is_named(tmp_path, lost):
    path, rest = tmp_path / "last.pt", content()
    del rest[lost]
    save_checkpoint(path, rest)
    assert f"('{lost}' is missing)" in refusal(load_checkpoint, path)


def test_a_newer_schema_is_refused_and_unknown_parts_are_left_out(tmp_path):
    path = tmp_path / "last.pt"
    save_checkpoint(path, content(schema=SCHEMA + 1))
    message = refusal(load_checkpoint, path)
    assert f"schema {SCHEMA + 1} is newer than this version's {SCHEMA}" in message
    save_checkpoint(path, content(extra=1))
    assert "extra" not in load_checkpoint(path)


class Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_would_run_code_is_refused_without_running_it(tmp_path, zipped):
    path, trace = tmp_path / "evil.pt", tmp_path / "was_here"
    torch.save(content(config=Hostile(str(trace))), path, _use_new_zipfile_serialization=zipped)
    message = refusal(load_checkpoint, path)
    assert f"checkpoint {path}: contains pickled code (posix.mkdir)" in message
    assert not trace.exists()
    # the file is a real threat: without weights_only the code runs
    torch.load(path, weights_only=False)
    assert trace.exists()


def test_numpy_objects_are_not_plain_values(tmp_path):
    path = tmp_path / "last.pt"
    save_checkpoint(path, content(best_hmean=np.float64(0.5)))
    assert str(path) in refusal(load_checkpoint, path)


def test_load_weights_fills_and_counts(tmp_path):
    source, net = tiny_net(), tiny_net()
    with torch.no_grad():
        source[0].weight.fill_(3.0)
    line = load_weights(net, source.state_dict(), tmp_path / "best.pt")
    assert torch.equal(net[0].weight, source[0].weight)
    # convolution: weight, bias; batch norm: weight, bias, mean, variance, counter
    assert line == f"7 of 7 tensors from {tmp_path / 'best.pt'}"


def test_load_weights_counts_tensors_that_do_not_fit(tmp_path):
    net = tiny_net()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    state = dict(tiny_net().state_dict())
    state["0.weight"] = torch.full((5, 3, 3, 3), 9.0)
    del state["1.bias"], state["1.weight"]
    state["0.bias"] = torch.full((2,), 9.0)
    state["head.weight"] = torch.zeros(1)
    message = refusal(load_weights, net, state, tmp_path / "best.pt")
    # 7 wanted, 2 missing, 1 of another shape
    assert "4 of 7 tensors fit; 2 missing, 1 unknown, 1 of another shape (first: 0.weight)" in message
    assert str(tmp_path / "best.pt") in message
    assert same(net.state_dict(), before)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path, value):
    net = tiny_net()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    state = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    state["1.running_var"][1] = value
    message = refusal(load_weights, net, state, tmp_path / "best.pt")
    assert "1 tensor with NaN or infinity (first: 1.running_var)" in message
    assert same(net.state_dict(), before)
