"""What a command imports before it answers, and a training before its first step. No timing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from resnet18_ocrdet.data.augment import Augment
from resnet18_ocrdet.data.datasets import TrainDataset
from resnet18_ocrdet.data.loader import EpochBatches, TrainLoader
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.data.targets import TargetMaker
from resnet18_ocrdet.structures import LossParts
from resnet18_ocrdet.train.engine import StepRecord
from resnet18_ocrdet.train.guard import Verdict
from resnet18_ocrdet.train.logger import RunLogger

ANSWER = """
import sys
from resnet18_ocrdet import cli
command, *sys.argv[1:] = sys.argv[1:]
try:
    getattr(cli, command)()
finally:
    heavy = {"torch", "numpy", "cv2", "matplotlib", "tensorboard"} & set(sys.modules)
    assert not heavy, heavy
"""

FIRST_STEP = """
import json, sys
from resnet18_ocrdet import cli
from resnet18_ocrdet.commands.train import Training
from resnet18_ocrdet.data.loader import TrainLoader

WATCHED = ("torch._dynamo", "torchvision", "tensorboard", "matplotlib", "torch.utils.tensorboard")
imported = {}

def loaded():
    return [name for name in WATCHED if name in sys.modules]

def begin(self, begin=TrainLoader.begin):
    imported["loaders"] = loaded()
    begin(self)

def report(self, record, report=Training._report):
    if record.step == 1:
        imported["first step"] = loaded()
    report(self, record)

TrainLoader.begin, Training._report = begin, report
try:
    cli.train()
finally:
    print(json.dumps(imported))
"""


@pytest.mark.parametrize("command", ["train", "evaluate", "detect", "check", "export"])
@pytest.mark.parametrize(
    ("words", "code"), [(["--help"], 0), (["--version"], 0), (["--cfg", "job"], 0), (["no_such_key=1"], 2)]
)
def test_every_command_answers_without_torch(command: str, words: list[str], code: int):
    done = subprocess.run([sys.executable, "-c", ANSWER, command, *words], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_loaders_start_before_the_network_is_imported_and_logging_after_the_first_step(tmp_path: Path):
    words = ["train.epochs=1", "data.train_size=4", "data.val_size=1", "train.batch_size=2", "input_size=64x64"]
    done = subprocess.run(
        [sys.executable, "-c", FIRST_STEP, *words, "run_dir=run"], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    imported = json.loads(done.stdout.splitlines()[-1])
    assert imported["loaders"] == []
    assert set(imported["first step"]) == {"torch._dynamo", "torchvision"}  # torch's optimizers import the former
    assert list((tmp_path / "run/tensorboard").glob("events*"))


def small_loader(workers: int) -> TrainLoader:
    scenes = SyntheticScenes(6, 64, 64, seed=0, first=0)
    views = TrainDataset(scenes, Augment(), TargetMaker(), 64, 64, seed=0)
    return TrainLoader(views, EpochBatches(len(views), 2, seed=0), workers, pin=False)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("first", [0, 1])
def test_an_early_start_changes_no_batch(workers: int, first: int):
    plain, early = small_loader(workers), small_loader(workers)
    early.begin()
    for epoch, start in ((0, first), (1, 0)):
        expected = [step[0] for step in plain.epoch(epoch, start)]
        found = [step[0] for step in early.epoch(epoch, start)]
        assert [batch.names for batch in found] == [batch.names for batch in expected]
        assert len(found) == 3 - start
        assert all(torch.equal(a.image, b.image) for a, b in zip(found, expected, strict=True))
    plain.close()
    early.close()


@pytest.mark.parametrize("workers", [0, 1])
def test_an_early_start_does_not_change_the_random_state(workers: int):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    loader = small_loader(workers)
    loader.begin()
    assert np.array_equal(torch.get_rng_state().numpy(), before.numpy())
    loader.close()


def test_a_logger_that_wrote_nothing_leaves_no_event_file(tmp_path: Path):
    logger = RunLogger(tmp_path, 0, 0, print)
    logger.close()
    assert not (tmp_path / "tensorboard").exists()
    logger = RunLogger(tmp_path, 0, 3, print)
    loss = dict.fromkeys(LossParts._fields, 1.0)
    logger.step(StepRecord(4, 0.0, 0.1, loss, 1.0, Verdict.GOOD, 1.0, True, 0.1, 0.2, ("a",), 1))
    logger.close()
    (events,) = (tmp_path / "tensorboard").glob("events*")
    assert b"train/loss_total" in events.read_bytes()
