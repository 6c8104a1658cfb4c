"""CTW1500's XML and text labels."""

from __future__ import annotations

import pytest

from format_files import build, found
from label_files import CORNERS, OFFSETS, OUTLINE, XML
from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats import ctw1500
from resnet18_ocrdet.errors import UserError


def box(segs, label="word"):
    return f'<box height="1" left="0" top="0" width="1"><label>{label}</label><segs>{segs}</segs></box>'


def xml(*boxes):
    return '<Annotations>\n<image file="0001.jpg">\n' + "\n".join(boxes) + "\n</image>\n</Annotations>\n"


def read_train(root, content, suffix="xml", **arguments):
    build(root, {"train_images/0001.jpg": "", f"ctw1500_train_labels/0001.{suffix}": content})
    report = Report()
    return ctw1500.read(root, report, **arguments)["train"], report


def test_xml_of_the_second_release(tmp_path):
    root = build(tmp_path, {"train_images/0200.jpg": "", "ctw1500_train_labels/0200.xml": XML})
    assert ctw1500.recognise(root) == "ctw1500_train_labels/0200.xml has <Annotations>, <image>, <box> and <segs>"
    report = Report()
    parts = ctw1500.read(root, report)
    assert list(parts) == ["train"] and len(report) == 0
    (record,) = parts["train"]
    assert [polygon.tolist() for polygon in record.polygons] == [CORNERS]
    assert (record.texts, record.ignore.tolist(), record.lines.tolist()) == (("OLATHE",), [False], [3])
    assert (record.lost, record.frame) == (0, "unknown")


def test_text_files_of_the_test_set(tmp_path):
    lines = f"{OUTLINE},####OLATHE\n{OUTLINE},#######\n{OUTLINE},####a, 照片 #1\n{OUTLINE},####\n"
    root = build(tmp_path, {"test_images/1001.jpg": "", "gt_ctw1500/0001001.txt": lines})
    assert ctw1500.recognise(root) == "gt_ctw1500/0001001.txt starts with 28 numbers and ####"
    report = Report()
    (record,) = ctw1500.read(root, report)["test"]
    assert [polygon.tolist() for polygon in record.polygons] == [CORNERS] * 4
    assert record.texts == ("OLATHE", "###", "a, 照片 #1", "")
    assert record.ignore.tolist() == [False, True, False, False]
    assert record.lines.tolist() == [1, 2, 3, 4] and len(report) == 0


@pytest.mark.parametrize("part", ["train", "test"])
def test_offsets_of_the_first_release(tmp_path, part):
    folder = f"{part}/text_label_curve"
    root = build(tmp_path, {f"{part}/text_image/0200.jpg": "", f"{folder}/0200.txt": OFFSETS + "\n"})
    assert ctw1500.recognise(root) == f"{folder}/0200.txt starts with 32 numbers"
    (record,) = ctw1500.read(root, Report())[part]
    assert [polygon.tolist() for polygon in record.polygons] == [CORNERS]
    assert record.texts == ("",) and record.ignore.tolist() == [False]


def test_a_suffix_in_upper_case(tmp_path):
    root = build(tmp_path, {"train_images/0200.jpg": "", "ctw1500_train_labels/0200.XML": XML})
    (record,) = ctw1500.read(root, report := Report())["train"]
    assert record.texts == ("OLATHE",) and len(report) == 0


def test_marks_and_characters_of_xml(tmp_path):
    (record,), report = read_train(
        tmp_path, xml(box(OUTLINE, "###"), box(OUTLINE, "AT&amp;T"), box(OUTLINE, "照片"), box(OUTLINE, ""))
    )
    assert record.texts == ("###", "AT&T", "照片", "")
    assert record.ignore.tolist() == [True, False, False, False]
    assert record.lines.tolist() == [3, 4, 5, 6] and len(report) == 0
    (record,), _ = read_train(tmp_path, xml(box(OUTLINE, "###"), box(OUTLINE, "*")), marks=("*",))
    assert record.ignore.tolist() == [False, True]


@pytest.mark.parametrize(
    ("bad", "code", "detail"),
    [
        (box("0,0,9,0,9,9,0"), "GT019", "7 numbers"),
        (box("0,0,9,0"), "GT018", "2 corners"),
        (box("0,0,9,0,9,12O"), "GT020", "number 6 is '12O'"),
        (box("0,0,9,,9,9"), "GT020", "number 4 is ''"),
        (box(""), "GT022", "a <box> without <segs>"),
        ('<box height="1" left="0" top="0" width="1"/>', "GT022", "a <box> without <segs>"),
    ],
)
def test_boxes_without_a_readable_position(tmp_path, bad, code, detail):
    (record,), report = read_train(tmp_path, xml(box(OUTLINE), bad, box("0,0,9,0,9,9,")))
    assert found(report) == [(code, "0001.xml", 4)]
    assert report[0].detail.startswith(detail) and report[0].image == record.image_path
    assert record.lost == 1 and record.lines.tolist() == [3, 5]
    assert record.polygons[0].tolist() == CORNERS and record.polygons[1].tolist() == [[0, 0], [9, 0], [9, 9]]
    assert not record.ignore.any()


