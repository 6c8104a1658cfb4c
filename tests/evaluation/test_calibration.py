"""Calibration: the sweep against separate evaluations, and what is written."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from conftest import installed
from resnet18_ocrdet import build
from resnet18_ocrdet.cli import _evaluate
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.evaluation.calibration import Thresholds, ThresholdSweep, best_of
from resnet18_ocrdet.evaluation.metrics import IcdarMetric
from resnet18_ocrdet.inference.postprocess import Decoder
from resnet18_ocrdet.model.bundled import BUNDLED_PATH
from resnet18_ocrdet.model.checkpoint import load_checkpoint
from resnet18_ocrdet.structures import Maps, ResizeTransform

WHOLE = ResizeTransform(96, 128, 1.0, 1.0)


def rect(left, top, right, bottom):
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def painted(*cores):
    prob_map = np.zeros((96, 128), np.float32)
    for (left, top, right, bottom), value in cores:
        prob_map[top:bottom, left:right] = value
    return prob_map


# A confident word, an uncertain one, and a stain with a lower probability than both.
IMAGE = painted(((12, 14, 48, 22), 0.9), ((66, 14, 110, 22), 0.52), ((20, 60, 60, 70), 0.35))
TRUTH = ((rect(8, 10, 52, 26), rect(62, 10, 114, 26)), np.zeros(2, bool), "a")
BLANK = ((), np.zeros(0, bool), "b")


def test_each_hmean_equals_that_of_a_separate_evaluation():
    rng = np.random.default_rng(0)
    noisy = np.clip(IMAGE + rng.uniform(-0.2, 0.2, IMAGE.shape), 0, 1).astype(np.float32)
    decoder, images = Decoder(box_thresh=0.58), ((IMAGE, TRUTH), (noisy, TRUTH), (noisy, BLANK))
    sweep = ThresholdSweep(decoder)
    for prob_map, truth in images:
        sweep.add(prob_map, WHOLE, *truth)
    hmeans = sweep.hmeans()
    assert len(hmeans) == 11 * 12 * 5  # 0.58 joins the grid
    assert len(set(hmeans.values())) > 5
    for thresholds in (sweep.current, *list(hmeans)[::20]):
        own, metric = replace(decoder, **thresholds._asdict()), IcdarMetric()
        for prob_map, (polygons, ignore, name) in images:
            metric.update(polygons, ignore, own(prob_map, WHOLE), name)
        assert hmeans[thresholds] == pytest.approx(metric.result().hmean or 0.0, abs=1e-12)


def test_an_uncertain_word_is_kept_and_a_stain_is_not():
    sweep = ThresholdSweep(Decoder(box_thresh=0.6))
    sweep.add(IMAGE, WHOLE, *TRUTH)
    hmeans = sweep.hmeans()
    best = best_of(hmeans, sweep.current)
    assert hmeans[sweep.current] == pytest.approx(2 / 3)  # one of two found
    assert hmeans[best] == 1.0
    assert 0.35 < best.box_thresh <= 0.52


def test_among_equal_combinations_the_nearest_is_chosen():
    current = Thresholds(0.3, 0.6, 1.5)
    hmeans = {current: 0.5, Thresholds(0.2, 0.3, 2.1): 0.7, Thresholds(0.3, 0.5, 1.5): 0.7}
    assert best_of(hmeans, current) == Thresholds(0.3, 0.5, 1.5)
    assert best_of(hmeans | {current: 0.7}, current) == current


class Bright(nn.Module):
    """Predicts the brightness of the pixel as the probability of text."""

    def forward(self, image: torch.Tensor) -> Maps:
        prob_map = (image[:, :1].float() / 255).clamp(1e-3, 1 - 1e-3)
        return Maps(prob_map.logit(), torch.zeros_like(prob_map))


@pytest.fixture
def words(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A call on one image with a bright and a dim word, which the network finds confident and uncertain."""
    shutil.copytree(tiny_run, tmp_path / "run")
    for part in ("train", "val"):
        (tmp_path / f"data/{part}_images").mkdir(parents=True)
        (tmp_path / f"data/{part}_gts").mkdir()
        picture = np.zeros((64, 64, 3), np.uint8)
        picture[8:16, 8:40], picture[36:44, 8:44] = 230, 133
        cv2.imwrite(str(tmp_path / f"data/{part}_images/a.png"), picture)
        gt = "4,4,43,4,43,19,4,19,sure\n4,32,47,32,47,47,4,47,dim\n"
        (tmp_path / f"data/{part}_gts/a.txt").write_text(gt)
    monkeypatch.setattr(build, "build_network", lambda *_: Bright())
    monkeypatch.chdir(tmp_path)
    return ["checkpoint=run/checkpoints/best.pt", "data=custom", "data.root=data", "split=val", "calibrate=true"]


