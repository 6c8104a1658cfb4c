"""YOLO's boxes, oriented boxes and segments, names of classes, and splits."""

from __future__ import annotations

import time
from collections import Counter

import cv2
import numpy as np
import pytest

from format_files import build, corners, found, names, read_all, recognised
from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats import yolo
from resnet18_ocrdet.data.formats.yolo_lines import is_yolo, parse_line
from resnet18_ocrdet.data.formats.yolo_names import read_splits
from resnet18_ocrdet.data.label_options import LabelOptions
from resnet18_ocrdet.data.load_annotations import detect_format, read_data
from resnet18_ocrdet.errors import UserError

PHOTO = cv2.imencode(".png", np.zeros((100, 200, 3), np.uint8))[1].tobytes()  # 200 px wide, 100 px high
# By hand: centre (0.25 * 200, 0.5 * 100) = (50, 50), sides 0.1 * 200 = 20 and 0.2 * 100 = 20
BOX, BOX_CORNERS = "0 0.25 0.5 0.1 0.2", [[40, 40], [60, 40], [60, 60], [40, 60]]
# By hand: each x times 200, each y times 100
OBB, OBB_CORNERS = "1 0.1 0.2 0.2 0.1 0.25 0.3 0.15 0.4", [[20, 20], [40, 10], [50, 30], [30, 40]]
SEGMENT, SEGMENT_CORNERS = "0 0.5 0.5 0.75 0.5 0.75 0.75", [[100, 50], [150, 50], [150, 75]]


def record_of(root):
    """The only image of a data set, read as a command does; all of its findings must be of level info."""
    reading = read_data(root)
    assert reading.dialect == "YOLO"
    assert [f.text for level in ("error", "warning", "repair") for f in reading.report.at(level)] == []
    ((record,),) = reading.splits.values()
    return record


def test_boxes_oriented_boxes_and_segments_in_one_file(tmp_path):
    build(tmp_path, {"images/1.png": PHOTO, "labels/1.txt": f"{BOX}\n{OBB}\n\n{SEGMENT}\n"})
    record = record_of(tmp_path)
    wanted = [BOX_CORNERS, OBB_CORNERS, SEGMENT_CORNERS]
    for polygon, points in zip(record.polygons, wanted, strict=True):
        np.testing.assert_allclose(polygon, points, atol=1e-4)
    assert (record.texts, record.ignore.tolist(), record.lost) == (("",) * 3, [False] * 3, 0)
    assert record.lines.tolist() == [1, 2, 4] and record.size == (100, 200)


def test_the_sides_are_those_of_the_upright_image(tmp_path):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn: 200 x 100 stored pixels are 100 wide and 200 high upright
    (tmp_path / "images").mkdir()
    Image.new("RGB", (200, 100)).save(tmp_path / "images/1.jpg", exif=exif)
    build(tmp_path, {"labels/1.txt": BOX})
    record = record_of(tmp_path)
    np.testing.assert_allclose(record.polygons[0], [[20, 80], [30, 80], [30, 120], [20, 120]], atol=1e-4)


def test_data_coords_makes_no_difference(tmp_path):
    build(tmp_path, {"images/1.png": PHOTO, "labels/1.txt": OBB})
    for coords in ("pixels", "normalized"):
        ((record,),) = read_data(tmp_path, options=LabelOptions(coords=coords)).splits.values()
        np.testing.assert_allclose(record.polygons[0], OBB_CORNERS, atol=1e-4)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("data.yaml", "train: images\nval: images\nnc: 2\nnames: ['text', 'logo']\n"),
        ("data.yaml", "names:\n- text\n- logo\nroboflow:\n  license: CC BY 4.0\n"),
        ("dataset.yaml", "path: /home/a/set\nnames:\n  0: text\n  # and\n  1: logo\n"),
        ("my.yml", 'names: ["text",\n  "logo"]  # two\r\n'),
        ("data.yaml", "names: [\n  text,\n  logo\n]\n"),
        ("classes.txt", "text\nlogo\n"),
        ("labels/classes.txt", "\ufefftext\r\nlogo\r\n"),
        ("obj.names", "text\nlogo"),
        ("_darknet.labels", "text\nlogo\n"),
    ],
)
def test_names_of_classes(tmp_path, file, text):
    build(tmp_path, {"images/1.png": None, "labels/1.txt": f"{BOX}\n{OBB}\n{BOX.replace('0', '7', 1)}", file: text})
    parts, report = read_all(yolo, tmp_path)
    (record,) = parts["train"]
    assert record.categories == ("text", "logo", "7") and not report
    assert (record.flags, report.normalized) == (("",) * 3, True)


@pytest.mark.parametrize(
    "text",
    ["names: [", "names: &a [*a]", "names: {[a]: b}", "names: 3", "names:", "- names", "names: " + "[" * 600, "\x07"],
)
def test_a_broken_description_leaves_the_numbers(tmp_path, text):
    build(tmp_path, {"images/1.png": None, "labels/1.txt": f"{BOX}\n{OBB}\n", "data.yaml": text})
    parts, report = read_all(yolo, tmp_path)
    assert parts["train"][0].categories == ("0", "1") and not report


