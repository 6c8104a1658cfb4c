"""Calls of ocrdet-eval, for several test files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from resnet18_ocrdet.cli import _evaluate
from resnet18_ocrdet.commands.launch import run_command


def score(monkeypatch: pytest.MonkeyPatch, folder: Path, *words: str) -> tuple[int, dict]:
    """Evaluate in a folder. Returns the exit code and the content of metrics.json, {} if there is none."""
    monkeypatch.chdir(folder)
    shutil.rmtree(folder / "out", ignore_errors=True)
    code = run_command("eval", _evaluate, [*words, "output=out"])
    path = folder / "out/metrics.json"
    return code, json.loads(path.read_text()) if path.is_file() else {}
