"""LabelMe files as people really have them: circles, flags, classes, sorted keys, JSON of other tools beside images."""

from __future__ import annotations

import json

import pytest

from format_files import build, corners, found, names, read_all
from resnet18_ocrdet.data.formats import labelme
from resnet18_ocrdet.data.formats.label_classes import meaning_of
from resnet18_ocrdet.data.label_options import LabelOptions
from resnet18_ocrdet.data.load_annotations import read_data
from resnet18_ocrdet.data.splits import custom
from resnet18_ocrdet.errors import UserError

BOX = [[1, 1], [6, 1], [6, 5], [1, 5]]


def sheet(*shapes, name="1.png", **more):
    return {"version": "5.5.0", "shapes": list(shapes), "imagePath": name, "imageData": None, **more}


def shape(label="a", points=BOX, kind="polygon", **more):
    return {"label": label, "points": points, "shape_type": kind, **more}


def read_one(root, *shapes):
    build(root, {"1.json": sheet(*shapes), "1.png": None})
    parts, report = read_all(labelme, root)
    return parts["train"][0], report


def test_a_circle_is_its_centre_and_a_point_on_it(tmp_path):
    """Centre (40, 30), edge (43, 34): radius 5. Of 64 corners, 0 is on the right, 16 below, 32 left, 48 above."""
    record, report = read_one(tmp_path, shape(points=[[40, 30], [43, 34]], kind="circle"))
    (polygon,) = record.polygons
    assert polygon.shape == (64, 2)
    assert polygon[::16].round(4).tolist() == [[45, 30], [40, 35], [35, 30], [40, 25]]
    assert not len(report)


def test_a_closed_line_strip_is_an_outline(tmp_path):
    """The length is 5 + 4 + 5 + 4 = 18, so the ends may be 0.9 px apart."""
    record, _ = read_one(tmp_path, shape(points=[*BOX, [1, 1]], kind="linestrip"))
    assert corners(record) == [BOX]
    record, _ = read_one(tmp_path, shape(points=[*BOX, [1, 1.5]], kind="linestrip"))
    assert corners(record) == [[*BOX, [1, 1.5]]]
    record, report = read_one(tmp_path, shape(points=[*BOX, [1, 2.5]], kind="linestrip"), shape())
    assert (record.lost, len(record.polygons)) == (1, 1) and "ends are 2 px apart" in report[0].detail


def test_flags_are_dont_care_by_their_names(tmp_path):
    shapes = [
        shape("a", difficult=True),  # X-AnyLabeling
        shape("b", difficult=False, flags={"difficult": False}),
        shape("c", flags={"difficult": True, "blurred": True}),
        shape("d", flags={"ignore": "true"}),
        shape("e", flags={"blurred": True}),
        shape("###"),
        shape("f", flags=[1]),
    ]
    record, _ = read_one(tmp_path, *shapes)
    assert record.flags == ("difficult", "", "difficult,blurred", "ignore", "blurred", "", "")
    reading = read_data(tmp_path)
    assert reading.splits["train"][0].ignore.tolist() == [True, False, True, True, False, True, False]
    assert reading.causes == {"difficult": 2, "ignore": 1, "mark": 1}
    assert any("blurred 2" in line and "data.ignore_flags=difficult,ignore,blurred" in line for line in reading.chosen)
    only = read_data(tmp_path, options=LabelOptions(flags=["blurred"]))
    assert only.splits["train"][0].ignore.tolist() == [False, False, True, False, True, True, False]
    assert only.causes == {"blurred": 2, "mark": 1}


@pytest.mark.parametrize(
    ("labels", "meaning"),
    [
        (["text"], "text"),
        (["text"] * 2, "class"),
        (["person", "balloon", "arrow"], "either"),
        (["person", "balloon"] * 3, "class"),
        ([f"word {number}" for number in range(20)], "either"),
        ([f"word {number}" for number in range(21)], "text"),
        ([f"class {number}" for number in range(100)] * 3, "class"),
        ([f"word {number}" for number in range(101)] * 9, "text"),
        ([], "text"),
    ],
)
def test_labels_that_repeat_are_classes(labels, meaning):
    assert meaning_of(labels) == meaning


