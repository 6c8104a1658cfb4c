"""ocrdet-train: the files of a run, its reproducibility, and its resume."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch

from conftest import TINY, installed
from resnet18_ocrdet.cli import _train
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.commands.train_report import epoch_line
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.model.checkpoint import load_checkpoint
from resnet18_ocrdet.structures import LossParts
from resnet18_ocrdet.train import engine
from resnet18_ocrdet.train.engine import StepRecord
from resnet18_ocrdet.viz.draw import write

KEYS = ["epoch", "step", "lr", "train_loss", "val_loss", "precision", "recall", "hmean", "ap", "seconds"]


def train(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The command in this process; importing torch again for each test would take longer than the tests."""
    monkeypatch.setattr("sys.argv", ["ocrdet-train", *words])
    return run_command("train", _train)


def metrics(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_a_run_leaves_every_file_of_the_table(tiny_run: Path):
    for name in ("config.yaml", "metrics.jsonl", "checkpoints/last.pt", "checkpoints/best.pt", "train.log"):
        assert (tiny_run / name).is_file(), name
    assert list((tiny_run / "tensorboard").glob("events*"))
    assert not list(tiny_run.rglob(".ocrdet-tmp-*"))
    assert not (tiny_run.parent / "outputs").exists()  # Hydra's own litter


def test_metrics_have_the_documented_keys(tiny_run: Path):
    first, second = metrics(tiny_run)
    assert [key for key in KEYS if key in first] == KEYS
    assert set(first["train_loss"]) == set(first["val_loss"]) == set(LossParts._fields)
    assert (first["epoch"], second["epoch"], second["step"]) == (1, 2, 4)


def test_checkpoint_holds_contract_and_resume_state(tiny_run: Path):
    content = load_checkpoint(tiny_run / "checkpoints/last.pt")
    assert (content["epoch"], content["step"]) == (2, 4)
    contract = content["contract"]
    assert (contract["height"], contract["width"], contract["color_order"]) == (64, 64, "RGB")
    assert contract["mean"] == [0.485, 0.456, 0.406]
    assert content["config"]["optimizer"]["lr"] == 0.007


@pytest.mark.slow
def test_plain_lines_without_a_terminal(tmp_path: Path, tiny_run: Path):
    log = (tiny_run / "train.log").read_text()
    assert "epoch 2/2" in log and "hmean" in log
    assert "\x1b" not in log
    assert (
        "the learning rate never decays in this run"
        in installed("ocrdet-train", *TINY, "train.epochs=1", "train.preview=true", "run_dir=x", cwd=tmp_path).stdout
    )


@pytest.mark.parametrize("style", [(), ("data.style=varied", "data.documents=1")], ids=["plain", "documents"])
def test_preview_writes_a_picture_and_trains_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, style):
    assert train(monkeypatch, *TINY, *style, "train.preview=true", f"run_dir={tmp_path}/look") == 0
    assert {path.name for path in (tmp_path / "look").iterdir()} == {"preview.jpg", ".ocrdet-preview.files.jsonl"}


