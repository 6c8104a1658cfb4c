"""ocrdet-detect: results for images that can be read, a list of the others, any file names."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from conftest import installed
from resnet18_ocrdet.cli import _detect
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.data.load_annotations import read_data
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.detections.inputs import find_items, name_results
from resnet18_ocrdet.detections.item import Item
from resnet18_ocrdet.detections.pipeline import Done, detect_all
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.inference.predictor import Prepared
from resnet18_ocrdet.structures import Detection, ResizeTransform
from resnet18_ocrdet.viz.draw import write


def fill(folder: Path, count: int) -> list[str]:
    scenes = SyntheticScenes(count, 96, 128, seed=3)
    folder.mkdir(parents=True)
    for index in range(count):
        write(folder / f"photo {index}.jpg", scenes.load(index).image)
    return [f"photo {index}" for index in range(count)]


def words_for_crops(run: Path) -> list[str]:
    return ["input=in", "output=out", f"checkpoint={run}/checkpoints/last.pt", "decode.box_thresh=0", "crops=true"]


@pytest.fixture(scope="module")
def found(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str]:
    """Output, exit code and text of a call on a folder with 5 photos, a subfolder, and things that are not images."""
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


def test_images_that_can_be_read_are_done_and_the_exit_code_is_1(found):
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


def test_detections_json_is_complete_and_consistent(found):
    output, _, _ = found
    content = json.loads((output / "detections.json").read_text())
    assert content["version"] == 2 and len(content["model_sha256"]) == 64
    assert len(content["images"]) == 6
    assert any(image["polygons"] for image in content["images"])
    assert content["errors"] == json.loads((output / "errors.json").read_text())
    for image in content["images"]:
        assert (image["height"], image["width"]) == (96, 128)
        assert len(image["polygons"]) == len(image["scores"]) == len(image["quads"])
        for quad, polygon in zip(image["quads"], image["polygons"], strict=True):
            # the same corners; which one is first depends on rounding for a square rotated by 45 degrees
            assert np.allclose(np.sort(quad, axis=0), np.sort(polygon, axis=0), atol=0.2)
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
    assert "output=out: holds 4 results of images that are not in the input (first: txt/res_photo 0.txt)" in error
    assert before == sorted((path, path.read_bytes()) for path in Path("out").rglob("*") if path.is_file())

    assert run_command("detect", _detect, ["input=out/vis/photo 1.jpg", *found]) == 2
    assert "input=out/vis/photo 1.jpg: is among the pictures that this call replaces" in capsys.readouterr().err

    Path("in/photo 1.jpg").write_text("not an image any more")
    assert run_command("detect", _detect, ["input=in", *found, "vis=false"]) == 1
    assert sorted(path.name for path in Path("out/txt").iterdir()) == ["res_photo 0.txt", "res_photo 2.txt"]
    assert sorted(path.name for path in Path("out/vis").iterdir()) == ["photo 0.jpg", "photo 2.jpg"]


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


def test_a_folder_named_like_a_picture_is_not_a_result(tiny_run: Path, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "in/x.jpg", 1)
    words = ["input=in", "output=out", f"checkpoint={tiny_run}/checkpoints/last.pt"]
    for _ in range(2):
        assert run_command("detect", _detect, words) == 0
    assert (tmp_path / "out/vis/x.jpg/photo 0.jpg").is_file()


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
    assert before > 2 and not list(Path("out/crops").iterdir())


def test_one_image_is_not_plural(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    fill(tmp_path / "in", 1)
    monkeypatch.chdir(tmp_path)
    words = ["input=in/photo 0.jpg", f"checkpoint={tiny_run}/checkpoints/last.pt", "output=out", "vis=false"]
    assert run_command("detect", _detect, words) == 0
    out = capsys.readouterr().out
    assert "1 image in in/photo 0.jpg" in out and "in 1 image," in out


def test_images_with_the_same_stem_keep_their_extension():
    images = [Path("a.jpg"), Path("a.png"), Path("b.jpg"), Path("sub/a.jpg")]
    assert name_results(images) == [Path("a.jpg"), Path("a.png"), Path("b"), Path("sub/a")]
    images = [Path("a.jpg"), Path("a.png"), Path("a.jpg.png")]
    assert name_results(images) == images


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("input=absent", "checkpoint={run}/checkpoints/last.pt"), "input=absent: no such file or folder"),
        (("input=.", "checkpoint={run}/checkpoints/last.pt"), "0 images found"),
        (
            ("input={run}/config.yaml", "checkpoint={run}/checkpoints/last.pt", "output={run}/train.log"),
            "train.log: cannot be created",
        ),
        (("input=.", "checkpoint=absent.pt"), "checkpoint absent.pt: no such file"),
        (("input={run}/config.yaml", "checkpoint={run}/config.yaml"), "config.yaml: not a checkpoint, or damaged"),
    ],
)
def test_mistakes_are_one_line_and_code_2(words, message, tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run_command("detect", _detect, [word.format(run=tiny_run) for word in words]) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


# -- labelling tools


def test_detections_json_follows_its_schema(found):
    schema = json.loads((Path(__file__).parents[2] / "docs/detections.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    content = json.loads((found[0] / "detections.json").read_text())
    jsonschema.validate(content, schema)
    content["images"][0]["scores"] = [1.5]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, schema)


def test_labelme_and_coco_files_can_be_trained_on(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "in", 2)
    fill(tmp_path / "in/more", 1)
    words = ["input=in", f"checkpoint={tiny_run}/checkpoints/last.pt", "decode.box_thresh=0", "vis=false"]
    assert run_command("detect", _detect, [*words, "output=out", "labelme=true", "coco=true"]) == 0
    images = records(Path("out"))
    coco = json.loads(Path("out/coco.json").read_text())
    names = {image["id"]: image["file_name"] for image in coco["images"]}
    assert sorted(names.values()) == sorted(images)
    assert len(coco["annotations"]) == sum(len(image["polygons"]) for image in images.values()) > 0
    for each in coco["annotations"]:
        polygon = np.array(each["segmentation"]).reshape(-1, 2)
        assert polygon.tolist() in images[names[each["image_id"]]]["polygons"]
        assert each["bbox"] == pytest.approx([*polygon.min(0), *np.ptp(polygon, axis=0)], abs=0.01)
    for root, dialect in (("out/labelme", "labelme"), ("set", "coco")):
        if dialect == "coco":
            shutil.copytree("in", "set/images")
            shutil.copy("out/coco.json", "set")
        parts = read_data(Path(root), dialect).parts
        regions = [len(record.polygons) for part in parts.values() for record in part]
        assert sorted(regions) == sorted(len(image["polygons"]) for image in images.values())
    assert run_command("detect", _detect, [*words, "output=in/out", "labelme=true"]) == 0
    capsys.readouterr()
    assert run_command("detect", _detect, [*words, "output=in/out", "labelme=true"]) == 0
    assert "3 images in in, 3 of them done already" in capsys.readouterr().out  # its own links are skipped


# -- repeated calls, and shards


def records(folder: Path) -> dict[str, dict]:
    return {image["image"]: image for image in json.loads((folder / "detections.json").read_text())["images"]}


def without_seconds(folder: Path) -> list[dict]:
    return [
        {key: value for key, value in image.items() if key not in ("seconds", "modified_ns")}
        for image in records(folder).values()
    ]


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


def test_pictures_of_earlier_calls_are_skipped(tmp_path: Path):
    for folder in ("in", "in/found/vis", "in/mine/vis", "elsewhere/vis", "elsewhere/labelme"):
        (tmp_path / folder).mkdir(parents=True)
        write(tmp_path / folder / "a.jpg", np.zeros((8, 8, 3), np.uint8))
    for folder in ("in/found", "elsewhere"):
        (tmp_path / folder / "detections.settings.json").write_text("{}")
    (tmp_path / "in/mine/detections.json").write_text("{}")  # of another program
    (tmp_path / "in/linked").symlink_to(tmp_path / "elsewhere")
    found, left_out, _ = find_items(tmp_path / "in", tmp_path / "out", crops=True)
    assert [item.relative for item in found] == ["a.jpg", "mine/vis/a.jpg"] and left_out == 3
    with pytest.raises(UserError, match=r"elsewhere/vis: contains only pictures that a detection wrote"):
        find_items(tmp_path / "elsewhere/vis", tmp_path / "out", crops=True)


def test_formats_that_are_not_read_are_counted(tmp_path: Path):
    for name in ("a.heic", "more/b.HEIC", "c.pdf", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "._a.heic").touch()  # written by macOS
    with pytest.raises(UserError, match=r"0 images found .*; 2 \.heic, 1 \.pdf: not read"):
        find_items(tmp_path, tmp_path / "out", crops=False)
    write(tmp_path / "d.jpg", np.zeros((8, 8, 3), np.uint8))
    line = "2 .heic, 1 .pdf: not read, convert to JPEG or PNG"
    assert find_items(tmp_path, tmp_path / "out", crops=False).unread == line
    assert find_items(tmp_path / "d.jpg", tmp_path / "out", crops=False).unread == ""


def test_photos_in_a_folder_called_crops_are_images_unless_regions_are_written_there(tmp_path: Path):
    (tmp_path / "crops").mkdir()
    for name in ("a.jpg", "crops/b.jpg"):
        write(tmp_path / name, np.zeros((8, 8, 3), np.uint8))
    assert len(find_items(tmp_path, tmp_path, crops=False)[0]) == 2
    items, left_out, _ = find_items(tmp_path, tmp_path, crops=True)
    assert [item.relative for item in items] == ["a.jpg"] and left_out == 1


class FakePredictor:
    """Finds one region per image, scored by the first pixel, and records the size of each batch."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def prepare(self, image):
        return Prepared(image, ResizeTransform(*image.shape[:2], 1.0, 1.0), 1.0)

    def needs_tiles(self, prepared):
        return False

    def network(self, canvases):
        if len(canvases) > 1 and any(canvas[0, 0, 0] > 200 for canvas in canvases):
            raise RuntimeError("out of memory")
        self.batches.append(len(canvases))
        return [canvas[:, :, 0].astype(np.float32) for canvas in canvases]

    def decode(self, prob_map, transform):
        return [Detection(np.zeros((4, 2), np.float32), float(prob_map[0, 0]))]


