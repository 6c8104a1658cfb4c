"""COCO files as labelling tools write them: rotated boxes, masks, flags and classes."""

from __future__ import annotations

import numpy as np
import pytest

from format_files import build, corners, found, names, read_all
from resnet18_ocrdet.data.formats import coco
from resnet18_ocrdet.data.label_options import LabelOptions
from resnet18_ocrdet.data.load_annotations import detect_format, read_data


def wrap(*annotations, categories=(), **more):
    return {
        "images": [{"id": 1, "file_name": "1.png", "height": 8, "width": 8}],
        "annotations": [{"image_id": 1, "category_id": 1, **entry} for entry in annotations],
        "categories": list(categories),
        **more,
    }


def read(root, *annotations, **more):
    build(root, {"annotations/instances_default.json": wrap(*annotations, **more), "1.png": None})
    parts, report = read_all(coco, root)
    return parts["train"][0], report


def cvat(bbox, rotation, segmentation=()):
    attributes = {"occluded": False, "rotation": rotation}
    return {"bbox": bbox, "segmentation": list(segmentation), "iscrowd": 0, "attributes": attributes}


def test_rotation_of_cvat_is_clockwise_about_the_centre(tmp_path):
    """Box 10..50 x 20..40 about (30, 30): by 90 degrees, its top left corner, 20 left and 10 above the centre, comes
    to 10 right and 20 above. By 35 degrees, 67 left and 24 above (104, 81) becomes 67 cos 35 - 24 sin 35 = 41.117 left
    and 67 sin 35 + 24 cos 35 = 58.089 above."""
    upright = [[37, 57], [171, 57], [171, 105], [37, 105]]
    record, report = read(
        tmp_path, cvat([10, 20, 40, 20], 90.0), cvat([37, 57, 134, 48], 35.0), cvat([37, 57, 134, 48], 360)
    )
    assert record.polygons[0] == pytest.approx(np.float32([[40, 10], [40, 50], [20, 50], [20, 10]]), abs=1e-4)
    left_top, right_top = [104 - 41.117, 81 - 58.089], [104 + 68.649, 81 + 18.770]
    right_bottom, left_bottom = [104 + 41.117, 81 + 58.089], [104 - 68.649, 81 - 18.770]
    wanted = np.float32([left_top, right_top, right_bottom, left_bottom])
    assert record.polygons[1] == pytest.approx(wanted, abs=2e-3)
    assert record.polygons[2].tolist() == upright
    assert not len(report)


def test_an_outline_is_preferred_to_box_and_angle(tmp_path):
    outline = [1, 2, 30, 2, 35, 9, 1, 9]
    around = [10, 20, 50, 20, 50, 40, 10, 40]  # the box as outline: its rotation is not in it
    record, report = read(
        tmp_path,
        cvat([1, 2, 34, 7], 20.0, [outline]),
        {"bbox": [1, 2, 34, 7, 0.3], "segmentation": [outline]},
        {"bbox": [1, 2, 34, 7], "angle": 12, "segmentation": [outline]},
        cvat([10, 20, 40, 20], 90.0, [around]),
    )
    assert corners(record)[:3] == [[[1, 2], [30, 2], [35, 9], [1, 9]]] * 3
    assert record.polygons[3] == pytest.approx(np.float32([[40, 10], [40, 50], [20, 50], [20, 10]]), abs=1e-4)
    assert not len(report)


def test_an_angle_of_zero_changes_nothing(tmp_path):
    record, report = read(tmp_path, {"bbox": [1, 2, 3, 4], "angle": 0, "rotation": 0.0})
    assert corners(record) == [[[1, 2], [4, 2], [4, 6], [1, 6]]] and not len(report)


MASK = {"size": [8, 8], "counts": [9, 2, 6, 2, 45]}  # columns 1 and 2, rows 1 and 2


def painted(**more):
    return {"segmentation": MASK, "bbox": [1, 1, 2, 2], "iscrowd": 1, "attributes": {"occluded": False}, **more}


@pytest.mark.parametrize(
    ("others", "is_encoding"),
    [
        ([], True),  # iscrowd 1 throughout
        ([{"segmentation": [[0, 0, 4, 0, 4, 4]], "iscrowd": 0}], True),  # CVAT: masks among polygons
        ([painted(iscrowd=0)], False),
    ],
)
def test_crowd_masks_of_cvat_are_an_encoding(tmp_path, others, is_encoding):
    record, report = read(tmp_path, painted(), *others)
    assert record.polygons[0].tolist() == [[1, 1], [3, 1], [3, 3], [1, 3]]
    assert record.flags[0] == ("iscrowd_mask" if is_encoding else "iscrowd")
    assert len(report.notes) == is_encoding
    if is_encoding:
        assert "iscrowd 1" in report.notes[0] and "encoding" in report.notes[0]
        reading = read_data(tmp_path)
        assert not reading.splits["train"][0].ignore.any() and any("iscrowd 1" in line for line in reading.chosen)
        asked = read_data(tmp_path, options=LabelOptions(flags=["iscrowd_mask"]))
        assert asked.splits["train"][0].ignore.tolist() == [True] + [False] * len(others)
        assert asked.causes == {"iscrowd_mask": 1}


def test_crowds_among_polygons_are_dont_care(tmp_path):
    crowd = {"segmentation": MASK, "bbox": [1, 1, 2, 2], "iscrowd": 1}
    record, report = read(tmp_path, crowd, {"segmentation": [[0, 0, 4, 0, 4, 4]], "iscrowd": 0})
    assert record.flags == ("iscrowd", "") and report.notes == []
    reading = read_data(tmp_path)
    assert reading.splits["train"][0].ignore.tolist() == [True, False] and reading.causes == {"iscrowd": 1}


