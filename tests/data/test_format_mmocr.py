"""Annotation files of MMOCR 1.x."""

from __future__ import annotations

import json

import pytest

from format_files import build, corners, found, names, read_all, recognised
from resnet18_ocrdet.data.formats import mmocr

# The example of the page "Dataset Preparation" in MMOCR's documentation, section on TextDetDataset, closed where it
# says "...", and with one more instance of each kind.
DOCUMENTED = {
    "metainfo": {
        "dataset_type": "TextDetDataset",
        "task_name": "textdet",
        "category": [{"id": 0, "name": "text"}],
    },
    "data_list": [
        {
            "img_path": "test_img.jpg",
            "height": 640,
            "width": 480,
            "instances": [
                {
                    "polygon": [0, 0, 0, 10, 10, 20, 20, 0],
                    "bbox": [0, 0, 10, 20],
                    "bbox_label": 0,
                    "ignore": False,
                },
                {"bbox": [10, 15, 110, 120], "bbox_label": 0, "ignore": True, "text": "123"},
                {"polygon": [1, 2, 3, 2, 3, 4], "text": "###"},
            ],
        }
    ],
}


def wrap(*instances):
    return {"metainfo": {}, "data_list": [{"img_path": "1.png", "instances": list(instances)}]}


def test_the_documented_example(tmp_path):
    build(tmp_path, {"textdet_train.json": DOCUMENTED, "test_img.jpg": None})
    parts, report = read_all(mmocr, tmp_path)
    (record,) = parts["train"]
    assert corners(record) == [
        [[0, 0], [0, 10], [10, 20], [20, 0]],
        [[10, 15], [110, 15], [110, 120], [10, 120]],
        [[1, 2], [3, 2], [3, 4]],
    ]
    assert record.ignore.tolist() == [False, False, True] and record.flags == ("", "ignore", "")
    assert record.texts == ("", "123", "###")
    assert record.lines.tolist() == [1, 2, 3]
    assert record.stated == (640, 480) and record.lost == 0 and not len(report)
    assert record.label_path == tmp_path / "textdet_train.json"


def test_splits_and_folders(tmp_path):
    files = {}
    for part in ("train", "test"):  # as tools/dataset_converters/prepare_dataset.py lays them out
        entry = {"img_path": f"textdet_imgs/{part}/照片 1.png", "instances": []}
        files |= {
            f"textdet_{part}.json": {"metainfo": {}, "data_list": [entry]},
            f"textdet_imgs/{part}/照片 1.png": None,
        }
        files[f"textspotting_{part}.json"] = files[f"textdet_{part}.json"]
        files[f"textrecog_{part}.json"] = {"metainfo": {"task_name": "textrecog"}, "data_list": [{"img_path": "x"}]}
    build(tmp_path, files)
    parts, report = read_all(mmocr, tmp_path)
    assert [record.image_path for records in parts.values() for record in records] == [
        tmp_path / "textdet_imgs/train/照片 1.png",
        tmp_path / "textdet_imgs/test/照片 1.png",
    ]
    assert list(parts) == ["train", "test"] and not len(report)
    b = build(tmp_path / "b", {"instances_training.json": wrap(), "instances_val.json": wrap()})
    parts, report = read_all(mmocr, build(b, {"imgs/test/1.png": None, "imgs/training/1.png": None}))
    assert [record.image_path for record in parts["train"]] == [b / "imgs/training/1.png"]
    assert parts["val"] == []  # the image in test is another one
    assert found(report, b) == [("FS079", "instances_val.json", 1)]


@pytest.mark.parametrize(
    ("instance", "code", "words"),
    [
        (None, "GT022", "instance 2 of '1.png': needs polygon or bbox, got null"),
        ({"text": "a"}, "GT022", "needs polygon or bbox, has neither"),
        ({"polygon": "a"}, "GT022", "needs polygon, a list of coordinates, got 'a'"),
        ({"polygon": [1, 2, 3, 4]}, "GT018", "polygon holds 2 corners"),
        ({"polygon": [1, 2, 3, 4, 5, 6, 7]}, "GT019", "polygon holds 7 numbers"),
        ({"polygon": [1, 2, 3, 4, 5, {}]}, "GT020", "value 6 of polygon is an object"),
        ({"bbox": [1, 2, 3]}, "GT018", "bbox holds 3 numbers, a box needs 4: x and y of two corners"),
        ({"bbox": [1, 2, 3, None]}, "GT020", "value 4 of bbox is null"),
    ],
)
def test_a_bad_instance_is_counted_as_lost(tmp_path, instance, code, words):
    good = {"polygon": ["1", 2, 3, 2, 3, 4.5]}
    build(tmp_path, {"train.json": wrap(good, instance, good), "1.png": None})
    parts, report = read_all(mmocr, tmp_path)
    (record,) = parts["train"]
    (finding,) = report
    assert (finding.code, finding.line, finding.image) == (code, 2, tmp_path / "1.png")
    assert words in finding.detail
    assert record.lost == 1 and record.lines.tolist() == [1, 3]
    assert corners(record) == [[[1, 2], [3, 2], [3, 4.5]]] * 2 and not record.ignore.any()


