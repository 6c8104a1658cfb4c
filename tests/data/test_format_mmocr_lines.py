"""Annotation files of MMOCR 0.x, and WildReceipt."""

from __future__ import annotations

import json

import pytest

from format_files import build, corners, found, names, read_all, recognised
from resnet18_ocrdet.data.formats import json_stream, mmocr_lines
from resnet18_ocrdet.data.load_annotations import read_data

# The keys of dataset_zoo/wildreceipt/sample_anno.md and of tools/data/textdet/coco_to_line_dict.py of MMOCR.
RECEIPT = {
    "file_name": "image_files/Image_16/11/d5de.jpeg",
    "height": 8,
    "width": 8,
    "annotations": [
        {"box": [550.0, 190.0, 937.0, 190.0, 937.0, 104.0, 550.0, 104.0], "text": "SAFEWAY", "label": 1},
        {"box": [10.0, 20.0, 30.0, 20.0, 30.0, 10.0, 10.0, 10.0], "text": "x", "label": 0},
        {"box": [40.0, 20.0, 60.0, 20.0, 60.0, 10.0, 40.0, 10.0], "text": "###", "label": 25},
    ],
}
SCENE = {
    "file_name": "test/img_2.jpg",
    "height": 720,
    "width": 1280,
    "annotations": [
        {
            "iscrowd": 1,
            "category_id": 1,
            "bbox": [602.0, 173.0, 33.0, 24.0],
            "segmentation": [[602, 173, 635, 175, 634, 197, 602, 196]],
        },
        {"iscrowd": 0, "category_id": 1, "bbox": [734.0, 310.0, 58.0, 54.0]},
        {
            "iscrowd": 0,
            "category_id": 1,
            "bbox": [0, 0, 9, 4],
            "segmentation": [[0, 0, 4, 0, 4, 4], [5, 0, 9, 0, 9, 4]],
        },
        {"polygon": [[1, 2], [3, 2], [3, 4]], "transcription": "a", "ignore": True},
    ],
}


def lines(*entries):
    return "".join((entry if isinstance(entry, str) else json.dumps(entry)) + "\n" for entry in entries)


def wrap(*annotations, name="1.png"):
    return {"file_name": name, "annotations": list(annotations)}


BOX = {"box": [0, 0, 4, 0, 4, 4, 0, 4], "text": "a"}


def test_wildreceipt(tmp_path):
    files = {
        "train.txt": lines(RECEIPT),
        "openset_train.txt": lines(RECEIPT),
        "class_list.txt": "0 Ignore\n1 Store_name_value\n25 Others\n",
        "image_files/Image_16/11/d5de.jpeg": None,
    }
    parts, report = read_all(mmocr_lines, build(tmp_path, files))
    (record,) = parts["train"]
    assert corners(record) == [
        [[550, 190], [937, 190], [937, 104], [550, 104]],
        [[10, 20], [30, 20], [30, 10], [10, 10]],
        [[40, 20], [60, 20], [60, 10], [40, 10]],
    ]
    assert record.texts == ("SAFEWAY", "x", "###") and record.ignore.tolist() == [False, False, True]
    assert record.flags == ("", "ignore", "")
    assert record.categories == ("Store_name_value", "Ignore", "Others")
    assert record.stated == (8, 8) and record.lines.tolist() == [1, 1, 1] and not len(report)
    reading = read_data(tmp_path)
    assert reading.causes == {"mark": 1, "ignore": 1}
    assert any(line.startswith("classes: Store_name_value 1, Ignore 1, Others 1") for line in reading.chosen)


def test_label_0_of_a_set_with_other_classes_is_text(tmp_path):
    classes = {"class_list.txt": "0 company\n1 total\n"}
    build(tmp_path, {"train.txt": lines(wrap(BOX | {"label": 0})), "1.png": None} | classes)
    (record,) = read_all(mmocr_lines, tmp_path)[0]["train"]
    assert record.flags == ("",) and record.categories == ("company",)


def test_the_open_set_alone_has_classes_of_its_own(tmp_path):
    classes = {"class_list.txt": "0 Ignore\n1 Store_name_value\n"}
    build(tmp_path, {"openset_train.txt": lines(wrap(BOX | {"label": 1})), "1.png": None} | classes)
    assert read_all(mmocr_lines, tmp_path)[0]["train"][0].categories == ("key",)


def test_text_detection(tmp_path):
    build(tmp_path, {"instances_test.txt": lines(SCENE), "imgs/test/img_2.jpg": None})
    parts, report = read_all(mmocr_lines, tmp_path)
    (record,) = parts["test"]
    assert corners(record) == [
        [[602, 173], [635, 175], [634, 197], [602, 196]],
        [[734, 310], [792, 310], [792, 364], [734, 364]],
        [[0, 0], [4, 0], [4, 4]],
        [[5, 0], [9, 0], [9, 4]],
        [[1, 2], [3, 2], [3, 4]],
    ]
    assert record.flags == ("iscrowd", "", "", "", "ignore") and record.texts == ("", "", "", "", "a")
    assert set(record.categories) == {""} and record.stated == (720, 1280) and not len(report)


@pytest.mark.parametrize("name", ["metadata.jsonl", "annotations/labels.json", "train/label.txt"])
def test_names_of_files(tmp_path, name):
    build(tmp_path, {name: lines(wrap(BOX)), "1.png": None})
    assert mmocr_lines.recognise(tmp_path) == f"{name}: lines with file_name and annotations"
    parts, report = read_all(mmocr_lines, tmp_path)
    assert names(parts) == {"train": ["1.png"]} and parts["train"][0].texts == ("a",) and not len(report)


