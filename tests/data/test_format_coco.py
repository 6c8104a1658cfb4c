"""Annotations of COCO, COCO-Text and TextOCR."""

from __future__ import annotations

import numpy as np
import pytest

from format_files import build, corners, found, names, read_all, recognised
from resnet18_ocrdet.data.formats import coco

# The fields of https://cocodataset.org/#format-data, "Data format" and "Object Detection"; the first annotation is
# from an example in Roboflow's documentation ("COCO Run-Length Encoding").
OUTLINE = [1550.78, 748.65, 1548.38, 770.21, 1638.96, 779.7, 1640.35, 757.28, 1640.83, 726.62, 1557.96, 718.72]
INSTANCES = {
    "info": {"year": 2022, "version": "n/a", "description": "Exported from Darwin", "contributor": "n/a"},
    "licenses": [{"url": "n/a", "id": 0, "name": "placeholder license"}],
    "images": [
        {"license": 0, "file_name": "1920x1080.png", "coco_url": "n/a", "height": 1080, "width": 1920, "id": 290},
        {"license": 0, "file_name": "empty.png", "height": 0, "width": 1920, "id": 291},
    ],
    "annotations": [
        {
            "id": 8944,
            "image_id": 290,
            "category_id": 8,
            "segmentation": [OUTLINE],
            "area": 4641.6,
            "bbox": [1548.38, 718.72, 92.45, 60.98],
            "iscrowd": 0,
        },
        {
            "id": 8945,
            "image_id": 290,
            "category_id": 8,
            "segmentation": {"counts": [10 * 1080 + 20, 40, 1040, 40], "size": [1080, 1920]},  # columns 10 and 11
            "bbox": [10, 20, 2, 40],
            "iscrowd": 1,
        },
        {"id": 8946, "image_id": 290, "segmentation": [[0, 0, 4, 0, 4, 4], [5, 0, 9, 0, 9, 4]], "iscrowd": 0},
        {"id": 8947, "image_id": 290, "segmentation": [], "bbox": [1, 2, 3, 4]},
    ],
    "categories": [{"id": 8, "name": "text", "supercategory": "object"}],
}

# COCO-Text V2 as shown by MMOCR, dataset_zoo/cocotextv2/sample_anno.md, with a region that is not legible (the words
# of "legibility" are those of https://bgshih.github.io/cocotext) and with sets as version 1.4 has them.
COCO_TEXT = {
    "cats": {},
    "anns": {
        "45346": {
            "mask": [468.9, 286.7, 468.9, 295.2, 493.0, 295.8, 493.0, 287.2],
            "class": "machine printed",
            "bbox": [468.9, 286.7, 24.1, 9.1],
            "image_id": 522579,
            "id": 167312,
            "language": "english",
            "area": 55.5,
            "utf8_string": "the",
            "legibility": "legible",
        },
        "45347": {"mask": [1, 2, 3, 2, 3, 4], "bbox": [1, 2, 2, 2], "image_id": 522579, "legibility": "illegible"},
        "45348": {"mask": [1, 2, 3, 2, 3, 4], "bbox": [1, 2, 2, 2], "image_id": 522580, "utf8_string": "###"},
    },
    "imgs": {
        "522579": {
            "file_name": "COCO_train2014_000000492314.jpg",
            "height": 480,
            "width": 640,
            "id": 522579,
            "set": "train",
        },
        "522580": {"file_name": "COCO_train2014_000000000036.jpg", "id": 522580, "set": "val"},
    },
    "imgToAnns": {},
    "info": {},
}

# TextOCR as shown by MMOCR, dataset_zoo/textocr/sample_anno.md, with numbers instead of its words.
TEXTOCR = {
    "imgs": {
        "OpenImages_ImageID_1": {
            "id": "OpenImages_ImageID_1",
            "width": 640,
            "height": 480,
            "set": "val",
            "filename": "train/OpenImages_ImageID_1.jpg",
        }
    },
    "anns": {
        "OpenImages_ImageID_1_1": {
            "id": "OpenImages_ImageID_1_1",
            "image_id": "OpenImages_ImageID_1",
            "bbox": [1.0, 2.0, 4.0, 4.0],
            "points": [1.0, 2.0, 5.0, 2.0, 5.0, 6.0, 1.0, 6.0],
            "utf8_string": "出口",
            "area": 16.0,
        }
    },
    "img2Anns": {"OpenImages_ImageID_1": ["OpenImages_ImageID_1_1"]},
}


