"""The end of a fine-tuning: thresholds chosen on the validation images, unless some were typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conftest import assert_mentions
from resnet18_ocrdet.cli import _train
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.evaluation.calibration import Thresholds
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


def thresholds(values: dict[str, Any]) -> Thresholds:
    return Thresholds(*(values[name] for name in Thresholds._fields))


def test_best_pt_has_the_best_thresholds(words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    content = best(tmp_path / "run", *words)
    told = content["about"]["calibration"]
    assert (told["split"], told["images"], told["combinations"]) == ("val", 2, 4 * 4 * 6)
    assert thresholds(content["contract"]) == thresholds(told["after"])
    assert thresholds(told["before"]) == (0.3, 0.5, 1.3)  # those of the run; 1.3 is that of the bundled weights
    assert told["after"]["hmean"] >= told["before"]["hmean"] > 0
    out = capsys.readouterr().out
    assert_mentions(out, f"→ {told['after']['hmean']:.3f}; written into {tmp_path}/run/checkpoints/best.pt")
    assert_mentions(out, f"→ {told['after']['hmean']:.3f} (epoch 1, with its best thresholds)")
    last = load_checkpoint(tmp_path / "run/checkpoints/last.pt")
    assert thresholds(last["contract"]) == (0.3, 0.5, 1.3)


def test_typed_thresholds_stay(words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    content = best(tmp_path / "run", *words, "decode.unclip_ratio=1.5")
    assert "calibration" not in content["about"] and content["config"]["train"]["calibrate"] is False
    assert thresholds(content["contract"]) == (0.45, 0.55, 1.5)  # the others are those of the bundled weights
    assert_mentions(capsys.readouterr().out, "train.calibrate=false", "decode.unclip_ratio")