def test_line_ends_blank_lines_and_encodings(tmp_path):
    text = lines(wrap(BOX), "", wrap(BOX | {"text": "东\u2028"}, name="2.png"), "  ").replace("\n", "\r\n")
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        root = build(tmp_path / encoding, {"train.jsonl": text.encode(encoding), "1.png": None, "2.png": None})
        assert mmocr_lines.recognise(root)
        parts, report = read_all(mmocr_lines, root)
        assert [record.texts for record in parts["train"]] == [("a",), ("东",)]
        assert [record.lines.tolist() for record in parts["train"]] == [[1], [3]]
        codes = {"utf-8": [], "utf-8-sig": ["GT003"], "utf-16": ["GT004"]}[encoding]
        assert [finding.code for finding in report] == codes


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ('{"file_name": "2.png", "annotations" []}', "GT006", "column 38: not valid JSON"),
        ("[" * 100_000, "GT006", "nested too deeply"),
        ("[1]", "GT022", "needs an object with file_name and annotations, got a list of 1 value"),
        ({"annotations": []}, "GT022", "needs the file name of an image as file_name, got null"),
        (wrap(name="gone.png"), "FS079", "'gone.png': not found in"),
        ({"file_name": "2.png"}, "GT022", "needs annotations, a list of regions, got null"),
        (wrap(name="../../4.png"), "FS079", "'../../4.png': not found in"),
    ],
)
def test_a_bad_line_loses_only_itself(tmp_path, line, code, words):
    images = dict.fromkeys(("1.png", "2.png", "3.png"))
    build(tmp_path, {"val.txt": lines(wrap(BOX), line, wrap(BOX, name="3.png"))} | images)
    parts, report = read_all(mmocr_lines, tmp_path)
    assert names(parts) == {"val": ["1.png", "3.png"]}
    assert found(report) == [(code, "val.txt", 2)] and words in report[0].detail


@pytest.mark.parametrize(
    ("annotation", "code", "words"),
    [
        (None, "GT022", "annotation 2: needs box, segmentation or bbox, got null"),
        ({"text": "a"}, "GT022", "needs box, segmentation or bbox, has none"),
        ({"box": [0, 0, 4, 4], "text": "a"}, "GT018", "box holds 2 corners, a region needs 3"),
        ({"box": [0, 0, 4, 0, 4, 4, 0, "x"]}, "GT020", "value 8 of box is 'x'"),
        ({"bbox": [0, 0, 4]}, "GT018", "bbox holds 3 numbers, a box needs 4: x, y, width, height"),
        ({"segmentation": [[0, 0, 4, 0, 4]], "bbox": [0, 0, 4, 4]}, "GT019", "segmentation holds 5 numbers"),
        ({"segmentation": {"counts": "x"}}, "GT022", "needs segmentation, a list of coordinates, got an object"),
    ],
)
def test_a_bad_annotation_is_counted_as_lost(tmp_path, annotation, code, words):
    build(tmp_path, {"train.txt": lines(wrap(BOX, annotation, BOX)), "1.png": None})
    parts, report = read_all(mmocr_lines, tmp_path)
    (record,) = parts["train"]
    assert [(finding.code, finding.line) for finding in report] == [(code, 1)] and words in report[0].detail
    assert record.lost == 1 and corners(record) == [[[0, 0], [4, 0], [4, 4], [0, 4]]] * 2
    assert record.texts == ("a", "a") and not record.ignore.any()


def test_a_very_long_line_loses_only_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(mmocr_lines, "MAX_VALUE", 1000)
    long = wrap(*[BOX] * 50, name="2.png")
    build(tmp_path, {"train.txt": lines(wrap(BOX), long, wrap(name="3.png"))} | dict.fromkeys(("1.png", "3.png")))
    parts, report = read_all(mmocr_lines, tmp_path)
    assert names(parts) == {"train": ["1.png", "3.png"]}
    assert found(report) == [("GT006", "train.txt", 2)] and "a line of more than 1000 characters" in report[0].detail
    assert json_stream.MAX_VALUE == 2**24


def test_a_file_with_a_syntax_error_in_its_first_line_is_recognised(tmp_path):
    broken = lines(wrap(BOX)).replace("}]}", "}")
    build(tmp_path, {"train.txt": broken, "1.png": None})
    assert mmocr_lines.recognise(tmp_path)
    assert found(read_all(mmocr_lines, tmp_path)[1]) == [("GT006", "train.txt", 1)]


def test_other_files_are_not_recognised(tmp_path):
    whole = {"categories": [], "annotations": [{"image_id": 1, "bbox": [0, 0, 4, 4]}] * 300}
    others = {
        "coco": {"instances_train.json": whole | {"images": [{"id": 1, "file_name": "1.png"}]}},
        "lists": {"train.txt": "1.png\n2.png\n"},
        "recognition": {"train_label.jsonl": lines({"filename": "1.png", "text": "a"})},
        "donut": {"metadata.jsonl": lines({"file_name": "1.png", "ground_truth": "{}"})},
    }
    for name, files in others.items():
        assert mmocr_lines.recognise(build(tmp_path / name, files)) is None
    assert recognised(mmocr_lines.recognise, tmp_path) == {
        "mmocr_lines": "train.txt: lines with file_name and annotations"
    }
    assert mmocr_lines.recognise(tmp_path / "nowhere") is None
