"""Label files of docTR."""

from __future__ import annotations

import pytest

from format_files import build, corners, found, names, read_all, recognised
from resnet18_ocrdet.data.formats import doctr

# The two examples of docTR, references/detection/README.md, "Data format", with numbers instead of x1, y1, ...
ONE_CLASS = {
    "sample_img_01.png": {
        "img_dimensions": [900, 600],
        "img_hash": "theimagedumpmyhash",
        "polygons": [
            [[10, 20], [110, 20], [110, 45.5], [10, 45.5]],
            [[599, 899], [560, 899], [560, 880], [599, 880]],
        ],
    },
    "sample_img_02.png": {"img_dimensions": [900, 600], "img_hash": "thisisahash", "polygons": []},
}
CLASSES = {
    "sample_img_01.png": {
        "img_dimensions": [900, 600],
        "img_hash": "theimagedumpmyhash",
        "polygons": {
            "class_name_1": [[[10, 20], [110, 20], [110, 45], [10, 45]]],
            "class_name_2": [[[11, 21], [111, 21], [111, 46], [11, 46]]],
        },
    }
}
SQUARE = [[0, 0], [4, 0], [4, 4], [0, 4]]


def test_the_documented_example(tmp_path):
    images = {"images/sample_img_01.png": None, "images/sample_img_02.png": None}
    build(tmp_path, {"labels.json": ONE_CLASS, **images})
    parts, report = read_all(doctr, tmp_path)
    assert names(parts) == {"train": ["sample_img_01.png", "sample_img_02.png"]} and not len(report)
    one, two = parts["train"]
    assert corners(one) == ONE_CLASS["sample_img_01.png"]["polygons"]
    assert one.ignore.tolist() == [False, False] and one.texts == ("", "") and one.lines.tolist() == [1, 2]
    assert one.stated == (900, 600) and one.label_path == tmp_path / "labels.json"
    assert two.polygons == () and two.stated == (900, 600)


def test_classes(tmp_path):
    a = build(tmp_path / "a", {"labels.json": CLASSES, "images/sample_img_01.png": None})
    (record,) = read_all(doctr, a)[0]["train"]
    first, second = CLASSES["sample_img_01.png"]["polygons"].values()
    assert corners(record) == [*first, *second] and record.lines.tolist() == [1, 2]
    both = {"1.png": {"polygons": {"lines": [SQUARE], "words": [SQUARE[:3], SQUARE[1:]], "page": [SQUARE]}}}
    b = build(tmp_path / "b", {"labels.json": both, "images/1.png": None})
    (record,) = read_all(doctr, b)[0]["train"]
    assert corners(record) == [SQUARE[:3], SQUARE[1:]]
    only = {"1.png": {"polygons": {"lines": [SQUARE], "page": [SQUARE]}}}
    (record,) = read_all(doctr, build(b, {"labels.json": only}))[0]["train"]
    assert corners(record) == [SQUARE, SQUARE]


def test_width_before_height(tmp_path):
    far = [[0, 0], [899, 0], [899, 599], [0, 599]]
    labels = {"1.png": {"img_dimensions": [900, 600], "polygons": [far]}, "2.png": {"img_dimensions": [7, 9]}}
    labels["2.png"]["polygons"] = [SQUARE]
    build(tmp_path, {"labels.json": labels, "images/1.png": None, "images/2.png": None})
    assert [record.stated for record in read_all(doctr, tmp_path)[0]["train"]] == [(600, 900), (9, 7)]
    labels["1.png"]["polygons"] = [[[0, 0], [9000, 0], [9000, 9000]]]  # fits neither: as documented
    build(tmp_path, {"labels.json": labels})
    assert [record.stated for record in read_all(doctr, tmp_path)[0]["train"]] == [(900, 600), (7, 9)]


@pytest.mark.parametrize(
    "dimensions", [None, "a", [], [900], [None, 600], [0, 600], [9.5, 600], [1e400, 2], [10**400, 2]]
)
def test_invalid_dimensions_are_ignored(tmp_path, dimensions):
    label = {"polygons": [SQUARE], "img_dimensions": dimensions}
    build(tmp_path, {"labels.json": {"1.png": label}, "images/1.png": None})
    parts, report = read_all(doctr, tmp_path)
    assert parts["train"][0].stated is None and not len(report)