def test_classes_are_counted_and_chosen(tmp_path):
    labels = [*("person", "balloon", "arrow") * 3, "###", "person"]
    boxes = ([[x / 2 + n % 4, y / 2 + n // 4] for x, y in BOX] for n in range(len(labels)))
    shapes = [shape(label, box) for label, box in zip(labels, boxes, strict=True)]
    shapes[-1]["description"], shapes[-2]["description"] = "EXIT", "x"
    record, _ = read_one(tmp_path, *shapes)
    assert record.categories == ("person", "balloon", "arrow") * 3 + ("", "person")
    assert record.texts == ("",) * 9 + ("###", "EXIT")
    (line,) = [line for line in read_data(tmp_path).chosen if line.startswith("classes")]
    assert "person 4, balloon 3, arrow 3" in line and "data.classes=person" in line
    reading = read_data(tmp_path, options=LabelOptions(classes=["balloon", "arrow"]))
    assert reading.splits["train"][0].ignore.tolist() == [True, False, False] * 3 + [True, True]
    assert reading.causes == {"class": 4, "mark": 1}
    left = read_data(tmp_path, options=LabelOptions(classes=["balloon"], other_classes="drop")).splits["train"][0]
    assert left.ignore.tolist() == [False] * 3 + [True]  # the mark has no class, and stays


def test_a_file_may_say_that_its_labels_are_classes(tmp_path):
    shapes = [shape("sign", description="EXIT"), shape("sign"), shape("###", description="x"), shape(description="###")]
    build(
        tmp_path, {"1.png": None, "1.json": sheet(*shapes, labels="classes"), "2.png": None, "2.json": sheet(shape())}
    )
    first, second = read_all(labelme, tmp_path)[0]["train"]
    assert first.texts == ("EXIT", "", "###", "###") and first.categories == ("sign", "sign", "", "a")
    assert first.ignore.tolist() == [False, False, True, True]
    assert second.texts == ("a",) and second.categories == ("",)


def test_a_few_words_on_many_photos_stay_texts(tmp_path):
    record, _ = read_one(tmp_path, *(shape(label) for label in ("EXIT", "OPEN", "###") * 3))
    assert record.texts == ("EXIT", "OPEN", "###") * 3 and record.categories == ("EXIT", "OPEN", "") * 3


def test_few_labels_that_do_not_repeat_are_texts_and_may_be_classes(tmp_path):
    record, _ = read_one(tmp_path, shape("person"), shape("balloon"), shape("arrow"))
    assert record.texts == record.categories == ("person", "balloon", "arrow")
    assert any("classes: person 1" in line for line in read_data(tmp_path).chosen)
    only = read_data(tmp_path, options=LabelOptions(classes=["person"])).splits["train"][0]
    assert only.ignore.tolist() == [False, True, True]


def sorted_sheet(points, name):
    """As written with sort_keys: the shapes come after the pixels."""
    content = sheet(shape("EXIT", points), shape("STOP", points[:4]), name=name, imageData="A" * 40_000)
    return json.dumps(content | {"imageHeight": 8, "imageWidth": 8, "flags": {}}, sort_keys=True)


def test_sorted_keys_and_long_pixels(tmp_path):
    many = [[x % 7, x // 7 % 7] for x in range(4000)]  # the end of the file shows no first key of a shape
    build(tmp_path, {"p_4.png": None, "p_4.json": sorted_sheet(many, "p_4.png")})
    assert labelme.recognise(tmp_path) == "p_4.json: has shapes of one image"
    parts, report = read_all(labelme, tmp_path)
    assert parts["train"][0].texts == ("EXIT", "STOP") and len(parts["train"][0].polygons[0]) == 4000
    assert not report.of("GT001")


def test_a_json_beside_an_image_is_parsed_or_reported(tmp_path):
    build(tmp_path, {f"{number}.png": None for number in range(1, 6)})
    unusual = {"comment": "x" * 9000, "shapes": [shape()], "more": "y" * 9000, "imagePath": "2.png"}
    build(
        tmp_path, {"1.json": sheet(shape()), "2.json": unusual, "3.json": {"objects": [], "tags": 1}, "4.json": "[1]"}
    )
    parts, report = read_all(labelme, tmp_path)
    assert names(parts) == {"train": ["1.png", "2.png"]}
    assert [(code, name) for code, name, _ in found(report)] == [
        ("GT006", "3.json"),
        ("GT006", "4.json"),
        ("GT001", "5.png"),
    ]
    assert "needs shapes, its keys are 'objects', 'tags'" in report[0].detail
    assert [finding.image.name for finding in report] == ["3.png", "4.png", "5.png"]


def test_only_images_without_any_label_file_become_negatives(tmp_path):
    build(tmp_path, {f"{number}.png": None for number in range(40)})
    build(tmp_path, {f"{number}.json": sheet(shape(str(number)), name=f"{number}.png") for number in range(37)})
    xml = "<annotation><object><name>text</name><bndbox></bndbox></object></annotation>"
    build(tmp_path, {"37.xml": xml, "38.txt": "0 0.5 0.5 0.25 0.25\n"})
    reading = read_data(tmp_path)
    assert reading.dialect == "LabelMe" and "2 label files of another format not read, first 38.txt" in reading.why
    told = [(finding.code, finding.path.name, finding.image.name) for finding in reading.report.at("error")]
    assert told == [("GT006", "37.xml", "37.png"), ("GT006", "38.txt", "38.png"), ("GT001", "39.png", "39.png")]
    assert "looks like Pascal VOC (data=voc)" in reading.report.of("GT006")[0].detail
    assert "looks like YOLO (data=yolo)" in reading.report.of("GT006")[1].detail
    with pytest.raises(UserError, match="1 x GT001"):
        custom(tmp_path, "labelme")
    records = {record.image_path.stem: record for record in reading.splits["train"]}
    assert [records[name].lost for name in ("37", "38", "39")] == [1, 1, 0]
