"""ICDAR-style label files, and the packed labels."""

from __future__ import annotations

import os
import pickle
import re
import time
from pathlib import Path

import numpy as np
import pytest

from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats import icdar2015, location
from resnet18_ocrdet.data.formats.icdar_text import parse_lines
from resnet18_ocrdet.data.formats.location import Location
from resnet18_ocrdet.data.image_guard import MAX_SIDE
from resnet18_ocrdet.data.labels import LabelledImages
from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.data.text_file import label_lines

BOX = "10,20,30,20,30,40,10,40"


@pytest.fixture
def parse(tmp_path):
    def write_and_parse(content, **arguments):
        path = tmp_path / "gt_img_1.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        write_and_parse.report = report = Report()
        label = Location(report, path, image=Path("img_1.jpg"))
        return parse_lines(label, label_lines(path, report, label.image), **arguments)

    return write_and_parse


def test_a_long_line_of_digits_is_fast(parse):
    began = time.process_time()
    assert parse("1" * 100_000 + "x").lost == 1
    assert time.process_time() - began < 2  # hours with exponential backtracking


@pytest.mark.parametrize(
    ("rest", "text", "ignored"),
    [
        (",word", "word", False),
        (",###", "###", True),
        (", ###", "###", True),
        (",foo,###", "foo,###", False),
        (",####", "####", False),
        (",Hello, world", "Hello, world", False),
        (",12,34", "12,34", False),
        (",8.70", "8.70", False),
        (",nan", "nan", False),
        (",", "", False),
        ("", "", False),
        (",  ", "", False),
        (",\u2028a", "a", False),  # a Unicode line separator is not a line end
        (",照片", "照片", False),
    ],
)
def test_the_text_follows_eight_numbers(parse, rest, text, ignored):
    labels = parse(BOX + rest)
    np.testing.assert_array_equal(labels.polygons, [[[10, 20], [30, 20], [30, 40], [10, 40]]])
    assert labels.polygons[0].dtype == np.float32
    assert labels.texts == (text,)
    assert labels.ignore.tolist() == [ignored]


@pytest.mark.parametrize("separator", [",", ", ", "\t", " ", ";", "，", " , "])
def test_separators(parse, separator):
    labels = parse(separator.join([*BOX.split(","), "two words"]))
    assert labels.polygons[0][3].tolist() == [10, 40]
    assert labels.texts == ("two words",)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n \n"])
def test_line_ends_and_blank_lines(parse, end):
    assert parse(f"{BOX},a{end}{BOX},b").texts == ("a", "b")
    assert parse(f"{end}{BOX},a{end}").texts == ("a",)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_encodings(parse, encoding):
    assert parse(f"{BOX},照片\n".encode(encoding)).texts == ("照片",)


def test_latin_1_affects_only_the_transcription(parse):
    labels = parse(f"{BOX},caf\xe9\n{BOX},###\n".encode("latin-1"))
    assert len(labels.polygons) == 2
    assert labels.ignore.tolist() == [False, True]


def test_floats_and_signs(parse):
    labels = parse("482.5,-.5,+529,524.,5.29e2,545,482,545,8.70")
    assert labels.polygons[0][:3].tolist() == [[482.5, -0.5], [529, 524], [529, 545]]


@pytest.mark.parametrize("content", ["", "\n", "\ufeff", " \r\n\r\n"])
def test_an_empty_file_has_no_regions(parse, content):
    labels = parse(content)
    assert labels.polygons == () and labels.texts == ()
    assert labels.ignore.shape == (0,) and labels.ignore.dtype == bool


def test_ignore_marks_can_be_chosen(parse):
    assert parse(f"{BOX},*\n{BOX},###", marks=("*",)).ignore.tolist() == [True, False]


