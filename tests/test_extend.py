"""The five additions of docs/extend.md, put into a copy of the package and used together."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from conftest import TINY

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```\w+\n# ([\w/.]+)(?:, below `([^`\n]+)`)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ADDED = ("scheduler=exponential", "loss=focal", "model=dbnet_mobilenet", "augment.invert=0.5")


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout with every block of the page in its file."""
    root = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "conf", root / "conf")
    blocks = BLOCK.findall((ROOT / "docs/extend.md").read_text("utf-8"))
    assert len(blocks) >= 10
    for name, below, text in blocks:
        file = root / name
        if not below:
            assert not file.exists(), name
            file.write_text(text, "utf-8")
            continue
        lines = file.read_text("utf-8").splitlines(keepends=True)
        place = next(number for number, line in enumerate(lines, start=1) if line.startswith(below))
        file.write_text("".join([*lines[:place], text, *lines[place:]]), "utf-8")
    return root


def run(extended: Path, command: str, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    program = f"from resnet18_ocrdet import cli; cli.{command}()"
    environment = os.environ | {"PYTHONPATH": str(extended / "src")}
    return subprocess.run(
        [sys.executable, "-c", program, *words], cwd=cwd, env=environment, capture_output=True, text=True, timeout=300
    )


def test_new_keys_are_listed_checked_and_composed(extended: Path, tmp_path: Path):
    shown = run(extended, "train", "--help", cwd=tmp_path).stdout
    assert "scheduler.gamma=0.95" in shown and "factor per epoch" in shown and "mobilenet_v3_large" in shown
    composed = run(extended, "train", "data=box_lines", "data.root=x", *ADDED, "--cfg", "job", cwd=tmp_path)
    assert composed.returncode == 0, composed.stderr
    assert "dialect: box_lines" in composed.stdout and "backbone: mobilenet_v3_large" in composed.stdout
    for wrong, named in (
        ("scheduler.gamma=2", "scheduler.gamma=2: needs a number above 0, up to 1"),
        ("loss.gama=1", "loss.gamma"),
        ("model.backbone=mobilenet", "mobilenet_v3_large"),
        ("augment.invert=2", "augment.invert=2: needs a number, 0 to 1"),
        ("data.dialect=box_line", "box_lines"),
    ):
        done = run(extended, "train", "data=box_lines", "data.root=x", *ADDED, wrong, cwd=tmp_path)
        assert done.returncode == 2 and named in done.stderr, done.stderr


def test_the_examples_pass_the_linter(extended: Path):
    shutil.copy(ROOT / "pyproject.toml", extended)
    for words in (("check",), ("format", "--check")):
        done = subprocess.run(
            [Path(sys.executable).with_name("ruff"), *words, "src"], cwd=extended, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_the_examples_are_typed(extended: Path):
    shutil.copy(ROOT / "pyproject.toml", extended)
    done = subprocess.run([sys.executable, "-m", "mypy", "src"], cwd=extended, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_older_checkpoints_and_the_check_work_beside_them(extended: Path, tmp_path: Path):
    """The bundled weights were recorded before the loss was a group; ocrdet-check gives advice for any scheduler."""
    code = (
        "from resnet18_ocrdet.model.bundled import BUNDLED_PATH; from resnet18_ocrdet.model.checkpoint import *;"
        "print(load_checkpoint(BUNDLED_PATH)['config']['loss']['_target_'])"
    )
    environment = os.environ | {"PYTHONPATH": str(extended / "src")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=100)
    assert done.stdout.strip().endswith("model.loss.DBLoss"), done.stderr
    (tmp_path / "set").mkdir()
    cv2.imwrite(str(tmp_path / "set/0.png"), np.full((96, 128, 3), 200, np.uint8))
    (tmp_path / "set/boxes.txt").write_text("0.png\t8,28,100,40\tWord\n", "utf-8")
    words = ("data=box_lines", "data.root=set", "scheduler=exponential", "output=out")
    done = run(extended, "check", *words, cwd=tmp_path)
    assert done.returncode in (0, 1) and "Traceback" not in done.stderr, done.stderr


@pytest.mark.slow
def test_a_training_uses_all_of_them(extended: Path, tmp_path: Path):
    (tmp_path / "set").mkdir()
    lines = []
    for number in range(6):
        image = np.full((96, 128, 3), 200, np.uint8)
        cv2.putText(image, "Word", (10, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (0, 0, 0), 3)
        cv2.imwrite(str(tmp_path / f"set/{number}.png"), image)
        lines.append(f"{number}.png\t8,28,100,40\tWord\n")
    (tmp_path / "set/boxes.txt").write_text("".join(lines), "utf-8")
    words = [word for word in TINY if not word.startswith("data.")]
    data = ("data=box_lines", "data.root=set", "data.val=0.34")
    done = run(extended, "train", *data, *words, *ADDED, "train.epochs=2", "run_dir=run", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    metrics = (tmp_path / "run/metrics.jsonl").read_text()
    assert '"focal"' in metrics and metrics.count("\n") == 2
    done = run(extended, "evaluate", "checkpoint=run/checkpoints/last.pt", "output=out", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
