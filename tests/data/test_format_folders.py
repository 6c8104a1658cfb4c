"""Folders and lists of ICDAR labels."""

from __future__ import annotations

import re

import pytest

from format_files import build
from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats import folders
from resnet18_ocrdet.data.formats.listed_pairs import read_list_line
from resnet18_ocrdet.data.labels import LabelledImages
from resnet18_ocrdet.data.load_annotations import read_data
from resnet18_ocrdet.errors import UserError

BOX = "10,20,30,20,30,40,10,40"


def read_custom(root, report=None):
    return folders.read(root, Report() if report is None else report)


def names(records):
    return [(record.image_path.name, record.label_path.name) for record in records]


@pytest.mark.parametrize("label", ["1.txt", "gt_1.txt", "1.jpg.txt"])
@pytest.mark.parametrize(
    "line",
    [
        "1.jpg",
        "1.jpg\r\n",
        "\ufeff1.jpg  \n\n",
        "train_images/1.jpg",
        "train_images\\1.jpg",
        "# note\n#2.jpg\n1.jpg",
        None,
    ],
)
def test_list_lines_and_label_names(tmp_path, line, label):
    build(tmp_path, {"train_images/1.jpg": None, f"train_gts/{label}": BOX})
    if line is not None:
        build(tmp_path, {"train_list.txt": line})
    parts = read_custom(tmp_path)
    assert list(parts) == ["train"]
    assert names(parts["train"]) == [("1.jpg", label)]


@pytest.mark.parametrize("line", ["{image} {label}", "{image}\t{label}", "{image}  {label}", "/{image} /{label}"])
@pytest.mark.parametrize("stem", ["1", "a.b", "照片 (1), #50%", "my a.jpg copy"])
def test_list_lines_with_label_files(tmp_path, line, stem):
    image, label = f"train_images/{stem}.JPG", f"train_gts/{stem}.txt"
    build(tmp_path, {image: None, label: BOX})
    text = line.format(image=image, label=label)
    if line.startswith("/"):
        text = f"{tmp_path}/{image} {tmp_path}/{label}"
    build(tmp_path, {"train_list.txt": text})
    assert names(read_custom(tmp_path)["train"]) == [(f"{stem}.JPG", f"{stem}.txt")]


def test_all_splits_and_the_plain_folder(tmp_path):
    for part in ("train", "val", "test"):
        build(tmp_path / "a", {f"{part}_images/{part}.jpg": None, f"{part}_gts/{part}.txt": BOX})
    assert {part: len(records) for part, records in read_custom(tmp_path / "a").items()} == dict(train=1, val=1, test=1)
    build(tmp_path / "b", {"images/sub/10.jpg": None, "images/sub/9.jpg": None})
    build(tmp_path / "b", {"labels/sub/10.txt": BOX, "labels/sub/9.txt": BOX})
    assert names(read_custom(tmp_path / "b")["train"]) == [("9.jpg", "9.txt"), ("10.jpg", "10.txt")]
    for part, labels in {"train": "labels", "val": "gts", "test": "labels"}.items():
        build(tmp_path / "c", {f"{part}/images/{part}.jpg": None, f"{part}/{labels}/{part}.txt": BOX})
    assert {part: names(records) for part, records in read_custom(tmp_path / "c").items()} == {
        part: [(f"{part}.jpg", f"{part}.txt")] for part in ("train", "val", "test")
    }


def test_all_lines_of_a_set_tell_quads_from_polygons(tmp_path):
    build(tmp_path, {"images/1.jpg": None, "labels/1.txt": f"{BOX},1,000\n" * 9 + f"{BOX},1,000,000\n{BOX},word\n"})
    (quads,) = read_custom(tmp_path)["train"]
    assert {polygon.shape for polygon in quads.polygons} == {(4, 2)}
    assert quads.texts[8:] == ("1,000", "1,000,000", "word")
    build(tmp_path, {"labels/1.txt": f"0,0,5,0,9,5,5,9,0,9,0,5,word\n0,0,5,0,9,5,5,9,0,9,###\n{BOX},word\n"})
    (polygons,) = read_custom(tmp_path)["train"]
    assert [len(polygon) for polygon in polygons.polygons] == [6, 5, 4]
    assert polygons.ignore.tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.txt": ""}, "no labelled images found .looked for train_list.txt"),
        ({"train_images/1.jpg": None}, "train_images/ needs exactly one label folder"),
        ({"train_images/.hidden": "", "train_gts/1.txt": BOX}, "train_images: 0 images found"),
        ({"train_list.txt": "\n\n"}, "train_list.txt: 0 images found"),
        ({"train_list.txt": "1.jpg\n2.jpg\n"}, "train_list.txt: 0 images found"),
    ],
)
def test_unusable_folders_raise_a_user_error(tmp_path, files, message):
    build(tmp_path, files)
    with pytest.raises(UserError, match=message) as caught:
        read_custom(tmp_path)
    assert "\n" not in str(caught.value)