def test_polygons(parse):
    labels = parse("0,0,5,0,9,5,5,9,0,9,word\n0,0,9,0,9,9\n0,0,9,0,9,9,0,9,0.75", quads=False)
    assert [len(polygon) for polygon in labels.polygons] == [5, 3, 4]
    assert labels.texts == ("word", "", "0.75")


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("1,2,3,4,5,6,7,word", "GT020", "column 15: a region needs 8 numbers x1,y1,...,x4,y4, number 8 is 'word'"),
        ("1,2,3,4,5,6,7", "GT019", "column 14: a region needs 8 numbers x1,y1,...,x4,y4, got only 7"),
        ("1,2,3,4", "GT018", "column 8: .* got only 4"),
        ("1,2,3,4,word", "GT020", "column 9: .* number 5 is 'word'"),
        ("1,2,12O,4,5,6,7,8,word", "GT020", "column 5: .* number 3 is '12O'"),
        ("1,2,١٢,4,5,6,7,8,word", "GT020", "column 5: .* number 3 is '١٢'"),
        ("1,2,nan,4,5,6,7,8,word", "GT021", "column 5: .* number 3 is 'nan'"),
        ("1,2,-inf,4,5,6,7,8,word", "GT021", "column 5: .* number 3 is '-inf'"),
        ("1,2,,4,5,6,7,8,word", "GT020", "column 5: .* number 3 is ''"),
        ("###", "GT020", "column 1: .* number 1 is '###'"),
    ],
)
def test_bad_lines_are_reported_and_others_are_kept(parse, line, code, message):
    labels = parse(f"{BOX},a\n\n{line}\n{BOX},b\n")
    assert labels.texts == ("a", "b") and labels.lost == 1 and labels.lines.tolist() == [1, 4]
    (finding,) = parse.report
    assert (finding.code, finding.line, finding.image) == (code, 3, Path("img_1.jpg"))
    assert re.search(rf"gt_img_1\.txt:3: {message}", finding.text) and "\n" not in finding.text


@pytest.mark.parametrize("number", ["1e9", "1e999"])
def test_coordinates_outside_any_image_are_kept(parse, number):
    labels = parse(f"1,2,{number},4,5,6,7,8,word")
    assert labels.polygons[0][1, 0] > MAX_SIDE and not len(parse.report)


@pytest.mark.parametrize(
    ("content", "code", "texts"),
    [
        (f"x1,y1,x2,y2,x3,y3,x4,y4,text\n{BOX},a", "GT017", ("a",)),
        (f"# x1,y1,x2,y2,x3,y3,x4,y4\n{BOX},a", "GT017", ("a",)),
        (f"{BOX},a\n# looked at twice\n", "GT017", ("a",)),
        (f"{BOX.replace(',', ';')};a", "GT015", ("a",)),
        ("[[10,20],[30,20],[30,40],[10,40]],a", "GT016", ("a",)),
        ("(10, 20), (30, 20), (30, 40), (10, 40), two words", "GT016", ("two words",)),
        ('"10","20","30","20","30","40","10","40",a', "GT016", ("a",)),
        ("10,20 30,20 30,40 10,40 a", "GT016", ("a",)),
        (f"{BOX},0.75\n{BOX},0.5\n", "GT009", ("0.75", "0.5")),
        (BOX, "GT010", ("",)),
        (f"\ufeff{BOX},a", "GT003", ("a",)),
        (f"{BOX},照".encode("gb18030"), "GT004", ("照",)),
        (b"", "GT002", ()),
    ],
)
def test_unusual_files_are_read_and_reported(parse, content, code, texts):
    labels = parse(content)
    assert labels.texts == texts and labels.lost == 0
    assert all(polygon.tolist() == [[10, 20], [30, 20], [30, 40], [10, 40]] for polygon in labels.polygons)
    assert [finding.code for finding in parse.report] == [code]


def test_a_price_is_not_a_score(parse):
    assert parse(f"{BOX},1.60\n{BOX},a\n{BOX},b\n").texts[0] == "1.60" and not len(parse.report)


