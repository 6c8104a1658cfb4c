"""How far images are enlarged, recorded with the weights."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from checkpoint_content import CONTRACT, content
from conftest import TINY, installed
from hostile_files import card, write_onnx
from resnet18_ocrdet import Detector
from resnet18_ocrdet.data.letterbox import NO_LIMIT
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.model.checkpoint import load_checkpoint
from resnet18_ocrdet.model.contract import Contract
from resnet18_ocrdet.viz.draw import write


def test_older_checkpoints_have_no_limit(tmp_path: Path):
    older = CONTRACT.to_dict()
    del older["max_scale"]
    assert Contract.from_dict(older).max_scale == NO_LIMIT == 100.0
    torch.save(content(contract=older), tmp_path / "a.pt")
    assert Contract.from_dict(load_checkpoint(tmp_path / "a.pt")["contract"]).max_scale == 100.0


def test_a_limit_is_a_number():
    limited = CONTRACT.to_dict() | {"max_scale": 2}
    assert Contract.from_dict(limited).resizing == (64, 96, "keep", 2.0)
    for wrong in (None, 0.0, -1.0, 101.0, float("nan"), True, "auto"):
        with pytest.raises(UserError, match=r"max_scale.*100"):
            Contract.from_dict(limited | {"max_scale": wrong})


def test_a_run_records_the_scale_of_its_images(tiny_run: Path):
    assert load_checkpoint(tiny_run / "checkpoints/last.pt")["contract"]["max_scale"] == 1.0  # scenes of its input size


@pytest.mark.slow
def test_a_limit_is_recorded_exported_and_replaced(tmp_path: Path):
    words = (*TINY, "train.epochs=1", "run_dir=run", "decode.max_scale=2.5")
    for command, *rest in (
        ("ocrdet-train", *words),
        ("ocrdet-export", "checkpoint=run/checkpoints/last.pt", "output=a.onnx"),
        ("ocrdet-export", "checkpoint=run/checkpoints/last.pt", "output=b.onnx", "decode.max_scale=1.25"),
    ):
        done = installed(command, *rest, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    recorded = load_checkpoint(tmp_path / "run/checkpoints/last.pt")["contract"]["max_scale"]
    exported = [json.loads((tmp_path / f"{name}.onnx.json").read_text())["contract"]["max_scale"] for name in "ab"]
    assert [recorded, *exported] == [2.5, 2.5, 1.25]


@pytest.mark.slow
def test_the_plain_script_enlarges_as_the_package_does(tiny_run: Path, tmp_path: Path):
    checkpoint = f"checkpoint={tiny_run}/checkpoints/last.pt"
    words = (checkpoint, "output=m.onnx", "input_size=192x256", "decode.max_scale=1.25", "decode.box_thresh=0")
    done = installed("ocrdet-export", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    write(tmp_path / "a.png", SyntheticScenes(1, 96, 128, seed=1).load(0).image)
    words = ("input=a.png", "checkpoint=m.onnx", "output=found", "runtime=onnxruntime", "scales=1", "orientation=off")
    done = installed("ocrdet-detect", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (image,) = json.loads((tmp_path / "found/detections.json").read_text())["images"]
    script = Path(__file__).parents[2] / "scripts/plain_onnx.py"
    done = subprocess.run(
        [sys.executable, script, "m.onnx", "a.png"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    scores = [float(line.rpartition(",")[2]) for line in done.stdout.split()]
    assert scores and sorted(scores) == pytest.approx(sorted(image["scores"]), abs=2e-3)


def test_the_bundled_weights_and_a_setting(tmp_path: Path):
    assert Detector().contract.max_scale == 1.6
    assert Detector(max_scale=3).contract.max_scale == 3.0
    write_onnx(tmp_path / "m.onnx", card())  # the probability is the brightness
    for wrong in (0, 101, "auto"):
        with pytest.raises(ValueError, match="max_scale="):
            Detector(tmp_path / "m.onnx", max_scale=wrong)


@pytest.mark.slow
def test_evaluation_and_detection_enlarge_by_the_same_limit(tmp_path: Path):
    """The network finds bright boxes; reduced to a tenth, they are too small."""
    write_onnx(tmp_path / "m.onnx", card())
    (tmp_path / "set/images").mkdir(parents=True)
    (tmp_path / "set/labels").mkdir()
    image = np.zeros((40, 60, 3), np.uint8)
    image[10:30, 5:28] = image[10:30, 31:55] = 255
    cv2.imwrite(str(tmp_path / "set/images/1.png"), image)
    (tmp_path / "set/labels/1.txt").write_text("5,10,27,10,27,29,5,29,a\n31,10,54,10,54,29,31,29,b\n")
    for scale, count in ((0.1, 0), (8.0, 2)):
        words = ("checkpoint=m.onnx", "input_size=320x480", f"decode.max_scale={scale}", "decode.unclip_ratio=1")
        done = installed("ocrdet-eval", *words, "data=custom", "data.root=set", f"output=eval{scale}", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        done = installed(
            "ocrdet-detect", *words, "input=set/images", "tiling=off", f"output=found{scale}", cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        score = json.loads((tmp_path / f"eval{scale}/metrics.json").read_text())
        found = json.loads((tmp_path / f"found{scale}/detections.json").read_text())["images"][0]["polygons"]
        assert score["contract"]["max_scale"] == scale
        assert score["care_detections"] == len(found) == count
