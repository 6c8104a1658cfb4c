"""Paths that cannot exist (too long, a link to itself): one line and code 2, in every argument."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import TINY
from resnet18_ocrdet.cli import _detect, _evaluate, _export, _train
from resnet18_ocrdet.commands.launch import run_command

LONG = "x" * 300
JOBS = {"detect": _detect, "eval": _evaluate, "export": _export, "train": _train}


@pytest.mark.parametrize("name", [LONG, "loop", "loop/a"])
@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("detect", "{name}"),
        ("detect", "{name}=3"),
        ("detect", "input={name}"),
        ("detect", "output={name}"),
        ("eval", "output={name}"),
        ("eval", "predictions={name}"),
        ("export", "output={name}"),
        ("export", "output={name}.onnx"),
        ("train", "run_dir={name}"),
        ("train", "resume={name}"),
        ("train", "data.root={name}"),
        ("train", "data.train={name}"),
    ],
)
@pytest.mark.slow
def test_an_impossible_path_gives_one_line(command: str, word: str, name: str, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for link in ("loop", "loop.onnx"):
        Path(link).symlink_to(link)
    Path("in.png").touch()
    needed = {"detect": ["input=in.png"], "eval": ["data=synthetic"], "export": [], "train": [*TINY]}[command]
    if "data." in word:
        needed = ["data=custom", "data.root=."]
    words = [*(each for each in needed if each.partition("=")[0] != word.partition("=")[0]), word.format(name=name)]
    assert run_command(command, JOBS[command], words) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
