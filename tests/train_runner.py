"""Shared by the tests of ocrdet-train: run it in this process, and read what it saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from resnet18_ocrdet.cli import _train
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.model.checkpoint import Checkpoint, load_checkpoint


def train(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Run the command with these words. Returns its exit code."""
    monkeypatch.setattr("sys.argv", ["ocrdet-train", *words])
    return run_command("train", _train)


def last(run: Path) -> Checkpoint:
    """The newest checkpoint of a run."""
    return load_checkpoint(run / "checkpoints/last.pt")


def same(one: Any, other: Any) -> bool:
    """Whether two parts of checkpoints are equal, bit by bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return bool(one == other)
