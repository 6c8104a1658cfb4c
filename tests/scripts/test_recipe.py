"""scripts/recipe.py, few_photos.py and trials.py end to end, on six small images named like photos of ICDAR2015."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.model.checkpoint import load_checkpoint
from resnet18_ocrdet.model.release import is_stripped

pytestmark = pytest.mark.slow

SCRIPTS = Path(__file__).parents[2] / "scripts"
# Both trainings hardly change the bundled weights, which detect the rendered words already.
TINY = ("train.batch_size=2", "train.workers=0", "optimizer.lr=1e-6")
PHOTOS = ("input_size=320x1280", "augment.crop_size=64x64", "data.cache=none", "train.epochs=1", *TINY)
RENDERED = ("--pretrain", "data.train_size=4", "data.val_size=2", "init.weights=bundled", *TINY)
NUMBERS = (1, 2, 51, 52, 801, 802)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    images, labels = "ch4_training_images", "ch4_training_localization_transcription_gt"
    for folder in (images, labels):
        (tmp_path / "set" / folder).mkdir(parents=True)
    scenes = SyntheticScenes(len(NUMBERS), 320, 640, seed=0)
    for index, number in enumerate(NUMBERS):
        sample = scenes.load(index)
        picture = np.full((320, 1280, 3), 90, np.uint8)  # the right half is free of text
        picture[:, :640] = sample.image
        cv2.imwrite(str(tmp_path / "set" / images / f"img_{number}.png"), picture)
        quads = [np.rint(cv2.boxPoints(cv2.minAreaRect(polygon))).clip(0) for polygon in sample.polygons]
        lines = [",".join(f"{value:.0f}" for value in quad.ravel()) + ",word\n" for quad in quads]
        (tmp_path / "set" / labels / f"gt_img_{number}.txt").write_text("".join(lines))
    return tmp_path


def run(script: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, SCRIPTS / script, "data.root=set", *words, "--output", "out", *RENDERED]
    return subprocess.run(call, cwd=folder, capture_output=True, text=True, timeout=600, env={**os.environ})


def test_recipe(photos: Path):
    words = [word for word in PHOTOS if not word.startswith("train.epochs")]
    done = run("recipe.py", photos, *words, "--epochs", "1", "--decay", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    epochs = (photos / "out/decayed-2/metrics.jsonl").read_text().splitlines()
    assert len(epochs) == 2 and json.loads(epochs[1])["lr"] < json.loads(epochs[0])["lr"]
    assert is_stripped(load_checkpoint(photos / "out/dbnet_resnet18.pt"))
    assert len(load_checkpoint(photos / "out/dbnet_resnet18.pt")["about"]["taught"]) == 4
    assert "data.val=901-1000" in done.stdout.splitlines()[-1]
    again = run("recipe.py", photos, *words, "--epochs", "1", "--decay", "1")
    assert again.returncode == 0
    assert "$ ocrdet-train" not in again.stdout
    longer = run("recipe.py", photos, *words, "--epochs", "2", "--decay", "1")
    assert longer.returncode == 0, longer.stdout + longer.stderr
    assert "resume=out/mixture train.epochs=2" in longer.stdout


def test_few_photos(photos: Path):
    done = run("few_photos.py", photos, *PHOTOS, "train.val_every=1")
    assert done.returncode == 0, done.stdout + done.stderr
    table = done.stdout.splitlines()[-2:]
    assert [row.split("|")[1].strip() for row in table] == ["rendered words", "nothing"]
    hmeans = [float(row.split("|")[4]) for row in table]
    assert hmeans[0] > 0.3 and hmeans[1] < 0.1


def test_two_trials(photos: Path):
    (photos / "list.yaml").write_text(
        "common: [experiment=icdar2015, init.weights=bundled]\na: []\nbad: [optimizer.lr=-1]\nb: [seed=1]\n"
    )
    call = [sys.executable, SCRIPTS / "trials.py", "--list", "list.yaml", "--output", "out", "data.root=set", *PHOTOS]
    done = subprocess.run(call, cwd=photos, capture_output=True, text=True, timeout=600)
    assert done.returncode == 2, done.stdout + done.stderr
    table = (photos / "out/trials.md").read_text()
    assert table in done.stdout
    assert [line.split(" | ")[0] for line in table.splitlines()[2:]] == ["| a", "| b", "| bad"]
    assert table.splitlines()[3].endswith(") |")
    assert "exit code 2" in table.splitlines()[4]
    again = subprocess.run([*call, "--only", "b"], cwd=photos, capture_output=True, text=True, timeout=600)
    assert again.returncode == 0
    assert "$ ocrdet" not in again.stdout
