"""Total-Text's text and MATLAB labels."""

from __future__ import annotations

import numpy as np
import pytest

from format_files import build, found
from label_files import IMG11
from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats import totaltext
from resnet18_ocrdet.errors import UserError

SQUARE = "x: [[0 9 9 0]], y: [[0 0 9 9]]"


def read_one(root, content, marks=totaltext.IGNORE_MARKS):
    build(root, {"Images/Train/img1.jpg": "", "Groundtruth/Polygon/Train/poly_gt_img1.txt": content})
    report = Report()
    (record,) = totaltext.read(root, report, marks)["train"]
    return record, report


def test_official_folders(tmp_path):
    root = build(
        tmp_path,
        {
            "Images/Train/img11.jpg": "",
            "Images/Test/img1.jpg": "",
            "Groundtruth/Polygon/Train/poly_gt_img11.txt": IMG11,
            "Groundtruth/Polygon/Test/poly_gt_img1.txt": f"{SQUARE}, ornt: [u'h'], transcriptions: [u'A']\n",
        },
    )
    report = Report()
    parts = totaltext.read(root, report)
    assert list(parts) == ["train", "test"] and len(report) == 0
    (record,) = parts["train"]
    assert [polygon.tolist() for polygon in record.polygons] == [
        [[115, 322], [503, 346], [494, 426], [115, 404]],
        [[734, 360], [1058, 369], [1061, 449], [744, 430]],
        [[562, 347], [595, 304], [651, 305], [687, 360], [653, 366], [637, 334], [604, 332], [588, 361]],
        [[543, 347], [583, 288], [660, 288], [701, 347], [691, 358], [653, 308], [592, 302], [557, 355]],
    ]
    assert record.texts == ("nauGHTY", "NURIS", "nauGHTY", "#")
    assert record.ignore.tolist() == [False, False, False, True]
    assert record.lines.tolist() == [1, 2, 3, 6]
    assert (record.lost, record.frame, record.image_path.name) == (0, "unknown", "img11.jpg")


@pytest.mark.parametrize("label", ["poly_gt_img11.txt", "gt_img11.txt", "img11.txt", "img11.jpg.txt"])
@pytest.mark.parametrize(
    ("images", "labels"),
    [("train_images", "train_gts"), ("images/train", "gt/train"), ("Images/Train", "Groundtruth/Polygon/Train")],
)
def test_other_layouts_and_names(tmp_path, images, labels, label):
    root = build(tmp_path, {f"{images}/img11.jpg": "", f"{labels}/{label}": IMG11})
    assert totaltext.recognise(root) == f"{labels}/{label} starts with 'x: [['"
    report = Report()
    (record,) = totaltext.read(root, report)["train"]
    assert len(record.polygons) == 4 and len(report) == 0


@pytest.mark.parametrize(
    ("rest", "text", "ignored"),
    [
        (", ornt: [u'h'], transcriptions: [u'word']", "word", False),
        (', ornt: ["h"], transcriptions: ["word"]', "word", False),
        (""", ornt: [u'h'], transcriptions: [u"JOE'S"]""", "JOE'S", False),
        (", ornt: [u'h'], transcriptions: [u'it's']", "it's", False),
        (r", ornt: [u'h'], transcriptions: [u'caf\xe9 \u2022']", "café •", False),
        (", ornt: [u'h'], transcriptions: [u'照片']", "照片", False),
        (", ornt: [u'h'], transcriptions: [u'a]b, c']", "a]b, c", False),
        (", ornt: [u'h'], transcriptions: [u'##']", "##", False),
        (", ornt: [u'#'], transcriptions: []", "", True),
        (", ornt: [u'#']", "", True),
        (", ornt: [u'h'], transcriptions: []", "", False),
        (", ornt: [u'h']", "", False),
        ("", "", False),
    ],
)
def test_texts(tmp_path, rest, text, ignored):
    record, report = read_one(tmp_path, f"{SQUARE}{rest}\n{SQUARE}, ornt: [u'h'], transcriptions: [u'next']\n")
    assert record.texts == (text, "next")
    assert record.ignore.tolist() == [ignored, False]
    assert len(report) == 0


def test_surrogate_pairs_and_halves(tmp_path):
    record, _ = read_one(
        tmp_path, f"{SQUARE}, transcriptions: [u'\\ud83d\\ude00']\n{SQUARE}, transcriptions: [u'a\\ud83d']\n"
    )
    assert record.texts == ("\U0001f600", "a\ufffd")


def test_commas_floats_and_line_ends(tmp_path):
    record, report = read_one(
        tmp_path,
        "x: [[ 1.5, 9, -9., 0]], y: [[0, 0,\r\n 9, nan]], ornt: ['h'], transcriptions: ['a']\r\n\r\n"
        f"{SQUARE}, ornt: ['h'], transcriptions: ['b']",
    )
    np.testing.assert_array_equal(record.polygons[0], [[1.5, 0], [9, 0], [-9, 9], [0, np.nan]])
    assert record.lines.tolist() == [1, 4] and len(report) == 0


