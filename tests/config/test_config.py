"""Composition: every file in conf/, who beats whom, what a job gets, what is left on the disk."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from omegaconf import DictConfig, OmegaConf

from config_runner import configs, empty_folder  # noqa: F401 - the fixture acts by being here
from resnet18_ocrdet import __version__
from resnet18_ocrdet.commands.job import Job
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.config.library import COMMANDS, Library, all_leaves, conf_dir, train_keys
from resnet18_ocrdet.config.values import convert
from resnet18_ocrdet.errors import UserError

OPTION_FILES = sorted(path.relative_to(conf_dir()).with_suffix("") for path in conf_dir().glob("*/*.yaml"))
NEEDS = {"train": [], "eval": ["checkpoint=best.pt"], "detect": ["input=photo.jpg", "checkpoint=best.pt"]}
ROOTED = (
    *(dialect for dialect in train_keys()["data.dialect"].rule.choices if dialect not in ("auto", "folders")),
    "custom",
)
ROOT = {option: ["data.root=photos"] for option in ROOTED} | {"finetune": ["init.weights=best.pt"]}


def test_conf_files_were_found():
    assert len(OPTION_FILES) >= 22  # an empty glob would make the next test pass without testing anything
    assert {file.parts[0] for file in OPTION_FILES} >= {"model", "optimizer", "scheduler", "data", "input_size"}


@pytest.mark.parametrize("file", OPTION_FILES, ids=str)
def test_every_option_composes_and_passes_both_gates(file: Path):
    group, option = file.parts
    (cfg,) = configs("train", f"{group}={option}", *ROOT.get(option, []))
    content = yaml.safe_load((conf_dir() / file).with_suffix(".yaml").read_text("utf-8"))
    if "defaults" in content:  # the file changes some keys of another option
        assert set(content) - {"defaults"} <= set(cfg[group] if group != "experiment" else cfg)
    else:
        assert list(cfg[group]) == list(content)


@pytest.mark.parametrize("command", ["eval", "detect"])
def test_other_commands_compose(command: str):
    (cfg,) = configs(command, *NEEDS[command])
    assert cfg.input_size is None
    assert cfg.decode.bin_thresh is None


@pytest.mark.parametrize("option", ["synthetic", "icdar2015", "custom"])
def test_eval_takes_every_data_option(option: str):
    (cfg,) = configs("eval", "checkpoint=best.pt", f"data={option}", *ROOT.get(option, []))
    if option == "synthetic":
        assert (cfg.data.height, cfg.data.width) == (None, None)  # the checkpoint knows


def test_eval_and_detect_take_an_input_size():
    assert configs("eval", "checkpoint=a", "input_size=320x416")[0].input_size == {"height": 320, "width": 416}
    assert configs("detect", "checkpoint=a", "input=b", "input_size=640x640")[0].input_size.width == 640


@pytest.mark.parametrize("file", sorted(conf_dir().rglob("*.yaml")), ids=lambda file: file.stem)
def test_every_file_says_how_to_run_it(file: Path):
    if file.name != "base.yaml":
        assert any(line.startswith("# ocrdet-") for line in file.read_text("utf-8").splitlines()[:3])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_key_has_a_help_text(command: str):
    assert [name for name, key, _ in all_leaves(Library(command).schema) if len(key.rule.doc) < 2] == []


def test_cfg_job_prints_the_composed_config(capsys: pytest.CaptureFixture[str]):
    assert run_command("train", pytest.fail, ["optimizer.lr=0.005", "--cfg", "job"]) == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert shown["optimizer"]["lr"] == 0.005
    assert shown["optimizer"]["momentum"] == 0.9
    assert shown["train"]["batch_size"] == 8
    assert shown["train"]["epochs"] == 30
    assert shown["input_size"] == {"height": 800, "width": 800}
    assert (shown["scheduler"]["step_size"], shown["scheduler"]["gamma"]) == (10, 0.1)
    assert "hydra" not in shown


def test_cfg_job_says_what_is_chosen_later(capsys: pytest.CaptureFixture[str]):
    words = ["experiment=finetune", "init.weights=bundled", "--cfg", "job"]
    assert run_command("train", pytest.fail, words) == 0
    told = capsys.readouterr()
    assert yaml.safe_load(told.out)["train"]["epochs"] == 30
    assert "sizes, rate, epochs and freezing are chosen" in told.err and len(told.err.splitlines()) == 1


def test_cfg_job_shows_what_is_still_missing(capsys: pytest.CaptureFixture[str]):
    assert run_command("detect", pytest.fail, ["--cfg", "job"]) == 0
    assert "input: ???" in capsys.readouterr().out


def test_cfg_job_of_one_node_with_values_filled_in(capsys: pytest.CaptureFixture[str]):
    words = ["--cfg", "job", "--resolve", "--package", "scheduler", "scheduler=onecycle", "optimizer.lr=0.003"]
    assert run_command("train", pytest.fail, words) == 0
    assert yaml.safe_load(capsys.readouterr().out)["max_lr"] == 0.003


def test_preset_beats_train_yaml_beats_groups_and_the_command_line_beats_all(tmp_path: Path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "own.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /optimizer: adamw\noptimizer:\n  lr: 0.002\ntrain:\n  epochs: 5\n"
    )
    own = ["--config-dir", str(tmp_path), "experiment=own"]
    (cfg,) = configs("train", *own)
    assert (cfg.optimizer.lr, cfg.optimizer.weight_decay, cfg.train.epochs) == (0.002, 0.01, 5)
    (cfg,) = configs("train", *own, "train.epochs=7", "optimizer=sgd")
    assert (cfg.optimizer.lr, cfg.optimizer.momentum, cfg.train.epochs) == (0.002, 0.9, 7)
    (cfg,) = configs("train", *own, "optimizer.lr=0.003")
    assert cfg.optimizer.lr == 0.003


def test_train_yaml_is_merged_over_the_groups():
    entries = yaml.safe_load((conf_dir() / "train.yaml").read_text("utf-8"))["defaults"]
    assert entries.index("_self_") == len([e for e in entries if e != "_self_" and "override" not in str(e)]) - 1
    assert {"experiment": None} in entries[entries.index("_self_") :]


def test_quickstart_takes_ones_own_data():
    (cfg,) = configs("train", "experiment=quickstart", "data=custom", "data.root=x")
    assert (cfg.data.root, cfg.optimizer.lr, cfg.input_size.width) == ("x", 0.002, 256)
    assert "train_size" not in cfg.data


def test_quickstart_is_a_preset():
    (cfg,) = configs("train", "experiment=quickstart", "train.epochs=3")
    assert (cfg.train.epochs, cfg.input_size.height) == (3, 256)


def test_no_experiment_can_be_said():
    assert configs("train", "experiment=null")[0].train.epochs == 30


def test_interpolations_arrive_as_values():
    (cfg,) = configs("train", "scheduler=onecycle", "optimizer.lr=0.02", "seed=3", "train.epochs=${train.log_every}")
    plain: Any = OmegaConf.to_container(cfg)  # not resolved here: nothing is left to resolve
    assert (plain["scheduler"]["max_lr"], plain["data"]["seed"], plain["train"]["epochs"]) == (0.02, 3, 10)


def test_numbers_are_typed():
    (cfg,) = configs("train", "train.epochs=1e2", "optimizer.lr=1", "train.preview=TRUE")
    assert (cfg.train.epochs, type(cfg.train.epochs)) == (100, int)
    assert (cfg.optimizer.lr, type(cfg.optimizer.lr)) == (1.0, float)
    assert cfg.train.preview is True


def test_the_config_is_closed_to_new_keys():
    (cfg,) = configs("train")
    with pytest.raises(Exception, match="epoch"):
        cfg.train.epoch = 3


@pytest.mark.parametrize("word", ["+train.epochs=3", "++train.epochs=3", "train.epochs='3'", "train={epochs:3}"])
def test_other_ways_to_say_the_same(word: str):
    assert configs("train", word)[0].train.epochs == 3


@pytest.mark.parametrize(
    ("command", "key", "folder"),
    [("train", "run_dir", "runs/train"), ("eval", "output", "runs/eval"), ("detect", "output", "runs/detect")],
)
def test_a_run_gets_a_folder_of_its_own(command: str, key: str, folder: str, tmp_path: Path):
    (cfg,) = configs(command, *NEEDS[command])
    assert re.fullmatch(folder + r"/\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d", cfg[key])
    assert list(tmp_path.iterdir()) == []  # and nothing was written
    assert configs(command, *NEEDS[command], f"{key}=mine")[0][key] == "mine"


def test_the_folder_is_never_that_of_another_run(tmp_path: Path):
    for _ in range(3):
        (cfg,) = configs("train")
        Path(cfg.run_dir).mkdir(parents=True)
    assert len(list((tmp_path / "runs" / "train").iterdir())) == 3


def exits(code: int) -> Job:
    return lambda cfg, _: code


@pytest.mark.parametrize("code", [0, 1, 2, 3, 130])
def test_exit_code_of_the_job_is_returned(code: int):
    assert run_command("train", exits(code), []) == code


def test_user_error_of_the_job_is_one_line(capsys: pytest.CaptureFixture[str]):
    def job(cfg: DictConfig, _: list[str]) -> int:
        raise UserError("photos: no images in this folder")

    assert run_command("train", job, []) == 2
    assert capsys.readouterr().err == "ocrdet-train: photos: no images in this folder\n"


def test_other_exceptions_of_the_job_pass_through():
    def job(cfg: DictConfig, _: list[str]) -> int:
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError, match="a bug") as caught:
        run_command("train", job, [])
    assert caught.traceback[-1].name == "job"


def test_version(capsys: pytest.CaptureFixture[str]):
    assert run_command("train", pytest.fail, ["--version"]) == 0
    assert capsys.readouterr().out == f"ocrdet-train {__version__}\n"


@pytest.mark.parametrize("command", ["train", "eval", "detect"])
def test_help_lists_every_group_option_and_key(command: str, capsys: pytest.CaptureFixture[str]):
    assert run_command(command, pytest.fail, ["--help"]) == 0
    text = capsys.readouterr().out
    primary = yaml.safe_load((conf_dir() / f"{command}.yaml").read_text("utf-8"))
    for name in (name for name in primary if name not in ("defaults", "hydra")):
        assert re.search(rf"^  {name}[=.]", text, re.MULTILINE), name
    groups = {group for entry in primary["defaults"] if isinstance(entry, dict) for group in entry}
    for file in OPTION_FILES:
        assert (file.parts[0] not in groups) or file.parts[1] in text


@pytest.mark.parametrize("command", ["eval", "detect"])
def test_help_names_no_default_where_the_checkpoint_decides(command: str, capsys: pytest.CaptureFixture[str]):
    assert run_command(command, pytest.fail, ["--help"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"^  input_size.height +px \(", text, re.MULTILINE)
    assert "* is the default" not in text
    assert "without one: as recorded in the checkpoint" in text


SLIM = """
import sys
from resnet18_ocrdet.commands.launch import run_command
code = run_command(sys.argv[1], None, sys.argv[2:])
heavy = {"torch", "numpy", "cv2"} & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else code)
"""


@pytest.mark.parametrize(
    ("words", "code"), [(["--help"], 0), (["--version"], 0), (["--cfg", "job"], 0), (["train.epoch=3"], 2)]
)
def test_nothing_heavy_is_imported(words: list[str], code: int):
    done = subprocess.run([sys.executable, "-c", SLIM, "train", *words], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


def test_help_does_without_hydra():
    script = SLIM.replace('"torch"', '"torch", "hydra", "omegaconf"')
    assert subprocess.run([sys.executable, "-c", script, "train", "--help"], capture_output=True).returncode == 0


def test_numpy_scalars_are_plain_values():
    keys = train_keys()
    for name, value, plain in (
        ("train.compile", np.bool_(True), True),
        ("train.epochs", np.int64(3), 3),
        ("train.epochs", np.float32(3), 3),
        ("optimizer.lr", np.float64(0.25), 0.25),
        ("optimizer.lr", np.int8(1), 1.0),
    ):
        typed = convert(value, keys[name])
        assert typed == plain and type(typed) is type(plain)
    for name, value in (("train.compile", np.int64(1)), ("train.epochs", np.bool_(True)), ("train.epochs", np.ones(1))):
        with pytest.raises(ValueError, match="needs "):
            convert(value, keys[name])