def test_a_split_in_the_image_name_does_not_match_another_split(tmp_path):
    image = {"id": 1, "file_name": "train/1.png", "height": 8, "width": 8}
    content = {"images": [image], "annotations": [{"image_id": 1, "bbox": [0, 0, 4, 4]}], "categories": []}
    build(tmp_path, {"annotations/instances_all.json": content, "test_images/1.png": None})
    _, report = read_all(coco, tmp_path)
    assert [finding.code for finding in report] == ["FS079"]
    build(tmp_path, {"train_images/1.png": None})
    parts, report = read_all(coco, tmp_path)
    assert [record.image_path for record in parts["train"]] == [tmp_path / "train_images/1.png"] and not len(report)


def test_a_full_stop_is_illegible_only_in_textocr(tmp_path):
    square = [0, 0, 4, 0, 4, 4, 0, 4]
    anns = {
        "1": {"image_id": "a", "points": square, "utf8_string": "."},
        "2": {"image_id": "a", "points": square[2:] + square[:2], "utf8_string": ". "},
        "3": {"image_id": "a", "points": square[4:] + square[:4], "utf8_string": ".."},
        "4": {"image_id": "a", "mask": square, "bbox": [0, 0, 4, 4], "utf8_string": "."},
    }
    imgs = {"a": {"id": "a", "file_name": "1.png", "set": "train"}}
    build(tmp_path, {"x_train.json": {"imgs": imgs, "anns": anns}, "1.png": None})
    parts, _ = read_all(coco, tmp_path)
    assert parts["train"][0].flags == ("illegible", "illegible", "", "")


def wrap(*annotations, name="1.png"):
    return {
        "images": [{"id": 1, "file_name": name, "height": 8, "width": 8}],
        "annotations": [{"image_id": 1, **entry} if isinstance(entry, dict) else entry for entry in annotations],
        "categories": [],
    }


def test_instances(tmp_path):
    path = "annotations/instances_train2017.json"
    build(tmp_path, {path: INSTANCES, "train2017/1920x1080.png": None, "train2017/empty.png": None})
    parts, report = read_all(coco, tmp_path)
    assert names(parts) == {"train": ["1920x1080.png", "empty.png"]} and not len(report)
    one, two = parts["train"]
    assert one.polygons[0].tolist() == np.array(OUTLINE, np.float32).reshape(6, 2).tolist()
    assert corners(one)[1:] == [
        [[10, 20], [12, 20], [12, 60], [10, 60]],
        [[0, 0], [4, 0], [4, 4]],
        [[5, 0], [9, 0], [9, 4]],
        [[1, 2], [4, 2], [4, 6], [1, 6]],
    ]
    assert one.flags == ("", "iscrowd", "", "", "") and not one.ignore.any()
    assert one.lines.tolist() == [1, 2, 3, 3, 4]
    assert one.stated == (1080, 1920) and one.label_path == tmp_path / path and one.lost == 0
    assert two.polygons == () and two.stated is None and two.lost == 0


def test_coco_text(tmp_path):
    images = {f"train2014/{image['file_name']}": None for image in COCO_TEXT["imgs"].values()}
    build(tmp_path, {"COCO_Text.json": COCO_TEXT, **images})
    assert coco.recognise(tmp_path) == "COCO_Text.json: has images and annotations with boxes"
    parts, report = read_all(coco, tmp_path)
    assert names(parts) == {
        "train": ["COCO_train2014_000000492314.jpg"],
        "val": ["COCO_train2014_000000000036.jpg"],
    }
    (record,) = parts["train"]
    assert record.polygons[0] == pytest.approx(
        np.array([[468.9, 286.7], [468.9, 295.2], [493.0, 295.8], [493.0, 287.2]], np.float32)
    )
    assert record.texts == ("the", "") and record.flags == ("", "illegible")
    assert record.lines.tolist() == [1, 2] and record.stated == (480, 640)
    assert parts["val"][0].texts == ("###",) and parts["val"][0].ignore.tolist() == [True]
    assert not len(report)


