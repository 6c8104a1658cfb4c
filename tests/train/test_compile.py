"""train.compile: the same training with a compiled network, plain checkpoints, and a clear refusal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from conftest import TINY
from resnet18_ocrdet.model.checkpoint import load_checkpoint
from train_runner import train

WORDS = (*TINY, "device=cpu", "precision=fp32", "optimizer.lr=1e-4", "train.ema=0.9")


def losses(run: Path) -> list[dict[str, float]]:
    return [json.loads(line)["train_loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_a_compiled_run_equals_a_plain_one_and_resumes_without_compiling(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))  # compiled here, not read from an old run
    assert train(monkeypatch, *WORDS, "train.epochs=2", f"run_dir={tmp_path}/plain") == 0
    assert "compiling the network" not in capsys.readouterr().out
    words = (*WORDS, "train.epochs=1", "train.compile=true", f"run_dir={tmp_path}/compiled")
    assert train(monkeypatch, *words) == 0
    assert "compiled in " in capsys.readouterr().out
    saved = load_checkpoint(tmp_path / "compiled/checkpoints/last.pt")
    plain = load_checkpoint(tmp_path / "plain/checkpoints/last-1.pt")
    assert list(saved["model"]) == list(plain["model"])  # no prefix of the wrapper
    count = saved["model"]["backbone.bn1.num_batches_tracked"]
    assert count == 2  # the trial of the compiled network is no step
    assert train(monkeypatch, f"resume={tmp_path}/compiled", "train.epochs=2", "train.compile=false") == 0
    out = capsys.readouterr().out
    assert "resume: train.compile was True, is now False" in out and "compiling" not in out
    for ours, theirs in zip(losses(tmp_path / "compiled"), losses(tmp_path / "plain"), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3)


@pytest.mark.slow
def test_a_failed_compilation_is_refused_before_anything_is_written(tmp_path):
    program = Path(sys.executable).with_name("ocrdet-train")
    environment = {**os.environ, "CXX": "/no/compiler", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(
        [program, *WORDS, "train.compile=true", f"run_dir={tmp_path}/run"],
        env=environment, capture_output=True, text=True, timeout=600, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ocrdet-train: train.compile=true: torch.compile cannot compile this network")
    assert last.endswith("train.compile=false") and "/no/compiler" in last
    assert "Traceback" not in done.stderr and not (tmp_path / "run").exists()


def test_a_checkpoint_without_newer_keys_is_resumed(tiny_run, tmp_path, monkeypatch, capsys):
    content = load_checkpoint(tiny_run / "checkpoints/last.pt")
    del content["config"]["train"]["compile"], content["config"]["model"]["plain"]
    del content["config"]["augment"]["crop_size"]
    (tmp_path / "run/checkpoints").mkdir(parents=True)
    torch.save(dict(content), tmp_path / "run/checkpoints/last.pt")
    assert train(monkeypatch, f"resume={tmp_path}/run", "train.epochs=3") == 0
    out = capsys.readouterr().out
    assert "resumed at epoch 3" in out and "train.compile" not in out and "plain" not in out
