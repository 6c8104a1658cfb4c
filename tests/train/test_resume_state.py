"""A resume accepts a checkpoint as a run saves it, or names the damaged part in one line."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from checkpoint_content import made
from resnet18_ocrdet.cli import _train
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.model.checkpoint import load_checkpoint, save_checkpoint
from resnet18_ocrdet.train.resume_state import check_parts, naming

NAN = math.nan


def test_groups_of_another_size_are_not_iterated():
    """A list that all of them share would make 10,000,000,000 numbers; `build.restore_optimizer` tells what differs."""
    saved, own = made()
    saved["optimizer"]["param_groups"] = [{"params": [0] * 100_000}] * 100_000
    check_parts(saved, own)


@pytest.mark.parametrize("kind", ["SGD", "AdamW"])
def test_what_a_run_saves_is_accepted(kind: str):
    check_parts(*made(kind))
    saved, own = made(kind)
    saved["optimizer"]["state"] = {}  # before the first step
    check_parts(saved, own)
    saved["sums"] = {"terms": [0.0] * 4}  # of an older version
    saved["scaler"] = torch.amp.GradScaler("cpu").state_dict()
    check_parts(saved, own)


def part(name: str, **changes: Any) -> Callable[[Any], None]:
    return lambda saved: saved[name].update(changes)


def state(**changes: Any) -> Callable[[Any], None]:
    return lambda saved: saved["optimizer"]["state"][0].update(changes)


def numpy_state(index: int, value: Any) -> Callable[[Any], None]:
    def change(saved: Any) -> None:
        words = list(saved["random"]["numpy"])
        words[index] = value
        saved["random"]["numpy"] = tuple(words)

    return change


WRONG: list[tuple[str, Callable[[Any], None]]] = [
    ("mining", part("mining", steps="x")),
    ("mining", part("mining", share=2.0)),
    ("mining", lambda saved: saved["mining"].clear()),
    ("guard", part("guard", losses=[NAN])),
    ("guard", part("guard", lr_scale=0.0)),
    ("guard", part("guard", rollbacks=None)),
    ("guard", lambda saved: saved.update(guard=None)),
    ("sums", part("sums", terms=[0.0])),
    ("sums", part("sums", more=1)),
    ("sums", part("sums", seconds=-1.0)),
    ("scaler", part("scaler", scale="x")),
    ("random", lambda saved: saved.update(random=None)),
    ("random", part("random", torch=5)),
    ("random", numpy_state(0, [1, 2])),
    ("random", numpy_state(1, 10**9)),
    ("random", numpy_state(2, True)),
    ("optimizer", part("optimizer", state=[])),
    ("optimizer", part("optimizer", param_groups=[5])),
    ("optimizer", part("optimizer", param_groups=[{"params": [0, 0, 1, 2]}])),
    ("optimizer", part("optimizer", param_groups=[{"params": [torch.ones(2), 1, 2, 3]}])),
    ("optimizer", state(momentum_buffer=torch.zeros(3))),
    ("optimizer", state(momentum_buffer=torch.full((2, 3, 3, 3), NAN))),
    ("optimizer", state(momentum_buffer="x")),
    ("optimizer", state(other=torch.zeros(1))),
    ("optimizer", lambda saved: saved["optimizer"]["state"].update({99: {}})),
    ("step", lambda saved: saved.update(step=99)),
    ("step", lambda saved: saved.update(step=9)),
]


@pytest.mark.parametrize(("name", "change"), WRONG, ids=[f"{name}-{i}" for i, (name, _) in enumerate(WRONG)])
def test_the_damaged_part_is_named(name: str, change: Callable[[Any], None]):
    saved, own = made()
    change(saved)
    with pytest.raises(UserError, match=f"resume: the checkpoint's '{name}' is not what a run saves"):
        check_parts(saved, own)


def test_an_incomplete_optimizer_state_is_refused():
    saved, own = made("AdamW")
    del saved["optimizer"]["state"][1]["exp_avg_sq"]
    with pytest.raises(UserError, match="'optimizer' is not what a run saves"):
        check_parts(saved, own)
    check_parts(made("SGD")[0], own)  # of another kind: refused later, with a remedy


def test_errors_of_the_libraries_are_one_line():
    message = r"^resume: the checkpoint's 'random' cannot be restored \(a b\)$"
    with pytest.raises(UserError, match=message), naming("random"):
        raise RuntimeError("a\n  b")


def damaged(tiny_run: Path, folder: Path, change: Callable[[Any], None]) -> Path:
    saved: Any = load_checkpoint(tiny_run / "checkpoints/last.pt")
    change(saved)
    (folder / "run/checkpoints").mkdir(parents=True)
    save_checkpoint(folder / "run/checkpoints/last.pt", saved)
    return folder / "run"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda saved: saved["mining"].update(share=NAN), "'mining' is not what a run saves: the file is damaged"),
        (lambda saved: saved["random"].update(torch=torch.zeros(3)), "'random' cannot be restored ("),
        (lambda saved: saved["random"].update(python=(3, [1], None)), "'random' cannot be restored ("),
        (lambda saved: saved["config"].pop("optimizer"), "resume: the saved config has no section 'optimizer'"),
        (lambda saved: saved["config"].update(data=None), "data is not set: 'data' is a section"),
        (lambda saved: saved["optimizer"].update(param_groups=[]), "which weights the optimizer holds"),
    ],
)  # fmt: skip
@pytest.mark.slow
def test_a_damaged_checkpoint_is_not_resumed(change, message: str, tiny_run: Path, tmp_path: Path, capsys):
    run = damaged(tiny_run, tmp_path, change)
    assert run_command("train", _train, [f"resume={run}", "train.epochs=3"]) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.strip().splitlines()) == 1, error
    assert [path.name for path in run.iterdir() if path.suffix != ".lock"] == ["checkpoints"]


def test_a_resume_reads_its_checkpoint_once(tiny_run: Path, tmp_path: Path, monkeypatch):
    run, read = damaged(tiny_run, tmp_path, lambda saved: None), []

    def count(path: Path) -> Any:
        read.append(path)
        return load_checkpoint(path)

    monkeypatch.setattr("resnet18_ocrdet.commands.checkpointer.load_checkpoint", count)
    monkeypatch.setattr("resnet18_ocrdet.commands.train.Training.fit", lambda training: 0)
    assert run_command("train", _train, [f"resume={run}", "train.epochs=3"]) == 0
    assert read == [run / "checkpoints/last.pt"]
