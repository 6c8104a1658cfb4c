"""ReCTS: one JSON file for each image."""

from __future__ import annotations

import pytest

from format_files import build, corners, found, names, read_all, recognised
from resnet18_ocrdet.data.formats import rects
from resnet18_ocrdet.data.load_annotations import read_data

# The keys of https://rrc.cvc.uab.es/?ch=12&com=tasks, "Ground Truth Format".
SIGN = {
    "chars": [{"points": [20, 30, 60, 30, 60, 80, 20, 80], "transcription": "酒", "ignore": 0}],
    "lines": [
        {"points": [20, 30, 180, 34, 180, 84, 20, 80], "transcription": "酒店", "ignore": 0},
        {"points": [5, 90, 45, 90, 45, 99, 5, 99], "transcription": "###", "ignore": 1},
        {"points": [50, 90, 90, 90, 90, 99, 50, 99], "transcription": "faded", "ignore": 1},
    ],
}


def signs(*lines):
    return {"chars": [], "lines": list(lines)}


def line(left, **changes):
    return {"points": [left, 0, left + 9, 0, left + 9, 5, left, 5], "transcription": "a", "ignore": 0} | changes


def test_lines_are_read_and_characters_are_not(tmp_path):
    build(tmp_path, {"img/train_ReCTS_000001.jpg": None, "gt/train_ReCTS_000001.json": SIGN})
    parts, report = read_all(rects, tmp_path)
    (record,) = parts["train"]
    assert corners(record) == [
        [[20, 30], [180, 34], [180, 84], [20, 80]],
        [[5, 90], [45, 90], [45, 99], [5, 99]],
        [[50, 90], [90, 90], [90, 99], [50, 99]],
    ]
    assert record.texts == ("酒店", "###", "faded")
    assert record.ignore.tolist() == [False, True, False] and record.flags == ("", "ignore", "ignore")
    assert record.lines.tolist() == [1, 2, 3] and record.lost == 0 and not len(report)
    assert record.label_path == tmp_path / "gt/train_ReCTS_000001.json"
    assert read_data(tmp_path).causes == {"mark": 1, "ignore": 1}


def test_layouts(tmp_path):
    tda = {"train/img/1.png": None, "train/gt/1.json": signs(line(0)), "test/img/2.png": None}
    parts, report = read_all(rects, build(tmp_path / "tda", tda))  # github.com/whai362/TDA-ReCTS
    assert names(parts) == {"train": ["1.png"]} and not len(report), "the test set has no labels"
    beside = build(tmp_path / "beside", {"1.png": None, "1.json": signs(line(1))})
    assert corners(read_all(rects, beside)[0]["train"][0]) == [[[1, 0], [10, 0], [10, 5], [1, 5]]]
    mmocr = build(tmp_path / "mmocr", {"imgs/1.png": None, "annotations/1.json": signs(), "imgs/2.png": None})
    parts, report = read_all(rects, mmocr)
    assert names(parts) == {"train": ["1.png"]} and found(report, mmocr) == [("GT001", "imgs/2.png", 0)]


def test_the_second_folder_of_labels_is_preferred(tmp_path):
    labels = {"gt/1.json": signs(line(1)), "gt/2.json": signs(line(2)), "gt_unicode/1.json": signs(line(3))}
    build(tmp_path, {"img/1.png": None, "img/2.png": None} | labels)
    parts, report = read_all(rects, tmp_path)
    assert sorted(corners(record)[0][0] for record in parts["train"]) == [[2, 0], [3, 0]] and not len(report)


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        ("a", "GT022", "line 2: needs transcription and points, got 'a'"),
        ({"transcription": "a"}, "GT022", "needs points, a list of coordinates, got null"),
        (line(0, points=[0, 0, 4, 0]), "GT018", "points holds 2 corners"),
        (line(0, points=[0, 0, 4, 0, 4, 4, 0]), "GT019", "points holds 7 numbers"),
        (line(0, points=[0, 0, 4, 0, 4, 4, 0, "x"]), "GT020", "value 8 of points is 'x'"),
    ],
)
def test_a_bad_line_is_counted_as_lost(tmp_path, changed, code, words):
    build(tmp_path, {"img/1.png": None, "gt/1.json": signs(line(0), changed, line(20))})
    parts, report = read_all(rects, tmp_path)
    (record,) = parts["train"]
    assert found(report) == [(code, "1.json", 2)] and words in report[0].detail
    assert report[0].image == tmp_path / "img/1.png"
    assert record.lost == 1 and record.lines.tolist() == [1, 3]
    assert corners(record) == [[[left, 0], [left + 9, 0], [left + 9, 5], [left, 5]] for left in (0, 20)]
    assert record.texts == ("a", "a") and not record.ignore.any()


@pytest.mark.parametrize(
    ("content", "code", "line", "words"),
    [
        ('{"chars": [], "lines": [\n1 2]}', "GT006", 2, "column 3: not valid JSON"),
        ('{"chars": [], "lines": [' + "[" * 100_000, "GT006", 0, "nested too deeply"),
        ("", "GT006", 1, "the file is empty"),
        ({"chars": [], "lines": {"transcription": "", "points": []}}, "GT022", 0, "needs lines, a list of regions"),
        ({"chars": [{"transcription": "a", "points": []}]}, "GT022", 0, "needs lines, a list of regions, got null"),
    ],
)
def test_a_bad_file_loses_only_its_image(tmp_path, content, code, line, words):
    files = {"img/1.png": None, "gt/1.json": signs(), "img/2.png": None, "gt/2.json": content}
    parts, report = read_all(rects, build(tmp_path, files))
    assert names(parts) == {"train": ["1.png"]}
    assert found(report, tmp_path) == [(code, "gt/2.json", line)] and words in report[0].detail
    assert report[0].image == tmp_path / "img/2.png"


def test_images_that_cannot_be_told(tmp_path):
    labels = {"gt/1.json": signs(), "gt/2.json": signs()}
    build(tmp_path, {"img/1.png": None, "img/1.jpg": None, "img/3.png": None} | labels)
    parts, report = read_all(rects, tmp_path)
    assert parts == {}
    assert found(report, tmp_path) == [
        ("FS076", "gt/1.json", 0),
        ("FS079", "gt/2.json", 0),
        ("GT001", "img/3.png", 0),
    ]
    assert "1.jpg and 1.png" in report[0].detail and "no image 2 in" in report[1].detail


def test_recognise(tmp_path):
    assert recognised(rects.recognise, tmp_path) == {"rects": "gt/a.json: has lines and chars of one image"}
    long = signs(*[line(left) for left in range(500)]) | {"chars": [line(left) for left in range(500)]}
    assert rects.recognise(build(tmp_path / "long", {"img/1.png": None, "gt/1.json": long}))
    assert rects.recognise(tmp_path / "nowhere") is None