def test_splits_by_folder(tmp_path):
    for part in ("train", "validation", "test"):
        build(tmp_path, {f"{part}/labels.json": {"照片.png": {"polygons": [SQUARE]}}, f"{part}/images/照片.png": None})
    parts, report = read_all(doctr, tmp_path)
    assert {part: record.image_path for part, (record,) in parts.items()} == {
        "train": tmp_path / "train/images/照片.png",
        "val": tmp_path / "validation/images/照片.png",
        "test": tmp_path / "test/images/照片.png",
    }
    assert not len(report)
    assert doctr.recognise(tmp_path) == "test/labels.json: has polygons by image, beside images/"


@pytest.mark.parametrize(
    ("polygon", "code", "words"),
    [
        (None, "GT022", "polygon 2 of '1.png': needs polygon, a list of coordinates, got null"),
        ([0, 0, 4, 4], "GT018", "polygon holds 2 corners"),
        ([[0, 0], [4, 0], [4]], "GT019", "corner 3 of polygon holds 1 number"),
        ([[0, 0], [4, 0], [4, "x"]], "GT020", "value 2 of corner 3 of polygon is 'x', not a number"),
    ],
)
def test_a_bad_polygon_is_counted_as_lost(tmp_path, polygon, code, words):
    build(tmp_path, {"labels.json": {"1.png": {"polygons": [SQUARE, polygon, SQUARE]}}, "images/1.png": None})
    parts, report = read_all(doctr, tmp_path)
    (record,) = parts["train"]
    (finding,) = report
    assert (finding.code, finding.line, finding.image) == (code, 2, tmp_path / "images/1.png")
    assert words in finding.detail
    assert record.lost == 1 and record.lines.tolist() == [1, 3]
    assert corners(record) == [SQUARE] * 2 and not record.ignore.any()


@pytest.mark.parametrize(
    ("name", "label", "code", "words"),
    [
        ("2.png", None, "GT022", "'2.png': needs an object with polygons, got null"),
        ("2.png", {}, "GT022", "needs polygons, a list of regions, got null"),
        ("2.png", {"polygons": {"words": 7}}, "GT022", "needs polygons of class 'words', a list of regions, got 7"),
        ("gone.png", {"polygons": []}, "FS079", "'gone.png': not found in"),
        ("", {"polygons": []}, "GT022", "needs the file name of an image"),
        ("\ud83d.png", {"polygons": []}, "FS079", r"'\ud83d.png': not found in"),
    ],
)
def test_a_bad_label_loses_only_itself(tmp_path, name, label, code, words):
    labels = {"1.png": {"polygons": [SQUARE]}, name: label, "3.png": {"polygons": []}}
    build(tmp_path, {"labels.json": labels, **{f"images/{number}.png": None for number in (1, 2, 3)}})
    parts, report = read_all(doctr, tmp_path)
    assert names(parts) == {"train": ["1.png", "3.png"]}
    (finding,) = report
    assert (finding.code, finding.line) == (code, 2) and words in finding.detail
    assert finding.image == (tmp_path / "images/2.png" if name == "2.png" else None)


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ('{"1.png": {"polygons": []}\n', 2, "column 1: "),
        ("", 1, "empty"),
        ("[1]", 0, "holds a list of 1 value"),
    ],
)
def test_a_bad_file_loses_only_itself(tmp_path, content, line, words):
    build(tmp_path, {"train/labels.json": {"1.png": {"polygons": []}}, "val/labels.json": content})
    build(tmp_path, {"train/images/1.png": None, "val/images/1.png": None})
    parts, report = read_all(doctr, tmp_path)
    assert names(parts) == {"train": ["1.png"], "val": []}
    assert found(report, tmp_path) == [("GT006", "val/labels.json", line)]
    assert words in report[0].detail


def test_recognise(tmp_path):
    assert recognised(doctr.recognise, tmp_path) == {"doctr": "labels.json: has polygons by image, beside images/"}
    build(tmp_path / "alone", {"labels.json": ONE_CLASS})
    assert doctr.recognise(tmp_path / "alone") is None
    assert doctr.recognise(tmp_path / "nowhere") is None
