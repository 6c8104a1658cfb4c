"""Names in lists and labels that no file can have, and lists and files of unusual size."""

from __future__ import annotations

import json
import time
import tracemalloc
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import cv2
import numpy as np
import pytest

from dialect_writers import WAYS
from format_files import findings_of
from resnet18_ocrdet.data.file_names import MAX_PARTS, invalid_name
from resnet18_ocrdet.data.formats import listed_pairs
from resnet18_ocrdet.data.formats.locate import locate
from resnet18_ocrdet.data.formats.location import LabelError
from resnet18_ocrdet.data.load_annotations import read_data
from resnet18_ocrdet.data.splits import custom
from resnet18_ocrdet.errors import UserError


def name_of(length: int, part: int) -> str:
    return "/".join(["a" * part] * (length // part))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("a" * 256, "a part is longer than 255 bytes"),
        ("ä" * 128, "a part is longer than 255 bytes"),
        ("a/" * 50_000, "longer than 4096 bytes"),
        (name_of(5000, 200), "longer than 4096 bytes"),
        ("a/" * (MAX_PARTS + 1), "more than 64 folders deep"),
        ("\\/" * 100, "more than 64 folders deep"),
        ("a\0b", "holds a NUL"),
    ],
)
def test_invalid_file_names(name: str, why: str, tmp_path: Path):
    assert why in invalid_name(name) and invalid_name("a" * 255) == invalid_name(name_of(4000, 200)) == ""
    with pytest.raises(LabelError) as caught:
        locate(name, [tmp_path])
    assert caught.value.code == "FS079" and why in caught.value.detail


def odd_names() -> list[str]:
    return [
        "a" * 256 + ".png",
        "a/" * 50_000 + "1.png",
        "/" + "b" * 300,
        "\ud800.png",
        "a\nb.png",
        "a\0.png",
        "x.png " * 900,
    ]


@pytest.mark.parametrize(
    "kind", ["mmocr", "coco", "labelme", "doctr", "ppocr", "voc", "cvat", "label_studio", "via", "folders"]
)
def test_an_image_with_an_invalid_name_loses_only_itself(kind: str, tmp_path: Path):
    (tmp_path / "images").mkdir()
    for name in ("1.png", "images/1.png"):
        (tmp_path / name).write_bytes(cv2.imencode(".png", np.zeros((40, 60, 3), np.uint8))[1].tobytes())
    box = [[2, 2], [30, 2], [30, 20], [2, 20]]
    names = [*odd_names(), "1.png"]
    if kind == "mmocr":
        entries = [{"img_path": name, "instances": [{"polygon": np.ravel(box).tolist()}]} for name in names]
        (tmp_path / "textdet_train.json").write_text(json.dumps({"metainfo": {}, "data_list": entries}))
    elif kind == "coco":
        images = [{"id": number, "file_name": name} for number, name in enumerate(names)]
        regions = [{"image_id": number, "bbox": [2, 2, 20, 10], "segmentation": []} for number in range(len(names))]
        content = {"images": images, "annotations": regions, "categories": []}
        (tmp_path / "instances_train.json").write_text(json.dumps(content))
    elif kind == "labelme":
        (tmp_path / "images/1.png").unlink()
        shapes = [{"label": "a", "points": box, "shape_type": "polygon"}]
        for number, name in enumerate(names):
            (tmp_path / f"{number + 10}.json").write_text(json.dumps({"shapes": shapes, "imagePath": name}))
    elif kind == "doctr":
        (tmp_path / "labels.json").write_text(json.dumps({name: {"polygons": [box]} for name in names}))
    elif kind == "voc":
        (tmp_path / "images/1.png").unlink()
        edges = "<xmin>2</xmin><ymin>2</ymin><xmax>30</xmax><ymax>20</ymax>"
        for number, name in enumerate(names):
            name = "1.png" if name == "1.png" else escape("".join(filter(str.isprintable, name)))
            inner = f"<filename>{name}</filename><object><name>a</name><bndbox>{edges}</bndbox></object>"
            (tmp_path / f"{number + 10}.xml").write_text(f"<annotation>{inner}</annotation>", "utf-8", "replace")
    elif kind == "cvat":
        shape = '<polygon label="a" points="2,2;30,2;30,20;2,20"/>'
        parts = (f"<image name={quoteattr(name)}>{shape}</image>" for name in names if "\0" not in name)
        text = f"<annotations><version>1.1</version>{''.join(parts)}</annotations>"
        (tmp_path / "annotations.xml").write_text(text, "utf-8", "replace")
    elif kind == "label_studio":
        value = {"x": 5, "y": 5, "width": 20, "height": 20}
        result = {"id": "a", "type": "rectangle", "original_width": 60, "original_height": 40, "value": value}
        annotations = [{"result": [result], "was_cancelled": False}]
        tasks = [{"data": {"image": f"{name}.png"}, "annotations": annotations} for name in names[:-1]]
        tasks.append({"data": {"image": "1.png"}, "annotations": annotations})
        (tmp_path / "project-1.json").write_text(json.dumps(tasks))
    elif kind == "via":
        region = {"shape_attributes": {"name": "rect", "x": 2, "y": 2, "width": 20, "height": 9}}
        sheets = {str(number): {"filename": name, "regions": [region]} for number, name in enumerate(names)}
        (tmp_path / "via_a.json").write_text(json.dumps(sheets))
    elif kind == "ppocr":
        line = json.dumps([{"transcription": "a", "points": box}])
        text = "".join(f"{name}\t{line}\n" for name in names if "\n" not in name and "\0" not in name)
        (tmp_path / "Label.txt").write_text(text, "utf-8", "replace")
    else:
        text = "".join(f"{name}\n" for name in names if "\0" not in name)
        (tmp_path / "train_list.txt").write_text(text, "utf-8", "replace")
        (tmp_path / "gts").mkdir()
        (tmp_path / "gts/1.txt").write_text("2,2,30,2,30,20,2,20,a\n")
    began = time.process_time()
    reading = read_data(tmp_path, kind)
    assert time.process_time() - began < 2
    assert [record.image_path.name for record in reading.splits["train"]] == ["1.png"]
    assert len(reading.report.of("FS079")) >= 4
    assert all("\n" not in finding.text and len(finding.text) < 1000 for finding in reading.report)
    "".join(finding.text for finding in reading.report).encode()  # it can be printed


@pytest.mark.parametrize("stem", ["a" * 248, "ä" * 125])
def test_a_stem_too_long_for_a_label_file(stem: str, tmp_path: Path):
    (tmp_path / f"{stem}.png").write_bytes(cv2.imencode(".png", np.zeros((40, 60, 3), np.uint8))[1].tobytes())
    (tmp_path / f"{stem}.txt").write_text("2,2,30,2,30,20,2,20,a\n")
    (tmp_path / "train_list.txt").write_text(f"{stem}.png\n", "utf-8")
    assert {code for code, _ in findings_of("folders", tmp_path)} <= {"GT001", ""}


def test_a_list_line_with_many_images_needs_little_memory(tmp_path: Path):
    tracemalloc.start()
    assert listed_pairs.read_list_line("a.jpg " * 11_000) == []
    assert len(listed_pairs.read_list_line("a.jpg " * 30)) == 30
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6


@pytest.mark.parametrize("spec", ["9" * 5000 + "-3", "a" * 300, "a\0b"])
def test_a_split_that_is_not_a_file_name(spec: str, tmp_path: Path):
    WAYS["images and labels"].write(tmp_path, WAYS["images and labels"].expressible())
    with pytest.raises(UserError, match=r"not a fraction, a range"):
        custom(tmp_path, val=spec)
