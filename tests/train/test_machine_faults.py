"""What a run does when memory, loader processes or its folder fail; docs/bad-input.md."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from config_runner import configs
from conftest import TINY
from resnet18_ocrdet.cli import _detect, _train
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.commands.train_faults import explain
from resnet18_ocrdet.data.loader import TrainLoader
from resnet18_ocrdet.data.loader_processes import LoaderDied
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.inference.predictor import Predictor
from resnet18_ocrdet.model.checkpoint import load_checkpoint
from resnet18_ocrdet.model.dbnet import DBNet
from resnet18_ocrdet.runtime.distributed import World
from resnet18_ocrdet.viz.draw import write


def run(monkeypatch: pytest.MonkeyPatch, command: str, *words: str) -> int:
    monkeypatch.setattr("sys.argv", [f"ocrdet-{command}", *words])
    return run_command(command, _train if command == "train" else _detect)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 1 GiB."),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:119] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "
            "allocate 20.00 MiB. Error code 12 (Cannot allocate memory)"
        ),
    ],
    ids=["gpu", "cpu"],
)
@pytest.mark.slow
def test_out_of_memory_is_one_line_and_the_training_is_saved(error, tmp_path: Path, monkeypatch, capsys):
    calls, forward = 0, DBNet.forward

    def second(self: DBNet, image: torch.Tensor) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise error
        return forward(self, image)

    monkeypatch.setattr(DBNet, "forward", second)
    assert run(monkeypatch, "train", *TINY, f"run_dir={tmp_path}/run") == 1
    out = capsys.readouterr().out
    assert (
        "out of memory with train.batch_size=2 at 64x64 (another 20.00 MiB was requested): train.batch_size=1 "
        "train.accumulate=2 (the same step), or a smaller input_size"
    ) in out
    assert "stopped; step 1 is saved; resume with: ocrdet-train resume=" in out
    assert load_checkpoint(tmp_path / "run/checkpoints/last.pt")["step"] == 1
    monkeypatch.setattr(DBNet, "forward", forward)
    words = ("train.batch_size=1", "train.accumulate=2", "train.epochs=1")  # what it advised
    assert run(monkeypatch, "train", f"resume={tmp_path}/run", *words) == 0
    assert load_checkpoint(tmp_path / "run/checkpoints/last.pt")["step"] == 2


TRACEBACK = "in a loader process:\nTraceback (most recent call last):\n  File x\n{0}: "


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MemoryError(), "out of memory with train.batch_size=8 at 800x800: train.batch_size=4 train.accumulate=2"),
        (RuntimeError(TRACEBACK.format("MemoryError") + "Unable to allocate 3 GiB"), "out of memory with "),
        (
            LoaderDied("loader process 12 was ended by signal 9 (Killed)"),
            "signal 9 (Killed); possible causes are a damaged image or too little memory: train.workers=0 shows which",
        ),
        (
            LoaderDied("loader process 12 was ended by signal 7 (Bus error)"),
            "signal 7 (Bus error): use train.workers=0, or make /dev/shm larger",
        ),
        (
            LoaderDied("loader process 12 cannot send a batch: unable to open shared memory: Too many open files"),
            "use train.workers=0, or allow more open files (ulimit -n 1024)",
        ),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
        (UserError("a.jpg: 3 bytes\nb.jpg: 4 bytes"), "a.jpg: 3 bytes\nb.jpg: 4 bytes"),
    ],
)  # fmt: skip
def test_faults_of_the_machine_are_one_line(error: Exception, line: str):
    (cfg,) = configs("train")
    reason = explain(error, cfg, World())
    assert reason is not None and line in reason
    assert "Traceback" not in reason


def test_a_dead_loader_process_in_a_preview_is_one_line(tmp_path: Path, monkeypatch, capsys):
    def died(*_: object) -> None:
        raise LoaderDied("loader process 12 was ended by signal 11 (Segmentation fault)")

    monkeypatch.setattr(TrainLoader, "epoch", died)
    assert run(monkeypatch, "train", *TINY, "train.preview=true", f"run_dir={tmp_path}/run") == 2
    err = capsys.readouterr().err
    assert "signal 11" in err and "train.workers=0 shows which image" in err and "Traceback" not in err


@pytest.mark.parametrize(
    "error", [RuntimeError(TRACEBACK.format("RuntimeError") + "a bug of ours"), RuntimeError("gloo"), KeyError("x")]
)
def test_an_unexpected_error_keeps_its_traceback(error: Exception):
    (cfg,) = configs("train")
    assert explain(error, cfg, World()) is None


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")]
)
def test_one_image_too_large_for_the_memory_is_listed_and_the_rest_detected(
    error, tiny_run: Path, tmp_path: Path, monkeypatch, capsys
):
    (tmp_path / "in").mkdir()
    for number in range(3):
        write(tmp_path / f"in/{number}.png", np.full((64 + number, 64, 3), 99, np.uint8))
    call = Predictor.prepare

    def not_that_high(self: Predictor, image: Any) -> Any:
        if image.shape[0] == 65:
            raise error
        return call(self, image)

    monkeypatch.setattr(Predictor, "prepare", not_that_high)
    words = (f"input={tmp_path}/in", f"checkpoint={tiny_run}/checkpoints/best.pt", f"output={tmp_path}/out")
    assert run(monkeypatch, "detect", *words) == 1
    assert len(json.loads((tmp_path / "out/detections.json").read_text())["images"]) == 2
    (failed,) = json.loads((tmp_path / "out/errors.json").read_text())
    assert failed["image"] == "1.png" and "not enough memory (" in failed["error"]


def test_a_run_in_which_another_process_trains_is_refused(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    path = tmp_path / "run/checkpoints/last.pt"
    path.parent.mkdir(parents=True)
    path.write_bytes((tiny_run / "checkpoints/last.pt").read_bytes())
    hold = "import sys; from pathlib import Path; from resnet18_ocrdet.runtime.lock import run_lock\n"
    hold += f"with run_lock(Path({str(tmp_path / 'run/run.lock')!r})): print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        assert run(monkeypatch, "train", f"resume={path}", "train.epochs=3") == 2
        error = capsys.readouterr().err
        holder.communicate()
    assert f"run_dir={tmp_path}/run: process {holder.pid} on " in error and "is training in it" in error
    assert run(monkeypatch, "train", f"resume={path}", "train.epochs=2", "train.preview=true") == 0  # it has ended
