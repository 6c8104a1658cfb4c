"""The weights of the package: the file, its model card, and that the commands use it by default."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
import torch

from conftest import installed
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.model.bundled import BUNDLED_PATH
from resnet18_ocrdet.model.checkpoint import load_checkpoint
from resnet18_ocrdet.model.dbnet import DBNet
from resnet18_ocrdet.model.release import is_stripped
from resnet18_ocrdet.viz.draw import write

CARD = BUNDLED_PATH.with_name("README.md")
TRAIN_IMAGES = 900  # photos 1 to 800, receipts 0 to 139


def test_the_file_matches_the_model_card():
    content = BUNDLED_PATH.read_bytes()
    assert len(content) <= 25_000_000
    assert hashlib.sha256(content).hexdigest() in CARD.read_text(encoding="utf-8")


def test_it_is_stripped_and_contains_no_paths():
    content = load_checkpoint(BUNDLED_PATH)
    assert is_stripped(content)
    assert len(set(content["about"]["taught"])) == TRAIN_IMAGES
    assert content["model"].keys() == DBNet().state_dict().keys()
    assert sum(value.dtype == torch.float16 for value in content["model"].values()) > 60
    assert not re.search(rb"/(home|tmp|work|root|Users)/", BUNDLED_PATH.read_bytes())


@pytest.mark.slow
def test_detect_needs_no_checkpoint(tmp_path: Path):
    for number in range(3):
        write(tmp_path / f"in/{number}.png", _scene(number))
    done = installed("ocrdet-detect", "input=in", "output=out", "vis=false", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out/detections.json").read_text())
    assert found["checkpoint"] == "bundled"
    assert found["model_sha256"] == hashlib.sha256(BUNDLED_PATH.read_bytes()).hexdigest()
    assert sum(len(image["scores"]) for image in found["images"]) >= 3


def _scene(number: int):
    return SyntheticScenes(3, 736, 1280, seed=0).load(number).image


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path):
    (tmp_path / "in").mkdir()


@pytest.mark.slow
def test_the_published_score_on_photos_801_to_900(icdar2015: Path, tmp_path: Path):
    """The row of docs/results.md for photos 801 to 900; 901 to 1000 are not used here."""
    words = ("data=icdar2015", f"data.root={icdar2015}", "data.val=801-900", "split=val")
    done = installed("ocrdet-eval", *words, "output=out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "training set" not in done.stdout
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    (row,) = re.findall(r"\| 801–900 .*", CARD.read_text(encoding="utf-8"))
    published = float(row.split("|")[4])
    assert metrics["care_regions"] == 417
    assert metrics["hmean"] == pytest.approx(published, abs=0.01)  # of bf16; fp32 has 0.001 less
    done = installed("ocrdet-eval", *words[:2], "data.val=791-810", "split=val", "output=seen", cwd=tmp_path)
    assert "note: 10 of 20 images were in the training set" in done.stdout