def test_order_batches_and_failures(tmp_path: Path):
    sizes = [64, 64, 64, 96, 96, 64, 64, 64]
    items = []
    for number, size in enumerate(sizes):
        path = tmp_path / f"{number}.png"
        value = 250 if number == 7 else number
        write(path, np.full((size, 64, 3), value, np.uint8))
        items.append(Item(path, path.name, Path(path.stem)))
    items[1].path.write_text("no image")
    written: list[str] = []
    predictor = FakePredictor()
    found = list(
        detect_all(predictor, items, lambda item, image, boxes: written.append(item.relative), batch_size=2)  # type: ignore[arg-type]
    )
    assert [done.item for done in found] == items
    assert [isinstance(done, Done) for done in found] == [number != 1 for number in range(8)]
    assert [done.record.scores[0] for done in found if isinstance(done, Done)] == [0, 2, 3, 4, 5, 6, 250]
    assert predictor.batches == [1, 1, 2, 2, 1]  # 0 | 2, after the failure of 1 | 3 4 | 5 6 | 7
    assert written == [item.relative for item in items if item is not items[1]]


def test_a_batch_too_large_for_memory_is_done_one_by_one(tmp_path: Path):
    for number in range(2):
        write(tmp_path / f"{number}.png", np.full((64, 64, 3), 250, np.uint8))
    items = [Item(tmp_path / f"{n}.png", f"{n}.png", Path(f"{n}")) for n in range(2)]
    predictor = FakePredictor()
    found = list(detect_all(predictor, items, lambda *_: None, batch_size=2))  # type: ignore[arg-type]
    assert predictor.batches == [1, 1] and [type(done) for done in found] == [Done, Done]


