"""Upright regions in the output folder: written, outdated, foreign."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detect_calls import fill, words_for_crops
from resnet18_ocrdet.cli import _detect
from resnet18_ocrdet.commands.launch import run_command


@pytest.mark.slow
def test_upright_regions_are_written_and_outdated_ones_removed(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "in/more", 3)
    words = ["input=in", "output=out", f"checkpoint={tiny_run}/checkpoints/last.pt", "vis=false"]

    def regions() -> dict[str, int]:
        counts = {
            image["image"]: len(image["polygons"])
            for image in json.loads(Path("out/detections.json").read_text())["images"]
        }
        names = [f"more/photo {n}_{k:04}.jpg" for n in range(3) for k in range(1, 1 + counts[f"more/photo {n}.jpg"])]
        assert sorted(p.relative_to("out/crops").as_posix() for p in Path("out/crops").rglob("*.jpg")) == names
        return counts

    assert run_command("detect", _detect, [*words, "decode.box_thresh=0"]) == 0  # crops=false
    assert not Path("out/crops").exists()
    assert run_command("detect", _detect, [*words, "decode.box_thresh=0", "crops=true"]) == 0
    assert "3 of them done" not in capsys.readouterr().out
    many = regions()
    assert all(many.values())
    assert run_command("detect", _detect, [*words, "decode.box_thresh=0", "crops=true"]) == 0
    assert "3 images in in, 3 of them done already" in capsys.readouterr().out
    Path("out/crops/more/photo 1_0001.jpg").unlink()
    assert run_command("detect", _detect, [*words, "decode.box_thresh=0", "crops=true"]) == 0
    assert "3 images in in, 2 of them done already" in capsys.readouterr().out and regions() == many
    assert run_command("detect", _detect, [*words, "decode.box_thresh=0.99", "crops=true"]) == 2
    assert "box_thresh 0.0 → 0.99" in capsys.readouterr().err and regions() == many
    assert run_command("detect", _detect, [*words, "decode.box_thresh=0.99", "crops=true", "overwrite=true"]) == 0
    assert sum(regions().values()) < sum(many.values())


@pytest.mark.slow
def test_a_folder_with_foreign_regions_is_refused_and_they_stay(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "in", 2)
    words = ["input=in", f"checkpoint={tiny_run}/checkpoints/last.pt", "vis=false", "decode.box_thresh=0"]
    theirs = tmp_path / "first/crops/photo 0_0001.jpg"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"theirs")
    assert run_command("detect", _detect, [*words, "output=first"]) == 2  # no settings: not written by ocrdet-detect
    assert theirs.read_bytes() == b"theirs"
    assert run_command("detect", _detect, [*words, "output=second"]) == 0
    (tmp_path / "second/crops").mkdir()
    for name in ("holiday_2024.jpg", "notes.jpg"):
        (tmp_path / "second/crops" / name).write_bytes(b"theirs")
    capsys.readouterr()
    assert run_command("detect", _detect, [*words, "output=second", "crops=true"]) == 2
    assert (
        "holds 1 result of images that are not in the input (first: crops/holiday_2024.jpg)" in capsys.readouterr().err
    )
    assert run_command("detect", _detect, [*words, "output=second", "crops=true", "overwrite=true"]) == 0
    for name in ("holiday_2024.jpg", "notes.jpg"):  # names that this call does not write
        assert (tmp_path / "second/crops" / name).read_bytes() == b"theirs"


def test_regions_of_an_image_that_changed_or_failed_are_removed(tiny_run: Path, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "in", 1)
    long = "a" * 247  # short enough for res_….txt and ….jpg, too long for …_0001.jpg
    (tmp_path / "in/photo 0.jpg").rename(tmp_path / f"in/{long}.jpg")
    fill(tmp_path / "more", 2)
    (tmp_path / "more/photo 1.jpg").rename(tmp_path / "in/b.jpg")
    words = words_for_crops(tiny_run)
    assert run_command("detect", _detect, words) == 1
    (failed,) = json.loads(Path("out/errors.json").read_text())
    assert failed["image"] == f"{long}.jpg" and "its name is too long" in failed["error"]
    assert [path.name for path in Path("out/txt").iterdir()] == ["res_b.txt"]
    assert [path.name for path in Path("out/vis").iterdir()] == ["b.jpg"]
    before = len(list(Path("out/crops").iterdir()))
    Path("out/crops/b_0001.jpg").unlink()  # as after a kill between two deletions
    (tmp_path / "in/b.jpg").write_bytes((tmp_path / f"in/{long}.jpg").read_bytes()[:500])  # truncated
    assert run_command("detect", _detect, words) == 1
    assert before >= 2 and not list(Path("out/crops").iterdir())


def test_a_folder_named_like_a_picture_is_not_a_result(tiny_run: Path, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "in/x.jpg", 1)
    words = ["input=in", "output=out", f"checkpoint={tiny_run}/checkpoints/last.pt"]
    for _ in range(2):
        assert run_command("detect", _detect, words) == 0
    assert (tmp_path / "out/vis/x.jpg/photo 0.jpg").is_file()