def test_other_marks(tmp_path):
    record, _ = read_one(tmp_path, IMG11, marks=("NURIS",))
    assert record.ignore.tolist() == [False, True, False, False]


@pytest.mark.parametrize(
    ("entry", "code", "detail"),
    [
        ("x: [[0 9 9 0]], y: [[0 0 9]], ornt: [u'h'], transcriptions: [u'a']", "GT019", "4 numbers of x, 3 of y"),
        ("x: [[0 9]], y: [[0 9]], ornt: [u'h'], transcriptions: [u'a']", "GT018", "2 corners"),
        ("x: [[0 9 12O]], y: [[0 0 9]], ornt: [u'h'], transcriptions: [u'a']", "GT020", "number 3 is '12O'"),
        ("x: [[]], y: [[]], ornt: [u'h'], transcriptions: [u'a']", "GT018", "0 corners"),
        ("x: [[0 9 9 0]], ornt: [u'h'], transcriptions: [u'a']", "GT022", "needs 'x: "),
        ("0,0,9,0,9,9,0,9,word", "GT022", "needs 'x: "),
    ],
)
def test_entries_without_a_readable_position(tmp_path, entry, code, detail):
    good = f"{SQUARE}, ornt: [u'h'], transcriptions: [u'good']"
    record, report = read_one(tmp_path, f"{good}\n\n{entry}\n{good}\n")
    assert found(report) == [(code, "poly_gt_img1.txt", 3)]
    assert report[0].detail.startswith(detail)
    assert report[0].image == record.image_path
    assert (record.texts, record.lost, record.lines.tolist()) == (("good", "good"), 1, [1, 4])


def test_empty_missing_and_unmatched_files(tmp_path):
    root = build(
        tmp_path,
        {
            "train_images/img1.jpg": "",
            "train_images/img2.jpg": "",
            "train_images/img3.jpg": "",
            "train_images/img4.jpg": "",
            "train_gts/img1.txt": "\n",
            "train_gts/img3.txt": "",
            "train_gts/gt_img3.txt": "",
            "train_gts/img4.txt": b"\x89PNG\0",
            "train_gts/img9.txt": IMG11,
        },
    )
    report = Report()
    (record,) = totaltext.read(root, report)["train"]
    assert record.polygons == () and record.lost == 0
    assert sorted(found(report)) == [
        ("GT001", "img2.jpg", 0),
        ("GT002", "img1.txt", 0),
        ("GT006", "img4.txt", 0),
        ("GT026", "gt_img3.txt", 0),
        ("GT027", "img9.txt", 0),
    ]
    assert report.of("GT001")[0].image == root / "train_images/img2.jpg"


def test_two_images_with_one_label_file(tmp_path):
    root = build(tmp_path, {"train_images/1.jpg": "", "train_images/1.png": "", "train_gts/1.txt": IMG11})
    report = Report()
    assert totaltext.read(root, report) == {"train": []}
    assert found(report) == [("FS076", "1.txt", 0)] * 2
    assert {finding.image.name for finding in report} == {"1.jpg", "1.png"}


def test_encodings_are_noted(tmp_path):
    entry = f"{SQUARE}, ornt: [u'h'], transcriptions: [u'照片']\n"
    for encoding, codes in {"utf-8-sig": ["GT003"], "gb18030": ["GT004"], "utf-16": ["GT004"], "utf-8": []}.items():
        record, report = read_one(tmp_path, entry.encode(encoding))
        assert record.texts == ("照片",)
        assert [finding.code for finding in report] == codes


def test_an_empty_folder(tmp_path):
    with pytest.raises(UserError, match=r"0 images found \(looked for images/train\|train_images with "):
        totaltext.read(tmp_path, Report())


@pytest.mark.parametrize(
    "files",
    [
        {"train_images/1.jpg": "", "train_gts/1.txt": "0,0,9,0,9,9,0,9,word\n"},
        {"train_images/1.jpg": "", "train_gts/1.txt": ""},
        {"train_images/1.jpg": "", "train_gts/1.txt": '[{"transcription": "x: [[", "points": [[0, 0]]}]'},
        {"train_images/1.jpg": "", "train_list.txt": "x: [[0 9 9 0]], y: [[0 0 9 9]]\n"},
        {"Groundtruth/Polygon/Train/poly_gt_img1.mat": b"no matlab"},
        {},
    ],
)
def test_other_folders_are_not_recognised(tmp_path, files):
    assert totaltext.recognise(build(tmp_path, files)) is None
