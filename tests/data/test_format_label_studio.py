"""Exports of Label Studio, JSON and JSON-MIN."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest

from format_files import build, corners, found, names, read_all, recognised
from resnet18_ocrdet.data.formats import label_studio
from resnet18_ocrdet.data.formats.served import names_behind, upload_name

# Percentages of an image of 200x100 px: a box at (40, 10) of 50x20 px, turned around that corner by an angle with
# cosine 0.8 and sine 0.6, and one at (20, 30) of 100x40 px.
TURNED = {"x": 20, "y": 10, "width": 25, "height": 20, "rotation": 36.869897645844}
UPRIGHT = {"x": 10.0, "y": 30.0, "width": 50.0, "height": 40.0, "rotation": 0}
TURNED_PX = [[40, 10], [80, 40], [68, 56], [28, 26]]
UPRIGHT_PX = [[20, 30], [120, 30], [120, 70], [20, 70]]
POLYGON = {"points": [[10, 10], [50, 10], [50, 45.5]], "closed": True}
POLYGON_PX = [[20, 10], [100, 10], [100, 45.5]]
SIZE = {"original_width": 200, "original_height": 100}


def result(key, kind, value, **more):
    """A result as Label Studio 1.12 exports it."""
    more = {"image_rotation": 0, **SIZE, **more}
    return {**more, "value": value, "id": key, "from_name": kind, "to_name": "image", "type": kind, "origin": "manual"}


def box(key="a", value=UPRIGHT, **more):
    return result(key, "rectanglelabels", {**value, "rectanglelabels": ["word"]}, **more)


def annotation(*results, number=7, **more):
    return {"id": number, "completed_by": 1, "result": list(results), "was_cancelled": False, **more}


def task(*annotations, image="/data/upload/3/1f2e3d4c-1.png", number=1, **more):
    data = {"image": image}
    return {"id": number, "annotations": list(annotations), "predictions": [], "data": data, "project": 3, **more}


def one_record(tmp_path, *tasks, **files):
    """Build, read, and expect a single image."""
    build(tmp_path, {"project-3.json": list(tasks), "1.png": None, **files})
    parts, report = read_all(label_studio, tmp_path)
    (record,) = parts["train"]
    return record, report


def test_box_label_and_text_of_one_region(tmp_path):
    """The OCR template writes three results for each region."""
    results = [
        result("a", "rectangle", TURNED),
        result("a", "labels", {**TURNED, "labels": ["Handwriting"]}),
        result("a", "textarea", {**TURNED, "text": ["EXIT", "Ausgang"]}),
        result("b", "polygonlabels", {**POLYGON, "polygonlabels": ["Text"]}),
        result("b", "textarea", {"text": ["###"]}),
        box("c"),
        result("c", "choices", {"choices": ["Illegible"]}),
        result("d", "choices", {"choices": ["indoor"]}),  # about the image
        result("e", "textarea", {"text": ["a note"]}),
        {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right"},
    ]
    record, report = one_record(tmp_path, task(annotation(*results)))
    assert record.polygons[0] == pytest.approx(np.array(TURNED_PX, np.float32), abs=1e-4)
    assert corners(record)[1:] == [POLYGON_PX, UPRIGHT_PX]
    assert record.texts == ("EXIT Ausgang", "###", "") and record.ignore.tolist() == [False, True, False]
    assert record.categories == ("Handwriting", "Text", "word") and record.flags == ("", "", "illegible")
    assert record.lines.tolist() == [1, 4, 6] and record.stated == (100, 200) and not len(report)


def test_an_ellipse(tmp_path):
    value = {"x": 25, "y": 40, "radiusX": 10, "radiusY": 10, "rotation": 90, "ellipselabels": ["word"]}
    record, report = one_record(tmp_path, task(annotation(result("a", "ellipselabels", value))))
    assert record.polygons[0][[0, 16]] == pytest.approx(np.array([[50, 60], [40, 40]], np.float32), abs=1e-4)
    assert not len(report)


def test_without_a_stated_size_that_of_the_image_counts(tmp_path):
    picture = cv2.imencode(".png", np.zeros((100, 200, 3), np.uint8))[1].tobytes()
    plain = {"id": "a", "type": "rectangle", "value": UPRIGHT}
    record, report = one_record(tmp_path, task(annotation(plain)), **{"1.png": picture})
    assert corners(record) == [UPRIGHT_PX] and record.stated is None and not len(report)


@pytest.mark.parametrize(
    ("bad", "code", "words"),
    [
        (
            result("x", "brushlabels", {"format": "rle", "rle": [0, 1], "brushlabels": ["word"]}),
            "GT022",
            "'brushlabels'",
        ),
        (result("x", "keypointlabels", {"x": 1, "y": 1, "width": 0.5}), "GT022", "'keypointlabels' is not read"),
        (result("x", "vectorlabels", {"vertices": [{"x": 1, "y": 1}]}), "GT022", "'vectorlabels'"),
        (box("x", image_rotation=90), "GT022", "image_rotation is 90: drawn on the image rotated"),
        (box("x", {**UPRIGHT, "width": None}), "GT020", "width is null, not a number"),
        (box("x", {"x": 1, "width": 1, "height": 1}), "GT020", "y is null"),
        (box("x", {**UPRIGHT, "rotation": "x"}), "GT020", "rotation is 'x'"),
        (box("x", {**UPRIGHT, "rotation": 10**400}), "GT021", "the angle is inf"),
        (result("x", "polygon", {"points": [[1, 2], [3, 4]]}), "GT018", "2 corners"),
        (result("x", "polygon", {"points": "1,2"}), "GT022", "needs points"),
        (result("x", "rectangle", None), "GT022", "'rectangle' is not read"),
        ("a", "GT022", "is not read"),
    ],
)
def test_a_bad_result_is_counted_as_lost(tmp_path, bad, code, words):
    record, report = one_record(tmp_path, task(annotation(box("a"), bad, box("b"))))
    (finding,) = report
    assert (finding.code, finding.line, finding.image) == (code, 2, tmp_path / "1.png")
    assert finding.detail.startswith("task 1, result 2: ") and re.search(words, finding.detail)
    assert record.lost == 1 and record.lines.tolist() == [1, 3] and record.categories == ("word",) * 2
    assert corners(record) == [UPRIGHT_PX] * 2 and not record.ignore.any()


def test_the_newest_annotation_is_used(tmp_path):
    old, new = box("a", TURNED), box("a", UPRIGHT)
    annotations = [
        annotation(new, number=8, updated_at="2024-05-07T16:27:17Z"),
        annotation(old, number=7, updated_at="2024-05-07T12:34:36Z"),
        annotation(old, number=9, updated_at="2024-06-01T00:00:00Z", was_cancelled=True),
    ]
    record, report = one_record(tmp_path / "a", task(*annotations))
    assert corners(record) == [UPRIGHT_PX] and [finding.code for finding in report] == ["GT126"]
    assert "2 annotations; 8 is used" in report[0].detail and report[0].image == tmp_path / "a/1.png"
    annotations[1]["ground_truth"] = True
    record, report = one_record(tmp_path / "b", task(*annotations))
    assert record.polygons[0][1] == pytest.approx((80, 40)) and "7 is used" in report[0].detail


@pytest.mark.parametrize("annotations", [[], [annotation(box(), was_cancelled=True)]])
def test_a_task_without_annotation_is_an_image_without_labels(tmp_path, annotations):
    build(tmp_path, {"a.json": [task(*annotations, predictions=[annotation(box())])], "1.png": None})
    parts, report = read_all(label_studio, tmp_path)
    assert parts == {"train": []} and found(report) == [("GT001", "a.json", 1)]
    assert report[0].image == tmp_path / "1.png"


def test_an_empty_annotation_is_an_image_without_text(tmp_path):
    record, report = one_record(tmp_path, task(annotation()))
    assert record.polygons == () and record.lost == 0 and not len(report)


def minimal(number=1, **columns):
    """A record of JSON-MIN."""
    more = {"annotator": 1, "annotation_id": 7, "created_at": "2024", "updated_at": "2024", "lead_time": 3.5}
    return {"ocr": "/data/upload/3/1f2e3d4c-1.png", "id": number, **more, **columns}


def test_json_min(tmp_path):
    """Lists by the names of the tags; a text with two entries keeps its position (label-studio issue 4504)."""
    turned, upright = {**TURNED, **SIZE}, {**UPRIGHT, **SIZE}
    record, report = one_record(
        tmp_path,
        minimal(
            bbox=[turned, upright],
            poly=[{**POLYGON, **SIZE}],
            label=[
                {**turned, "labels": ["Text"]},
                {**POLYGON, **SIZE, "labels": ["Text"]},
                {**upright, "labels": ["A"]},
            ],
            transcription=["EXIT", "###", {**upright, "text": ["two", "lines"]}],
        ),
    )
    assert record.polygons[0] == pytest.approx(np.array(TURNED_PX, np.float32), abs=1e-4)
    assert corners(record)[1:] == [POLYGON_PX, UPRIGHT_PX]
    assert record.texts == ("EXIT", "###", "two lines") and record.ignore.tolist() == [False, True, False]
    assert record.categories == ("Text", "Text", "A") and record.stated == (100, 200) and not len(report)


def test_texts_of_json_min_that_do_not_fit_are_not_used(tmp_path):
    record, report = one_record(
        tmp_path / "a", minimal(bbox=[{**TURNED, **SIZE}, {**UPRIGHT, **SIZE}], transcription="EXIT")
    )
    assert record.texts == ("", "") and [finding.code for finding in report] == ["GT010"]
    assert "1 text for 2 regions" in report[0].detail
    record, report = one_record(tmp_path / "b", minimal(bbox=[{**UPRIGHT, **SIZE}], transcription="EXIT"))
    assert record.texts == ("EXIT",) and not len(report)
    brush = {"format": "rle", "rle": [1], "brushlabels": ["a"], **SIZE}
    record, report = one_record(tmp_path / "c", minimal(tag=[brush, {**UPRIGHT, **SIZE}]))
    assert record.lost == 1 and corners(record) == [UPRIGHT_PX] and [finding.code for finding in report] == ["GT022"]


def test_texts_of_json_min_have_no_order_if_boxes_and_polygons_are_in_two_lists(tmp_path):
    record, report = one_record(
        tmp_path,
        minimal(
            rect=[{**TURNED, **SIZE}, {**UPRIGHT, **SIZE}], poly=[{**POLYGON, **SIZE}], transcription=["a", "###", "b"]
        ),
    )
    assert record.texts == ("", "", "") and not record.ignore.any()
    assert [finding.code for finding in report] == ["GT010"] and "3 texts for 3 regions" in report[0].detail


def test_a_class_that_is_a_mark(tmp_path):
    marked = result("a", "rectanglelabels", {**UPRIGHT, "rectanglelabels": ["###"]})
    assert one_record(tmp_path, task(annotation(marked)))[0].ignore.tolist() == [True]


def test_several_annotations_and_none_in_json_min(tmp_path):
    first = minimal(bbox=[{**TURNED, **SIZE}], updated_at="2023", annotation_id=6)
    second = minimal(bbox=[{**UPRIGHT, **SIZE}])
    unlabelled = minimal(number=2, ocr="/data/upload/3/1f2e3d4c-2.png", annotation_id=None)
    record, report = one_record(tmp_path, first, second, unlabelled, **{"2.png": None})
    assert corners(record) == [UPRIGHT_PX]
    assert found(report) == [("GT126", "project-3.json", 1), ("GT001", "project-3.json", 3)]


@pytest.mark.parametrize(
    ("content", "code", "line", "words"),
    [
        ('[{"id": 1, "annotations": [{"result": [], "data": {}', "GT006", 1, "not valid JSON"),
        ("", "GT006", 1, "the file is empty"),
        ("project", "GT006", 1, "not valid JSON"),
        ([{"annotations": [{"result": []}], "data": {}}], "GT022", 1, "no image in its data, which has nothing"),
        ([{"annotations": [{"result": []}], "data": {"text": "a b"}}], "GT022", 1, "which has text"),
        ([task(annotation(), image="https://host/gone.png")], "FS079", 1, "no image 'gone.png'"),
        ([task(annotation(result=7))], "GT022", 1, "needs result, a list, got 7"),
        ([{**task(), "annotations": 7}, task()], "GT022", 1, "needs annotations, a list, got 7"),
        ([7, *[{"data": {}, "annotations": [], "result": 1}]], "GT022", 1, "needs data and annotations, got 7"),
    ],
)  # fmt: skip
def test_a_bad_file(tmp_path, content, code, line, words):
    build(tmp_path, {"project-3.json": content, "1.png": None})
    parts, report = read_all(label_studio, tmp_path)
    assert parts == {"train": []} and found(report)[0] == (code, "project-3.json", line)
    assert words in report[0].detail


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/data/upload/3/1f2e3d4c-menu.png", "1f2e3d4c-menu.png"),
        ("/data/upload/3/1f2e3d4c-other.png", "scans/other.png"),
        ("/data/upload/3/1f2e3d4c-Speise_karte_2.png", "Speise karte (2).png"),
        ("/data/upload/other_a1B2c3D.png", "scans/other.png"),
        ("/data/local-files/?d=scans/other.png", "scans/other.png"),
        ("/data/local-files/?d=/home/me/scans/Speise%20karte%20(2).png", "Speise karte (2).png"),
        ("https://host:8080/scans/other.png?size=2#top", "scans/other.png"),
        ("s3://bucket/scans/other.png", "scans/other.png"),
        ("scans\\other.png", "scans/other.png"),
    ],
)
def test_images_behind_addresses(tmp_path, address, expected):
    files = ("1f2e3d4c-menu.png", "menu.png", "scans/other.png", "Speise karte (2).png")
    build(tmp_path, {"a.json": [task(annotation(box()), image=address)], **dict.fromkeys(files)})
    parts, report = read_all(label_studio, tmp_path)
    (record,) = parts["train"]
    assert record.image_path == tmp_path / expected and corners(record) == [UPRIGHT_PX] and not len(report)


def test_two_images_that_an_upload_may_be(tmp_path):
    build(tmp_path, {"a.json": [task(annotation(), image="/data/upload/1/1f2e3d4c-a_b.png")]})
    build(tmp_path, {"a b.png": None, "sub/a (b).png": None, "sub/a b.png": None})
    _, report = read_all(label_studio, tmp_path)
    assert [finding.code for finding in report] == ["FS079"] and "each of 3 images" in report[0].detail
    assert upload_name(" Größe (1).png") == "Größe_1.png" and names_behind("1.png") == ["1.png"]


def test_splits_by_file_and_by_folder(tmp_path):
    a = build(tmp_path / "a", {f"{split}.json": [task(annotation())] for split in ("train", "val")})
    build(a, {"train/1.png": None, "val/1.png": None})
    parts, report = read_all(label_studio, a)
    assert {split: record.image_path.parent.name for split, (record,) in parts.items()} == {
        "train": "train",
        "val": "val",
    }
    tasks = [task(annotation(), image=f"/data/local-files/?d=images/{split}/1.png") for split in ("train", "test")]
    b = build(tmp_path / "b", {"a.json": tasks, "images/train/1.png": None, "images/test/1.png": None})
    assert names(read_all(label_studio, b)[0]) == {"train": ["1.png"], "test": ["1.png"]} and not len(report)


def test_recognise(tmp_path):
    sign = "project-1-at-2024-05-07.json: has tasks with results"
    assert recognised(label_studio.recognise, tmp_path) == {"label_studio": sign}
    build(tmp_path / "min", {"a.json": [minimal()]})
    assert label_studio.recognise(tmp_path / "min") == "a.json: has tasks with results"
    assert label_studio.recognise(tmp_path / "nowhere") is None