def test_textocr(tmp_path):
    build(tmp_path, {"TextOCR_0.1_val.json": TEXTOCR, "train/OpenImages_ImageID_1.jpg": None})
    assert coco.recognise(tmp_path)
    parts, report = read_all(coco, tmp_path)
    (record,) = parts["val"]
    assert corners(record) == [[[1, 2], [5, 2], [5, 6], [1, 6]]]
    assert record.texts == ("出口",) and not len(report)


@pytest.mark.parametrize(
    "at", ["1.png", "images/1.png", "data/1.png", "train/1.png", "train2017/1.png", "images/train/1.png"]
)
def test_where_images_are(tmp_path, at):
    build(tmp_path, {"annotations/train.json": wrap(), at: None, "val/1.png": None, "images/val/1.png": None})
    build(tmp_path, {"annotations/val.json": wrap()})
    parts, report = read_all(coco, tmp_path)
    assert parts["train"][0].image_path == tmp_path / at and not len(report)
    assert list(parts) == ["train", "val"]


def test_annotations_in_the_folder_of_each_split(tmp_path):
    for part in ("train", "valid"):  # as exported by Roboflow
        build(tmp_path, {f"{part}/_annotations.coco.json": wrap({"bbox": [1, 2, 3, 4]}), f"{part}/1.png": None})
    assert coco.recognise(tmp_path) == "train/_annotations.coco.json: has images and annotations with boxes"
    parts, report = read_all(coco, tmp_path)
    assert {part: record.image_path for part, (record,) in parts.items()} == {
        "train": tmp_path / "train/1.png",
        "val": tmp_path / "valid/1.png",
    }
    assert not len(report)


@pytest.mark.parametrize(
    ("annotation", "code", "words", "lost"),
    [
        ({}, "GT022", "annotation 2: needs segmentation or bbox, has neither", 1),
        ({"segmentation": {"counts": "a", "size": [1, 1]}}, "GT022", "counts of segmentation is 'a'", 1),
        ({"segmentation": {"counts": [9, 9], "size": [2, 8]}, "bbox": [1, 2, 3, 4]}, "GT022", "counts 18 pixels", 1),
        ({"bbox": [1, 2, 3, 4, 0.3]}, "GT018", "bbox holds 5 numbers: an angle of 0.3", 1),
        ({"bbox": [1, 2, 3, 4], "angle": -30}, "GT018", "angle is -30: an angle", 1),
        ({"bbox": [1, 2, 3, 4], "rotation": "0.5"}, "GT018", "rotation is 0.5: an angle of '0.5'", 1),
        ({"bbox": [1, 2, 3, 4], "attributes": {"rotation": 1e999}}, "GT021", "attributes.rotation is inf", 1),
        ({"bbox": [1, 2, 3]}, "GT018", "bbox holds 3 numbers, a box needs 4: x, y, width, height", 1),
        ({"bbox": [1, 2, "a", 4]}, "GT020", "value 3 of bbox is 'a'", 1),
        ({"bbox": 7}, "GT022", "needs bbox, a list of coordinates, got 7", 1),
        ({"segmentation": [[1, 2, 3, 4]], "bbox": [1, 2, 3, 4]}, "GT018", "segmentation holds 2 corners", 1),
        ({"segmentation": [[1, 2, 3, 4, 5, 6, 7]]}, "GT019", "segmentation holds 7 numbers", 1),
        ({"segmentation": [[1, 2, 3, 4, 5, None]]}, "GT020", "value 6 of segmentation is null", 1),
        ({"segmentation": [[1, 2, 3, 2, 3, 4], "a"]}, "GT022", "needs segmentation, a list of coordinates, got 'a'", 1),
        (None, "GT030", "annotation 2: needs image_id, a number or a string, got null", 0),
        ({"image_id": [1]}, "GT030", "got a list of 1 value", 0),
        ({"image_id": 7, "bbox": [1, 2, 3, 4]}, "GT030", "image_id 7", 0),
    ],
)
def test_a_bad_annotation_is_counted_as_lost(tmp_path, annotation, code, words, lost):
    good = {"bbox": ["1", 2, 3, 4]}
    build(tmp_path, {"train.json": wrap(good, annotation, good), "1.png": None})
    parts, report = read_all(coco, tmp_path)
    (record,) = parts["train"]
    (finding,) = report
    assert (finding.code, finding.line) == (code, 2) and words in finding.detail
    assert finding.image == (tmp_path / "1.png" if lost else None)
    assert record.lost == lost
    kept = [place for place, line in enumerate(record.lines.tolist()) if line != 2]
    assert record.lines[kept].tolist() == [1, 3] and not record.ignore.any()
    assert [corners(record)[place] for place in kept] == [[[1, 2], [4, 2], [4, 6], [1, 6]]] * 2


