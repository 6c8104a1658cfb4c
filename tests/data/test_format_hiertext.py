"""HierText: paragraphs of lines of words."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from format_files import build, corners, found, names, read_all, recognised
from resnet18_ocrdet.cli import _check
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats import hiertext
from resnet18_ocrdet.data.label_options import LabelOptions
from resnet18_ocrdet.data.load_annotations import read_data
from resnet18_ocrdet.data.splits import custom
from resnet18_ocrdet.errors import UserError


def box(left, top, right, bottom):
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def part(vertices, text="", legible=True, **more):
    return {"vertices": vertices, "text": text, "legible": legible, "handwritten": False, "vertical": False} | more


# The keys of the README, "Annotations". Paragraph 1 has a line of two words and one that is not divided, paragraph 2 a
# line with an illegible word, paragraph 3 no lines.
PAGE = {
    "image_id": "0a1b2c",
    "image_width": 1600,
    "image_height": 1200,
    "paragraphs": [
        {
            "vertices": box(0, 0, 100, 60),
            "legible": True,
            "lines": [
                part(
                    box(0, 0, 100, 20),
                    "EXIT 12",
                    words=[
                        part(box(0, 2, 40, 18), "EXIT"),
                        part([[50, 2], [75, 0], [98, 2], [98, 18], [50, 18]], "12"),
                    ],
                ),
                part(box(0, 40, 90, 60), "smudge", False, words=[]),
            ],
        },
        {
            "vertices": box(0, 100, 50, 130),
            "legible": True,
            "lines": [
                part(
                    box(0, 100, 50, 130),
                    "a ",
                    False,
                    words=[
                        part(box(0, 102, 20, 128), "a", handwritten=True, vertical=True),
                        part(box(30, 102, 50, 128), "", False, vertical=True),
                    ],
                )
            ],
        },
        {"vertices": box(200, 200, 240, 280), "legible": True, "lines": []},
    ],
}


def wrap(*pages):
    return {"info": {"date": "", "version": "1.0"}, "annotations": list(pages)}


def read_page(tmp_path, level):
    build(tmp_path, {"gt/train.jsonl": wrap(PAGE), "train/0a1b2c.jpg": None})
    report = Report()
    (record,) = hiertext.read(tmp_path, report, (), level)["train"]
    assert record.stated == (1200, 1600) and record.lost == 0 and not len(report)
    assert record.lines.tolist() == list(range(1, len(record.polygons) + 1))
    return record


def test_words(tmp_path):
    record = read_page(tmp_path, "word")
    assert corners(record) == [
        box(0, 2, 40, 18),
        [[50, 2], [75, 0], [98, 2], [98, 18], [50, 18]],
        box(0, 40, 90, 60),
        box(0, 102, 20, 128),
        box(30, 102, 50, 128),
        box(200, 200, 240, 280),
    ]
    assert record.texts == ("EXIT", "12", "smudge", "a", "", "")
    assert record.flags == ("", "", "illegible", "vertical", "illegible", "no_words")
    assert record.categories == ("printed", "printed", "printed", "handwritten", "printed", "")


def test_lines(tmp_path):
    record = read_page(tmp_path, "line")
    assert corners(record) == [box(0, 0, 100, 20), box(0, 40, 90, 60), box(0, 100, 50, 130), box(200, 200, 240, 280)]
    assert record.texts == ("EXIT 12", "smudge", "a", "")
    assert record.flags == ("", "illegible", "illegible", "no_lines")


def test_paragraphs(tmp_path):
    record = read_page(tmp_path, "paragraph")
    assert corners(record) == [box(0, 0, 100, 60), box(0, 100, 50, 130), box(200, 200, 240, 280)]
    assert record.flags == ("", "", "") and record.texts == ("", "", "")


def test_the_level_is_a_setting_and_is_named(tmp_path):
    image = cv2.imencode(".jpg", np.zeros((1200, 1600), np.uint8))[1].tobytes()
    build(tmp_path, {"gt/train.jsonl": wrap(PAGE), "train/0a1b2c.jpg": image})
    reading = read_data(tmp_path)
    assert reading.chosen[0] == "level: word; data.level=line or data.level=paragraph reads the others"
    assert reading.causes == {"illegible": 2, "no_words": 1}
    assert len(read_data(tmp_path, options=LabelOptions(level="word")).splits["train"][0].polygons) == 6
    assert len(read_data(tmp_path, options=LabelOptions(level="line")).splits["train"][0].polygons) == 4
    splits = custom(tmp_path, level="paragraph", draw_val=False, on_error="skip")
    assert any("level: paragraph" in note for note in splits.notes)
    with pytest.raises(UserError, match=r"data\.level=page: HierText has word, line, paragraph"):
        read_data(tmp_path, options=LabelOptions(level="page"))


def test_check_keeps_the_level_in_its_commands(tmp_path, capsys):
    root = Path(__file__).parents[1] / "corpus/hiertext/words"
    run_command("check", _check, [f"data.root={root}", "data.level=line", f"output={tmp_path}/out"])
    commands = [
        line for line in capsys.readouterr().out.splitlines() if "ocrdet-train " in line and "data.root" in line
    ]
    assert commands and all("data.level=line" in line for line in commands)


def test_a_format_without_levels_refuses_the_setting(tmp_path):
    build(tmp_path, {"1.png": None, "1.txt": "0,0,4,0,4,4,0,4,a\n"})
    with pytest.raises(UserError, match=r"data\.level=line: .* has one level"):
        read_data(tmp_path, options=LabelOptions(level="line"))


def test_layouts(tmp_path):
    empty = {"image_id": "b", "paragraphs": []}
    layouts = {
        "official": ("gt/train.jsonl", "train/b.jpg", "gt/validation.jsonl", "validation/b.jpg"),
        "MMOCR": ("annotations/train.jsonl", "imgs/b.jpg", "annotations/val.jsonl", "imgs/b.jpg"),
        "flat": ("train.json", "b.jpg", "val.json", "b.jpg"),
    }
    for name, (train, train_image, val, val_image) in layouts.items():
        root = build(tmp_path / name, {train: wrap(empty), val: wrap(empty), train_image: None, val_image: None})
        parts, report = read_all(hiertext, root)
        assert [record.image_path for record in parts["train"]] == [root / train_image]
        assert [record.image_path for record in parts["val"]] == [root / val_image] and not len(report)


def changed(change):
    page = copy.deepcopy(PAGE)
    change(page)
    return page


def first_words(page):
    return page["paragraphs"][0]["lines"][0]["words"]


@pytest.mark.parametrize(
    ("change", "code", "line", "words"),
    [
        (lambda page: first_words(page).__setitem__(0, 7), "GT022", 1, "line 1, word 1: needs vertices, got 7"),
        (lambda page: first_words(page)[1].pop("vertices"), "GT022", 2, "line 1, word 2: needs vertices, a list"),
        (lambda page: first_words(page)[1].update(vertices=[[0, 0]]), "GT018", 2, "vertices holds 1 corner"),
        (lambda page: first_words(page)[0].update(vertices=[[0, 0], [1]]), "GT019", 1, "corner 2 of vertices"),
        (lambda page: page["paragraphs"][1]["lines"][0].pop("words"), "GT022", 4, "line 1: needs words, a list"),
        (
            lambda page: page["paragraphs"][1].update(lines={}),
            "GT022",
            4,
            "paragraph 2: needs lines, a list, got an obj",
        ),
        (lambda page: page["paragraphs"].append(None), "GT022", 7, "paragraph 4: needs vertices, got null"),
    ],
)
def test_a_bad_part_is_counted_as_lost(tmp_path, change, code, line, words):
    build(tmp_path, {"gt/train.jsonl": wrap(changed(change)), "train/0a1b2c.jpg": None})
    parts, report = read_all(hiertext, tmp_path)
    (record,) = parts["train"]
    assert found(report) == [(code, "train.jsonl", line)] and words in report[0].detail
    assert "image '0a1b2c'" in report[0].detail and report[0].image == tmp_path / "train/0a1b2c.jpg"
    missing = {1: ["EXIT"], 2: ["12"], 4: ["a", ""], 7: []}[line]  # words of the damaged part
    kept = [text for text in ("EXIT", "12", "smudge", "a", "") if text not in missing]
    assert record.texts == (*kept, "") and record.lost == 1 and not record.ignore.any()
    assert corners(record)[-1] == box(200, 200, 240, 280) and record.flags[-1] == "no_words"
    assert corners(record)[kept.index("smudge")] == box(0, 40, 90, 60)


def test_a_bad_entry_loses_only_itself(tmp_path):
    pages = [{"image_id": "a", "paragraphs": []}, 3, {"paragraphs": []}, {"image_id": "gone", "paragraphs": []}]
    pages += [{"image_id": "b"}, {"image_id": "c.jpg", "paragraphs": []}]
    build(tmp_path, {"gt/train.jsonl": wrap(*pages)} | {f"train/{name}.jpg": None for name in "abc"})
    parts, report = read_all(hiertext, tmp_path)
    assert names(parts) == {"train": ["a.jpg", "c.jpg"]}
    assert [(finding.code, finding.line) for finding in report] == [
        ("GT022", 2),
        ("GT022", 3),
        ("FS079", 4),
        ("GT022", 5),
    ]
    assert "annotation 2: needs image_id and paragraphs, got 3" in report[0].detail
    assert "needs paragraphs, a list, got null" in report[3].detail


GOOD = json.dumps(PAGE)


@pytest.mark.parametrize(
    ("content", "code", "line", "words"),
    [
        (f'{{"annotations": [{GOOD},\n{GOOD[:-1]}', "GT006", 2, "not valid JSON"),
        (f'{{"annotations": [{GOOD} {GOOD}]}}', "GT006", 1, "needs ',' or ']', got '{'"),
        (f'{{"annotations": [{GOOD}]\n, 3: 4}}', "GT006", 2, "column 3: not valid JSON: needs a key"),
        ("", "GT006", 1, "the file is empty"),
        (f'{{"annotations": [{GOOD}]}}\0'.encode(), "GT006", 0, "not a text file"),
        (f'{{"x": {{"annotations": [{GOOD}]}}}}', "GT022", 0, "needs annotations, a list of images"),
    ],
)
def test_a_damaged_file_is_not_read_in_part(tmp_path, content, code, line, words):
    files = {"gt/train.jsonl": content, "gt/validation.jsonl": wrap(PAGE)}
    build(tmp_path, files | {"train/0a1b2c.jpg": None, "validation/0a1b2c.jpg": None})
    parts, report = read_all(hiertext, tmp_path)
    assert names(parts) == {"train": [], "val": ["0a1b2c.jpg"]}
    assert found(report, tmp_path) == [(code, "gt/train.jsonl", line)] and words in report[0].detail


def test_recognise(tmp_path):
    assert recognised(hiertext.recognise, tmp_path) == {"hiertext": "gt/train.jsonl: has images with paragraphs"}
    assert hiertext.recognise(tmp_path / "nowhere") is None
