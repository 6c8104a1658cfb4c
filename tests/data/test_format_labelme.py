"""Annotations of LabelMe."""

from __future__ import annotations

import numpy as np
import pytest

from format_files import build, corners, found, names, read_all, recognised
from resnet18_ocrdet.data.formats import labelme

# A file of LabelMe 5.5.0 as published in a description of the format (a polygon of one image), and a rectangle with an
# imagePath of Windows from one of version 4.5.6; both shortened by nothing but the number of shapes.
POLYGON_5 = """{
  "version": "5.5.0",
  "flags": {},
  "shapes": [
    {
      "label": "is-a-label",
      "points": [
        [471.7647058823529, 1020.0], [537.0588235294118, 1042.3529411764707],
        [622.9411764705883, 784.1176470588235], [565.2941176470588, 764.7058823529412]
      ],
      "group_id": null,
      "description": "",
      "shape_type": "polygon",
      "flags": {},
      "mask": null
    }
  ],
  "imagePath": "000000331_1718860638356.jpg",
  "imageData": null,
  "imageHeight": 1600,
  "imageWidth": 1200
}"""
RECTANGLE_4 = """{
"version": "4.5.6", "flags": {},
"shapes": [
{"label": "1", "points": [[1609.6923076923076, 884.6153846153846], [1988.1538461538462, 1172.3076923076924]],
 "group_id": null, "shape_type": "rectangle", "flags": {}},
{"label": "0", "points": [[1352.7692307692307, 3.0769230769230766], [1925.076923076923, 578.4615384615385]],
 "group_id": null, "shape_type": "rectangle", "flags": {}}
],
"imagePath": "..\\\\imgs\\\\0001.jpg", "imageData": null, "imageHeight": 1492, "imageWidth": 2040
}"""
TRIANGLE = [[0, 0], [4, 0], [4, 4]]


def sheet(*shapes, name="1.png", **more):
    return {"version": "5.5.0", "shapes": list(shapes), "imagePath": name, "imageData": "AAAA" * 9999, **more}


def shape(label="a", points=TRIANGLE, kind="polygon", **more):
    return {"label": label, "points": points, "shape_type": kind, **more}


def test_the_published_files(tmp_path):
    a = build(tmp_path / "a", {"000000331_1718860638356.json": POLYGON_5, "000000331_1718860638356.jpg": None})
    parts, report = read_all(labelme, a)
    (record,) = parts["train"]
    assert record.polygons[0].dtype == "float32"
    corners_5 = [[471.76471, 1020], [537.05882, 1042.35294], [622.94118, 784.11765], [565.29412, 764.70588]]
    assert record.polygons[0] == pytest.approx(np.array(corners_5, np.float32))
    assert record.texts == ("is-a-label",) and record.ignore.tolist() == [False]
    assert record.stated == (1600, 1200) and record.lines.tolist() == [1] and not len(report)
    b = build(tmp_path / "b", {"json/0001.json": RECTANGLE_4, "imgs/0001.jpg": None})
    parts, report = read_all(labelme, b)
    (record,) = parts["train"]
    assert record.image_path == b / "imgs/0001.jpg" and record.label_path == b / "json/0001.json"
    left, top, right, bottom = 1609.69231, 884.61538, 1988.15385, 1172.30769
    assert record.polygons[0] == pytest.approx(
        np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    )
    assert record.texts == ("1", "0") and record.stated == (1492, 2040)
    assert not len(report)


def test_kinds_of_shape(tmp_path):
    square = [[0, 0], [4, 0], [4, 4], [0, 4]]
    shapes = [
        shape(points=[[0, 0], [4, 4]], kind="rectangle"),
        shape(points=square, kind="rectangle"),
        shape(points=square, kind="rotation"),
        shape(points=[[0, 0], [4, 4]], kind="mask"),  # without pixels
        {"label": "b", "points": TRIANGLE},
    ]
    build(tmp_path, {"1.json": sheet(*shapes), "1.png": None})
    parts, report = read_all(labelme, tmp_path)
    assert corners(parts["train"][0]) == [square] * 4 + [TRIANGLE]
    assert not len(report)


@pytest.mark.parametrize(
    ("entry", "code", "words"),
    [
        (shape(kind="circle", points=[[0, 0]]), "GT018", "points holds 2 numbers, a box needs 4"),
        (shape(kind="line"), "GT022", "shape 2: shape_type is 'line'"),
        (shape(kind="linestrip"), "GT022", "ends are 6 px apart does not enclose"),
        (shape(kind="linestrip", points=[[0, 0], [9, 9], [0, 0]]), "GT022", "a line of 3 corners"),
        (shape(kind="mask", points=[[0, 0], [4, 4]], mask="iVBORw0KGgo="), "GT022", "needs mask, a PNG in Base64"),
        (shape(kind="point", points=[[0, 0]]), "GT022", "'point'"),
        (shape(kind=["polygon"]), "GT022", "shape_type is a list of 1 value"),
        (None, "GT022", "needs label and points, got null"),
        (shape(points=None), "GT022", "needs points"),
        (shape(points=[[0, 0], [1, 1]]), "GT018", "points holds 2 corners"),
        (shape(points=[[0, 0]], kind="rectangle"), "GT018", "points holds 1 corner"),
        (shape(points=[1, 2], kind="rectangle"), "GT018", "a box needs 4"),
        (shape(points=[[0, 0], [1, 1, 1], [2, 2]]), "GT019", "corner 2 of points holds 3 numbers"),
        (shape(points=[[0, 0], [1, False], [2, 2]]), "GT020", "value 2 of corner 2 of points is false"),
    ],
)
def test_a_bad_shape_is_counted_as_lost(tmp_path, entry, code, words):
    build(tmp_path, {"1.json": sheet(shape("a"), entry, shape("b")), "1.png": None})
    parts, report = read_all(labelme, tmp_path)
    (record,) = parts["train"]
    (finding,) = report
    assert (finding.code, finding.line, finding.image) == (code, 2, tmp_path / "1.png")
    assert words in finding.detail
    assert record.lost == 1 and record.lines.tolist() == [1, 3]
    assert corners(record) == [TRIANGLE] * 2 and record.texts == ("a", "b") and not record.ignore.any()


