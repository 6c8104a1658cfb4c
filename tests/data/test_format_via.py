"""Annotations of VIA 1 and 2."""

from __future__ import annotations

import json
import math
import re

import cv2
import numpy as np
import pytest

from format_files import build, corners, found, names, read_all, recognised
from resnet18_ocrdet.data.formats import via
from resnet18_ocrdet.data.formats.attributes import Meaning, read_free_attributes
from resnet18_ocrdet.data.label_options import LabelOptions
from resnet18_ocrdet.data.load_annotations import read_data

RECT = {"name": "rect", "x": 37, "y": 57, "width": 134, "height": 48}
BOX = [[37, 57], [171, 57], [171, 105], [37, 105]]
POLYGON = {"name": "polygon", "all_points_x": [1, 31, 31], "all_points_y": [2, 2, 12.5]}
WIDE = cv2.imencode(".png", np.zeros((110, 180, 3), np.uint8))[1].tobytes()
# Lines that VIA 1.0.6 and 2.0.12 export, the first column of the heading with and without a number sign.
HEADING = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"


def region(shape, **attributes):
    return {"shape_attributes": shape, "region_attributes": attributes}


def image(*regions, name="1.png", size=9):
    return {f"{name}{size}": {"filename": name, "size": size, "regions": list(regions), "file_attributes": {}}}


def line(name, shape, attributes, number=0, total=1):
    """A line of CSV as `pack_via_metadata` of VIA writes it."""
    fields = (json.dumps(value, separators=(",", ":")).replace('"', '""') for value in (shape, attributes))
    shape, attributes = (f'"{field}"' for field in fields)
    return f'{name},9,"{{}}",{total},{number},{shape},{attributes}\n'


def test_a_project_of_version_2(tmp_path):
    regions = [
        region(RECT, text="EXIT", type="sign"),
        region(POLYGON, text="###"),
        region(RECT, illegible={"yes": True}),
    ]
    project = {
        "_via_settings": {"ui": {}, "core": {"buffer_size": 18}, "project": {"name": "signs"}},
        "_via_img_metadata": {**image(*regions), **image(name="2.png")},
        "_via_attributes": {"region": {"text": {"type": "text"}}, "file": {}},
    }
    build(tmp_path, {"via_project_7May2024.json": project, "1.png": None, "2.png": None})
    parts, report = read_all(via, tmp_path)
    assert names(parts) == {"train": ["1.png", "2.png"]} and not len(report)
    record, empty = parts["train"]
    assert corners(record) == [BOX, [[1, 2], [31, 2], [31, 12.5]], BOX] and empty.polygons == ()
    assert record.texts == ("EXIT", "###", "") and record.ignore.tolist() == [False, True, False]
    assert record.categories == ("sign", "", "") and record.flags == ("", "", "illegible")
    assert record.lines.tolist() == [1, 2, 3]


def test_annotations_of_version_1(tmp_path):
    """Regions are numbered, and a polygon ends with its first corner."""
    closed = {"name": "polygon", "all_points_x": [1, 31, 31, 1], "all_points_y": [2, 2, 12, 2]}
    entry = {
        "fileref": "",
        "size": 9,
        "filename": "1.png",
        "base64_img_data": "",
        "file_attributes": {},
        "regions": {"0": region(closed, name="EXIT"), "1": region(RECT)},
    }
    build(tmp_path, {"train/via_region_data.json": {"1.png9": entry}, "train/1.png": None, "val/1.png": None})
    parts, report = read_all(via, tmp_path)
    assert names(parts) == {"train": ["1.png"]} and parts["train"][0].image_path == tmp_path / "train/1.png"
    assert corners(parts["train"][0]) == [[[1, 2], [31, 2], [31, 12]], BOX] and not len(report)
    assert parts["train"][0].texts == ("EXIT", "")


