"""Sweeps: one job per value, a folder per job, all of them checked before the first one starts."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from omegaconf import DictConfig

from config_runner import configs, empty_folder  # noqa: F401 - the fixture acts by being here
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.commands.sweep import _comparison
from resnet18_ocrdet.config.library import Library
from resnet18_ocrdet.config.override_check import single_settings
from resnet18_ocrdet.errors import UserError


def sweep(*words: str) -> list[DictConfig]:
    return configs("train", "-m", *words)


def test_folders_of_jobs_have_the_names_that_were_typed(tmp_path: Path):
    words = ("hydra.sweep.dir=s", "hydra.sweep.subdir=${hydra.job.override_dirname}", "optimizer.lr=0.01,0.02")
    assert [cfg.run_dir for cfg in sweep(*words)] == ["s/optimizer.lr=0.01", "s/optimizer.lr=0.02"]


def test_one_job_per_value():
    assert [cfg.optimizer.lr for cfg in sweep("optimizer.lr=0.003,0.005")] == [0.003, 0.005]


@pytest.mark.parametrize(
    ("word", "settings"),
    [
        ("optimizer.lr=choice(0.1,0.2)", ["optimizer.lr=0.1", "optimizer.lr=0.2"]),
        ("train.epochs=range(1,4)", ["train.epochs=1", "train.epochs=2", "train.epochs=3"]),
        ("optimizer=glob(s*)", ["optimizer=sgd"]),
        (
            "++input_size={height:32,width:64},{height:64,width:64}",
            ["++input_size={height:32,width:64}", "++input_size={height:64,width:64}"],
        ),
        ("data.root='a,b'", ["data.root='a,b'"]),
    ],
)
def test_what_a_word_runs_through(word: str, settings: list[str]):
    assert single_settings(word, Library("train")) == settings


def test_every_job_has_its_folder_below_one_stamp():
    folders = [cfg.run_dir for cfg in sweep("train.epochs=2", "seed=0,1")]
    assert len({Path(folder).parent for folder in folders}) == 1
    assert re.fullmatch(r"runs/sweep/\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d", Path(folders[0]).parent.as_posix())
    assert [Path(folder).name for folder in folders] == ["0", "1"]


def test_a_folder_given_for_a_sweep_holds_its_jobs_and_nothing_else_appears(tmp_path: Path):
    folder = "mine, $ and {x}=1"
    assert [cfg.run_dir for cfg in sweep("seed=0,1", f"run_dir={folder}")] == [f"{folder}/0", f"{folder}/1"]
    assert [path.name for path in tmp_path.iterdir()] == [folder]
    assert sorted(path.name for path in (tmp_path / folder).iterdir()) == ["0", "1", "multirun.yaml"]


def test_input_sizes_with_and_without_a_file():
    sizes = [(cfg.input_size.height, cfg.input_size.width) for cfg in sweep("input_size=800x800,320x416")]
    assert sizes == [(800, 800), (320, 416)]


def test_keywords_and_splits_are_swept_although_their_keys_take_paths():
    jobs = sweep("data=custom", "data.root=x", "init.backbone=null,imagenet", "data.val=801-900")
    assert [cfg.init.backbone for cfg in jobs] == [None, "imagenet"]
    assert {cfg.data.val for cfg in jobs} == {"801-900"}


def test_paths_are_swept_when_each_is_quoted_and_literal_otherwise():
    jobs = sweep("data=custom", "data.root='a','b'", "init.weights=a,b ${x} (1)")
    assert [cfg.data.root for cfg in jobs] == ["a", "b"]
    assert {cfg.init.weights for cfg in jobs} == {"a,b ${x} (1)"}


REFUSED = [
    ("optimizer.lr=0.003,5000", ["optimizer.lr=5000: needs a number above 0, up to 100"]),
    ("optimizer.lr=choice(0.1,-1)", ["optimizer.lr=-1: needs"]),
    ("train.epochs=range(0,2)", ["train.epochs=0: needs a whole number, 1 or more"]),
    ("optimizer=sgd,adamm", ["optimizer=adamm: did you mean adamw?"]),
    ("experiment=null,quickstart", ["experiment=null: a sweep goes through options"]),
    ("input_size=320x320,641x640", ["input_size=641x640: 641 is not a multiple of 32: nearest 640x640 or 672x640"]),
    (
        "optimizer=sgd,adamw optimizer.momentum=0.8",
        ["'optimizer.momentum' with optimizer=adamw", "optimizer=sgd has it"],
    ),
    # Both values are fine by themselves; the second makes the cosine rise.
    ("scheduler=cosine optimizer.lr=0.01,0.0001", ["optimizer.lr=0.0001: scheduler.eta_min=0.0005 is above"]),
    ("--cfg job seed=0,1", ["leave out -m"]),
]


@pytest.mark.parametrize(("words", "parts"), REFUSED, ids=[words for words, _ in REFUSED])
def test_no_job_starts_when_one_is_wrong(
    words: str, parts: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert run_command("train", pytest.fail, ["-m", *words.split()]) == 2
    error = capsys.readouterr().err
    assert all(part in error for part in parts), error
    assert list(tmp_path.iterdir()) == []


def test_exit_code_is_the_worst_one():
    assert run_command("train", lambda cfg, _: int(cfg.seed), ["-m", "seed=3,1"]) == 3


def test_a_user_error_in_one_job_leaves_the_others_running(capsys: pytest.CaptureFixture[str]):
    started = []

    def job(cfg: DictConfig, _: list[str]) -> int:
        started.append(cfg.seed)
        if cfg.seed == 0:
            raise UserError("no images")
        return 0

    assert run_command("train", job, ["-m", "seed=0,1"]) == 2
    assert started == [0, 1]
    assert capsys.readouterr().err == "ocrdet-train: no images\n"


def test_an_interrupt_stops_the_sweep():
    started = []

    def job(cfg: DictConfig, _: list[str]) -> int:
        started.append(cfg.seed)
        return 130

    with pytest.raises(SystemExit) as stop:
        run_command("train", job, ["-m", "seed=0,1"])
    assert (stop.value.code, started) == (130, [0])


def test_a_bug_in_a_job_is_not_hidden():
    def job(cfg: DictConfig, _: list[str]) -> int:
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError, match="a bug"):
        run_command("train", job, ["-m", "seed=0,1"])


def test_a_sweep_ends_with_its_jobs_side_by_side(tmp_path):
    for number, scores in enumerate([[0.1, 0.5, 0.4], [None, 0.6], None]):
        (tmp_path / str(number)).mkdir()
        if scores is not None:
            lines = [json.dumps({"hmean": score}) + "\n" for score in scores]
            (tmp_path / str(number) / "metrics.jsonl").write_text("".join(lines))
    jobs = [["seed=0", "a=1"], ["seed=0", "a=2"], ["seed=0", "a=3"]]
    assert _comparison(tmp_path, jobs) == [
        "job 0  a=1  best hmean 0.5000",
        "job 1  a=2  best hmean 0.6000  highest",
        "job 2  a=3  best hmean none",
    ]


def test_a_sweep_under_torchrun_is_refused(monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert run_command("train", lambda cfg, _: 0, ["-m", "seed=0,1"]) == 2
    assert "-m: a sweep cannot run under torchrun" in capsys.readouterr().err
