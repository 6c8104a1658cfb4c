"""ocrdet-check checkpoint=…, and the script that adds mistakes to labels."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import pytest

from html_page import Page
from resnet18_ocrdet.cli import _check
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.data.formats.write_icdar import write_icdar_text
from resnet18_ocrdet.data.record import Region, to_record
from resnet18_ocrdet.geometry.polygon import area
from resnet18_ocrdet.model.bundled import BUNDLED_PATH
from resnet18_ocrdet.model.checkpoint import load_checkpoint, save_checkpoint
from resnet18_ocrdet.model.release import digest
from scored_images import box

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import label_errors

FONT = PIL.ImageFont.load_default(60)
WORDS = ("HARBOUR", "Street", "Market", "Station")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory) -> Path:
    """Pages with four large words; a label of the first one is missing, a label of the second one is small."""
    root = tmp_path_factory.mktemp("labels") / "set"
    (root / "train_images").mkdir(parents=True)
    (root / "train_gts").mkdir()
    for number in range(4):
        page = PIL.Image.new("RGB", (640, 360), (235 - 10 * number,) * 3)
        quads = []
        for place, word in enumerate(WORDS):
            left, base = 30 + 320 * (place % 2), 120 + 160 * (place // 2)
            *start, right, bottom = FONT.getbbox(word, anchor="ls")
            PIL.ImageDraw.Draw(page).text((left, base), word, (30, 20, 20), FONT, anchor="ls")
            quads.append(box(left + start[0] - 3, base + start[1] - 4, right - start[0] + 6, bottom - start[1] + 8))
        if number == 0:
            quads = quads[1:]
        if number == 1:
            quads[0] = label_errors.scaled(quads[0], 0.5)[0]
        image = root / f"train_images/{number}.png"
        page.save(image)
        write_icdar_text(root / f"train_gts/{number}.txt", to_record(image, None, [Region(q, "word") for q in quads]))
    return root


def check(*words):
    return run_command("check", _check, list(words))


@pytest.fixture(scope="module")
def report(scenes):
    """With the bundled weights."""
    code = check(f"data.root={scenes}", "checkpoint=bundled", f"output={scenes.parent}/out")
    assert code in (0, 1)
    return json.loads((scenes.parent / "out/report.json").read_text())


def test_the_missing_label_and_the_small_one_are_found(report):
    first = {doubt["kind"]: doubt for doubt in reversed(report["labels"]["doubts"])}
    assert Path(first["missing label"]["image"]).name == "0.png" and first["missing label"]["labels"] == []
    assert np.array(first["missing label"]["seen"]).shape == (1, 4, 2)
    assert Path(first["too tight"]["image"]).name == "1.png"
    assert first["too tight"]["labels"] == [{"label": 0, "line": 1}]
    assert report["labels"]["network"] == "the bundled network" and report["labels"]["taught"] == 0
    assert Path(report["labels"]["images"][0]["image"]).name in ("0.png", "1.png")


def test_the_page_shows_them(report, scenes):
    page = Page((scenes.parent / "out/report.html").read_text("utf-8"))
    assert page.is_self_contained()
    assert "compared with the bundled network" in page.text
    assert "train_images/1.png; label 1 in line 1" in page.text


def test_without_a_checkpoint_labels_are_not_audited(scenes, tmp_path):
    check(f"data.root={scenes}", f"output={tmp_path}/out")
    assert json.loads((tmp_path / "out/report.json").read_text())["labels"] is None


def test_a_checkpoint_that_does_not_exist(scenes, tmp_path, capsys):
    assert check(f"data.root={scenes}", "checkpoint=nowhere.pt", f"output={tmp_path}/out") == 2
    assert "checkpoint nowhere.pt: no such file" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_unreadable_images_and_invalid_polygons_do_no_harm(scenes, tmp_path):
    root = tmp_path / "set"
    (root / "train_images").mkdir(parents=True)
    (root / "train_gts").mkdir()
    (root / "train_images/0.png").write_bytes((scenes / "train_images/0.png").read_bytes())
    (root / "train_images/1.png").write_bytes(b"no image")
    (root / "train_gts/0.txt").write_text(
        "1,1,9999999999,1,9,9,1,9,far\n5,5,5,5,5,5,5,5,point\n10,10,60,10,60,40,10,40,a\n"
    )
    (root / "train_gts/1.txt").write_text("1,1,9,1,9,9,1,9,a\n")
    assert check(f"data.root={root}", "checkpoint=bundled", f"output={tmp_path}/out") == 1
    assert json.loads((tmp_path / "out/report.json").read_text())["labels"]["doubts"]


@pytest.mark.slow
def test_overlap_with_the_training_set_is_reported(scenes, tmp_path, capsys):
    content = load_checkpoint(BUNDLED_PATH)
    images = [scenes / f"train_images/{number}.png" for number in (0, 2)]
    content["about"] = {**content["about"], "taught": [digest(image) for image in images]}
    save_checkpoint(tmp_path / "taught.pt", content)
    check(f"data.root={scenes}", f"checkpoint={tmp_path}/taught.pt", f"output={tmp_path}/out")
    assert json.loads((tmp_path / "out/report.json").read_text())["labels"]["taught"] == 2
    assert "2 of 4 images were in the training set" in capsys.readouterr().out
    assert "2 of 4 images were in the training set" in Page((tmp_path / "out/report.html").read_text("utf-8")).text


def test_images_without_labels_are_not_audited(scenes, tmp_path):
    root = tmp_path / "set"
    shutil.copytree(scenes, root)
    (root / "train_gts/2.txt").unlink()
    check(f"data.root={root}", "checkpoint=bundled", f"output={tmp_path}/out")
    doubts = json.loads((tmp_path / "out/report.json").read_text())["labels"]["doubts"]
    assert doubts and not any(doubt["image"].endswith("2.png") for doubt in doubts)


# -- scripts/label_errors.py


def records():
    """40 photos of five words, two pairs of them in a line."""
    words = [box(0, 0, 60, 20), box(66, 0, 60, 20), box(0, 200, 80, 20), box(90, 200, 50, 20), box(400, 400, 90, 30)]
    regions = [Region(word, f"w{n}") for n, word in enumerate(words)] + [Region(box(600, 0, 40, 20), "", True)]
    return [to_record(Path(f"img_{n}.jpg"), None, regions) for n in range(40)]


def test_the_number_of_added_mistakes():
    wrong, made = label_errors.with_errors(records(), np.random.default_rng(0))
    assert {kind: sum(each.kind == kind for each in made) for kind in label_errors.FOUND_AS} == dict.fromkeys(
        label_errors.FOUND_AS, 30
    )
    count = sum(len(record.polygons) for record in wrong)
    assert count == 40 * 6 - 30 + 30 - 30  # deleted, split, merged
    assert sum(int(record.ignore.sum()) for record in wrong) == 40
    by_name = {record.image_path.name: record for record in wrong}
    for each in made:
        areas = [area(by_name[each.image].polygons[label]) for label in each.labels]
        right = area(np.float32(each.outline))
        share = {"delete": 0, "split": 1, "merge": 1, "shrink": 0.36, "grow": 2.25}[each.kind]
        assert sum(areas) == pytest.approx(share * right, rel=1e-3)
        assert len(areas) == {"delete": 0, "split": 2}.get(each.kind, 1)


def test_pairs_are_neighbors_on_a_line():
    places = label_errors.neighbours(7, records()[0])
    assert places == [(7, (0, 1)), (7, (2, 3))]


def test_halves_are_cut_across():
    left, right = label_errors.halves(box(0, 0, 100, 20))
    assert left.max(axis=0).tolist() == [50, 20] and right.min(axis=0).tolist() == [50, 0]
    upper, lower = label_errors.halves(box(0, 0, 20, 100))
    assert {upper.max(axis=0)[1], lower.max(axis=0)[1]} == {50, 100}


def test_hits():
    made = label_errors.LabelError("delete", "a.jpg", (), box(0, 0, 100, 20).tolist())
    seen = {"image": "x/a.jpg", "labels": [], "seen": [box(5, 0, 90, 20).tolist()]}
    assert label_errors.hit(made, seen)
    assert not label_errors.hit(made, seen | {"image": "b.jpg"})
    assert not label_errors.hit(made, seen | {"seen": [box(90, 0, 100, 20).tolist()]})
    halves = label_errors.LabelError("split", "a.jpg", (3, 4), box(0, 0, 100, 20).tolist())
    about = {"image": "a.jpg", "labels": [{"label": 4, "line": 5}], "seen": []}
    assert label_errors.hit(halves, about)
    assert label_errors.rank_of(halves, [seen, about]) == 1 and label_errors.rank_of(halves, [seen]) == 1


def test_the_outcome_of_a_kind():
    right, other = box(0, 0, 100, 20).tolist(), box(300, 0, 100, 20).tolist()
    made = [label_errors.LabelError("delete", name, (), right) for name in ("a.jpg", "b.jpg", "c.jpg")]
    seen = {"kind": "missing label", "image": "a.jpg", "labels": [], "seen": [right]}
    far, second = seen | {"seen": [other]}, seen | {"image": "b.jpg"}
    # ranks 2, 3 and, not found, 4
    found = label_errors.outcome("delete", made, [far, seen, seen | {"kind": "split"}, second])
    assert found == label_errors.Outcome(right=2, looked_at=3, median_rank=3.0, found=2)
    assert label_errors.outcome("delete", made, [far] * 40 + [seen]).right == 0