@pytest.mark.parametrize(
    ("bad", "code", "detail"),
    [
        (OUTLINE + ",5", "GT019", "29 numbers"),
        (OUTLINE + ",5,6", "GT022", "30 numbers"),
        ("1,2,3,4,5,6,7,8", "GT018", "8 numbers"),
        (OUTLINE + ",5,6,7,8O", "GT020", "number 32 is '8O'"),
        (OUTLINE + ",word", "GT020", "number 29 is 'word'"),
        (OUTLINE + ",5,####word", "GT019", "29 numbers"),
        ("1,2,3,4,####word", "GT018", "2 corners"),
        ("####word", "GT020", "number 1 is ''"),
    ],
)
def test_lines_without_a_readable_position(tmp_path, bad, code, detail):
    good = f"{OUTLINE},####good"
    (record,), report = read_train(tmp_path, f"{good}\n\n{bad}\n{good}\n", suffix="txt")
    assert found(report) == [(code, "0001.txt", 3)]
    assert report[0].detail.startswith(detail)
    assert (record.texts, record.lost, record.lines.tolist()) == (("good", "good"), 1, [1, 4])


def test_other_counts_of_corners_and_odd_numbers(tmp_path):
    (record,), report = read_train(tmp_path, "0.5,-1,9,nan,9,1e999,####a\n", suffix="txt")
    assert str(record.polygons[0].tolist()) == "[[0.5, -1.0], [9.0, nan], [9.0, inf]]" and len(report) == 0


BOMB = '<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>' + xml(box(OUTLINE, "&c;"))


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (BOMB, 0),
        (BOMB.encode("utf-16"), 0),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd">' + XML, 0),
        (XML[: XML.index("458")], 5),
        ("", 1),
        ("0,0,9,0,9,9,####a", 1),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", 1),
        ('<?xml version="1.0" encoding="no-such"?>' + XML, 0),
        ("<annotation><object><bndbox/></object></annotation>", 0),
        ("<Annotations></Annotations>", 0),
    ],
)
def test_files_that_are_not_read(tmp_path, content, line):
    records, report = read_train(tmp_path, content)
    assert records == []
    assert found(report) == [("GT006", "0001.xml", line)]
    assert report[0].image == tmp_path / "train_images/0001.jpg"
    assert "\n" not in report[0].detail


def test_empty_missing_and_unmatched_files(tmp_path):
    root = build(
        tmp_path,
        {f"train_images/{number}.jpg": "" for number in ("0001", "0002", "0003", "x")}
        | {
            "ctw1500_train_labels/0001.xml": xml(),
            "ctw1500_train_labels/3.xml": XML,
            "ctw1500_train_labels/000003.xml": XML,
            "ctw1500_train_labels/0009.xml": XML,
            "test_images/1001.jpg": "",
            "gt_ctw1500/0001001.txt": "",
        },
    )
    report = Report()
    parts = ctw1500.read(root, report)
    assert [record.polygons for records in parts.values() for record in records] == [(), ()]
    assert sorted(found(report)) == [
        ("GT001", "0002.jpg", 0),
        ("GT001", "x.jpg", 0),
        ("GT002", "0001.xml", 0),
        ("GT002", "0001001.txt", 0),
        ("GT026", "000003.xml", 0),
        ("GT027", "0009.xml", 0),
    ]


def test_two_images_of_one_number(tmp_path):
    files = {"test_images/1001.jpg": "", "test_images/01001.jpg": "", "gt_ctw1500/0001001.txt": ""}
    report = Report()
    assert ctw1500.read(build(tmp_path, files), report) == {"test": []}
    assert found(report) == [("FS076", "0001001.txt", 0)] * 2


def test_an_empty_folder(tmp_path):
    with pytest.raises(UserError, match="0 images found"):
        ctw1500.read(tmp_path, Report())


@pytest.mark.parametrize(
    "files",
    [
        {"train_gts/1.txt": "0,0,9,0,9,9,0,9,word\n"},
        {"train_gts/1.txt": "0,0,9,0,9,9,0,9,####\n"},
        {"train_gts/1.txt": OFFSETS + "\n"},
        {"train_gts/1.txt": OUTLINE + "\n"},
        {"train_gts/1.txt": OUTLINE + ",word\n"},
        {"train_gts/1.txt": "x: [[0 9 9 0]], y: [[0 0 9 9]], ornt: [u'h'], transcriptions: [u'####']\n"},
        {"train_gts/1.txt": '[{"transcription": "####", "points": [[0, 0]]}]'},
        {"train_labels/1.xml": "<annotation><object><bndbox/></object></annotation>"},
        {},
    ],
)
def test_other_folders_are_not_recognised(tmp_path, files):
    assert ctw1500.recognise(build(tmp_path, {"train_images/1.jpg": "", **files})) is None
