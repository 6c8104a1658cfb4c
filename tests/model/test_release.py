"""Weights to publish: half precision, usable by every command, without paths of this machine."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))  # scripts are not a package

from conftest import TINY
from resnet18_ocrdet.cli import _detect, _evaluate, _train
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.model import bundled
from resnet18_ocrdet.model.checkpoint import load_checkpoint, save_checkpoint, shipped_weights
from resnet18_ocrdet.model.release import count_train_overlap, digest, is_stripped
from resnet18_ocrdet.viz.draw import write
from ship_weights import strip_checkpoint

SHIP = Path(__file__).parents[2] / "scripts/ship_weights.py"


@pytest.fixture
def small(tiny_run: Path, tmp_path: Path) -> Path:
    made = tmp_path / "small.pt"
    save_checkpoint(made, strip_checkpoint(load_checkpoint(tiny_run / "checkpoints/best.pt"), []))
    return made


def test_every_tensor_is_kept_and_rounded_once(tiny_run: Path, small: Path):
    before, after = load_checkpoint(tiny_run / "checkpoints/best.pt"), load_checkpoint(small)
    assert is_stripped(after) and not is_stripped(before)
    full = shipped_weights(before)
    assert after["model"].keys() == full.keys()
    for name, value in full.items():
        kept = after["model"][name]
        if name.endswith(("running_mean", "running_var")) or not value.is_floating_point():
            assert torch.equal(kept, value)
        else:
            assert kept.dtype == torch.float16
            assert torch.equal(kept, value.half())
    assert after["contract"] == before["contract"]
    assert small.stat().st_size <= 25_000_000


def test_no_paths_are_published(tiny_run: Path, small: Path):
    config = load_checkpoint(small)["config"]
    assert config["data"] is config["run_dir"] is config["init"]["weights"] is None
    assert str(tiny_run).encode() not in small.read_bytes()


def test_weights_too_large_for_half_precision_are_refused(tiny_run: Path):
    content = load_checkpoint(tiny_run / "checkpoints/best.pt")
    name = next(name for name in content["model"] if name.endswith("conv1.weight"))
    content["model"][name] = content["model"][name] + 1e5
    with pytest.raises(UserError, match=r"conv1.weight: a weight of 1000.. is too large"):
        strip_checkpoint(content, [])


def test_training_images_are_recognised_by_their_bytes(tiny_run: Path, tmp_path: Path):
    files = [tmp_path / name for name in ("a.jpg", "b.jpg", "copy of a.jpg")]
    for file, content in zip(files, (b"a", b"b", b"a"), strict=True):
        file.write_bytes(content)
    made = strip_checkpoint(load_checkpoint(tiny_run / "checkpoints/best.pt"), [digest(files[0])])
    assert count_train_overlap(made, files) == 2
    assert count_train_overlap(strip_checkpoint(load_checkpoint(tiny_run / "checkpoints/best.pt"), []), files) == 0


@pytest.mark.slow
def test_it_can_detect_evaluate_and_be_fine_tuned_but_not_resumed(small: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.png", SyntheticScenes(1, 64, 64, seed=0).load(0).image)
    assert run_command("detect", _detect, ["input=a.png", "checkpoint=small.pt", "output=found"]) == 0
    capsys.readouterr()
    assert run_command("eval", _evaluate, ["checkpoint=small.pt"]) == 2
    assert "small.pt" in (err := capsys.readouterr().err) and "data.root=" in err
    words = ["checkpoint=small.pt", "data=synthetic", "data.test_size=2", "output=score"]
    assert run_command("eval", _evaluate, words) == 0
    assert json.loads((tmp_path / "score/metrics.json").read_text())["images"] == 2
    assert run_command("train", _train, [*TINY, "train.epochs=1", "init.weights=small.pt", "run_dir=run"]) == 0
    shutil.copy(small, tmp_path / "run/checkpoints/small.pt")
    capsys.readouterr()
    assert run_command("train", _train, ["resume=run/checkpoints/small.pt"]) == 2
    assert "holds weights only" in (err := capsys.readouterr().err) and "init.weights=" in err


@pytest.mark.slow
def test_the_script_strips_a_run_once(tiny_run: Path, tmp_path: Path):
    def ship(checkpoint: Path) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, SHIP, checkpoint, "--output", "out/given.pt"]
        return subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    done = ship(tiny_run / "checkpoints/best.pt")
    assert done.returncode == 0, done.stderr
    assert "MB, 0 digests" in done.stdout
    again = ship(tmp_path / "out/given.pt")
    assert again.returncode == 2
    assert again.stderr.startswith(f"ship_weights: {tmp_path / 'out/given.pt'}: already")


def test_bundled_is_a_name_not_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("bundled").write_bytes(b"")
    assert bundled.weights_path("bundled") == bundled.BUNDLED_PATH
    assert bundled.weights_path("./bundled") == Path("bundled")


def test_digest_is_of_the_bytes(tmp_path: Path):
    rng = np.random.default_rng(0)
    (tmp_path / "a").write_bytes(rng.bytes(1000))
    (tmp_path / "b").write_bytes((tmp_path / "a").read_bytes()[:-1])
    assert len(digest(tmp_path / "a")) == 16
    assert digest(tmp_path / "a") != digest(tmp_path / "b")