def test_round_shapes_and_lines(tmp_path):
    ellipse = {"name": "ellipse", "cx": 50, "cy": 40, "rx": 20, "ry": 10, "theta": math.pi / 2}
    circle = {"name": "circle", "cx": 50, "cy": 40, "r": 5}
    polyline = {"name": "polyline", "all_points_x": [0, 40, 40, 0, 0], "all_points_y": [0, 0, 20, 20, 1]}
    flat = {key: value for key, value in ellipse.items() if key != "theta"}
    build(tmp_path, {"a.json": image(*map(region, (ellipse, circle, polyline, flat))), "1.png": None})
    parts, report = read_all(via, tmp_path)
    standing, disc, outline, lying = parts["train"][0].polygons
    assert standing[[0, 16]] == pytest.approx(np.array([[50, 60], [40, 40]], np.float32), abs=1e-4)
    assert disc[[0, 16]] == pytest.approx(np.array([[55, 40], [50, 45]], np.float32), abs=1e-4)
    assert lying[[0, 16]] == pytest.approx(np.array([[70, 40], [50, 50]], np.float32), abs=1e-4)
    assert outline.tolist() == [[0, 0], [40, 0], [40, 20], [0, 20], [0, 1]] and not len(report)


@pytest.mark.parametrize("heading", [HEADING, f"#{HEADING}"], ids=["2", "1"])
def test_csv(tmp_path, heading):
    lines = (
        line("1.png", RECT, {"text": 'say "hi", 出口'}, 0, 2),
        line("1.png", POLYGON, {"text": "###"}, 1, 2),
        '2.png,9,"{}",0,0,"{}","{}"\n',
    )
    text = f"{heading}\n{''.join(lines)}"
    assert '"{""name"":""rect"",""x"":37,' in text
    build(tmp_path, {"via_region_data.csv": text, "images/1.png": None, "images/2.png": None})
    parts, report = read_all(via, tmp_path)
    record, empty = parts["train"]
    assert corners(record) == [BOX, [[1, 2], [31, 2], [31, 12.5]]] and not len(report)
    assert record.texts == ('say "hi", 出口', "###") and record.ignore.tolist() == [False, True]
    assert record.lines.tolist() == [2, 3] and empty.polygons == () and empty.lost == 0
    assert via.recognise(tmp_path) == "via_region_data.csv: has regions with shape_attributes"


@pytest.mark.parametrize("separator", [";", "\t"])
def test_csv_of_a_spreadsheet(tmp_path, separator):
    fields = [json.dumps(RECT).replace('"', '""'), json.dumps({"text": "a"}).replace('"', '""')]
    row = separator.join(["1.png", "9", '"{}"', "1", "0", *(f'"{field}"' for field in fields)])
    build(tmp_path, {"a.csv": f"\ufeff{HEADING.replace(',', separator)}\r\n{row}\r\n", "1.png": None})
    parts, report = read_all(via, tmp_path)
    assert corners(parts["train"][0]) == [BOX] and parts["train"][0].texts == ("a",)
    assert [finding.code for finding in report] == ["GT003"]


@pytest.mark.parametrize(
    ("bad", "code", "words"),
    [
        ('1.png,9,"{}",1,1,"{""name"":""rect""', "GT022", "not a line of CSV"),
        ("1.png,9,0", "GT022", "3 columns, the first line has 7"),
        ('1.png,9,"{}",1,1,"{""name"":","{}"', "GT006", "not valid JSON"),
        ('1.png,9,"{}",1,1,"[1]","{}"', "GT022", "needs shape_attributes, an object, got a list"),
        ('1.png,9,"{}",1,1,"{""name"":""point"",""cx"":1,""cy"":2}","{}"', "GT022", "'point'"),
        ('1.png,9,"{}",1,1,"' + "1" * 200_000 + '","{}"', "GT022", "field larger than"),
    ],
)
def test_a_bad_line_of_csv_is_a_lost_region(tmp_path, bad, code, words):
    good = line("1.png", RECT, {})
    build(tmp_path, {"a.csv": f"{HEADING}\n{good}{bad}\n{good}", "1.png": None})
    parts, report = read_all(via, tmp_path)
    (record,) = parts["train"]
    (finding,) = report
    assert (finding.code, finding.line, finding.image) == (code, 3, tmp_path / "1.png") and words in finding.detail
    assert record.lost == 1 and record.lines.tolist() == [2, 4] and len(finding.detail) < 200