def test_odd_count_before_a_text_is_lost(parse):
    assert parse("0,0,1,1,2,2,3,3,4,4,50,word", quads=False).lost == 1
    assert [finding.code for finding in parse.report] == ["GT019"]


def test_six_numbers_alone_are_a_triangle_also_among_quads(parse):
    labels = parse(f"0,0,9,0,9,9\n{BOX},a")
    assert [len(polygon) for polygon in labels.polygons] == [3, 4]


def test_too_many_lines_are_not_labels(parse, monkeypatch):
    monkeypatch.setattr(location, "MAX_REGIONS", 2)
    assert parse(f"{BOX},a\n" * 3).lost == 3
    assert [finding.code for finding in parse.report] == ["GT028"]


@pytest.mark.slow
def test_a_hundred_thousand_lines_take_seconds(parse):
    began = time.process_time()
    assert len(parse(f"{BOX},a\n" * 20_000).polygons) == 20_000
    once = time.process_time() - began
    began = time.process_time()
    assert len(parse(f"{BOX},a\n" * 80_000).polygons) == 80_000
    assert time.process_time() - began < 12 * max(once, 0.05)  # 4 times the lines; quadratic time would be 16 times


@pytest.mark.parametrize("content", [b"\xff\xd8\xff\xe0\0\x10JFIF", b"\x89PNG\r\n\x1a\n\0\0\0\r", b"1,2\0,3"])
def test_binary_files_are_not_text(parse, content):
    assert parse(content).lost == 1
    (finding,) = parse.report
    assert finding.code == "GT006" and "gt_img_1.txt: not a text file" in finding.text


def test_missing_file(tmp_path):
    report = Report()
    label = Location(report, tmp_path / "none.txt", image=Path("a.jpg"))
    assert parse_lines(label, label_lines(label.path, report, label.image)).lost == 1
    assert "none.txt: cannot be read: No such file" in report[0].text


def record(number, texts, vertices=4):
    polygons = tuple(np.full((vertices, 2), number + k, np.float32) for k in range(len(texts)))
    ignore = np.array([text == "###" for text in texts], bool)
    return LabelRecord(Path(f"img_{number}.jpg"), Path(f"gt_{number}.txt") if number else None, polygons, ignore, texts)


def test_packing_keeps_the_labels():
    before = [record(0, ("a", "###")), record(1, ()), record(2, ("照片", "", "\udce9"), vertices=7)]
    packed = pickle.loads(pickle.dumps(LabelledImages(before)))
    assert len(packed) == 3
    for old, new in zip(before, packed.records, strict=True):
        assert (new.image_path, new.label_path, new.texts) == (old.image_path, old.label_path, old.texts)
        np.testing.assert_array_equal(new.ignore, old.ignore)
        assert all((a == b).all() and a.shape == b.shape for a, b in zip(old.polygons, new.polygons, strict=True))
    with pytest.raises(IndexError, match="image 3 of 3"):
        packed.record(3)
    assert LabelledImages([]).records == []


def test_changing_a_record_does_not_change_the_packed_labels():
    packed = LabelledImages([record(5, ("a",))])
    with pytest.raises(ValueError, match="read-only"):
        packed.record(0).polygons[0][:] = -1
    assert packed.record(0).polygons[0].min() == 5


def test_official_training_set():
    root = os.environ.get("OCRDET_ICDAR2015")
    if not root:
        pytest.skip("OCRDET_ICDAR2015 is not set: no real photos")
    records = icdar2015.read(Path(root), Report())["train"]
    assert [entry.image_path.name for entry in records] == [f"img_{number}.jpg" for number in range(1, 1001)]
    assert sum(len(entry.polygons) for entry in records) == 11_886
    assert sum(int(entry.ignore.sum()) for entry in records) == 7_418
    assert records[0].texts[0] == "Genaxis Theatre"
    assert records[0].polygons[0].tolist() == [[377, 117], [463, 117], [465, 130], [378, 130]]
