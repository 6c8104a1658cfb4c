"""A command killed at any moment leaves no broken file; the next call removes its leftovers."""

from __future__ import annotations

import csv
import json
import random
import shutil
import subprocess
import sys
import time
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from conftest import TINY
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.model.checkpoint import load_checkpoint
from resnet18_ocrdet.runtime.atomic_write import HIDDEN
from resnet18_ocrdet.viz.draw import write

WORDS = {
    "train": [*TINY, "train.epochs=2", "train.save_minutes=0.00001", "run_dir=out"],
    "eval": ["output=out", "checkpoint={run}", "data=synthetic", "data.val_size=8", "split=val", "workers=0"],
    "detect": ["input=in", "output=out", "checkpoint={run}", "crops=true", "labelme=true", "decode.box_thresh=0.5"],
    "check": ["output=out", "data.root=set", "fix=true"],
    "export": ["output=out/model.pt2", "checkpoint={run}", "input=in/0.jpg"],
}
# keys whose values depend on the time; a .pt2 contains a date, so its sha256 does too
TIMES = {"seconds", "modified_ns", "images_per_second", "data_wait", "memory_gib", "sha256"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for folder in ("in", "set/images", "set/gts"):
        (tmp_path / folder).mkdir(parents=True)
    for number in range(8):
        for folder in ("in", "set/images"):
            write(tmp_path / folder / f"{number}.jpg", SyntheticScenes(8, 96, 128, seed=1).load(number).image)
        (tmp_path / f"set/gts/{number}.txt").write_text("10,10,40,10,40,30,10,30,word\n")
    return tmp_path


def start(command: str, run: Path, place: Path) -> subprocess.Popen[str]:
    words = [word.format(run=run / "checkpoints/best.pt") for word in WORDS[command]]
    if command == "train" and (place / "out/checkpoints/last.pt").exists():
        words = ["resume=out"]
    if command == "check" and (place / "out/fixed").exists():
        words.append("overwrite=true")
    program = Path(sys.executable).with_name(f"ocrdet-{command}")
    return subprocess.Popen([program, *words], cwd=place, stdout=-1, stderr=subprocess.STDOUT, text=True)


def finish(command: str, run: Path, place: Path) -> None:
    process = start(command, run, place)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0 and "Traceback" not in output, output
    left = [path for path in (place / "out").rglob("*") if HIDDEN.fullmatch(path.name)]
    assert not left, left


def whole(folder: Path) -> None:
    """Open every result file; raises for a broken one. Logs and records grow by lines, the last may be cut."""
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or not path.is_file() or "tensorboard" in path.parts:
            continue
        if path.suffix == ".json":
            json.loads(path.read_text("utf-8"))
        elif path.suffix == ".pt":
            load_checkpoint(path)
        elif path.suffix in (".zip", ".pt2"):
            assert zipfile.ZipFile(path).testzip() is None
        elif path.suffix in (".jpg", ".png"):
            Image.open(path).load()
        elif path.suffix == ".csv":
            with path.open(newline="") as table:
                assert len({len(row) for row in csv.reader(table)}) == 1
        elif path.suffix == ".html":
            assert path.read_text("utf-8").endswith("</html>\n")


def results(folder: Path) -> dict[str, Any]:
    """File names with their content, without times: JSON values, weights, texts; images by name only."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or name.startswith((".", "tensorboard")) or path.suffix in (".log", ".lock", ".html"):
            continue
        if path.suffix == ".json":
            found[name] = _without_times(json.loads(path.read_text("utf-8")))
        elif path.suffix == ".jsonl":
            found[name] = [_without_times(json.loads(line)) for line in path.read_text("utf-8").splitlines()]
        elif path.suffix == ".pt":
            found[name] = {
                key: value.tolist() for key, value in load_checkpoint(path)["model"].items() if "head" in key
            }
        else:
            found[name] = path.read_bytes() if path.suffix in (".txt", ".csv") and name != "summary.txt" else None
    return found


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_times(below) for key, below in value.items() if key not in TIMES}
    return [_without_times(below) for below in value] if isinstance(value, list) else value


@pytest.mark.parametrize("kills", [pytest.param(2, marks=pytest.mark.slow), pytest.param(20, marks=pytest.mark.soak)])
@pytest.mark.parametrize("command", list(WORDS))
def test_results_equal_those_of_an_uninterrupted_call(command: str, kills: int, tiny_run: Path, place: Path):
    began = time.monotonic()
    finish(command, tiny_run, place)
    took = time.monotonic() - began
    expected = results(place / "out")
    assert len(expected) >= 2
    shutil.move(place / "out", place / "whole")
    rng = random.Random(command)
    for _ in range(kills):
        process = start(command, tiny_run, place)
        with suppress(subprocess.TimeoutExpired):
            process.wait(rng.uniform(0.4, 1.0) * took)
        process.kill()
        process.communicate()
        whole(place / "out")
    finish(command, tiny_run, place)
    assert results(place / "out") == expected