def test_flags_and_texts_of_tools(tmp_path):
    difficult = {"occluded": True, "difficult": True, "illegible": "true", "text": "EXIT"}
    entries = [
        {"ignore": 1},  # X-AnyLabeling
        {"ignore": 0},
        {"attributes": difficult},
        {"attributes": {"difficult": False}},
        {"attributes": [1]},
    ]
    record, _ = read(tmp_path, *({"bbox": [0, number, 7, 3], **entry} for number, entry in enumerate(entries)))
    assert record.flags == ("ignore", "", "difficult,illegible,occluded", "", "")
    assert record.texts == ("", "", "EXIT", "", "")
    assert read_data(tmp_path).splits["train"][0].ignore.tolist() == [True, False, True, False, False]


@pytest.mark.parametrize(
    ("entry", "flags"),
    [
        ({"legibility": "illegible"}, "illegible"),  # COCO-Text
        ({"legibility": "legible"}, ""),
        ({"legible": False}, "illegible"),
        ({"attributes": {"legible": "false"}}, "illegible"),
        ({"attributes": {"Legibility": "Illegible"}}, "illegible"),
        ({"attributes": {"legible": True}, "iscrowd": 1}, "iscrowd"),
        ({"legibility": "illegible", "iscrowd": 1}, "iscrowd,illegible"),
    ],
)
def test_illegible_text_is_dont_care_with_its_cause(tmp_path, entry, flags):
    record, report = read(tmp_path, {"bbox": [1, 2, 3, 4], "utf8_string": "EXIT", **entry}, {"bbox": [2, 2, 3, 4]})
    assert record.flags == (flags, "") and record.texts == ("EXIT", "") and not len(report)
    assert corners(record)[0] == [[1, 2], [4, 2], [4, 6], [1, 6]]
    reading = read_data(tmp_path)
    assert reading.splits["train"][0].ignore.tolist() == [bool(flags), False]
    assert reading.causes == ({flags.split(",")[0]: 1} if flags else {})


def test_classes_are_named_and_chosen(tmp_path):
    named = [{"id": 1, "name": "text"}, {"id": "2", "name": "logo"}, {"id": 3}]
    ids = (1, 2, 1.0, 3, 9)
    entries = [{"bbox": [number, 0, 3, 5], "category_id": each} for number, each in enumerate(ids)]
    record, _ = read(tmp_path, *entries, categories=named)
    assert record.categories == ("text", "logo", "text", "3", "9")
    (line,) = [line for line in read_data(tmp_path).chosen if line.startswith("classes")]
    assert "text 2" in line and "logo 1" in line and "data.classes=text" in line
    reading = read_data(tmp_path, options=LabelOptions(classes=["text"]))
    assert reading.splits["train"][0].ignore.tolist() == [False, True, False, True, True]
    assert reading.causes == {"class": 3}


def test_keys_between_thousands_of_entries_are_found(tmp_path):
    """Annotations first, and images with long addresses at both ends: neither end shows both lists."""
    address = "https://example.org/" + "a" * 200
    images = [{"id": number, "file_name": f"{number}.png", "coco_url": address} for number in range(99)]
    content = {"info": {"about": "x" * 5000}, "images": images, "annotations": [], "licenses": [{"name": "y" * 9000}]}
    content["annotations"] = [{"id": 1, "image_id": 0, "bbox": [1, 2, 3, 4]}]
    build(tmp_path, {"all.json": content, "0.png": None})
    assert detect_format(tmp_path)[0] is coco


def test_annotations_of_images_that_are_not_listed_are_reported_once_per_image(tmp_path):
    strays = [{"image_id": 7, "bbox": [1, 2, 3, 4]}] * 3 + [{"image_id": "8", "bbox": [1, 2, 3, 4]}]
    record, report = read(tmp_path, {"bbox": [1, 2, 3, 4]}, *strays)
    assert found(report) == [("GT030", "instances_default.json", 2), ("GT030", "instances_default.json", 5)]
    assert "image_id 7 does not belong to an image, 3 annotations" in report[0].detail and len(record.polygons) == 1


def test_folders_of_images_decide_the_split_if_the_file_does_not(tmp_path):
    content = wrap({"bbox": [1, 2, 3, 4]})
    content["images"] = [{"id": 1, "file_name": "train2017/1.png"}, {"id": 2, "file_name": "val2017/2.png"}]
    build(tmp_path, {"labels.json": content, "train2017/1.png": None, "val2017/2.png": None})
    assert names(read_all(coco, tmp_path)[0]) == {"train": ["1.png"], "val": ["2.png"]}


def test_an_image_is_found_by_its_name_alone_if_it_is_unique(tmp_path):
    content = wrap({"bbox": [1, 2, 3, 4]})
    content["images"] = [{"id": 1, "file_name": "..\\..\\upload\\4\\x.png"}, {"id": 2, "file_name": "upload/y.png"}]
    build(tmp_path, {"labels.json": content, "photos/a/x.png": None, "photos/a/y.png": None, "photos/b/y.png": None})
    parts, report = read_all(coco, tmp_path)
    assert [record.image_path for record in parts["train"]] == [tmp_path / "photos/a/x.png"]
    assert [finding.code for finding in report] == ["FS079"] and "'upload/y.png'" in report[0].detail  # there are two
    (note,) = report.notes
    assert note.startswith("1 image found by the file name alone") and "photos/a/x.png" in note and "upload" in note