@pytest.mark.parametrize(
    ("entry", "code", "words"),
    [
        ([], "GT022", "entry 2 of data_list: needs img_path and instances, got a list of 0 values"),
        ({"instances": []}, "GT022", "needs the file name of an image as img_path, got null"),
        ({"img_path": 7, "instances": []}, "GT022", "as img_path, got 7"),
        ({"img_path": "", "instances": []}, "GT022", "as img_path, got ''"),
        ({"img_path": "gone.png", "instances": []}, "FS079", "'gone.png': not found in"),
        ({"img_path": "a\0b.png", "instances": []}, "FS079", "holds a NUL"),
        ({"img_path": "../../4.png", "instances": []}, "FS079", "'../../4.png': not found in"),
        ({"img_path": "2.png"}, "GT022", "needs instances, a list of regions, got null"),
        ({"img_path": "2.png", "instances": {}}, "GT022", "got an object"),
    ],
)
def test_a_bad_entry_loses_only_itself(tmp_path, entry, code, words):
    root = build(tmp_path / "a" / "b", {"../../4.png": None, "1.png": None, "2.png": None, "3.png": None})
    good = [{"img_path": f"{number}.png", "height": height, "instances": []} for number, height in ((1, 8), (3, -1))]
    build(root, {"textdet_val.json": {"metainfo": {}, "data_list": [good[0], entry, good[1]]}})
    parts, report = read_all(mmocr, root)
    assert names(parts) == {"val": ["1.png", "3.png"]}
    assert [record.stated for record in parts["val"]] == [None, None]
    (finding,) = report
    assert (finding.code, finding.line) == (code, 2) and words in finding.detail
    assert finding.image == (root / "2.png" if "2.png" in str(entry) else None)


@pytest.mark.parametrize(
    ("content", "code", "line", "words"),
    [
        ('{"metainfo": {},\n "data_list": [{"instances" []}]}', "GT006", 2, "column 29: not valid JSON"),
        ('{"metainfo": {}, "data_list": [' + "[" * 100_000, "GT006", 0, "nested too deeply"),
        ("", "GT006", 1, "the file is empty"),
        (b'{"metainfo": {}, "data_list": [\0', "GT006", 0, "not a text file"),
        ('{"metainfo": {}, "instances": [], "data_list": {}}', "GT022", 0, "needs data_list, a list of images"),
    ],
)
def test_a_bad_file_loses_only_itself(tmp_path, content, code, line, words):
    build(tmp_path, {"textdet_train.json": wrap(), "textdet_val.json": content, "1.png": None})
    parts, report = read_all(mmocr, tmp_path)
    if code == "GT022":  # not recognised by its keys
        assert names(parts) == {"train": ["1.png"]} and not len(report)
        return
    assert names(parts) == {"train": ["1.png"], "val": []}
    assert found(report, tmp_path) == [(code, "textdet_val.json", line)]
    assert words in report[0].detail


def test_an_image_in_two_entries(tmp_path):
    data = wrap({"bbox": [1, 2, 3, 4]})
    data["data_list"] += wrap({"bbox": [1, 2, 3, 4]})["data_list"] + wrap()["data_list"]
    build(tmp_path, {"train.json": data, "1.png": None})
    parts, report = read_all(mmocr, tmp_path)
    assert [len(record.polygons) for record in parts["train"]] == [1]
    assert found(report, tmp_path) == [("FS080", "train.json", 2), ("GT026", "train.json", 3)]


def test_recognise(tmp_path):
    assert recognised(mmocr.recognise, tmp_path) == {
        "mmocr": "textdet_train.json: has a data_list of images with instances"
    }
    big = {"metainfo": {}, "data_list": [{"img_path": f"{number}.png", "instances": []} for number in range(9999)]}
    build(tmp_path / "big", {"all.json": json.dumps(big, indent=1)})
    assert mmocr.recognise(tmp_path / "big")
    assert mmocr.recognise(tmp_path / "nowhere") is None
