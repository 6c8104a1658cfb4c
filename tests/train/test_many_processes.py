"""Several processes of torchrun on one CPU, over gloo, compared with a single one.

Sums depend on the number of threads: torchrun gives each process one, so the single process has one too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
import torch

from conftest import TINY
from resnet18_ocrdet.data.loader import EpochBatches, eval_batches
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.model.checkpoint import load_checkpoint
from resnet18_ocrdet.viz.draw import write

ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1"}
TOGETHER = (*TINY, "data.train_size=8", "data.val_size=5", "precision=fp32", "train.workers=0")


def torchrun(processes: int, *words: str, cwd: Path, command: str = "ocrdet-train") -> subprocess.CompletedProcess[str]:
    """Start the installed command as docs/scale-out.md says."""
    program = Path(sys.executable).with_name("torchrun")
    call = [program, "--standalone", f"--nproc-per-node={processes}", "--no-python"]
    return subprocess.run(
        [*call, str(Path(sys.executable).with_name(command)), *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
    )


def alone(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name(words[0])
    return subprocess.run([program, *words[1:]], cwd=cwd, capture_output=True, text=True, timeout=300, env=ONE_THREAD)


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(run / "checkpoints/last.pt")["model"]


def metrics(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(("processes", "rounds"), [(1, 1), (2, 1), (1, 2), (2, 2), (3, 1)])
def test_processes_and_rounds_share_the_epoch(processes, rounds):
    by_one = EpochBatches(26, 2, seed=5)
    shares = [EpochBatches(26, 2, 5, rounds, rank, processes) for rank in range(processes)]
    turns = [list(share.batches(0)) for share in shares]
    assert {len(share) for share in shares} == {13 // (rounds * processes)}
    # step after step, turn after turn, process after process: the order of one alone
    together = [share[turn] for turn in range(len(turns[0])) for share in turns]
    assert together == list(by_one.batches(0))[: len(together)]
    resumed = EpochBatches(26, 2, 5, rounds, 0, processes)
    assert list(resumed.batches(0, first=2)) == turns[0][2 * rounds :]


@pytest.mark.parametrize(("length", "batch", "processes"), [(5, 2, 2), (6, 2, 2), (1, 4, 3), (7, 3, 1), (9, 2, 4)])
def test_every_image_is_scored_once(length, batch, processes):
    shares = [eval_batches(length, batch, rank, processes) for rank in range(processes)]
    assert sorted(index for share in shares for part in share for index in part) == list(range(length))
    by_one = eval_batches(length, batch)
    assert [share[turn] for turn in range(len(by_one)) for share in shares if turn < len(share)] == by_one


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> Path:
    """Two processes for 2 epochs."""
    folder = tmp_path_factory.mktemp("pair")
    done = torchrun(2, *TOGETHER, "train.epochs=2", "scheduler.step_size=1", "run_dir=pair", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("epoch 1/2  lr") == 1 and "in each of 2 processes" in done.stdout
    return folder / "pair"


@pytest.mark.slow
def test_two_processes_train_like_one_with_two_accumulated_batches(pair: Path, tmp_path: Path):
    words = (*TOGETHER, "train.epochs=2", "scheduler.step_size=1", "train.accumulate=2", "run_dir=alone")
    assert alone("ocrdet-train", *words, cwd=tmp_path).returncode == 0
    assert_alike(pair, tmp_path / "alone")


def assert_alike(pair: Path, single: Path) -> None:
    """One step is the same sum of gradients; batch-norm statistics are those of the first process's batches."""
    ours, theirs = weights(pair), weights(single)
    for name, value in ours.items():
        if "running_" not in name and "num_batches" not in name:
            torch.testing.assert_close(value, theirs[name], rtol=0, atol=1e-5)
    for one, other in zip(metrics(pair), metrics(single), strict=True):
        assert one["train_loss"] == pytest.approx(other["train_loss"], abs=1e-4)
        assert one["step"] == other["step"]


