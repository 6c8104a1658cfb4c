"""ocrdet-detect: results for what can be read, a list of what cannot, whatever things are called."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from conftest import installed
from resnet18_ocrdet.cli import _detect
from resnet18_ocrdet.commands.detect import _result_names
from resnet18_ocrdet.config.compose import run_command
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.draw import write


def fill(folder: Path, count: int) -> list[str]:
    scenes = SyntheticScenes(count, 96, 128, seed=3)
    folder.mkdir(parents=True)
    for index in range(count):
        write(folder / f"photo {index}.jpg", scenes.load(index).image)
    return [f"photo {index}" for index in range(count)]


@pytest.fixture(scope="module")
def found(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str]:
    """A folder with 5 photos, a sub-folder, and things that are no images: output, exit code and text."""
    folder = tmp_path_factory.mktemp("detect")
    photos = folder / "照片 (1), a=b"
    fill(photos, 5)
    fill(photos / "more", 1)
    (photos / "empty.jpg").touch()
    (photos / "text.jpg").write_text("not an image")
    (photos / "x.jpg").mkdir()
    checkpoint = tiny_run / "checkpoints/last.pt"
    words = (f"input={photos.name}", f"checkpoint={checkpoint}", "output=out", "decode.box_thresh=0")
    done = installed("ocrdet-detect", *words, cwd=folder)
    return folder / "out", done.returncode, done.stdout + done.stderr


def test_the_rest_is_done_and_the_code_says_so(found):
    output, code, text = found
    assert code == 1, text
    errors = json.loads((output / "errors.json").read_text())
    assert sorted(error["image"] for error in errors) == ["empty.jpg", "text.jpg"]
    assert "Traceback" not in text


def test_results_mirror_the_folders(found):
    output, _, _ = found
    names = sorted(path.relative_to(output / "txt").as_posix() for path in (output / "txt").rglob("*.txt"))
    assert names == ["more/res_photo 0.txt", *(f"res_photo {index}.txt" for index in range(5))]
    assert len(list((output / "vis").rglob("*.jpg"))) == 6


def test_detections_json_is_whole_and_consistent(found):
    output, _, _ = found
    content = json.loads((output / "detections.json").read_text())
    assert content["version"] == 1 and len(content["model_sha256"]) == 64
    assert len(content["images"]) == 6
    assert any(image["polygons"] for image in content["images"])
    for image in content["images"]:
        assert (image["height"], image["width"]) == (96, 128)
        assert len(image["polygons"]) == len(image["scores"])
        points = np.array(image["polygons"], float).reshape(-1, 2)
        assert ((points >= 0) & (points <= (127, 95))).all()
    lines = (output / "detections.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == content["images"]


@pytest.mark.slow
def test_own_output_inside_the_input_is_not_read_again(tiny_run: Path, tmp_path: Path):
    fill(tmp_path / "in", 2)
    words = ("input=in", f"checkpoint={tiny_run}/checkpoints/last.pt", "output=in/out")
    for _ in range(2):
        done = installed("ocrdet-detect", *words, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert len(json.loads((tmp_path / "in/out/detections.json").read_text())["images"]) == 2


def test_a_folder_holds_the_results_of_one_call(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    fill(tmp_path / "in", 3)
    monkeypatch.chdir(tmp_path)
    found = ("output=out", f"checkpoint={tiny_run}/checkpoints/last.pt", "decode.box_thresh=0")
    assert run_command("detect", _detect, ["input=in", *found]) == 0
    assert "3 images in in" in capsys.readouterr().out

    before = sorted((path, path.read_bytes()) for path in Path("out").rglob("*") if path.is_file())
    assert run_command("detect", _detect, ["input=in/photo 1.jpg", *found]) == 2
    error = capsys.readouterr().err
    assert "output=out: holds 4 results of other images (first: txt/res_photo 0.txt); choose another folder" in error
    assert before == sorted((path, path.read_bytes()) for path in Path("out").rglob("*") if path.is_file())

    assert run_command("detect", _detect, ["input=out/vis/photo 1.jpg", *found]) == 2
    assert "input=out/vis/photo 1.jpg: lies among the pictures that this call replaces" in capsys.readouterr().err

    Path("in/photo 1.jpg").write_text("not an image any more")
    assert run_command("detect", _detect, ["input=in", *found, "vis=false"]) == 1
    assert sorted(path.name for path in Path("out/txt").iterdir()) == ["res_photo 0.txt", "res_photo 2.txt"]
    assert list(Path("out/vis").iterdir()) == []  # no picture of earlier boxes beside new ones


def test_one_image_is_called_one(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    fill(tmp_path / "in", 1)
    monkeypatch.chdir(tmp_path)
    words = ["input=in/photo 0.jpg", f"checkpoint={tiny_run}/checkpoints/last.pt", "output=out", "vis=false"]
    assert run_command("detect", _detect, words) == 0
    out = capsys.readouterr().out
    assert "1 image in in/photo 0.jpg" in out and "in 1 image," in out


def test_stems_that_collide_keep_their_extension():
    images = [Path("a.jpg"), Path("a.png"), Path("b.jpg"), Path("sub/a.jpg")]
    assert _result_names(images) == [Path("a.jpg"), Path("a.png"), Path("b"), Path("sub/a")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("input=absent", "checkpoint={run}/checkpoints/last.pt"), "input=absent: no such file or folder"),
        (("input=.", "checkpoint={run}/checkpoints/last.pt"), "0 images found"),
        (
            ("input={run}/config.yaml", "checkpoint={run}/checkpoints/last.pt", "output={run}/train.log"),
            "train.log: cannot be made",
        ),
        (("input=.", "checkpoint=absent.pt"), "checkpoint absent.pt: no such file"),
        (("input={run}/config.yaml", "checkpoint={run}/config.yaml"), "config.yaml: no checkpoint, or a damaged one"),
    ],
)
def test_mistakes_are_one_line_and_code_2(words, message, tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run_command("detect", _detect, [word.format(run=tiny_run) for word in words]) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