GOOD = {"train_images/good.jpg": None, "train_gts/good.txt": f"{BOX},a"}


@pytest.mark.parametrize(
    ("files", "code", "place", "message"),
    [
        (
            {"train_images/1.jpg": None},
            "GT001",
            "train_images/1.jpg",
            "no label file .* in .*train_gts",
        ),
        ({"train_gts/2.txt": BOX}, "GT027", "train_gts/2.txt", "no image of this name in .*train_images"),
        (
            {"train_images/1.jpg": None, "train_gts/1.txt": BOX, "train_gts/gt_1.txt": BOX},
            "GT026",
            "train_gts/1.txt",
            "1.jpg has 2 label files: 1.txt, gt_1.txt",
        ),
        (
            {"train_images/1.jpg": None, "train_images/1.png": None, "train_gts/1.txt": f"{BOX},a"},
            "FS076",
            "train_gts/1.txt",
            "belongs to 1.jpg and 1.png",
        ),
        ({"train_list.txt": "good.jpg\n2.jpg\n"}, "FS079", "train_list.txt:2", "no image '2.jpg'"),
        ({"train_list.txt": "1\ngood.jpg\n"}, "FS079", "train_list.txt:1", "does not name an image: '1'"),
        ({"train_list.txt": '1.jpg\t[{"points": 1}]\ngood.jpg'}, "FS079", "train_list.txt:1", "does not name an image"),
        ({"train_list.txt": "good.jpg\n\ngood.jpg\n"}, "FS080", "train_list.txt:3", "'good.jpg' is also in line 1"),
        (
            {"train_list.txt": "good.jpg\n1.jpg\n", "train_images/1.jpg": None, "train_gts/2.txt": BOX},
            "GT001",
            "train_list.txt:2",
            "no label file found for 1.jpg",
        ),
        (
            {"train_list.txt": "good.jpg\n1.jpg a/1.txt\n", "train_images/1.jpg": None, "train_gts/1.txt": BOX},
            "GT001",
            "train_list.txt:2",
            "no label file 'a/1.txt'",
        ),
    ],
)
def test_unmatched_files_are_reported_and_the_rest_is_read(tmp_path, files, code, place, message):
    build(tmp_path, GOOD | files)
    report = Report()
    records = read_custom(tmp_path, report)["train"]
    assert "good.jpg" in [record.image_path.name for record in records]
    finding = report[0]
    assert {found.code for found in report} == {code}
    assert finding.place == f"{tmp_path}/{place}" and re.search(message, finding.text) and "\n" not in finding.text


def test_unread_files_among_the_images(tmp_path):
    others = {"train_images/1.HEIC": "x", "train_images/a.jpg/b.txt": "x", "train_images/._g.pdf": "x"}
    build(tmp_path, GOOD | others)
    report = read_data(tmp_path).report
    unread = [(finding.code, finding.path.name) for finding in report.of("IM071", "IM054")]
    assert unread == [("IM071", "1.HEIC"), ("IM054", "a.jpg")]


def test_broken_links_to_images(tmp_path):
    build(tmp_path, GOOD)
    (tmp_path / "train_images" / "2.jpg").symlink_to("gone.jpg")
    report = Report()
    assert len(read_custom(tmp_path, report)["train"]) == 1
    assert [finding.code for finding in report] == ["FS077"] and "a link to gone.jpg" in report[0].text


def test_a_list_line_is_split_at_every_image_suffix():
    assert read_list_line(" a b.jpg c d.txt ") == [("a b.jpg", "c d.txt")]
    assert read_list_line("a.jpg b.jpg\tc.txt") == [("a.jpg", "b.jpg\tc.txt"), ("a.jpg b.jpg", "c.txt")]
    assert read_list_line("a b.jpg") == [("a b.jpg", None)]
    assert read_list_line("a b") == []


def test_loading_gives_image_and_labels(tmp_path):
    build(tmp_path, {"images/图 1.png": None, "labels/图 1.txt": f"{BOX},###"})
    sample = LabelledImages(read_custom(tmp_path)["train"]).load(0)
    assert sample.name == "图 1.png" and sample.image.shape == (8, 8, 3)
    assert sample.ignore.tolist() == [True] and sample.polygons[0].shape == (4, 2)