def test_texts(tmp_path):
    shapes = [shape("EXIT"), shape("###"), shape("出口", description="x"), shape(7), shape(None)]
    a = build(tmp_path / "a", {"1.json": sheet(*shapes), "1.png": None})
    (record,) = read_all(labelme, a)[0]["train"]
    assert record.texts == ("EXIT", "###", "出口", "7", "")
    assert record.ignore.tolist() == [False, True, False, False, False]
    one_class = [shape("text", description="EXIT"), shape("###"), shape("text", description="###")]
    b = build(tmp_path / "b", {"1.json": sheet(*one_class), "2.json": sheet(shape("text"), name="2.png")})
    records = read_all(labelme, build(b, {"1.png": None, "2.png": None}))[0]["train"]
    assert [record.texts for record in records] == [("EXIT", "###", "###"), ("",)]
    assert [record.ignore.tolist() for record in records] == [[False, True, True], [False]]


def test_images_without_labels_and_labels_without_text(tmp_path):
    files = {f"{number}.png": None for number in (1, 2, 10)} | {"sub/照片.png": None}
    build(tmp_path, files | {"10.json": sheet(name="10.png"), "2.json": sheet(name="2.png"), "readme.json": {"a": 1}})
    parts, report = read_all(labelme, tmp_path)
    assert names(parts) == {"train": ["2.png", "10.png"]}
    assert [len(record.polygons) for record in parts["train"]] == [0, 0]
    assert found(report, tmp_path) == [("GT001", "1.png", 0), ("GT001", "sub/照片.png", 0)]
    assert report[0].image == tmp_path / "1.png"


def test_splits_by_folder(tmp_path):
    files = {"train/images/test_1.png": None, "val/test_1.png": None}
    build(tmp_path, files | {"train/images/test_1.json": sheet(shape("a")), "val/test_1.json": sheet(shape("b"))})
    parts, report = read_all(labelme, tmp_path)
    assert names(parts) == {"train": ["test_1.png"], "val": ["test_1.png"]} and not len(report)
    assert parts["val"][0].image_path == tmp_path / "val/test_1.png"
    assert [parts[split][0].texts for split in ("train", "val")] == [("a",), ("b",)]
    assert labelme.recognise(tmp_path) == "val/test_1.json: has shapes of one image"


@pytest.mark.parametrize(
    ("content", "code", "line", "words"),
    [
        ('{"shapes": [], "imagePath":\n}', "GT006", 2, "column 1: not valid JSON"),
        ('{"shapes": [], "imagePath": ' + "[" * 100_000, "GT006", 0, "nested too deeply"),
        ("", "GT006", 1, "the file is empty"),
        (b"\x89PNG\0", "GT006", 0, "not a text file"),
        ('{"x": {"shapes": []}, "imagePath": "2.png"}', "GT022", 0, "needs shapes, a list of regions, got null"),
    ],
)
def test_a_bad_file_loses_only_its_image(tmp_path, content, code, line, words):
    build(tmp_path, {"1.json": sheet(shape()), "1.png": None, "2.json": content, "2.png": None})
    parts, report = read_all(labelme, tmp_path)
    assert names(parts) == {"train": ["1.png"]}
    assert found(report, tmp_path) == [(code, "2.json", line)]
    assert words in report[0].detail and report[0].image == tmp_path / "2.png"


def test_which_image_a_file_belongs_to(tmp_path):
    a = build(tmp_path / "a", {"new.png": None, "new.json": sheet(name="old.png")})  # renamed together
    assert names(read_all(labelme, a)[0]) == {"train": ["new.png"]}
    build(a, {"old.png": None, "old.json": sheet(name="old.png")})
    assert names(read_all(labelme, a)[0]) == {"train": ["new.png", "old.png"]}
    b = build(tmp_path / "b", {"1.json": sheet(name="2.png"), "2.png": None, "3.json": sheet(name="gone.png")})
    build(b, {"4.json": sheet(name=None)})
    parts, report = read_all(labelme, b)
    assert names(parts) == {"train": ["2.png"]}
    assert found(report, b) == [("FS079", "3.json", 0), ("GT022", "4.json", 0)]
    c = build(tmp_path / "c", {"1.png": None, "1.jpg": None, "1.json": sheet(name="1.png")})
    parts, report = read_all(labelme, c)
    assert names(parts) == {"train": ["1.png"]} and found(report, c) == [("GT001", "1.jpg", 0)]


def test_recognise(tmp_path):
    assert recognised(labelme.recognise, tmp_path) == {"labelme": "1.json: has shapes of one image"}
    long = [[0, 0], [1, 1], [2, 2]] * 999  # what follows it is far from both ends of the file
    build(tmp_path / "big", {"1.json": sheet(shape("a", long), imageHeight=8, imageWidth=8), "1.png": None})
    assert labelme.recognise(tmp_path / "big") == "1.json: has shapes of one image"
    build(tmp_path / "isat", {"1.json": {"shapes": [], "other": 1}})
    assert labelme.recognise(tmp_path / "isat") is None
    assert labelme.recognise(tmp_path / "nowhere") is None
