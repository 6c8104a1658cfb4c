"""Pre-labels that the readers of data sets read back as they were, and that tools show."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import cv2
import numpy as np
import pytest

from resnet18_ocrdet.data.label_options import LabelOptions
from resnet18_ocrdet.data.load_annotations import read_data
from resnet18_ocrdet.pick.prelabels import LabelledImage, PreLabel, write_label_files

QUAD = [[10.25, 12.5], [90.75, 8.0], [92.5, 30.25], [11.0, 34.5]]
CURVE = [[100.0, 40.0], [130.33, 30.0], [160.0, 40.0], [160.0, 60.0], [130.0, 50.0], [100.0, 60.0]]
IMAGES = [
    LabelledImage("a.png", 97, 203, [PreLabel(QUAD, 0.91, False), PreLabel(CURVE, 0.52, True)]),
    LabelledImage("Café 照片 (1), b#2.png", 97, 203, [PreLabel(QUAD, 0.6, True)]),
    LabelledImage("none.png", 97, 203, []),
]


def written(folder: Path, label_format: str) -> Path:
    (folder / "images").mkdir()
    for image in IMAGES:
        cv2.imencode(".png", np.zeros((image.height, image.width, 3), np.uint8))[1].tofile(
            folder / "images" / image.name
        )
    write_label_files(folder, iter(IMAGES), label_format)
    return folder


def assert_read_back(root: Path, options: LabelOptions | None = None) -> list[np.ndarray]:
    """All images with their regions, within half a pixel; returns which of them are don't-care."""
    reading = read_data(root, options=options or LabelOptions())
    records = {record.image_path.name: record for records in reading.splits.values() for record in records}
    assert records.keys() == {image.name for image in IMAGES}
    for image in IMAGES:
        record = records[image.name]
        assert len(record.polygons) == len(image.labels) and record.lost == 0
        for polygon, label in zip(record.polygons, image.labels, strict=True):
            assert np.abs(polygon - np.array(label.points)).max() < 0.5
    assert not reading.report.at("error")
    return [records[image.name].ignore for image in IMAGES]


@pytest.mark.parametrize("place", ["", "images"])
def test_labelme(tmp_path, place):
    root = written(tmp_path, "labelme") / place
    assert not np.concatenate(assert_read_back(root)).any()  # what is unsure is text until somebody says otherwise
    marked = assert_read_back(root, LabelOptions(flags=["unsure"]))
    assert [ignore.tolist() for ignore in marked] == [[False, True], [True], []]
    content = json.loads((tmp_path / "images/a.json").read_text("utf-8"))
    assert content["imagePath"] == "a.png" and (content["imageHeight"], content["imageWidth"]) == (97, 203)
    assert [shape["flags"] for shape in content["shapes"]] == [{}, {"unsure": True}]


@pytest.mark.parametrize("place", ["", "images"])
def test_ppocr(tmp_path, place):
    root = written(tmp_path, "ppocr") / place
    assert not np.concatenate(assert_read_back(root)).any()
    marked = assert_read_back(root, LabelOptions(flags=["difficult"]))
    assert [ignore.tolist() for ignore in marked] == [[False, True], [True], []]
    # PPOCRLabel splits at the tab and evaluates the rest as Python
    name, _, regions = (tmp_path / "images/Label.txt").read_text("utf-8").splitlines()[0].partition("\t")
    assert name == "images/a.png"
    assert [r["difficult"] for r in eval(regions, {"true": True, "false": False})] == [False, True]
    assert (tmp_path / "images/Cache.cach").read_bytes() == (tmp_path / "images/Label.txt").read_bytes()


def test_two_rounds_of_ppocr_are_one_data_set(tmp_path):
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        written(tmp_path / str(number), "ppocr")
    reading = read_data(tmp_path)
    assert reading.images == 6 and not reading.report.at("error")


def test_label_studio(tmp_path):
    root = written(tmp_path, "label_studio")
    tasks = json.loads((root / "tasks.json").read_text("utf-8"))
    results = [task["predictions"][0]["result"] for task in tasks]
    marks = [[result["value"]["polygonlabels"] for result in each] for each in results]
    assert marks == [[["text"], ["unsure"]], [["unsure"]], []]
    assert [task["predictions"][0]["score"] for task in tasks] == [0.52, 0.6, 0.0]
    labels = {label.get("value") for label in ET.parse(root / "label_config.xml").iter("Label")}
    assert labels == {"text", "unsure"}
    # what the tool exports once each task is submitted
    export = [{**task, "annotations": [{"id": 1, "result": each}]} for task, each in zip(tasks, results, strict=True)]
    (root / "project-1.json").write_text(json.dumps(export), "utf-8")
    assert not np.concatenate(assert_read_back(root)).any()
    chosen = assert_read_back(root, LabelOptions(classes=["text"]))
    assert [ignore.tolist() for ignore in chosen] == [[False, True], [True], []]