@pytest.mark.parametrize(
    ("shape", "code", "words"),
    [
        (None, "GT022", "needs shape_attributes, an object, got null"),
        ({"name": "point", "cx": 1, "cy": 1}, "GT022", "region 2 of '1.png': the shape is 'point'"),
        ({"name": ["rect"]}, "GT022", "a list of 1 value"),
        ({"name": "rect", "x": 1, "y": 2, "width": 3}, "GT020", "value 4 of rect is null"),
        ({"name": "circle", "cx": 1, "cy": 2}, "GT020", "r is null, not a number"),
        ({"name": "ellipse", "cx": 1, "cy": 2, "rx": 1, "ry": 1, "theta": "x"}, "GT020", "theta is 'x'"),
        ({"name": "polygon", "all_points_x": [1, 2, 3], "all_points_y": [1, 2]}, "GT022", "of equal length"),
        ({"name": "polygon", "all_points_x": [1, 2], "all_points_y": [1, 2]}, "GT018", "2 corners"),
        ({"name": "polyline", "all_points_x": [0, 40, 40, 0], "all_points_y": [0, 0, 20, 20]}, "GT022", "20 px apart"),
    ],
)
def test_a_bad_region_is_counted_as_lost(tmp_path, shape, code, words):
    build(tmp_path, {"a.json": image(region(RECT), region(shape), region(RECT)), "1.png": None})
    parts, report = read_all(via, tmp_path)
    (record,) = parts["train"]
    (finding,) = report
    assert (finding.code, finding.line, finding.image) == (code, 2, tmp_path / "1.png")
    assert re.search(words, finding.detail)
    assert record.lost == 1 and record.lines.tolist() == [1, 3]
    assert corners(record) == [BOX] * 2 and not record.ignore.any()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("via_a.json", '{"1.png9": {"regions": [{"shape_attributes": {', ("GT006", "via_a.json", 1)),
        ("via_a.json", "[]", None),
        ("via_a.csv", "filename,regions\n", ("GT006", "via_a.csv", 1)),
        ("via_a.csv", '"filename', ("GT022", "via_a.csv", 0)),
        ("a.json", image(region(RECT), name="gone.png"), ("FS079", "a.json", 1)),
        ("a.json", {"1.png": {"filename": "1.png", "regions": 7, "shape_attributes": 1}}, ("GT022", "a.json", 1)),
        ("a.json", {"1.png": [], "shape_attributes": 1}, ("GT022", "a.json", 1)),
    ],
)
def test_a_bad_file(tmp_path, name, content, expected):
    build(tmp_path, {name: content, "1.png": None})
    parts, report = read_all(via, tmp_path)
    assert parts == {"train": []} and (found(report)[0] == expected if expected else not len(report))


def test_images_by_address(tmp_path):
    sheets = {**image(region(RECT), name="https://host/scans/1.png?size=2"), **image(name="D:\\scans\\sub\\2.png")}
    build(tmp_path, {"a.json": sheets, "1.png": None, "images/sub/2.png": None})
    parts, report = read_all(via, tmp_path)
    assert names(parts) == {"train": ["1.png", "2.png"]} and not len(report)
    assert [corners(record) for record in parts["train"]] == [[BOX], []]


