"""The end of a fine-tuning: thresholds chosen on the validation images, unless some were typed."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from conftest import assert_mentions
from resnet18_ocrdet.cli import _train
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.evaluation.calibration import Thresholds, ThresholdSweep
from resnet18_ocrdet.model.checkpoint import Checkpoint, load_checkpoint
from resnet18_ocrdet.viz.draw import write

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """A fine-tuning of one step that hardly changes the bundled weights, which read the scenes already."""
    root = tmp_path_factory.mktemp("scenes")
    (root / "images").mkdir()
    (root / "gts").mkdir()
    scenes = SyntheticScenes(4, 320, 320, seed=0)
    for index in range(4):
        sample = scenes.load(index)
        write(root / f"images/{index}.png", sample.image)
        lines = (",".join(f"{value:.1f}" for value in polygon.ravel()) for polygon in sample.polygons)
        (root / f"gts/{index}.txt").write_text("".join(f"{line},word\n" for line in lines))
    data = ("data=custom", f"data.root={root}", "data.train=0-1", "data.val=2-3", "data.on_error=fix")
    still = ("optimizer.lr=1e-6", "train.ema=null", "train.epochs=1", "train.batch_size=2", "train.workers=0")
    return ("experiment=finetune", "init.weights=bundled", *data, *still, "input_size=640x640")


def best(run: Path, *words: str) -> Checkpoint:
    assert run_command("train", _train, [*words, f"run_dir={run}"]) == 0
    return load_checkpoint(run / "checkpoints/best.pt")


@pytest.fixture(scope="module")
def finished(words: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("finished") / "run"
    assert run_command("train", _train, [*words, f"run_dir={run}"]) == 0
    return run


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished run. A resume calibrates it again."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def resume(run: Path, *words: str) -> int:
    return run_command("train", _train, [f"resume={run}", *words])


def thresholds(values: dict[str, Any]) -> Thresholds:
    return Thresholds(*(values[name] for name in Thresholds._fields))


def test_best_pt_has_the_best_thresholds(finished: Path):
    content = load_checkpoint(finished / "checkpoints/best.pt")
    told = content["about"]["calibration"]
    assert (told["split"], told["images"], told["combinations"]) == ("val", 2, 4 * 4 * 6)
    assert thresholds(content["contract"]) == thresholds(told["after"])
    assert thresholds(told["before"]) == (0.3, 0.5, 1.9)  # those of the run; 1.9 is that of the bundled weights
    assert told["after"]["hmean"] >= told["before"]["hmean"] > 0
    out = (finished / "train.log").read_text()
    assert_mentions(out, f"hmean {told['after']['hmean']:.4f}", f"written into {finished}/checkpoints/best.pt")
    assert_mentions(out, "2 images are few")
    assert_mentions(out, f"→ {told['after']['hmean']:.3f} (epoch 1, with its best thresholds)")
    last = load_checkpoint(finished / "checkpoints/last.pt")
    assert thresholds(last["contract"]) == (0.3, 0.5, 1.9)


def test_typed_thresholds_stay(words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    content = best(tmp_path / "run", *words, "decode.unclip_ratio=1.5")
    assert "calibration" not in content["about"] and content["config"]["train"]["calibrate"] is False
    assert thresholds(content["contract"]) == (0.6, 0.65, 1.5)  # the others are those of the bundled weights
    assert_mentions(capsys.readouterr().out, "train.calibrate=false", "decode.unclip_ratio")


def test_typed_thresholds_stay_in_a_resume(run: Path, capsys: pytest.CaptureFixture[str]):
    before = (run / "checkpoints/best.pt").read_bytes()
    assert resume(run, "decode.box_thresh=0.8", "train.calibrate=true") == 2
    assert_mentions(capsys.readouterr().err, "train.calibrate=true", "decode.box_thresh")
    assert resume(run, "decode.box_thresh=0.8") == 0
    assert_mentions(capsys.readouterr().out, "train.calibrate=false", "decode.box_thresh")
    assert (run / "checkpoints/best.pt").read_bytes() == before


def test_a_signal_ends_a_calibration(run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    before, swept = (run / "checkpoints/best.pt").read_bytes(), []
    add = ThresholdSweep.add_batch

    def interrupted(*arguments: Any) -> None:
        swept.append(os.kill(os.getpid(), signal.SIGTERM))
        add(*arguments)

    monkeypatch.setattr(ThresholdSweep, "add_batch", interrupted)
    assert resume(run, "train.batch_size=1", "train.accumulate=2") == 128 + signal.SIGTERM
    assert len(swept) == 1 and "interrupted; step 1 is saved" in capsys.readouterr().out
    assert (run / "checkpoints/best.pt").read_bytes() == before


def test_a_full_disk_does_not_end_a_run(run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def full(*_: Any) -> None:
        raise UserError("best.pt: No space left on device")

    (run / "summary.txt").unlink()
    monkeypatch.setattr("resnet18_ocrdet.commands.calibrate.save_checkpoint", full)
    assert resume(run) == 1
    out = capsys.readouterr().out
    assert_mentions(out, "not saved: best.pt: No space left on device", "done in")
    assert "stopped" not in out and (run / "summary.txt").is_file()


def test_many_images_are_sampled(run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr("resnet18_ocrdet.commands.train_calibrate.SAMPLE", 1)
    assert resume(run, "train.batch_size=1", "train.accumulate=2") == 0
    assert load_checkpoint(run / "checkpoints/best.pt")["about"]["calibration"]["images"] == 1
    out = capsys.readouterr().out
    assert_mentions(out, "1 of 2 validation images")
    assert "with its best thresholds" not in out  # that hmean is of other images


def test_thresholds_that_find_nothing_are_not_written(run: Path, monkeypatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(ThresholdSweep, "add_batch", lambda *_: None)
    assert resume(run) == 0
    assert_mentions(capsys.readouterr().out, "no thresholds find a region", "unchanged")
