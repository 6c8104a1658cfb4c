"""ocrdet-detect: results for images that can be read, a list of the others, any file names."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from conftest import installed
from detect_calls import fill, records
from resnet18_ocrdet.cli import _detect
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.data.load_annotations import read_data
from resnet18_ocrdet.viz.draw import write


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
        assert len(image["polygons"]) == len(image["scores"]) and image["quads"] == image["polygons"]
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


def test_one_image_is_not_plural(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    fill(tmp_path / "in", 1)
    monkeypatch.chdir(tmp_path)
    words = ["input=in/photo 0.jpg", f"checkpoint={tiny_run}/checkpoints/last.pt", "output=out", "vis=false"]
    assert run_command("detect", _detect, words) == 0
    out = capsys.readouterr().out
    assert "1 image in in/photo 0.jpg" in out and "in 1 image," in out


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


def test_an_input_size_far_from_the_training_is_noted(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    write(tmp_path / "a.png", np.full((64, 64, 3), 200, np.uint8))
    monkeypatch.chdir(tmp_path)
    words = ["input=a.png", f"checkpoint={tiny_run}/checkpoints/last.pt", "vis=false"]  # trained at 64x64
    for size, note in (
        ("128x128", None),
        ("96x384", "3.0 times 64x64"),
        ("32x32", None),
        ("192x192", "3.0 times 64x64"),
    ):
        assert run_command("detect", _detect, [*words, f"input_size={size}", f"output={size}"]) == 0
        notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note: input_size=")]
        assert notes == [] if note is None else f"note: input_size={size} is {note}" in notes[0]


def test_a_file_that_is_no_checkpoint_is_described(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.png", np.full((8, 8, 3), 200, np.uint8))
    (tmp_path / "best.pt").write_bytes(b"a text")
    assert run_command("detect", _detect, ["input=a.png", "checkpoint=best.pt", "output=out"]) == 2
    said = "not a checkpoint, or damaged (6 bytes, starts with b'a text')"  # no name of a Python exception
    assert capsys.readouterr().err.endswith(f"checkpoint best.pt: {said}\n")


def test_detections_json_follows_its_schema(found):
    schema = json.loads((Path(__file__).parents[2] / "docs/detections.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    content = json.loads((found[0] / "detections.json").read_text())
    jsonschema.validate(content, schema)
    content["images"][0]["scores"] = [1.5]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, schema)


def test_regions_are_listed_in_reading_order_and_lines_on_request(tiny_run: Path, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "in", 2)
    words = ["input=in", f"checkpoint={tiny_run}/checkpoints/last.pt", "decode.box_thresh=0"]
    for order in ("none", "reading", "right_to_left"):
        more = ["order=" + order, f"output={order}", "crops=true", "coco=true", "labelme=true", "lines=true"]
        assert run_command("detect", _detect, [*words, *more]) == 0
    schema = json.loads((Path(__file__).parents[2] / "docs/detections.schema.json").read_text())
    found = {order: records(Path(order)) for order in ("none", "reading", "right_to_left")}
    for name, image in found["reading"].items():
        assert [region for line in image["lines"] for region in line["regions"]] == [*range(len(image["quads"]))]
        raw = found["none"][name]
        order = [region for line in raw["lines"] for region in line["regions"]]
        assert [raw["quads"][region] for region in order] == image["quads"]
        texts = Path("reading/txt", f"res_{Path(name).stem}.txt").read_text().splitlines()
        assert [float(line.split(",")[-1]) for line in texts] == image["scores"]
        shapes = json.loads(Path("reading/labelme", f"{Path(name).stem}.json").read_text())["shapes"]
        assert [shape["points"] for shape in shapes] == image["polygons"]
    assert any(found["reading"][name]["quads"] != found["none"][name]["quads"] for name in found["none"])
    assert any(found["reading"][name]["quads"] != found["right_to_left"][name]["quads"] for name in found["none"])
    content = json.loads(Path("reading/detections.json").read_text())
    jsonschema.validate(content, schema)
    assert content["order"] == "reading" and content["lines"] is True
    coco = json.loads(Path("reading/coco.json").read_text())
    listed = [score for image in content["images"] for score in image["scores"]]
    assert [each["score"] for each in coco["annotations"]] == listed


def test_regions_beyond_the_limit_are_announced(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "in", 2)
    words = ["input=in", f"checkpoint={tiny_run}/checkpoints/last.pt", "decode.box_thresh=0", "decode.bin_thresh=0.3"]
    assert run_command("detect", _detect, [*words, "output=all"]) == 0
    assert "max_candidates" not in capsys.readouterr().out
    assert run_command("detect", _detect, [*words, "output=one", "decode.max_candidates=1"]) == 0
    assert "2 images with more regions than decode.max_candidates=1" in capsys.readouterr().out
    every, one = (json.loads(Path(name, "detections.json").read_text())["images"] for name in ("all", "one"))
    for image, cut in zip(every, one, strict=True):
        assert image["surplus"] == 0 and cut["surplus"] == len(image["scores"]) - 1 > 0
        assert cut["scores"] == [max(image["scores"])]
    content = json.loads(Path("one/detections.json").read_text())
    jsonschema.validate(content, json.loads((Path(__file__).parents[2] / "docs/detections.schema.json").read_text()))


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
        parts = read_data(Path(root), dialect).splits
        regions = [len(record.polygons) for part in parts.values() for record in part]
        assert sorted(regions) == sorted(len(image["polygons"]) for image in images.values())
    assert run_command("detect", _detect, [*words, "output=in/out", "labelme=true"]) == 0
    capsys.readouterr()
    assert run_command("detect", _detect, [*words, "output=in/out", "labelme=true"]) == 0
    assert "3 images in in, 3 of them done already" in capsys.readouterr().out  # its own links are skipped