@pytest.mark.parametrize(
    ("attributes", "meaning"),
    [
        ({"text": " EXIT ", "label": "sign"}, ("EXIT", "sign", "")),
        ({"Transcription": 1000, "class": "word"}, ("1000", "word", "")),
        ({"class": "word", "label": "EXIT"}, ("EXIT", "word", "")),
        ({"type": {"word": True, "line": False}}, ("", "word", "")),
        ({"name": "EXIT"}, ("EXIT", "EXIT", "")),
        ({"Wortlaut": "EXIT"}, ("EXIT", "EXIT", "")),
        ({"Wortlaut": "EXIT", "Sprache": "de"}, ("", "", "")),
        ({"ignore": "true"}, ("", "", "ignore")),
        ({"difficult": {"yes": False}, "illegible": {"yes": True}}, ("", "", "illegible")),
        ({"difficult": "1", "occluded": True}, ("", "", "difficult,occluded")),
        ({"Legible": False, "text": "EXIT"}, ("EXIT", "", "illegible")),
        ({"legible": "no"}, ("", "", "illegible")),
        ({"legible": {"no": True}}, ("", "", "illegible")),
        ({"legible": True, "illegible": True}, ("", "", "illegible")),
        ({"legibility": "illegible"}, ("", "", "illegible")),
        ({"legibility": {"legible": False, "illegible": True}}, ("", "", "illegible")),
        ({"legibility": "legible"}, ("", "", "")),
        ({"legible": None}, ("", "", "")),
        ({"legible": "1"}, ("", "", "")),
        ({}, ("", "", "")),
        ({"text": None, 7: [1]}, ("", "", "")),
    ],
)
def test_what_attributes_mean(attributes, meaning):
    assert read_free_attributes(attributes) == Meaning(*meaning)


def test_legibility_is_dont_care_with_its_cause(tmp_path):
    regions = [region(RECT, text="EXIT", legibility="legible"), region(POLYGON, text="E?IT", legible="false")]
    build(tmp_path, {"a.json": image(*regions), "1.png": WIDE})
    reading = read_data(tmp_path)
    (record,) = reading.splits["train"]
    assert corners(record) == [BOX, [[1, 2], [31, 2], [31, 12.5]]] and record.texts == ("EXIT", "E?IT")
    assert record.ignore.tolist() == [False, True] and reading.causes == {"illegible": 1}
    assert not read_data(tmp_path, options=LabelOptions(flags=["none"])).splits["train"][0].ignore.any()


def test_a_mark_counts_in_an_attribute_of_any_name(tmp_path):
    build(
        tmp_path,
        {"a.json": image(region(RECT, Wortlaut="###", Sprache="de"), region(RECT, Wortlaut="a", Sprache="de"))},
    )
    build(tmp_path, {"1.png": None})
    assert read_all(via, tmp_path)[0]["train"][0].ignore.tolist() == [True, False]


def test_a_file_that_is_not_there_is_no_upload_of_label_studio(tmp_path):
    build(tmp_path, {"a.json": image(region(RECT), name="20240507-menu.png"), "menu.png": None})
    _, report = read_all(via, tmp_path)
    assert [finding.code for finding in report] == ["FS079"]


def test_few_labels_are_classes_and_many_are_texts(tmp_path):
    classes = [region(RECT, label=label) for label in ("word", "logo", "word", "word", "###")]
    a = build(tmp_path / "a", {"a.json": image(*classes), "1.png": None})
    (record,) = read_all(via, a)[0]["train"]
    assert record.categories == ("word", "logo", "word", "word", "") and record.texts == ("", "", "", "", "###")
    assert record.ignore.tolist() == [False] * 4 + [True]
    texts = [region(RECT, label=label) for label in ("EXIT", "MENU", "EXIT")]
    b = build(tmp_path / "b", {"a.json": image(*texts), "1.png": None})
    (record,) = read_all(via, b)[0]["train"]
    assert record.texts == ("EXIT", "MENU", "EXIT") and record.categories == ("", "", "")
    many = [region(RECT, label=f"{number % 21}") for number in range(84)]  # four of each, but too many for classes
    c = build(tmp_path / "c", {"a.json": image(*many), "1.png": None})
    assert read_all(via, c)[0]["train"][0].texts[:3] == ("0", "1", "2")


def test_recognise(tmp_path):
    sign = "via_region_data.json: has regions with shape_attributes"
    assert recognised(via.recognise, tmp_path) == {"via": sign}
    assert via.recognise(tmp_path / "nowhere") is None
