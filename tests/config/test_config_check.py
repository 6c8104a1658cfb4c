"""Gate 2 on config files, the user's own ones among them, and the settings it finds odd."""

from __future__ import annotations

from pathlib import Path

import pytest

from config_runner import configs, empty_folder  # noqa: F401 - the fixture acts by being here
from resnet18_ocrdet.commands.cross_checks import suspicions
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.config.check import check_run

HEADER = "# @package _global_\n"
PRESETS = [
    (
        "typo",
        HEADER + "train:\n  epohcs: 3\n",
        ["no key 'train.epohcs': did you mean train.epochs? (in a config file)"],
    ),
    ("type", HEADER + "train:\n  epochs: many\n", ["train.epochs=many: needs a whole number"]),
    ("range", HEADER + "optimizer:\n  lr: -1\n", ["optimizer.lr=-1: needs a number above 0"]),
    ("section", HEADER + "train: 3\n", ["train=3: 'train' is a section"]),
    ("target", HEADER + "optimizer:\n  _target_: os.system\n", ["only torch.optim.AdamW and torch.optim.SGD"]),
    ("header", "train:\n  epochs: 3\n", ["'# @package _global_'"]),
    ("syntax", HEADER + "train:\n  epochs: [3\n", ["experiment=syntax:", "line 3"]),
    ("interpolation", HEADER + "seed: ${train.nothing}\n", ["seed: Interpolation key 'train.nothing' not found"]),
    ("unclosed", HEADER + "seed: ${train\n", ["experiment=unclosed:", "${train"]),
    ("group", HEADER + "defaults:\n  - override /optimizer: nope\n", ["Could not find 'optimizer/nope'"]),
    ("list", HEADER + "- 3\n", ["experiment=list:"]),
]


@pytest.mark.parametrize(("name", "text", "parts"), PRESETS, ids=[name for name, _, _ in PRESETS])
def test_a_wrong_preset(name: str, text: str, parts: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / f"{name}.yaml").write_text(text)
    assert run_command("train", pytest.fail, ["--config-dir", str(tmp_path), f"experiment={name}"]) == 2
    error = capsys.readouterr().err
    assert all(part in error for part in parts), error
    assert "Traceback" not in error


def test_a_preset_that_is_not_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "own.yaml").write_bytes(b"\xff\xfe")
    assert run_command("train", pytest.fail, ["--config-dir", str(tmp_path), "experiment=own"]) == 2
    assert "experiment=own: " in capsys.readouterr().err


def test_an_option_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = tmp_path / "it's mine, ${x}"
    (folder / "optimizer").mkdir(parents=True)
    (folder / "optimizer" / "mine.yaml").write_text("_target_: torch.optim.SGD\nlr: 0.1\n")
    (folder / "optimizer" / "温和.yaml").write_text("defaults: [sgd, _self_]\nlr: 0.001\n")
    words = ["--config-dir", str(folder)]
    assert run_command("train", lambda cfg, _: int(cfg.optimizer.lr == 0.001), [*words, "optimizer=温和"]) == 1
    assert run_command("train", pytest.fail, [*words, "optimizer=mine"]) == 2
    assert "optimizer.momentum is not set; a file of your own can begin with 'defaults: [sgd, _self_]'" in (
        capsys.readouterr().err
    )


def test_config_dir_reaches_the_jobs_of_a_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "own.yaml").write_text(HEADER + "train:\n  epochs: 3\n")
    words = ["-m", "--config-dir", ".", "experiment=own,quickstart", "seed=1"]
    assert run_command("train", lambda cfg, _: int(cfg.train.epochs), words) == 3  # the larger of 3 and 1


SUSPICIOUS = [
    ("train.epochs=5", "the learning rate never decays in this run: scheduler.step_size=10 epochs, train.epochs=5"),
    ("optimizer.lr=10", "optimizer.lr=10 with SGD: above 0.1"),
    ("optimizer=adamw optimizer.lr=0.007", "AdamW: 0.0003 to 0.002 is usual"),
    ("train.batch_size=1", "train.batch_size=1: batch norm"),
    ("scheduler=cosine scheduler.T_max=40", "the cosine is cut off"),
    ("scheduler=cosine scheduler.T_max=10", "stays at eta_min"),
    ("scheduler=onecycle scheduler.max_lr=0.05", "optimizer.lr=0.007 is not used"),
    ("resume=auto init.weights=a.pt", "init.weights is not used"),
    ("init.backbone=imagenet init.weights=a.pt", "init.backbone is not used"),
    ("init.zero_residuals=true init.weights=a.pt", "init.zero_residuals is not used"),
    ("train.freeze=stem train.unfreeze_epoch=30", "holds for the whole run"),
    ("train.auto_hparams=true init.weights=a.pt train.unfreeze_epoch=2", "train.unfreeze_epoch=2 has no effect"),
    (
        "mix1=synthetic mix1.train_size=9 mix2=synthetic mix2.seed=7 train.mix1_share=0.2 train.mix2_share=0.1",
        "data and mix1 render the same scenes: add mix1.seed=1",
    ),
    ("data=custom data.root=x data.train=all.txt data.val=all.txt", "the same images"),
]


def doubts(*words: str) -> list[str]:
    (cfg,) = configs("train", *words)
    return suspicions(cfg)


@pytest.mark.parametrize(("words", "part"), SUSPICIOUS, ids=[words for words, _ in SUSPICIOUS])
def test_odd_settings_get_one_line_each(words: str, part: str):
    found = doubts(*words.split())
    assert len(found) == 1
    assert part in found[0]


@pytest.mark.parametrize("words", ["", "experiment=quickstart", "scheduler=cosine", "optimizer=adamw scheduler=poly"])
def test_usual_settings_raise_no_doubt(words: str):
    assert doubts(*words.split()) == []


def test_a_checked_config_passes_again():
    (cfg,) = configs("train", "run_dir=a ${x}", "data=custom", "data.root=b")
    again = check_run(cfg, "train")
    assert again == cfg
    assert again.run_dir == "a ${x}"