def test_a_bug_is_not_reported_as_a_bad_image(tmp_path: Path):
    write(tmp_path / "0.png", np.zeros((64, 64, 3), np.uint8))
    predictor = FakePredictor()
    predictor.decode = lambda prob_map, transform: [][0]  # type: ignore[method-assign]
    with pytest.raises(IndexError):
        list(detect_all(predictor, [Item(tmp_path / "0.png", "0.png", Path("0"))], lambda *_: None))  # type: ignore[arg-type]


@pytest.mark.slow
def test_after_kills_each_image_is_done_once(tiny_run: Path, tmp_path: Path):
    fill(tmp_path / "in", 60)
    words = ["input=in", "output=out", f"checkpoint={tiny_run}/checkpoints/last.pt", "decode.box_thresh=0"]
    program = Path(sys.executable).with_name("ocrdet-detect")
    for _ in range(3):
        process = subprocess.Popen([program, *words], cwd=tmp_path, stdout=subprocess.DEVNULL)
        lines = len((tmp_path / "out/detections.jsonl").read_text().split("\n")) if (tmp_path / "out").is_dir() else 0
        for _ in range(600):
            time.sleep(0.02)
            path = tmp_path / "out/detections.jsonl"
            if process.poll() is not None or (path.is_file() and len(path.read_text().split("\n")) > lines + 8):
                break
        process.kill()
        process.wait()
    done = installed("ocrdet-detect", *words, cwd=tmp_path)
    assert done.returncode == 0
    names = [json.loads(line)["image"] for line in (tmp_path / "out/detections.jsonl").read_text().splitlines()]
    assert sorted(names) == sorted(f"photo {n}.jpg" for n in range(60))
    assert len(records(tmp_path / "out")) == 60 and len(list((tmp_path / "out/txt").iterdir())) == 60