def test_classes_are_counted_and_a_mark_is_dont_care(tmp_path):
    build(tmp_path, {"images/1.png": PHOTO, "labels/1.txt": f"{BOX}\n{OBB}\n{SEGMENT}", "classes.txt": "text\n###\n"})
    reading = read_data(tmp_path)
    assert reading.splits["train"][0].ignore.tolist() == [False, True, False]
    assert any("classes: text 2, ### 1" in line for line in reading.chosen)
    kept = read_data(tmp_path, options=LabelOptions(classes=["text"], other_classes="drop")).splits["train"][0]
    assert len(kept.polygons) == 2


@pytest.mark.parametrize(
    ("files", "splits"),
    [
        ({"images/train/a.png": "", "images/val/b.png": ""}, {"train": ["a"], "val": ["b"]}),
        ({"train/images/a.png": "", "valid/images/b.png": "", "test/images/c.png": ""}, None),
        ({"obj_train_data/a.png": "", "obj_valid_data/b.png": ""}, {"train": ["a"], "val": ["b"]}),
        ({"train/a.png": "", "valid/b.png": ""}, {"train": ["a"], "val": ["b"]}),
        ({"images/a.png": "", "images/b.png": ""}, {"train": ["a", "b"]}),
        ({"a.png": "", "b.png": ""}, {"train": ["a", "b"]}),
        ({"a.png": "labels/a.txt", "b.png": "labels/b.txt"}, {"train": ["a", "b"]}),
        ({"train/a.png": "train/labels/a.txt", "val/b.png": "val/labels/b.txt"}, {"train": ["a"], "val": ["b"]}),
        ({"train_images/a.png": "", "test_images/b.png": ""}, {"train": ["a"], "test": ["b"]}),
        ({"Images/a.png": ""}, {"train": ["a"]}),
    ],
)
def test_layouts_and_splits_by_folders(tmp_path, files, splits):
    usual = [name.replace("images", "labels").replace("Images", "Labels")[:-3] + "txt" for name in files]
    labels = [label or place for label, place in zip(files.values(), usual, strict=True)]
    build(tmp_path, dict.fromkeys(files) | dict.fromkeys(labels, BOX))
    parts, report = read_all(yolo, tmp_path)
    wanted = splits or {"train": ["a"], "val": ["b"], "test": ["c"]}
    assert names(parts) == {split: [f"{name}.png" for name in found] for split, found in wanted.items()}
    assert not report and report.unsplit == (list(wanted) == ["train"])
    for record in (record for records in parts.values() for record in records):
        np.testing.assert_allclose(record.polygons[0], [[0.2, 0.4], [0.3, 0.4], [0.3, 0.6], [0.2, 0.6]], atol=1e-6)
        assert record.categories == ("0",) and not record.ignore.any()
    assert yolo.recognise(tmp_path).endswith("holds a class and shares of width and height")


@pytest.mark.parametrize(
    ("files", "one", "two"),
    [
        ({"train.txt": "data/images/1.png\n", "val.txt": "C:\\me\\images\\2.png\nno.png\n"}, "images/1", "images/2"),
        (
            {"data.yaml": "train: ../lists/a.txt\nval: images/b", "lists/a.txt": "./images/1.png"},
            "images/1",
            "images/b/2",
        ),
        ({"data.yaml": "path: .\ntrain: [none, images/a]\nval: images/b/"}, "images/a/1", "images/b/2"),
    ],
)
def test_lists_and_data_yaml_tell_splits_that_folders_do_not(tmp_path, files, one, two):
    labels = {f"{name.replace('images', 'labels')}.txt": BOX for name in (one, two)}
    build(tmp_path, files | labels | {f"{one}.png": None, f"{two}.png": None})
    parts, report = read_all(yolo, tmp_path)
    assert names(parts) == {"train": ["1.png"], "val": ["2.png"]} and not report.unsplit


def test_long_lists_take_little_time(tmp_path):
    """20,000 images in 200 folders, 1,000 folders in data.yaml, and all images in a list."""
    names = [f"images/{number % 200}/{number}.png" for number in range(20_000)]
    images = [tmp_path / name for name in names]
    folders = ", ".join(f"{number}" for number in range(800))
    build(tmp_path, {"data.yaml": f"train: [{folders}]\ntest: [images/7, images/8]\n", "val.txt": "\n".join(names[:9])})
    began = time.process_time()
    splits = read_splits(tmp_path, images, 1)
    assert time.process_time() - began < 1
    assert Counter(splits.values()) == {
        "val": 9,
        "test": 198,
    }  # images 7 and 8 of each hundred, but for those in the list
    assert splits[images[7]] == splits[images[8]] == "val" and splits[images[207]] == "test"


