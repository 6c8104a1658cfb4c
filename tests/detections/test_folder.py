"""Repeated calls, shards, and files that are never replaced."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from pathlib import Path

import pytest

from detect_calls import fill, records, without_seconds
from resnet18_ocrdet.cli import _detect
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.viz.draw import write


def test_a_second_call_does_what_is_missing(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "in", 5)
    (tmp_path / "in/odd\u2028name.jpg").write_bytes((tmp_path / "in/photo 0.jpg").read_bytes())
    words = ["input=in", "output=out", f"checkpoint={tiny_run}/checkpoints/last.pt", "decode.box_thresh=0"]
    assert run_command("detect", _detect, words) == 0
    whole, times = without_seconds(Path("out")), {path: path.stat().st_mtime_ns for path in Path("out/txt").iterdir()}
    lines = Path("out/detections.jsonl").read_text("utf-8").split("\n")
    # killed in the middle of a line; one text is missing, one image is newer
    Path("out/detections.jsonl").write_text("\n".join(lines[:4]) + "\n" + lines[4][:30], "utf-8")
    Path("out/detections.json").unlink()
    Path("out/txt/res_photo 0.txt").unlink()
    later = time.time() + 5
    os.utime("in/photo 1.jpg", (later, later))
    capsys.readouterr()
    assert run_command("detect", _detect, words) == 0
    assert "6 images in in, 2 of them done already" in capsys.readouterr().out
    assert without_seconds(Path("out")) == whole
    same = [path.name for path, moment in times.items() if path.stat().st_mtime_ns == moment]
    assert len(same) == 2
    settings = json.loads(Path("out/detections.settings.json").read_text("utf-8"))
    older = {key: value for key, value in settings.items() if key not in ("candidates", "dpi")}
    Path("out/detections.settings.json").write_text(json.dumps(older))  # of a version without these keys
    assert run_command("detect", _detect, words) == 0
    assert "6 of them done already" in capsys.readouterr().out
    del older["order"]  # of a version that listed regions as they were found
    Path("out/detections.settings.json").write_text(json.dumps(older))
    assert run_command("detect", _detect, words) == 2
    assert "holds results written with other settings (order none → reading)" in capsys.readouterr().err
    Path("out/detections.settings.json").write_text(json.dumps(settings))
    assert run_command("detect", _detect, [*words, "decode.candidates=first"]) == 2
    assert "holds results written with other settings (candidates best → first)" in capsys.readouterr().err
    assert run_command("detect", _detect, [*words, "decode.bin_thresh=0.2"]) == 2
    assert "holds results written with other settings (bin_thresh 0.3 → 0.2)" in capsys.readouterr().err
    assert without_seconds(Path("out")) == whole
    assert run_command("detect", _detect, [*words, "decode.bin_thresh=0.2", "overwrite=true"]) == 0
    assert "done already" not in capsys.readouterr().out
    assert json.loads(Path("out/detections.json").read_text())["bin_thresh"] == 0.2


@pytest.mark.slow
def test_shards_give_the_results_of_one_call(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "in", 5)
    (tmp_path / "in/broken.jpg").write_text("no image")
    words = ["input=in", f"checkpoint={tiny_run}/checkpoints/last.pt", "decode.box_thresh=0", "vis=false"]
    assert run_command("detect", _detect, [*words, "output=whole"]) == 1
    codes = [run_command("detect", _detect, [*words, "output=out", f"shard={n}/2"]) for n in (1, 2)]
    assert sorted(codes) == [0, 1]
    parts = [json.loads(Path(f"out/detections.{n}-of-2.json").read_text())["images"] for n in (1, 2)]
    assert {len(part) for part in parts} <= {2, 3} and sum(map(len, parts)) == 5
    assert run_command("detect", _detect, [*words, "output=out", "shard=1/2", "decode.bin_thresh=0.2"]) == 2
    assert (
        "shards share one output with the same settings, but this call has bin_thresh 0.3 → 0.2"
        in capsys.readouterr().err
    )
    assert run_command("detect", _detect, [*words, "output=out"]) == 1
    assert "6 images in in, 5 of them done already" in capsys.readouterr().out
    assert without_seconds(Path("out")) == without_seconds(Path("whole"))
    out, whole = ([path.name for path in Path(name).iterdir() if path.suffix != ".lock"] for name in ("out", "whole"))
    assert sorted(out) == sorted(whole)
    assert run_command("detect", _detect, [*words, "output=out", "shard=3/2"]) == 2
    assert "shard=3/2: there are shards 1/2 to 2/2" in capsys.readouterr().err


def test_files_with_other_names_stay(tiny_run: Path, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "in", 1)
    mine = ["detections_final.json", "settings.json", "errors_old.json", "my.txt", ".lock"]
    Path("out").mkdir()
    for name in mine:
        Path("out", name).write_text("mine")
    words = ["input=in", "output=out", f"checkpoint={tiny_run}/checkpoints/last.pt", "vis=false"]
    assert run_command("detect", _detect, words) == 0
    assert all(Path("out", name).read_text() == "mine" for name in mine)


def test_results_of_another_input_are_not_reused(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for number, folder in enumerate(("one", "two")):
        Path(folder).mkdir()
        write(Path(folder, "snap.jpg"), SyntheticScenes(2, 96, 128, seed=number).load(0).image)
        os.utime(Path(folder, "snap.jpg"), (1e9, 1e9))
    words = ["output=out", f"checkpoint={tiny_run}/checkpoints/last.pt", "decode.box_thresh=0", "vis=false"]
    found = []
    for folder, more in (("one", []), ("two", ["overwrite=true"])):
        if more:
            assert run_command("detect", _detect, [f"input={folder}", *words]) == 2
            assert f"of 1 image of the same name in {Path('one').resolve()}" in capsys.readouterr().err
        assert run_command("detect", _detect, [f"input={folder}", *words, *more]) == 0
        assert "done already" not in capsys.readouterr().out
        found.append(records(Path("out"))["snap.jpg"]["polygons"])
    assert found[0] != found[1]


def test_merging_shards_uses_the_record_of_the_current_image(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "in", 3)
    words = ["input=in", "output=out", f"checkpoint={tiny_run}/checkpoints/last.pt", "decode.box_thresh=0", "vis=false"]
    assert run_command("detect", _detect, words) == 0
    write(Path("in/photo 0.jpg"), SyntheticScenes(1, 128, 96, seed=9).load(0).image)
    assert run_command("detect", _detect, [*words, "shard=1/2"]) == 0
    assert run_command("detect", _detect, words) == 0
    assert "3 images in in, 3 of them done already" in capsys.readouterr().out
    image = records(Path("out"))["photo 0.jpg"]
    assert (image["height"], image["width"]) == (128, 96)
    assert len(Path("out/txt/res_photo 0.txt").read_text().splitlines()) == len(image["polygons"])


def test_a_folder_with_a_foreign_result_is_refused_and_it_stays(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "in", 1)
    Path("out").mkdir()
    Path("out/detections.json").write_text("mine")
    words = ["input=in", "output=out", f"checkpoint={tiny_run}/checkpoints/last.pt"]
    assert run_command("detect", _detect, words) == 2
    assert "output=out: detections.json was not written by this command" in capsys.readouterr().err
    assert Path("out/detections.json").read_text() == "mine" and not Path("out/txt").exists()


def test_an_image_with_the_same_stem_is_added_later(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "in", 1)
    words = ["input=in", "output=out", f"checkpoint={tiny_run}/checkpoints/last.pt"]
    assert run_command("detect", _detect, words) == 0
    write(Path("in/photo 0.png"), SyntheticScenes(1, 96, 128, seed=3).load(0).image)
    assert run_command("detect", _detect, words) == 0
    assert sorted(path.name for path in Path("out/txt").iterdir()) == ["res_photo 0.jpg.txt", "res_photo 0.png.txt"]
    assert len(records(Path("out"))) == 2


def test_an_image_fails_if_its_name_is_too_long_for_its_results(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "in", 1)
    shutil.copy("in/photo 0.jpg", "in/" + "x" * 248 + ".jpg")
    words = ["input=in", "output=out", f"checkpoint={tiny_run}/checkpoints/last.pt", "vis=false"]
    for _ in range(2):
        assert run_command("detect", _detect, words) == 1
        assert "its name is too long for the names of its results" in capsys.readouterr().out
    assert list(records(Path("out"))) == ["photo 0.jpg"]


def test_a_full_disk_is_one_line(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "in", 2)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("resnet18_ocrdet.detections.files.format_detections", full)
    words = ["input=in", "output=out", f"checkpoint={tiny_run}/checkpoints/last.pt", "vis=false"]
    assert run_command("detect", _detect, words) == 1
    assert "output=out: cannot be written (No space left on device)" in capsys.readouterr().out


def test_a_folder_holds_the_results_of_one_call(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    fill(tmp_path / "in", 3)
    monkeypatch.chdir(tmp_path)
    found = ("output=out", f"checkpoint={tiny_run}/checkpoints/last.pt", "decode.box_thresh=0")
    assert run_command("detect", _detect, ["input=in", *found]) == 0
    assert "3 images in in" in capsys.readouterr().out

    before = sorted((path, path.read_bytes()) for path in Path("out").rglob("*") if path.is_file())
    assert run_command("detect", _detect, ["input=in/photo 1.jpg", *found]) == 2
    error = capsys.readouterr().err
    assert "output=out: holds 4 results of images that are not in the input (first: txt/res_photo 0.txt)" in error
    assert before == sorted((path, path.read_bytes()) for path in Path("out").rglob("*") if path.is_file())

    assert run_command("detect", _detect, ["input=out/vis/photo 1.jpg", *found]) == 2
    assert "input=out/vis/photo 1.jpg: is among the pictures that this call replaces" in capsys.readouterr().err

    Path("in/photo 1.jpg").write_text("not an image any more")
    assert run_command("detect", _detect, ["input=in", *found, "vis=false"]) == 1
    assert sorted(path.name for path in Path("out/txt").iterdir()) == ["res_photo 0.txt", "res_photo 2.txt"]
    assert sorted(path.name for path in Path("out/vis").iterdir()) == ["photo 0.jpg", "photo 2.jpg"]