@pytest.mark.slow
def test_two_processes_release_a_frozen_part_together(tmp_path: Path):
    """In the second of two epochs, also where that one is resumed."""
    words = (*TOGETHER, "scheduler.step_size=1", "train.freeze=layer1", "train.unfreeze_epoch=1")
    assert torchrun(2, *words, "train.epochs=2", "run_dir=pair", cwd=tmp_path).returncode == 0
    done = alone("ocrdet-train", *words, "train.epochs=2", "train.accumulate=2", "run_dir=alone", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert_alike(tmp_path / "pair", tmp_path / "alone")
    assert torchrun(2, *words, "train.epochs=1", "run_dir=halves", cwd=tmp_path).returncode == 0
    frozen = weights(tmp_path / "halves")["backbone.conv1.weight"]
    assert torchrun(2, "resume=halves", "train.epochs=2", cwd=tmp_path).returncode == 0
    ours, theirs = weights(tmp_path / "pair"), weights(tmp_path / "halves")
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert not torch.equal(frozen, theirs["backbone.conv1.weight"])


@pytest.mark.slow
def test_gradients_of_a_pair_are_the_mean_of_its_halves(tmp_path: Path):
    """Also of one process that takes the halves one after the other."""
    worker = str(Path(__file__).parents[1] / "gradient_share.py")
    call = [str(Path(sys.executable).with_name("torchrun")), "--standalone", "--nproc-per-node=2", worker, "1", "pair"]
    subprocess.run(call, cwd=tmp_path, check=True, timeout=300, capture_output=True)
    subprocess.run([sys.executable, worker, "2", "alone"], cwd=tmp_path, check=True, timeout=300, env=ONE_THREAD)
    pair, single = (torch.load(tmp_path / name, weights_only=True) for name in ("pair", "alone"))
    assert pair["norm"] > 0.1
    torch.testing.assert_close(pair["loss"], single["loss"], rtol=0, atol=1e-5)
    for name, gradient in single["gradients"].items():
        torch.testing.assert_close(pair["gradients"][name], gradient, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_one_checkpoint_has_the_same_score_in_one_process_and_in_two(pair: Path, tmp_path: Path):
    words = (f"checkpoint={pair}/checkpoints/last.pt", "data=synthetic", "split=val", "data.val_size=7", "batch_size=2")
    words = (*words, "decode.bin_thresh=0.05", "decode.box_thresh=0.05", "precision=fp32", "workers=0")
    single = alone("ocrdet-eval", *words, "output=alone", cwd=tmp_path)
    both = torchrun(2, *words, "output=both", cwd=tmp_path, command="ocrdet-eval")
    assert single.returncode == both.returncode == 0, single.stderr + both.stderr
    one, two = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("alone", "both"))
    assert one["care_detections"] > 0
    assert {**one, "seconds": 0} == {**two, "seconds": 0}
    tables = [(tmp_path / name / "per_image.csv").read_text() for name in ("alone", "both")]
    assert tables[0] == tables[1] and len(tables[0].splitlines()) == 8


@pytest.mark.slow
def test_a_resumed_pair_equals_an_uninterrupted_pair(pair: Path, tmp_path: Path):
    words = (*TOGETHER, "scheduler.step_size=1", "run_dir=halves")
    assert torchrun(2, *words, "train.epochs=1", cwd=tmp_path).returncode == 0
    done = torchrun(2, "resume=halves", "train.epochs=2", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    ours, theirs = weights(pair), weights(tmp_path / "halves")
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    machine = ("seconds", "images_per_second", "data_wait", "memory_gib")
    whole, halves = ([{k: v for k, v in line.items() if k not in machine} for line in metrics(run)]
                     for run in (pair, tmp_path / "halves"))  # fmt: skip
    assert whole == halves


@pytest.mark.slow
def test_another_number_of_processes_is_refused_or_explained(pair: Path, tmp_path: Path):
    single = alone("ocrdet-train", f"resume={pair}", "train.epochs=3", cwd=tmp_path)
    assert single.returncode == 2
    assert "a step took 4 images (2 processes), now it would take 2 (1 process)" in single.stderr


@pytest.mark.slow
def test_a_mistake_is_reported_once(tmp_path: Path):
    done = torchrun(2, *TOGETHER, "init.weights=absent.pt", cwd=tmp_path)
    assert done.returncode != 0
    assert done.stderr.count("ocrdet-train: ") == 1 and "absent.pt" in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
@pytest.mark.parametrize("command", ["ocrdet-train", "ocrdet-eval"])
def test_the_process_that_fails_reports_why(command, pair: Path, tmp_path: Path):
    scenes = SyntheticScenes(6, 96, 96, seed=0)
    for part in ("images", "gts"):
        (tmp_path / f"set/{part}").mkdir(parents=True)
    for index in range(6):
        write(tmp_path / f"set/images/{index}.jpg", scenes.load(index).image)
        (tmp_path / f"set/gts/{index}.txt").write_text("10,10,60,10,60,40,10,40,word\n")
    (tmp_path / "set/images/5.jpg").unlink()
    webp = bytearray(cv2.imencode(".webp", scenes.load(5).image, (cv2.IMWRITE_WEBP_QUALITY, 101))[1].tobytes())
    webp[30 : len(webp) - 30] = bytes(len(webp) - 60)  # its head is whole, so that only decoding it shows the damage
    (tmp_path / "set/images/5.webp").write_bytes(webp)  # in the last batch: of the second process
    words: tuple[str, ...] = ("data=custom", "data.root=set", "data.val=2-5", "data.train=0-1")
    if command == "ocrdet-train":
        words = (*words, *TOGETHER[:1], "train.batch_size=1", "train.epochs=1", "train.workers=0", "run_dir=run")
    else:
        words = (*words, f"checkpoint={pair}/checkpoints/last.pt", "split=val", "batch_size=2", "workers=0")
    done = torchrun(2, *words, cwd=tmp_path, command=command)
    assert done.returncode != 0
    assert "process 1: " in done.stderr and "5.webp" in done.stderr, done.stderr
    if command == "ocrdet-train":
        assert "another process of this run ended" in done.stdout
        assert load_checkpoint(tmp_path / "run/checkpoints/last.pt")["step"] == 1
