"""ocrdet-check input=FOLDER pick=N: what is chosen, what is written, what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import pytest

from conftest import assert_mentions
from html_page import Page
from paged_files import write_pages
from resnet18_ocrdet.cli import _check
from resnet18_ocrdet.commands import pick as command
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.data.load_annotations import read_data
from resnet18_ocrdet.detections.files import Item
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.pick.picked_files import MAX_NAME, file_names
from resnet18_ocrdet.pick.survey import Surveyor

FONT = PIL.ImageFont.load_default(22)
WORDS = ("Market", "HARBOUR", "Street 12", "Exit", "Station", "Open")


def check(*words: object) -> int:
    return run_command("check", _check, list(map(str, words)))


def scene(number: int) -> PIL.Image.Image:
    """160 x 96 px: a pattern with one to three words on it."""
    rng = np.random.default_rng(number)
    ground = PIL.Image.fromarray(rng.integers(120, 256, (3, 5, 3), np.uint8)).resize(
        (160, 96), PIL.Image.Resampling.BICUBIC
    )
    for row in range(1 + number % 3):
        word = WORDS[(number + row) % len(WORDS)]
        PIL.ImageDraw.Draw(ground).text((8 + 4 * number, 4 + 30 * row), word, (10, 10, 30), FONT)
    return ground


def folder_of(root: Path, *numbers: int) -> Path:
    root.mkdir()
    for number in numbers:
        scene(number).save(root / f"{number}.png")
    return root


def report_of(output: Path) -> dict:
    return json.loads((output / "report.json").read_text("utf-8"))


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def picked(tmp_path_factory):
    """The images, the output of two picks, and the exit code: with a blank one, a copy and a damaged file."""
    root = tmp_path_factory.mktemp("pick")
    source = folder_of(root / "in", *range(5))
    PIL.Image.new("RGB", (160, 96), (230, 230, 230)).save(source / "blank.png")
    scene(0).save(source / "copy of 0.jpg", quality=90)
    (source / "damaged.jpg").write_bytes(b"no image")
    before = contents(source)
    code = check(f"input={source}", "pick=2", f"output={root}/out")
    assert contents(source) == before
    return source, root / "out", code


def test_what_is_left_out_is_counted(picked):
    _, output, code = picked
    report = report_of(output)
    assert code == 1  # a damaged file
    assert report["left"] == 5 and len(report["picked"]) == 2
    left_out = report["left_out"]
    assert left_out["blank"] == ["blank.png"] and left_out["copies"] == ["copy of 0.jpg"]
    assert [each["image"] for each in left_out["failed"]] == ["damaged.jpg"]
    assert left_out["labelled"] == left_out["like_labelled"] == []


def test_the_copies_have_labels_that_are_read(picked):
    source, output, _ = picked
    picks = report_of(output)["picked"]
    assert [pick["rank"] for pick in picks] == [1, 2] and picks[0]["distance"] == 1.0
    reading = read_data(output)
    records = {record.image_path.name: record for record in reading.splits["train"]}
    for pick in picks:
        assert (output / pick["file"]).read_bytes() == (source / pick["image"]).read_bytes()
        assert len(records.pop(Path(pick["file"]).name).polygons) == pick["regions"] > 0
        assert pick["reason"] and 0 <= pick["unsure_regions"] <= pick["regions"]
    assert not records


def test_the_page_shows_every_pick(picked):
    _, output, _ = picked
    text = (output / "report.html").read_text("utf-8")
    page = Page(text)
    assert page.is_self_contained() and text.count("data:image/jpeg;base64") == 2
    for pick in report_of(output)["picked"]:
        assert_mentions(page.text, f"{pick['rank']}. {pick['image']}", pick["reason"])
    assert_mentions(page.text, "5 images to choose from", "without any trace of text")


def test_the_same_call_picks_the_same(picked, tmp_path, capsys):
    source, output, _ = picked
    assert check(f"input={source}", "pick=2", f"output={tmp_path}/out") == 1
    assert contents(tmp_path / "out/images") == contents(output / "images")
    assert report_of(tmp_path / "out") == report_of(output)
    assert_mentions(
        capsys.readouterr().out, "8 images", "1 unreadable", "2 images in", "labelme", "damaged.jpg: not an"
    )


def test_the_next_round_leaves_out_what_is_labelled_and_like_it(picked, tmp_path):
    source, output, _ = picked
    fine = tmp_path / "in"
    shutil.copytree(source, fine, ignore=shutil.ignore_patterns("damaged.jpg"))
    done = {pick["image"] for pick in report_of(output)["picked"]}
    words = (f"input={fine}", f"labelled={output}", "second_pass=half", "label_format=ppocr", f"output={tmp_path}/out")
    assert check(*words, "pick=50") == 0
    report = report_of(tmp_path / "out")
    assert set(report["left_out"]["like_labelled"]) >= done and report["left_out"]["labelled"] == []
    assert not done & {pick["image"] for pick in report["picked"]}
    assert len(report["picked"]) == report["left"] == 3  # of five, all that are left
    assert all(pick["distance"] < 1.0 for pick in report["picked"])  # measured from the labelled ones
    names = {path.name for path in (tmp_path / "out/images").iterdir()}
    assert names == {f"{pick['image']}" for pick in report["picked"]} | {"Label.txt", "Cache.cach"}


def test_images_with_labels_beside_them_are_not_picked(tmp_path, capsys):
    source = folder_of(tmp_path / "in", 0, 1)
    shape = {"label": "text", "points": [[8, 4], [90, 4], [90, 30], [8, 30]], "shape_type": "polygon"}
    content = {"shapes": [shape], "imagePath": "1.png", "imageHeight": 96, "imageWidth": 160}
    (source / "1.json").write_text(json.dumps(content))
    assert check(f"input={source}", "pick=2", "label_format=label_studio", f"output={tmp_path}/out") == 0
    report = report_of(tmp_path / "out")
    assert [pick["image"] for pick in report["picked"]] == ["0.png"]
    assert report["left_out"]["labelled"] == ["1.png"]
    assert_mentions(capsys.readouterr().out, "1 labelled already", "pick=2: 1 image to choose from", "tasks.json")
    (source / "0.png").unlink()
    assert check(f"input={source}", "pick=2", f"output={tmp_path}/more") == 2
    assert_mentions(capsys.readouterr().err, f"input={source}", "1 image", "labels already")


def test_nothing_to_pick_writes_nothing(tmp_path, capsys):
    source = tmp_path / "in"
    source.mkdir()
    PIL.Image.new("RGB", (160, 96), (230, 230, 230)).save(source / "blank.png")
    assert check(f"input={source}", "pick=2", f"output={tmp_path}/out") == 1
    assert_mentions(capsys.readouterr().out, "pick=2: 0 images")
    assert not (tmp_path / "out").exists()


def test_corrected_labels_are_not_overwritten(picked, tmp_path, capsys):
    source, output, _ = picked
    shutil.copytree(output, tmp_path / "out")
    (label,) = sorted((tmp_path / "out/images").glob("*.json"))[:1]
    label.write_text(label.read_text("utf-8").replace("unsure", "sure") + " ")
    before = contents(tmp_path / "out")
    assert check(f"input={source}", "pick=2", f"output={tmp_path}/out") == 2
    assert_mentions(capsys.readouterr().err, label.name, "changed", "overwrite=true")
    assert contents(tmp_path / "out") == before


def test_a_stopped_call_leaves_nothing(tmp_path, monkeypatch):
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "write_reports", stop)  # the images are copied by then
    source = folder_of(tmp_path / "in", 0)
    assert check(f"input={source}", "pick=1", "second_pass=none", f"output={tmp_path}/out") == 130
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["input={in}", "pick=0"], ["pick=0", "1 to"]),
        (["input={in}", "pick=many"], ["pick=many", "whole number"]),
        (["pick=3"], ["pick=3", "input=FOLDER"]),
        (["input={in}"], ["input={in}", "pick=50"]),
        (["data.root={in}", "labelled={in}"], ["labelled={in}", "pick=50"]),
        (["input={in}", "pick=3", "data.root={in}"], ["data.root={in}", "input="]),
        (["input={in}/0.png", "pick=3"], ["input={in}/0.png", "folder"]),
        (["input={empty}", "pick=3"], ["input={empty}", "0 images"]),
        (["input={in}/nowhere", "pick=3"], ["input={in}/nowhere", "no such"]),
        (["input={in}", "pick=3", "labelled={in}/nowhere"], ["labelled={in}/nowhere", "no such folder"]),
        (["input={in}", "pick=3", "labelled={empty}"], ["labelled={empty}", "empty"]),
        (["input={in}", "pick=3", "label_format=coco"], ["label_format=coco", "labelme"]),
        (["input={in}", "pick=3", "output={in}/out"], ["output={in}/out", "inside input="]),
        (["input={in}", "pick=3", "checkpoint={in}/none.pt"], ["none.pt", "no such file"]),
    ],
)
def test_refusals(words, told, tmp_path, capsys):
    places = {"in": folder_of(tmp_path / "in", 0), "empty": tmp_path / "empty"}
    places["empty"].mkdir()
    given = [word.format(**places) for word in words]
    output = [] if any(word.startswith("output=") for word in given) else [f"output={tmp_path}/out"]
    assert check(*given, *output) == 2
    assert_mentions(capsys.readouterr().err, *(word.format(**places) for word in told))
    assert not (tmp_path / "out").exists() and not (tmp_path / "in/out").exists()


def test_an_exported_network_is_refused():
    exported = SimpleNamespace(network=SimpleNamespace(path="model.onnx"))
    with pytest.raises(UserError) as error:
        Surveyor(exported)  # type: ignore[arg-type]
    assert_mentions(str(error.value), "model.onnx", ".pt")


def test_each_page_of_a_file_is_an_image_of_its_own(tmp_path):
    (tmp_path / "in").mkdir()
    write_pages(tmp_path / "in/scan.tif", [np.array(scene(number)) for number in (0, 1)])
    assert check(f"input={tmp_path}/in", "pick=2", "second_pass=none", f"output={tmp_path}/out") == 0
    assert {path.name for path in (tmp_path / "out/images").glob("*.png")} == {"scan#1.png", "scan#2.png"}
    assert not read_data(tmp_path / "out").report.at("error")


def test_names_of_the_copies():
    def item(path: str, result: str, page: int | None = None) -> Item:
        return Item(Path("in") / path, path, Path(result), page)

    items = [
        item("a/1.jpg", "a/1"),
        item("b/1.JPG", "b/1"),
        item("B/1.png", "B/1"),
        item("scan.pdf", "scan#2", 2),
        item("one.pdf", "one"),
        item("tab\there.png", "tab\there"),
        item("x" * 200 + "9.png", "x" * 200 + "9"),
        item("\udcff.png", "\udcff"),
    ]
    names = file_names(items)
    assert names[:6] == ["a_1.jpg", "b_1.JPG", "B_1_2.png", "scan#2.png", "one.png", "tab_here.png"]
    assert names[6] == "x" * (MAX_NAME - 1) + "9.png" and names[7].encode("utf-8")
    assert len({Path(name).stem.casefold() for name in names}) == len(names)
