"""LSVT and ArT: one JSON file of all images, by their names without suffix."""

from __future__ import annotations

import json

import pytest

from format_files import build, corners, found, names, read_all, recognised
from resnet18_ocrdet.data.formats import location, lsvt
from resnet18_ocrdet.data.load_annotations import read_data

# The keys of https://rrc.cvc.uab.es/?ch=14&com=tasks, "Ground truth format"; those of ?ch=16 lack the language.
ART = {
    "gt_1": [
        {
            "points": [[141, 199], [237, 201], [313, 236], [309, 261], [233, 230], [140, 231]],
            "transcription": "燎申集团",
            "language": "Chinese",
            "illegibility": False,
        },
        {"points": [[5, 5], [25, 5], [25, 9], [5, 9]], "transcription": "###", "illegibility": True},
        {"points": [[5, 15], [25, 15], [25, 19], [5, 19]], "transcription": "worn", "illegibility": True},
        {"points": [[5, 25], [25, 25], [25, 29], [5, 29]], "transcription": "###", "illegibility": False},
    ],
    "gt_2": [],
}


def region(left, **changes):
    corners = [[left, 0], [left + 9, 0], [left + 9, 5], [left, 5]]
    return {"points": corners, "transcription": "a", "illegibility": False} | changes


ONE = json.dumps([region(0)])


def test_art(tmp_path):
    build(tmp_path, {"train_labels.json": ART, "train_images/gt_1.jpg": None, "train_images/gt_2.jpg": None})
    parts, report = read_all(lsvt, tmp_path)
    first, second = parts["train"]
    assert corners(first) == [
        [[141, 199], [237, 201], [313, 236], [309, 261], [233, 230], [140, 231]],
        [[5, 5], [25, 5], [25, 9], [5, 9]],
        [[5, 15], [25, 15], [25, 19], [5, 19]],
        [[5, 25], [25, 25], [25, 29], [5, 29]],
    ]
    assert first.texts == ("燎申集团", "###", "worn", "###")
    assert first.ignore.tolist() == [False, True, False, True]
    assert first.flags == ("", "illegible", "illegible", "")
    assert first.lines.tolist() == [1, 2, 3, 4] and second.polygons == () and not len(report)
    reading = read_data(tmp_path)
    assert reading.causes == {"mark": 2, "illegible": 1} and reading.why == (
        "train_labels.json: has lists of transcriptions by image"
    )


def test_lsvt_in_two_folders(tmp_path):
    labels = {"gt_0": [region(0)], "gt_1": [region(1)], "gt_2": [region(2)]}
    images = {f"train_full_images_{number % 2}/gt_{number}.jpg": None for number in range(3)}
    build(tmp_path, {"annotations/train_full_labels.json": labels, "test_images/gt_0.jpg": None} | images)
    parts, report = read_all(lsvt, tmp_path)
    found = {record.image_path.relative_to(tmp_path).as_posix(): corners(record)[0][0] for record in parts["train"]}
    assert found == {
        "train_full_images_0/gt_0.jpg": [0, 0],
        "train_full_images_1/gt_1.jpg": [1, 0],
        "train_full_images_0/gt_2.jpg": [2, 0],
    }
    assert not len(report)


def test_files_without_points_are_not_read(tmp_path):
    weak = {"gt_0": [{"transcription": "a"}], "gt_1": [{"transcription": "b"}]}
    cut = {"res_0": [{"transcription": "a", "language": "Latin", "illegibility": False}]}
    build(tmp_path, {"train_weak_labels.json": weak, "train_task2_labels.json": cut, "train_images/gt_0.jpg": None})
    assert lsvt.recognise(tmp_path) is None
    build(tmp_path, {"train_labels.json": {"gt_0": [region(0)]}})
    assert names(read_all(lsvt, tmp_path)[0]) == {"train": ["gt_0.jpg"]}


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        (7, "GT022", "region 2 of 'a': needs transcription and points, got 7"),
        ({"transcription": "a"}, "GT022", "needs points, a list of coordinates, got null"),
        (region(0, points=[[0, 0], [4, 0]]), "GT018", "points holds 2 corners"),
        (region(0, points=[[0, 0], [4, 0], [4]]), "GT019", "corner 3 of points holds 1 number"),
        (region(0, points=[[0, 0], [4, 0], [4, None]]), "GT020", "value 2 of corner 3 of points is null"),
    ],
)
def test_a_bad_region_is_counted_as_lost(tmp_path, changed, code, words):
    build(tmp_path, {"train.json": {"a": [region(0), changed, region(20)]}, "a.png": None})
    parts, report = read_all(lsvt, tmp_path)
    (record,) = parts["train"]
    assert found(report) == [(code, "train.json", 2)] and words in report[0].detail
    assert record.lost == 1 and record.lines.tolist() == [1, 3]
    assert corners(record) == [region(left)["points"] for left in (0, 20)] and record.texts == ("a", "a")
    assert not record.ignore.any()


def test_a_bad_entry_loses_only_itself(tmp_path):
    labels = {"a": [region(0)], "gone": [region(0)], "b": {}, "c": [region(0)], "two": [], " ": []}
    images = dict.fromkeys(("a.png", "b.png", "c.png", "two.png", "two.jpg"))
    build(tmp_path, {"train.json": labels} | images)
    parts, report = read_all(lsvt, tmp_path)
    assert names(parts) == {"train": ["a.png", "c.png"]}
    assert [(finding.code, finding.line) for finding in report] == [
        ("FS079", 2),
        ("GT022", 3),
        ("FS076", 5),
        ("GT022", 6),
    ]
    assert "'gone': no image of this name in" in report[0].detail and "got an object" in report[1].detail
    assert "two.jpg and two.png" in report[2].detail


@pytest.mark.parametrize(
    ("content", "code", "line", "words"),
    [
        (f'{{"a": {ONE},\n"a" []}}', "GT006", 2, "column 5: not valid JSON: needs ':', got '['"),
        (f'{{"a": {ONE[:-9]}', "GT006", 1, "not valid JSON"),
        (f'{{"a": {ONE}}} {{', "GT006", 1, "text after its end"),
        (f'{{"a": {ONE},\n"b": {"[" * 100_000}', "GT006", 2, "nested too deeply"),
        ("", "GT006", 1, "the file is empty"),
        (f'{{"a": {ONE}, \0'.encode(), "GT006", 0, "not a text file: contains NUL bytes"),
    ],
)
def test_a_damaged_file_is_not_read_in_part(tmp_path, content, code, line, words):
    good = {"a": [region(0)]}
    build(tmp_path, {"train.json": content, "val.json": good, "a.png": None})
    parts, report = read_all(lsvt, tmp_path)
    assert names(parts) == {"train": [], "val": ["a.png"]}
    assert found(report, tmp_path) == [(code, "train.json", line)] and words in report[0].detail


def test_the_number_of_images_is_limited(tmp_path, monkeypatch):
    monkeypatch.setattr(location, "MAX_IMAGES", 2)
    build(tmp_path, {"train.json": {name: [region(0)] for name in "abc"}} | {f"{name}.png": None for name in "abc"})
    parts, report = read_all(lsvt, tmp_path)
    assert not parts["train"] and found(report) == [("GT006", "train.json", 0)]
    assert "more than 2 images" in report[0].detail


def test_recognise(tmp_path):
    assert recognised(lsvt.recognise, tmp_path) == {"lsvt": "train_labels.json: has lists of transcriptions by image"}
    assert lsvt.recognise(tmp_path / "nowhere") is None