@pytest.mark.slow
def test_two_runs_with_one_seed_are_identical(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    losses = []
    for name, workers in (("a", 0), ("b", 2)):
        words = (*TINY, "train.epochs=2", f"train.workers={workers}", f"run_dir={tmp_path}/{name}")
        assert train(monkeypatch, *words) == 0
        losses.append([(line["train_loss"], line["val_loss"]) for line in metrics(tmp_path / name)])
    assert losses[0] == losses[1]
    first, second = (load_checkpoint(tmp_path / name / "checkpoints/last.pt")["model"] for name in "ab")
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.slow
def test_resumed_run_equals_an_uninterrupted_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    words = (*TINY, "scheduler.step_size=2")
    assert train(monkeypatch, *words, "train.epochs=4", f"run_dir={tmp_path}/whole") == 0
    assert train(monkeypatch, *words, "train.epochs=3", f"run_dir={tmp_path}/halves") == 0
    assert train(monkeypatch, f"resume={tmp_path}/halves", "train.epochs=4") == 0
    whole, halves = metrics(tmp_path / "whole"), metrics(tmp_path / "halves")
    assert [line["lr"] for line in halves] == pytest.approx([0.007, 0.007, 0.0007, 0.0007])
    for one, other in zip(whole, halves, strict=True):
        assert one["train_loss"] == other["train_loss"]
        assert one["val_loss"] == other["val_loss"]


def test_a_folder_with_a_run_is_not_overwritten(tiny_run: Path, monkeypatch, capsys):
    before = (tiny_run / "checkpoints/last.pt").read_bytes()
    assert train(monkeypatch, *TINY, f"run_dir={tiny_run}") == 2
    assert "already holds a run: add resume=auto" in capsys.readouterr().err
    assert (tiny_run / "checkpoints/last.pt").read_bytes() == before


@pytest.mark.slow
def test_resume_auto_takes_the_newest_unfinished_run(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert train(monkeypatch, "resume=auto") == 2
    assert "no unfinished run in runs/train" in capsys.readouterr().err
    assert train(monkeypatch, *TINY, "train.epochs=1", "run_dir=runs/train/one") == 0
    (tmp_path / "runs/train/one/summary.txt").unlink()  # as if it had been stopped
    assert train(monkeypatch, "resume=auto", "train.epochs=2") == 0
    assert [line["epoch"] for line in metrics(tmp_path / "runs/train/one")] == [1, 2]


def test_resume_with_another_batch_size_is_refused(tiny_run: Path, monkeypatch, capsys):
    assert train(monkeypatch, f"resume={tiny_run}", "train.batch_size=4", "train.epochs=3") == 2
    assert "a step took 2 images (1 process), now it would take 4 (1 process)" in capsys.readouterr().err


def test_a_checkpoint_outside_a_run_is_not_resumed(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    moved = tmp_path / "moved.pt"
    moved.write_bytes((tiny_run / "checkpoints/last.pt").read_bytes())
    assert train(monkeypatch, f"resume={moved}") == 2
    assert "not inside a run folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["moved.pt"]


def test_resume_with_another_optimizer_is_refused(tiny_run: Path, monkeypatch, capsys):
    assert train(monkeypatch, *TINY, f"resume={tiny_run}", "optimizer=adamw", "train.epochs=3") == 2
    assert "cannot go on with the state of torch.optim.SGD" in capsys.readouterr().err


@pytest.mark.slow
def test_resume_takes_new_settings_of_the_same_optimizer(tmp_path: Path, monkeypatch, capsys):
    assert train(monkeypatch, *TINY, "train.epochs=1", f"run_dir={tmp_path}/run") == 0
    assert train(monkeypatch, f"resume={tmp_path}/run", "train.epochs=2", "optimizer.momentum=0.5") == 0
    assert "optimizer.momentum was 0.9, is now 0.5" in capsys.readouterr().out
    groups = load_checkpoint(tmp_path / "run/checkpoints/last.pt")["optimizer"]["param_groups"]
    assert {group["momentum"] for group in groups} == {0.5}


@pytest.mark.slow
def test_a_broken_photo_in_mid_run_is_one_line_and_the_training_is_saved(tmp_path, monkeypatch, capsys):
    scenes = SyntheticScenes(4, 96, 96, seed=0)
    for part in ("images", "gts"):
        (tmp_path / f"a ${{b}}/{part}").mkdir(parents=True)
    for index in range(4):
        write(tmp_path / f"a ${{b}}/images/{index}.jpg", scenes.load(index).image)
        (tmp_path / f"a ${{b}}/gts/{index}.txt").write_text("10,10,60,10,60,40,10,40,word\n")
    broken = tmp_path / "a ${b}/images/3.jpg"
    webp = bytearray(cv2.imencode(".webp", scenes.load(3).image, (cv2.IMWRITE_WEBP_QUALITY, 101))[1].tobytes())
    webp[30 : len(webp) - 30] = bytes(len(webp) - 60)  # its head is whole, and so is its length
    broken.write_bytes(webp)
    words = ("data=custom", f"data.root={tmp_path}/a ${{b}}", "data.val=3-3", "data.train=0-2", "input_size=64x64")
    code = train(
        monkeypatch, *words, "train.batch_size=3", "train.epochs=1", "train.workers=1", f"run_dir={tmp_path}/r"
    )
    captured = capsys.readouterr()
    (line,) = [text for text in captured.out.splitlines() if text.startswith("stopped: ")]
    assert code == 1 and "3.jpg" in line and captured.err == ""
    content = load_checkpoint(tmp_path / "r/checkpoints/last.pt")
    assert (content["epoch"], content["step"]) == (0, 1)  # trained, not yet validated
    assert train(monkeypatch, f"resume={tmp_path}/r") == 1  # still broken
    write(broken, scenes.load(3).image)
    assert train(monkeypatch, f"resume={tmp_path}/r") == 0
    assert [entry["epoch"] for entry in metrics(tmp_path / "r")] == [1]
    assert (tmp_path / "r/checkpoints/best.pt").is_file()


@pytest.mark.slow
def test_a_finished_run_has_nothing_to_resume(tmp_path: Path, monkeypatch, capsys):
    words = (*TINY, "train.epochs=2", f"run_dir={tmp_path}/run")
    assert train(monkeypatch, *words) == 0
    assert train(monkeypatch, f"resume={tmp_path}/run") == 0
    assert "all 2 epochs are already done" in capsys.readouterr().out
    before = (tmp_path / "run/config.yaml").read_text()
    assert train(monkeypatch, f"resume={tmp_path}/run", "train.epochs=1") == 2
    assert "train.epochs=1: 2 epochs are already done" in capsys.readouterr().err
    assert (tmp_path / "run/config.yaml").read_text() == before


@pytest.mark.slow
def test_starting_weights_switch_the_mining_warm_up_off(tiny_run: Path, tmp_path: Path, monkeypatch):
    weights = f"init.weights={tiny_run}/checkpoints/last.pt"
    seen: list[StepRecord] = []
    original = engine.StepRecord

    def record(*fields: Any) -> StepRecord:
        seen.append(original(*fields))
        return seen[-1]

    monkeypatch.setattr(engine, "StepRecord", record)
    assert train(monkeypatch, *TINY, "train.epochs=1", weights, f"run_dir={tmp_path}/fine") == 0
    assert [step.mining for step in seen] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("init.weights=absent.pt",), "checkpoint absent.pt: no such file"),
        (("init.backbone=absent.pth",), "init.backbone=absent.pth: no such file"),
        (("device=cuda:7",), "device=cuda:7: this machine has"),
        (("data=icdar2015", "data.root=nowhere"), "nowhere"),
        (("data=custom", "data.root=nowhere"), "nowhere"),
        (("resume=absent.pt",), "checkpoint absent.pt: no such file"),
    ],
)
def test_an_impossible_run_is_refused_before_anything_starts(words, message, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert train(monkeypatch, *words) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.strip().splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_files_can_be_written_under_any_name(tmp_path: Path, tiny_run: Path):
    import numpy as np

    path = tmp_path / "照片 (1), a=b.jpg"
    write(path, np.zeros((8, 8, 3), np.uint8))
    assert path.stat().st_size > 0


@pytest.mark.slow
def test_keys_of_a_resumed_run_can_be_changed_without_their_groups(tmp_path: Path, monkeypatch, capsys):
    scenes = SyntheticScenes(6, 96, 96, seed=0)
    for name in ("照片 (1), a=b", "moved"):
        for part in ("images", "gts"):
            (tmp_path / name / part).mkdir(parents=True)
        for index in range(6):
            write(tmp_path / name / f"images/{index}.jpg", scenes.load(index).image)
            (tmp_path / name / f"gts/{index}.txt").write_text("10,10,60,10,60,40,10,40,word\n")
    words = ("data=custom", f"data.root={tmp_path}/照片 (1), a=b", "data.val=4-5", "data.train=0-3", "input_size=64x64")
    words = (*words, "train.batch_size=2", "train.epochs=1", "train.workers=0", "scheduler=cosine")
    assert train(monkeypatch, *words, f"run_dir={tmp_path}/r") == 0
    more = ("train.epochs=2", f"data.root={tmp_path}/moved", "scheduler.eta_min=0.001")
    assert train(monkeypatch, f"resume={tmp_path}/r", *more) == 0
    out = capsys.readouterr().out
    assert f"resume: data.root was {tmp_path}/照片 (1), a=b, is now {tmp_path}/moved" in out
    assert "scheduler.eta_min was 0.0005, is now 0.001" in out and "images or labels have changed" not in out
    assert train(monkeypatch, f"resume={tmp_path}/r", "data.train_size=5") == 2
    assert "data.train_size" in capsys.readouterr().err


@pytest.mark.slow
def test_overrides_of_a_resume_are_checked_with_the_config_of_the_run(tmp_path: Path, monkeypatch, capsys):
    words = (*TINY, "scheduler=cosine", "scheduler.eta_min=1e-5", "optimizer.lr=1e-4", "train.epochs=1")
    run = f"{tmp_path}/x${{y}}"
    assert train(monkeypatch, *words, f"run_dir={run}") == 0
    assert (tmp_path / "x${y}/checkpoints/last.pt").is_file()
    # below the default eta_min of 0.0005
    assert train(monkeypatch, f"resume={run}", "optimizer.lr=0.0002", "train.epochs=2") == 0
    assert train(monkeypatch, f"resume={run}", "optimizer.lr=0.000001", "train.epochs=3") == 2
    assert "scheduler.eta_min=1e-05 is above optimizer.lr=1e-06" in capsys.readouterr().err


@pytest.mark.slow
def test_a_group_typed_at_a_resume_replaces_only_that_group(tmp_path: Path, monkeypatch, capsys):
    words = (*TINY, "optimizer.lr=0.003", "augment=none", "train.epochs=1", f"run_dir={tmp_path}/run")
    assert train(monkeypatch, *words) == 0
    capsys.readouterr()
    assert train(monkeypatch, f"resume={tmp_path}/run", "scheduler=onecycle", "train.epochs=2") == 0
    changes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("resume: ")]
    assert {line.split()[1].split(".")[0] for line in changes} == {"scheduler", "train"}
    assert "resume: scheduler.max_lr was None, is now 0.003" in changes
    assert "resume: train.epochs was 1, is now 2" in changes


@pytest.mark.parametrize(("hmean", "shown"), [(0.25, True), (0.0, False)])
def test_an_epoch_without_a_match_is_not_called_the_best(hmean: float, shown: bool):
    losses = {"total": 1.0}
    record = {"epoch": 1, "lr": 0.007, "train_loss": losses, "val_loss": losses, "seconds": 2.0}
    scores = dict.fromkeys(("precision", "recall", "hmean", "ap"), hmean)
    assert (" best" in epoch_line(record | scores, 3, best=True)) == shown