@pytest.mark.parametrize(
    ("line", "code", "detail"),
    [
        ("text 0.5 0.5 0.1 0.1", "GT020", "the class is 'text'"),
        ("1.5 0.5 0.5 0.1 0.1", "GT020", "the class is '1.5'"),
        ("0 0.5 0.5 0.1", "GT018", "a box needs 5"),
        ("0 0.5 0.5 0.1 O.1", "GT020", "number 4 is 'O.1'"),
        ("0 0.5 0.5 0.1 0.1 45", "GT019", "an angle"),
        ("0 0.5 0.5 0.1 0.1 0.5 0.2 0.3", "GT019", "7 coordinates"),
        ("0 120 40 20 10", "GT021", "coordinate 1 is '120'"),
        ("0 0.5 nan 0.1 0.1", "GT021", "coordinate 2 is 'nan'"),
        ("0 0.5 0.5 1.2 0.1", "GT021", "coordinate 3 is '1.2'"),
    ],
)
def test_lines_without_a_readable_region(tmp_path, line, code, detail):
    build(tmp_path, {"images/1.png": None, "labels/1.txt": f"{BOX}\n{line}\n{OBB}\n"})
    parts, report = read_all(yolo, tmp_path)
    (record,) = parts["train"]
    assert found(report, tmp_path) == [(code, "labels/1.txt", 2)] and detail in report[0].detail
    assert record.lost == 1 and record.lines.tolist() == [1, 3] and not record.ignore.any()
    np.testing.assert_allclose(record.polygons[0], [[0.2, 0.4], [0.3, 0.4], [0.3, 0.6], [0.2, 0.6]], atol=1e-6)


def test_a_share_may_be_a_hundredth_outside():
    assert parse_line("0 1.005 0.5 0.1 0.1", 1, {}).polygon[1, 0] == pytest.approx(1.055)


def test_rotated_boxes_are_named_and_not_read(tmp_path):
    build(tmp_path, {"images/1.png": PHOTO, "labels/1.txt": "0 0.5 0.5 0.2 0.1 30\n0 0.3 0.5 0.2 0.1 -15\n"})
    reading = read_data(tmp_path)
    assert reading.dialect == "YOLO" and reading.splits["train"][0].lost == 2
    assert all("class cx cy w h and an angle" in finding.text for finding in reading.report.of("GT019"))


def test_keypoints_are_refused(tmp_path):
    files = {"images/1.png": None, "labels/1.txt": BOX, "data.yaml": "kpt_shape: [4, 2]\nnames: [plate]\n"}
    with pytest.raises(UserError, match=r"data\.yaml: kpt_shape: labels with keypoints"):
        read_all(yolo, build(tmp_path, files))


def test_empty_missing_and_unmatched_files(tmp_path):
    build(tmp_path, {"images/1.png": None, "images/2.png": None, "labels/1.txt": "", "labels/3.txt": BOX})
    build(tmp_path, {"labels/classes.txt": "text\n", "labels/4.txt": b"\0"})
    parts, report = read_all(yolo, tmp_path)
    assert corners(parts["train"][0]) == [] and len(parts["train"]) == 1
    assert sorted(found(report)) == [
        ("GT001", "2.png", 0),
        ("GT002", "1.txt", 0),
        ("GT027", "3.txt", 0),
        ("GT027", "4.txt", 0),
    ]


def test_no_labels(tmp_path):
    with pytest.raises(UserError, match="no YOLO labels found"):
        yolo.read(build(tmp_path, {"images/1.png": None}), Report(), ())


def test_only_its_own_lines_are_recognised(tmp_path):
    assert list(recognised(yolo.recognise, tmp_path / "others")) == ["yolo"]
    for text in ("10,20,30,20,30,40,10,40,a", "0.1 0.2 0.3 0.2 0.3 0.4 0.1 0.4", "0 0 1 1 1", "12 40 60 80 word"):
        assert not is_yolo(text), text
    for text in (BOX, OBB, SEGMENT, "3\t0.5\t0.5\t1\t1", "0.0 0.5 0.5 1 1", "0 0.5 0.5 0.2 0.1 90"):
        assert is_yolo(text), text


def test_a_set_that_another_tool_labelled_is_read_from_its_own_files(tmp_path):
    """labelme2yolo and others write YOLO beside the labels that they convert."""
    shape = {"label": "EXIT", "points": [[1, 1], [5, 1], [5, 5], [1, 5]], "shape_type": "polygon"}
    build(tmp_path, {"1.png": None, "1.txt": BOX, "1.json": {"shapes": [shape], "imagePath": "1.png"}})
    assert detect_format(tmp_path)[0].KEY == "labelme"


def test_folders_in_which_the_reader_does_not_look(tmp_path):
    build(tmp_path, {"train_list.txt": "a/1.png b/1.txt\n", "a/1.png": None, "b/1.txt": f"{OBB}\n{BOX}\n"})
    with pytest.raises(UserError, match=r"b/1\.txt:1: '1 0\.1 .*lines of YOLO"):
        read_data(tmp_path)
