"""ICDAR 2013's boxes."""

from __future__ import annotations

import pytest

from format_files import build, found
from label_files import FOOTPATH
from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats import icdar2013
from resnet18_ocrdet.errors import UserError

TEST = '38, 43, 920, 215, "Tiredness"\r\n275, 264, 665, 450, "kills"\r\n0, 699, 77, 830, "A"\r\n'


def test_official_folders(tmp_path):
    root = build(
        tmp_path,
        {
            "Challenge2_Training_Task12_Images/100.jpg": "",
            "Challenge2_Training_Task1_GT/gt_100.txt": FOOTPATH,
            "Challenge2_Test_Task12_Images/img_1.jpg": "",
            "Challenge2_Test_Task1_GT/gt_img_1.txt": TEST,
        },
    )
    report = Report()
    parts = icdar2013.read(root, report)
    assert list(parts) == ["train", "test"] and len(report) == 0
    (train,), (test,) = parts["train"], parts["test"]
    assert [polygon.tolist() for polygon in train.polygons] == [
        [[158, 128], [411, 128], [411, 181], [158, 181]],
        [[443, 128], [501, 128], [501, 169], [443, 169]],
        [[64, 200], [363, 200], [363, 243], [64, 243]],
    ]
    assert [polygon.tolist() for polygon in test.polygons] == [
        [[38, 43], [920, 43], [920, 215], [38, 215]],
        [[275, 264], [665, 264], [665, 450], [275, 450]],
        [[0, 699], [77, 699], [77, 830], [0, 830]],
    ]
    assert train.texts == ("Footpath", "To", "Colchester") and test.texts == ("Tiredness", "kills", "A")
    assert test.lines.tolist() == [1, 2, 3] and not test.ignore.any() and test.lost == 0


@pytest.mark.parametrize("name", ["gt_1.txt", "1.txt", "1.jpg.txt"])
@pytest.mark.parametrize("labels", ["train_gts", "train_labels"])
def test_plain_folders(tmp_path, labels, name):
    report = Report()
    parts = icdar2013.read(build(tmp_path, {"train_images/1.jpg": "", f"{labels}/{name}": FOOTPATH}), report)
    (record,) = parts["train"]
    assert record.polygons[0].tolist() == [[158, 128], [411, 128], [411, 181], [158, 181]] and len(report) == 0
    assert record.texts == ("Footpath", "To", "Colchester") and not record.ignore.any()


@pytest.mark.parametrize(
    ("rest", "text", "ignored"),
    [
        (' "###"', "###", True),
        (" ###", "###", True),
        (' "a ### b"', "a ### b", False),
        (r' "say \"hi\" \\ there"', r'say "hi" \ there', False),
        (' "Hello, world"', "Hello, world", False),
        (' "1 2 3 4"', "1 2 3 4", False),
        (" 24", "24", False),
        (' "照片"', "照片", False),
        (' "', '"', False),
        (' ""', "", False),
        ("", "", False),
    ],
)
@pytest.mark.parametrize("separator", [" ", ", ", ",", "\t"])
def test_texts(rest, text, ignored, separator):
    line = separator.join(["1", "2", "3", "4"]) + rest.replace(" ", separator, 1)
    region = icdar2013.parse_line(line)
    assert region.polygon.tolist() == [[1, 2], [3, 2], [3, 4], [1, 4]]
    assert (region.text, region.ignore) == (text, ignored)


def test_other_marks_and_odd_numbers(tmp_path):
    root = build(tmp_path, {"train_images/1.jpg": "", "train_gts/1.txt": "-1 2.5 nan 4 *\n1 2 3 4 ###\n"})
    report = Report()
    (record,) = icdar2013.read(root, report, ("*",))["train"]
    assert record.ignore.tolist() == [True, False] and len(report) == 0
    assert str(record.polygons[0].tolist()) == "[[-1.0, 2.5], [nan, 2.5], [nan, 4.0], [-1.0, 4.0]]"


@pytest.mark.parametrize(
    ("line", "code", "detail"),
    [
        ("1,2,3", "GT018", "3 fields: a box needs 4 numbers"),
        ('1,2,3,"word"', "GT020", "number 4 is '\"word\"'"),
        ("1,2,12O,4,word", "GT020", "number 3 is '12O'"),
        ("1,2,,4,word", "GT020", "number 3 is ''"),
        ("1,2,3,4,5,6,7,8,word", "GT022", "8 numbers: a box has 4"),
    ],
)
def test_lines_without_a_readable_position(tmp_path, line, code, detail):
    root = build(tmp_path, {"train_images/1.jpg": "", "train_gts/1.txt": f'1,2,3,4,"a"\n\n{line}\n5 6 7 8 b\n'})
    report = Report()
    (record,) = icdar2013.read(root, report)["train"]
    assert found(report) == [(code, "1.txt", 3)]
    assert report[0].detail.startswith(detail) and report[0].image == root / "train_images/1.jpg"
    assert (record.texts, record.lost, record.lines.tolist()) == (("a", "b"), 1, [1, 4])
    assert record.polygons[1].tolist() == [[5, 6], [7, 6], [7, 8], [5, 8]] and not record.ignore.any()


def test_a_heading_is_reported_and_no_region(tmp_path):
    labels = 'left top right bottom text\n# second page\n1 2 3 4 "a"\n'
    report = Report()
    (record,) = icdar2013.read(build(tmp_path, {"train_images/1.jpg": "", "train_gts/1.txt": labels}), report)["train"]
    assert found(report) == [("GT017", "1.txt", 1), ("GT017", "1.txt", 2)]
    assert record.polygons[0].tolist() == [[1, 2], [3, 2], [3, 4], [1, 4]]
    assert (record.texts, record.lines.tolist(), record.lost) == (("a",), [3], 0)


def test_empty_missing_and_unmatched_files(tmp_path):
    root = build(
        tmp_path,
        {
            "train_images/1.jpg": "",
            "train_images/sub/2.jpg": "",
            "train_images/3.jpg": "",
            "train_images/4.jpg": "",
            "train_gts/1.txt": "",
            "train_gts/sub/gt_2.txt": FOOTPATH,
            "train_gts/4.txt": "",
            "train_gts/gt_4.txt": "",
            "train_gts/5.txt": FOOTPATH,
            "train_gts/.hidden.txt": FOOTPATH,
            "test_gts/6.txt": FOOTPATH,
        },
    )
    report = Report()
    parts = icdar2013.read(root, report)
    assert {record.image_path.name: len(record.polygons) for record in parts["train"]} == {"1.jpg": 0, "2.jpg": 3}
    assert parts["test"] == []
    assert sorted(found(report)) == [
        ("GT001", "3.jpg", 0),
        ("GT002", "1.txt", 0),
        ("GT026", "gt_4.txt", 0),
        ("GT027", "5.txt", 0),
        ("GT027", "6.txt", 0),
    ]


def test_an_empty_folder(tmp_path):
    with pytest.raises(UserError, match=r"0 images found .*Challenge2_Training_Task12_Images"):
        icdar2013.read(tmp_path, Report())


def test_only_the_official_folders_are_recognised(tmp_path):
    official = build(
        tmp_path / "a", {"Challenge2_Test_Task12_Images/img_1.jpg": "", "Challenge2_Test_Task1_GT/gt_img_1.txt": TEST}
    )
    assert icdar2013.recognise(official) == "Challenge2_Test_Task12_Images/"
    assert icdar2013.recognise(build(tmp_path / "b", {"train_images/1.jpg": "", "train_gts/1.txt": TEST})) is None