def test_the_thresholds_are_written_and_the_weights_unchanged(words: list[str], capsys):
    best = Path("run/checkpoints/best.pt")
    before = load_checkpoint(best)
    assert run_command("eval", _evaluate, [*words, "output=out"]) == 0
    after, summary = load_checkpoint(best), json.loads(Path("out/metrics.json").read_text())["calibration"]
    assert summary == after["about"]["calibration"]
    assert summary["before"]["hmean"] == pytest.approx(2 / 3)  # 0.52 is below box_thresh 0.6
    assert summary["after"]["hmean"] == 1.0
    assert after["contract"] == before["contract"] | {key: summary["after"][key] for key in Thresholds._fields}
    assert after["contract"]["box_thresh"] == 0.5  # the nearest to the previous one
    assert all(torch.equal(after["model"][key], value) for key, value in before["model"].items())
    out = capsys.readouterr().out
    assert "written into run/checkpoints/best.pt" in out and "images are few: the best of so many" in out
    assert run_command("eval", _evaluate, [*words[:-1], "output=again"]) == 0
    assert json.loads(Path("again/metrics.json").read_text())["hmean"] == 1.0


def test_a_link_is_followed(words: list[str]):
    Path("link.pt").symlink_to("run/checkpoints/best.pt")
    assert run_command("eval", _evaluate, ["checkpoint=link.pt", *words[1:], "output=out"]) == 0
    assert Path("link.pt").is_symlink()
    assert load_checkpoint(Path("run/checkpoints/best.pt"))["contract"]["box_thresh"] == 0.5


def test_outside_a_run_no_lock_file_remains(words: list[str]):
    Path("kept/checkpoints").mkdir(parents=True)
    shutil.copy("run/checkpoints/best.pt", "kept/checkpoints/best.pt")
    call = ["checkpoint=kept/checkpoints/best.pt", *words[1:], "output=out"]
    assert run_command("eval", _evaluate, call) == 0
    assert [path.name for path in Path("kept").iterdir()] == ["checkpoints"]


def test_the_checkpoint_of_an_active_run_is_not_changed(words: list[str], capsys):
    best = Path("run/checkpoints/best.pt")
    before = best.read_bytes()
    hold = "import sys; from pathlib import Path; from resnet18_ocrdet.runtime.lock import run_lock\n"
    hold += "with run_lock(Path('run/run.lock')): print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None and other.stdin is not None
        assert other.stdout.readline() == "held\n"
        assert run_command("eval", _evaluate, [*words, "output=out"]) == 2
        other.stdin.close()
    assert "is training in it" in capsys.readouterr().err
    assert best.read_bytes() == before


def test_a_test_split_is_warned_about(words: list[str], capsys):
    shutil.move("data/val_images", "data/test_images")
    shutil.move("data/val_gts", "data/test_gts")
    words[words.index("split=val")] = "split=test"
    assert run_command("eval", _evaluate, [*words, "output=out"]) == 0
    assert "note: calibrated on the test split" in capsys.readouterr().out


def test_without_regions_nothing_is_written(words: list[str], capsys):
    best = Path("run/checkpoints/best.pt")
    before = best.read_bytes()
    Path("data/val_gts/a.txt").write_text("4,4,43,4,43,19,4,19,###\n")
    assert run_command("eval", _evaluate, [*words, "output=out"]) == 1
    assert "no thresholds find a region: run/checkpoints/best.pt is unchanged" in capsys.readouterr().out
    assert json.loads(Path("out/metrics.json").read_text())["calibration"] is None
    assert best.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["checkpoint=bundled", "data=synthetic"], "checkpoint=PATH"),
        (["data=synthetic"], "checkpoint=PATH"),
        (["predictions=a", "data=synthetic"], "calibrate=true needs a network"),
        (["checkpoint=a", "split=train"], "split=val"),
        (["checkpoint=a", "input_size=64x64"], "leave out input_size"),
        (["checkpoint=a", "decode.shape=polygon"], "leave out decode.shape"),
        ([f"checkpoint={BUNDLED_PATH}", "data=synthetic"], "copy it first"),
    ],
)
def test_refused_words(words: list[str], message: str, tmp_path: Path):
    done = installed("ocrdet-eval", *words, "calibrate=true", cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
