"""Paths are looked at before anything heavy is loaded; those that a run writes down are found from every folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.config.check import check_run


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two things that are there: photos/ and a run with one checkpoint. The working directory is above them."""
    (tmp_path / "photos" / "images").mkdir(parents=True)
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / "checkpoints" / "best.pt").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def answer(capsys: pytest.CaptureFixture[str], command: str, *words: str) -> str:
    assert run_command(command, pytest.fail, list(words)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    return err


def accepted(*words: str) -> DictConfig:
    seen: list[DictConfig] = []
    assert run_command("train", lambda cfg, _: len(seen.append(cfg) or []), list(words)) == 0
    return seen[0]


BEST = "run/checkpoints/best.pt"
ABSENT = [
    ("train data=custom data.root=nowhere", "data.root=nowhere: no such folder (looked in {cwd})"),
    ("train data=custom data.root={cwd}/no", "data.root={cwd}/no: no such folder"),
    (f"train data=icdar2015 data.root={BEST}", f"data.root={BEST}: not a folder"),
    ("train data.fonts=nowhere", "data.fonts=nowhere: no such folder (looked in {cwd})"),
    ("train init.weights=a.pt", "init.weights: checkpoint a.pt: no such file (looked in {cwd})"),
    ("train init.weights=run", f"init.weights=run is a folder: type init.weights={BEST}"),
    ("train resume=a.pt", "resume: checkpoint a.pt: no such file (looked in {cwd})"),
    ("eval checkpoint=a.pt", "checkpoint a.pt: no such file (looked in {cwd})"),
    ("eval checkpoint=run", f"checkpoint=run is a folder: type checkpoint={BEST}"),
    ("eval checkpoint=run/best.pt", f"checkpoint run/best.pt: no such file (looked in {{cwd}}); did you mean {BEST}?"),
    ("eval checkpoint=photos", "checkpoint=photos is a folder: a .pt file is needed, none is in it"),
    (f"eval checkpoint={BEST}/x", f"checkpoint {BEST}/x: no such file (looked in {{cwd}})"),
    (f"eval checkpoint={BEST} data=custom data.root=no", "data.root=no: no such folder (looked in {cwd})"),
    (
        "eval predictions=no data=custom data.root=photos",
        "predictions=no: no such folder or zip of result files (looked in {cwd})",
    ),
    (f"detect checkpoint={BEST} input=no", "input=no: no such file or folder (looked in {cwd})"),
    (f"detect checkpoint={BEST} input={'n' * 300}", f"input={'n' * 300}: no such file or folder (looked in {{cwd}})"),
]


@pytest.mark.parametrize(("line", "text"), ABSENT, ids=[line[:60] for line, _ in ABSENT])
def test_a_path_that_leads_nowhere_is_one_line(line: str, text: str, folder: Path, capsys):
    command, *words = line.format(cwd=folder).split()
    assert answer(capsys, command, *words) == f"ocrdet-{command}: {text.format(cwd=folder)}\n"
    assert sorted(path.name for path in folder.iterdir()) == ["photos", "run"]


def test_a_misspelt_bundled_is_recognised(capsys):
    assert "checkpoint bundle: no such file" in (told := answer(capsys, "train", "init.weights=bundle"))
    assert told.endswith("; did you mean bundled?\n")


def test_all_wrong_paths_are_told_at_once(capsys):
    assert len(answer(capsys, "detect", "input=no", "checkpoint=no.pt").splitlines()) == 2


def test_it_is_told_before_torch_is_loaded():
    script = "import sys\nfrom resnet18_ocrdet import cli\ntry: cli.detect()\n"
    script += "finally: assert not {'torch', 'numpy', 'cv2'} & set(sys.modules)"
    command = [sys.executable, "-c", script, "input=no", f"checkpoint={BEST}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("ocrdet-detect: input=no: no such file")


def test_no_job_of_a_sweep_starts_when_one_folder_is_absent(capsys):
    err = answer(capsys, "train", "-m", "data=custom", "data.root='photos','nowhere'")
    assert "data.root='nowhere': data.root=nowhere: no such folder" in err


def test_a_config_can_be_looked_at_without_its_data(capsys):
    assert run_command("train", pytest.fail, ["data=custom", "data.root=nowhere", "--cfg", "job"]) == 0


def test_a_resume_does_not_need_the_weights_the_run_began_with():
    assert accepted("resume=auto", "init.weights=gone.pt", "init.backbone=gone.pth").resume == "auto"


@pytest.mark.parametrize("run_dir", ["photos/images/run", "photos/train_images", "photos/ch4_training_images/a/b"])
def test_a_run_among_the_images_is_refused(run_dir: str, capsys):
    err = answer(capsys, "train", "data=custom", "data.root=photos", f"run_dir={run_dir}")
    assert f"run_dir={run_dir} is among the images of data.root=photos" in err


@pytest.mark.parametrize("run_dir", ["photos/runs/1", "photos", "run", "images/run"])
def test_a_run_beside_the_images_is_fine(run_dir: str):
    assert accepted("data=custom", "data.root=photos", f"run_dir={run_dir}").run_dir == run_dir


def test_a_run_started_among_the_images_is_refused(folder: Path, monkeypatch, capsys):
    monkeypatch.chdir(folder / "photos" / "images")
    assert "run_dir=runs is among the images" in answer(capsys, "train", "data=custom", "data.root=..")


def test_what_a_run_writes_down_is_found_from_every_folder(folder: Path):
    name = "my ${x} photos"
    (folder / name).mkdir()
    (folder / "names.txt").touch()
    (folder / "imagenet").touch()  # a keyword is no path
    words = [f"data.root={name}", "data.val=names.txt", f"init.weights={BEST}", "init.backbone=imagenet"]
    cfg = accepted("data=custom", *words, "run_dir=mine")
    assert (cfg.data.root, cfg.data.val) == (str(folder / name), str(folder / "names.txt"))
    assert (cfg.init.weights, cfg.init.backbone) == (str(folder / BEST), "imagenet")
    assert (cfg.run_dir, cfg.data.train) == ("mine", None)
    assert check_run(cfg, "train") == cfg
    assert OmegaConf.create(OmegaConf.to_yaml(cfg)).data.root == str(folder / name)


@pytest.mark.parametrize(
    ("command", "words", "key"),
    [
        ("train", ["run_dir=loop"], "run_dir=loop"),
        ("train", ["run_dir=loop/run"], "run_dir=loop/run"),
        ("train", ["data=custom", "data.root=loop"], "data.root=loop"),
        ("check", ["data=custom", "data.root=photos", "output=loop"], "output=loop"),
        ("check", ["data=custom", "data.root=loop"], "data.root=loop"),
        ("eval", ["data=custom", "data.root=photos", "checkpoint=bundled", "output=loop"], "output=loop"),
        ("detect", ["input=photos", "output=loop"], "output=loop"),
        ("export", ["output=loop"], "output=loop"),
    ],
)
def test_a_link_to_itself_is_one_line(command: str, words: list[str], key: str, folder: Path, capsys):
    (folder / "loop").symlink_to("loop")
    (line,) = answer(capsys, command, *words).splitlines()
    assert line.startswith(f"ocrdet-{command}: {key}: ") and "symbolic links" in line
