"""Which run a resume means, and the error if there is none."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from resnet18_ocrdet.commands.resume_words import implied_words
from resnet18_ocrdet.config.library import Library
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.runtime.run_folder import FINISHED, find_resume, passed_over

NEW = Path("runs/train/2030-01-01_00-00-00")  # the folder that a call without run_dir= gets


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(name: str, at: int, *saves: str, finished: bool = False) -> Path:
    """A run whose files are `at` seconds old, seen from 1970."""
    run = Path("runs/train") / name
    (run / "checkpoints").mkdir(parents=True)
    for save in saves:
        (run / "checkpoints" / save).touch()
        os.utime(run / "checkpoints" / save, (at, at))
    if finished:
        (run / FINISHED).touch()
    os.utime(run / "checkpoints", (at, at))
    return run


def refusal(wanted: str, run_dir: Path = NEW) -> str:
    with pytest.raises(UserError) as caught:
        find_resume(wanted, run_dir)
    return str(caught.value)


def test_auto_takes_the_newest_unfinished_run_and_names_newer_ones():
    make("a", 1, "last.pt")
    b = make("b", 2, "last.pt", "last-1.pt")
    make("c", 3, "last.pt", finished=True)
    d, e = make("d", 4), make("e", 5)
    make("old", 1)
    assert find_resume("auto", NEW) == [b / "checkpoints/last.pt", b / "checkpoints/last-1.pt"]
    assert passed_over(b / "checkpoints/last.pt") == [e, d]


def test_auto_prefers_the_given_folder():
    a, _ = make("a", 1, "last.pt"), make("b", 2, "last.pt")
    assert find_resume("auto", a) == [a / "checkpoints/last.pt"]


def test_no_run_at_all(folder: Path):
    assert refusal("auto") == (
        f"resume=auto: no unfinished run in runs/train/ (looked in {folder}); to start a run, omit resume"
    )


def test_a_given_folder_is_named():
    assert refusal("auto", Path("mine")).startswith("resume=auto: no checkpoint in mine and no unfinished run in runs/")


def test_a_run_without_a_save():
    make("a", 1, "last.pt", finished=True)
    make("b", 2)
    assert refusal("auto").endswith("; runs/train/b has no checkpoint yet: start a new run without resume")


def test_a_finished_run():
    make("a", 1)
    make("b", 2, "last.pt", finished=True)
    assert refusal("auto").endswith(
        "; runs/train/b is finished: to train it further, resume=runs/train/b and a higher train.epochs"
    )


def test_a_folder_without_checkpoints(folder: Path):
    (folder / "photos").mkdir()
    assert refusal("photos") == (
        "resume=photos: this folder holds no checkpoint (looked for photos/checkpoints/last.pt)"
    )
    assert list((folder / "photos").iterdir()) == []


def test_a_missing_checkpoint():
    assert refusal("a.pt") == "checkpoint a.pt: no such file"


def test_a_resume_uses_the_pixel_limit_of_the_run_from_its_start(tiny_run: Path, tmp_path: Path):
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(re.sub("max_megapixels: .*", "max_megapixels: 400", config))
    library = Library("train")
    assert implied_words([f"resume={run}"], library)[0] == "max_megapixels=400.0"
    assert not [word for word in implied_words([f"resume={run}", "max_megapixels=5"], library) if "max_m" in word]