@pytest.mark.slow
def test_shards_can_start_at_the_same_time(tiny_run: Path, tmp_path: Path):
    fill(tmp_path / "in", 12)
    words = ["input=in", "output=out", f"checkpoint={tiny_run}/checkpoints/last.pt", "decode.box_thresh=0", "vis=false"]
    program = Path(sys.executable).with_name("ocrdet-detect")
    shards = [
        subprocess.Popen(
            [program, *words, f"shard={n}/4"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for n in range(1, 5)
    ]
    outputs = [process.communicate()[0] for process in shards]
    assert [process.returncode for process in shards] == [0] * 4, outputs
    done = installed("ocrdet-detect", *words, cwd=tmp_path)
    assert done.returncode == 0 and "12 images in in, 12 of them done already" in done.stdout


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_images(tiny_run: Path, tmp_path: Path):
    fill(tmp_path / "in", 20)
    for number in range(20, 1000):
        os.link(tmp_path / f"in/photo {number % 20}.jpg", tmp_path / f"in/photo {number}.jpg")
    words = words_for_crops(tiny_run)
    program = Path(sys.executable).with_name("ocrdet-detect")
    process = subprocess.Popen([program, *words], cwd=tmp_path, stdout=subprocess.DEVNULL)
    path, used = tmp_path / "out/detections.jsonl", dict[int, int]()
    while process.poll() is None:
        time.sleep(0.02)
        done = path.read_bytes().count(b"\n") if path.is_file() else 0
        with suppress(OSError, IndexError):  # the process may have ended
            used[done] = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    assert process.returncode == 0 and len(records(tmp_path / "out")) == 1000
    first, last = (max(used[done] for done in used if low <= done < high) for low, high in ((100, 200), (900, 1000)))
    assert (last - first) / 2**20 < 50
