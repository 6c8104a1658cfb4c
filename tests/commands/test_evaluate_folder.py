"""ocrdet-eval on a folder of one's own: which of its images are scored, and how its result files are read."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from eval_calls import score
from resnet18_ocrdet.data.splits import custom
from resnet18_ocrdet.runtime.provenance import data_hash

WORDS = ((10, 10, 60, 30), (70, 50, 120, 80))
ALL_IMAGES = "4 images, all of {} (nothing in it says train or val)"


def quad(left, top, right, bottom):
    return f"{left},{top},{right},{top},{right},{bottom},{left},{bottom}"


def write_set(folder: Path, images: str = "images", labels: str = "labels") -> Path:
    (folder / images).mkdir(parents=True)
    (folder / labels).mkdir(exist_ok=True)
    for name in "abcd":
        cv2.imwrite(str(folder / images / f"{name}.png"), np.full((96, 160, 3), ord(name), np.uint8))
        (folder / labels / f"{name}.txt").write_text("".join(f"{quad(*box)},word\n" for box in WORDS))
    return folder


@pytest.fixture
def four(tmp_path: Path) -> Path:
    """Four images of two words each, in images/ and labels/."""
    return write_set(tmp_path / "set")


def write_results(folder: Path, names: str = "res_{}.txt", change=lambda *box: quad(*box), end: str = ",0.9") -> Path:
    folder.mkdir()
    for name in "abcd":
        (folder / names.format(name)).write_text("".join(f"{change(*box)}{end}\n" for box in WORDS))
    return folder


def test_result_files_of_all_images_are_scored(four: Path, tmp_path: Path, monkeypatch, capsys):
    write_results(tmp_path / "mine")
    for words in ((), ("split=all",)):
        code, metrics = score(monkeypatch, tmp_path, "predictions=mine", "data=custom", f"data.root={four}", *words)
        assert code == 0 and (metrics["split"], metrics["images"], metrics["hmean"]) == ("all", 4, 1.0)
        assert f"mine on {ALL_IMAGES.format(four)}; 0 without a result file" in capsys.readouterr().out


def test_an_explicit_split_stays_a_choice(four: Path, tmp_path: Path, monkeypatch, capsys):
    write_results(tmp_path / "mine")
    data = ("predictions=mine", "data=custom", f"data.root={four}")
    assert score(monkeypatch, tmp_path, *data, "split=val")[0] == 2
    error = capsys.readouterr().err
    assert "the val split has no image for 3 files: " in error and "split=all" in error
    (tmp_path / "mine/res_x.txt").touch()
    assert score(monkeypatch, tmp_path, *data)[0] == 2
    assert f"{four} has no image for 1 file: res_x.txt" in capsys.readouterr().err
    (val,) = custom(four, val="0.25").val.records  # drawn with seed 0: the image that training would hold out
    for path in (tmp_path / "mine").iterdir():
        if path.stem != f"res_{val.image_path.stem}":
            path.unlink()
    assert score(monkeypatch, tmp_path, *data)[1]["missing_files"] == 3
    assert "note: predictions=mine holds exactly the val images: split=val" in capsys.readouterr().out
    code, metrics = score(monkeypatch, tmp_path, *data, "split=val")
    assert code == 0 and (metrics["split"], metrics["images"]) == ("val", 1)
    code, metrics = score(monkeypatch, tmp_path, *data, "data.val=0.25")
    assert code == 0 and (metrics["split"], metrics["images"]) == ("val", 1)


def test_a_checkpoint_is_scored_on_all_images(four: Path, tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    words = (f"checkpoint={tiny_run}/checkpoints/last.pt", "workers=0", "data=custom", f"data.root={four}")
    code, metrics = score(monkeypatch, tmp_path, *words)
    assert code == 0 and (metrics["split"], metrics["images"], metrics["care_regions"]) == ("all", 4, 8)
    assert f"last.pt on {ALL_IMAGES.format(four)}; " in capsys.readouterr().out
    code, metrics = score(monkeypatch, tmp_path, *words, "split=val")
    assert code == 0 and (metrics["split"], metrics["images"]) == ("val", 1)


@pytest.mark.parametrize("moved", [False, True])
def test_the_folder_of_the_training_keeps_its_validation_images(
    four: Path, tiny_run: Path, tmp_path: Path, monkeypatch, capsys, moved
):
    content = torch.load(tiny_run / "checkpoints/last.pt", weights_only=True)
    splits = custom(four)
    target = "resnet18_ocrdet.data.splits.custom"
    content["config"]["data"] = {"_target_": target, "root": str(four), "train": None, "val": None, "seed": 0}
    content["about"]["data"] = {"train": data_hash(splits.train), "val": data_hash(splits.val)}
    torch.save(content, tmp_path / "own.pt")
    if moved:
        four = four.rename(tmp_path / "elsewhere")
    words = ("checkpoint=own.pt", "workers=0", "data=custom", f"data.root={four}")
    code, metrics = score(monkeypatch, tmp_path, *words)
    assert code == 0 and (metrics["split"], metrics["images"]) == ("val", 1)
    with (tmp_path / "out/per_image.csv").open() as file:
        assert file.read().splitlines()[1].startswith(splits.val.records[0].image_path.name)
    capsys.readouterr()
    code, metrics = score(monkeypatch, tmp_path, *words, "split=all")
    assert code == 0 and metrics["images"] == 4
    if not moved:
        assert "3 of 4 images were in the training set" in capsys.readouterr().out
        code, metrics = score(monkeypatch, tmp_path, "checkpoint=own.pt", "workers=0")
        assert (metrics["split"], metrics["images"]) == ("val", 1)


@pytest.mark.parametrize("labels", ["labels", "gts"])
def test_a_test_folder_alone_is_a_set(tmp_path: Path, monkeypatch, labels):
    write_set(tmp_path / "set/test", labels=labels)
    write_results(tmp_path / "mine")
    code, metrics = score(monkeypatch, tmp_path, "predictions=mine", "data=custom", f"data.root={tmp_path / 'set'}")
    assert code == 0 and (metrics["split"], metrics["images"], metrics["hmean"]) == ("test", 4, 1.0)


def test_rendered_scenes_have_no_common_set(tmp_path: Path, monkeypatch, capsys):
    write_results(tmp_path / "mine")
    words = ("data=synthetic", "data.height=64", "data.width=64", "data.val_size=2", "split=all")
    assert score(monkeypatch, tmp_path, "predictions=mine", *words)[0] == 2
    assert "split=all: " in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_boxes_with_texts_are_read_and_said(four: Path, tmp_path: Path, monkeypatch, capsys, kind):
    write_results(tmp_path / "mine", "pred_{}.txt", lambda *box: ",".join(map(str, box)), ",0.75,a word, and more")
    name = "mine"
    if kind == "zip":
        name = "mine.zip"
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for path in (tmp_path / "mine").iterdir():
                archive.write(path, path.name)
    data = ("data=custom", f"data.root={four}")
    code, metrics = score(monkeypatch, tmp_path, f"predictions={name}", f"baseline={name}", *data)
    said = "4 files pred_X.txt; 8 lines of left,top,right,bottom, a score, a text that is not used"
    assert code == 0 and (metrics["hmean"], metrics["ap"], metrics["read_as"]) == (1.0, 1.0, said)
    assert metrics["baseline"]["read_as"] == said
    assert f"predictions={name}: {said}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda l, t, r, b: quad(t, l, b, r), "x and y exchanged"),  # noqa: E741
        (lambda *box: quad(*(side / 2 for side in box)), "coordinates times 2"),
        (lambda l, t, r, b: quad(l / 160, t / 96, r / 160, b / 96), "between 0 and 1"),  # noqa: E741
    ],
)
def test_wrong_coordinates_get_a_hint(four: Path, tmp_path: Path, monkeypatch, capsys, change, words):
    write_results(tmp_path / "mine", change=change)
    code, metrics = score(monkeypatch, tmp_path, "predictions=mine", "data=custom", f"data.root={four}")
    assert code == 0 and metrics["hmean"] == 0
    (note,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note: ")]
    assert words in note and "hmean is 1.0000" in note