@pytest.mark.parametrize(
    ("image", "code", "words"),
    [
        (None, "GT022", "image 2: needs id, a number or a string, got null"),
        ({"file_name": "2.png"}, "GT022", "needs id"),
        ({"id": "1", "file_name": "1.png"}, "GT022", "id '1' is already used by image 1"),
        ({"id": 2}, "GT022", "needs the file name of an image as file_name, got null"),
        ({"id": 2, "file_name": "2.png"}, "FS079", "'2.png': not found in"),
        ({"id": 2, "file_name": "https://a.b/2.png"}, "FS079", "a web address, not a file"),
    ],
)
def test_a_bad_image_loses_only_itself(tmp_path, image, code, words):
    data = wrap({"bbox": [1, 2, 3, 4]}, {"image_id": "2", "bbox": [1, 2, 3, 4]})
    data["images"].append(image)
    build(tmp_path, {"train.json": data, "1.png": None})
    parts, report = read_all(coco, tmp_path)
    assert names(parts) == {"train": ["1.png"]} and len(parts["train"][0].polygons) == 1
    assert (report[0].code, report[0].line) == (code, 2)
    assert words in report[0].detail
    known = isinstance(image, dict) and image.get("id") == 2  # its annotation is then ignored
    assert found(report, tmp_path)[1:] == ([] if known else [("GT030", "train.json", 2)])


def test_two_images_with_one_id_are_both_skipped(tmp_path):
    data = wrap({"image_id": 1, "bbox": [0, 0, 4, 4]}, {"image_id": 3, "bbox": [0, 0, 4, 4]})
    data["images"] += [{"id": 1, "file_name": "2.png"}, {"id": 3, "file_name": "3.png"}]
    build(tmp_path, {"train.json": data, "1.png": None, "2.png": None, "3.png": None})
    parts, report = read_all(coco, tmp_path)
    assert [record.image_path.name for record in parts["train"]] == ["3.png"]
    assert [(finding.code, finding.line, finding.image) for finding in report] == [("GT022", 2, tmp_path / "1.png")]


def test_nesting_of_segmentations(tmp_path):
    triangle = [[0, 0], [4, 0], [4, 4]]
    flat = [0, 0, 4, 0, 4, 4]
    segmentations = [flat, [flat], triangle, [triangle], [["0", 0, 4, 0, 4, 4.0]]]
    build(tmp_path, {"train.json": wrap(*({"segmentation": value} for value in segmentations)), "1.png": None})
    parts, report = read_all(coco, tmp_path)
    assert corners(parts["train"][0]) == [triangle] * 5 and not len(report)


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ('{"images": [{"id": 1, "file_name": "1.png"}],\n"categories": [] "annotations": []}', 2, "column 18: "),
        ("", 1, "the file is empty"),
        ('{"images": [{"id": 1, "file_name": "1.png"}], "categories": []}', 0, "needs annotations, a list, got null"),
    ],
)
def test_a_bad_file_loses_only_itself(tmp_path, content, line, words):
    build(tmp_path, {"train.json": wrap(), "val.json": content, "1.png": None})
    parts, report = read_all(coco, tmp_path)
    assert names(parts) == {"train": ["1.png"], "val": []}
    assert found(report, tmp_path) == [("GT022" if not line else "GT006", "val.json", line)]
    assert words in report[0].detail


def test_recognise(tmp_path):
    assert recognised(coco.recognise, tmp_path) == {
        "coco": "annotations/instances_train2017.json: has images and annotations with boxes"
    }
    many = [{"id": number, "file_name": f"{number}.png"} for number in range(999)]
    boxes = [{"id": number, "image_id": number, "bbox": [1, 2, 3, 4]} for number in range(999)]
    build(tmp_path / "big", {"all.json": {"info": {}, "images": many, "annotations": boxes}})
    assert coco.recognise(tmp_path / "big")
    assert coco.recognise(tmp_path / "nowhere") is None
