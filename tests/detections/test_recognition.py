"""Texts of regions: what recognisers get, what becomes of what they say, and where it is written."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import jsonschema
import numpy as np
import PIL.Image
import pytest

from conftest import assert_mentions, installed
from detect_calls import records, without_seconds
from resnet18_ocrdet import Detector
from resnet18_ocrdet.cli import _detect
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.data.load_annotations import read_data
from resnet18_ocrdet.detections.recognition import TextReader, open_reader, reader_name
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.evaluation.icdar_files import read_predictions
from resnet18_ocrdet.geometry.overlap import shared_areas
from resnet18_ocrdet.structures import Detection
from resnet18_ocrdet.viz.draw import write
from scored_images import box
from written_words import draw_word, written_page

IMAGE = np.zeros((300, 1200, 3), np.uint8)
needs_rapidocr = pytest.mark.skipif(sys.version_info >= (3, 13), reason="RapidOCR's wheel is for Python before 3.13")


def regions(*quads) -> list[Detection]:
    return [Detection(quad, 0.9) for quad in quads]


def test_each_region_is_read_upright_and_48_px_high():
    seen = []

    def recognise(crops):
        seen.extend(crop.shape for crop in crops)
        return [(f" word\n {number}\t", 0.5 + number) for number in range(len(crops))]

    found = TextReader(recognise)(IMAGE, regions(box(10, 10, 100, 24), box(10, 60, 60, 96)))
    # a tenth of the height on each side: 104.8 x 28.8, so 105 x 29 -> 174 x 48. 72 x 108 stands: as it is 32 x 48,
    # turned to both sides 108 x 72 -> 72 x 48
    assert seen == [(48, 174, 3), (48, 32, 3), (48, 72, 3), (48, 72, 3)]
    assert [each.text for each in found] == ["word 0", "word 1"]  # spaces of every kind are one
    assert [each.confidence for each in found] == [0.5, 1.0]  # within 0..1
    assert found[0].score == 0.9 and np.array_equal(found[0].quad, box(10, 10, 100, 24))


def test_the_most_confident_side_of_a_region_that_stands_is_taken():
    said = [("l", 0.4), ("", 0.0), ("EXIT", 0.8)]
    (found,) = TextReader(lambda crops: said)(IMAGE, regions(box(10, 10, 20, 100)))
    assert (found.text, found.confidence) == ("EXIT", 0.8)


def test_what_is_not_read_has_a_reason():
    flat, long, blank = box(10, 10, 100, 2), box(0, 50, 1190, 8), box(10, 100, 50, 20)  # 149 times as long as high
    found = TextReader(lambda crops: [(" ", 0.0)] * len(crops))(IMAGE, regions(flat, long, blank))
    assert [(each.text, each.confidence) for each in found] == [(None, None)] * 3
    for each, word in zip(found, ("less than 4 px", "100 times", "no letters"), strict=True):
        assert word in each.recognition.reason
    assert TextReader(lambda crops: 1 / 0)(IMAGE, []) == []


def test_a_crop_that_fails_does_not_affect_the_others():
    def recognise(crops):
        if any(crop.shape[1] == 88 for crop in crops):  # 44 x 24 -> 88 x 48
            raise RuntimeError("bad\ncrop")
        return [("ok", 1.0)] * len(crops)

    quads = [box(10 * number, 10, 40 if number == 3 else 50, 20) for number in range(7)]
    found = TextReader(recognise)(IMAGE, regions(*quads))
    assert [each.text for each in found] == ["ok"] * 3 + [None] + ["ok"] * 3
    assert_mentions(found[3].recognition.reason, "bad", "crop")
    assert "\n" not in found[3].recognition.reason


def test_values_of_the_key():
    names = [reader_name(value) for value in (False, "false", True, "true", "rapidocr", "tesseract")]
    assert names == ["", "", "rapidocr", "rapidocr", "rapidocr", "tesseract"]
    assert open_reader(False) is None
    with pytest.raises(ValueError, match="rapidocr"):
        Detector(read="easyocr")


@pytest.mark.parametrize(("read", "words"), [(True, "resnet18-ocrdet[read]"), ("tesseract", "install tesseract")])
def test_without_the_recogniser_the_message_says_what_to_type(read, words, monkeypatch):
    monkeypatch.setattr("resnet18_ocrdet.detections.recognisers.find_spec", lambda _: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError) as error:
        open_reader(read)
    assert_mentions(str(error.value), "not installed", words)


@needs_rapidocr
def test_rapidocr_reads_words_upright_slanted_and_on_their_side(monkeypatch):
    page = PIL.Image.new("RGB", (500, 200), "white")
    quads = [draw_word(page, "Platform", 40, 40, 36), draw_word(page, "1,299.00", 40, 120, 24)]
    image = np.asarray(page)
    reader = open_reader("rapidocr", threads=1)
    for turns in (0, 1, 3):
        # np.rot90 turns counterclockwise: (x, y) of 500 x 200 px -> (y, 499 - x); three times: (199 - y, x)
        scale, shift = {0: ((1, 1), (0, 0)), 1: ((1, -1), (0, 499)), 3: ((-1, 1), (199, 0))}[turns]
        turned = [(quad[:, ::-1] if turns else quad) * scale + shift for quad in quads]
        # the corners of a region that stands begin at its upper left, see geometry.polygon.order_quads
        starts = [np.roll(quad, -int(np.argmin(quad.sum(axis=1))), axis=0).astype(np.float32) for quad in turned]
        found = reader(np.rot90(image, turns), regions(*starts))
        assert [each.text for each in found] == ["Platform", "1,299.00"]
        assert min(each.confidence for each in found) > 0.8
    monkeypatch.setattr(os, "getpid", lambda: 1)
    with pytest.raises(UserError, match="fork"):
        reader(image, regions(*quads))


@pytest.fixture
def tesseract(tmp_path, monkeypatch) -> Path:
    """A program of this name that prints what is in `table`; without it, it fails."""
    program = tmp_path / "bin/tesseract"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ncp $1 {tmp_path}/crops; cat {tmp_path}/table || exit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return tmp_path


def test_the_table_of_tesseract_is_read_by_pages(tesseract: Path):
    rows = """level page_num block_num par_num line_num word_num left top width height conf text
1 1 0 0 0 0 0 0 9 9 -1 _
5 1 1 1 1 1 0 0 9 9 90.5 He
5 1 1 1 1 2 9 0 9 9 80.5 llo
5 3 1 1 1 1 0 0 9 9 40 x
5 3 1 1 1 1 0 0 9 9 95 _
"""
    (tesseract / "table").write_text(rows.replace(" ", "\t").replace("_\n", " \n"))
    quads = [box(10, 40 * number, 60, 20) for number in range(3)]
    found = open_reader("tesseract")(IMAGE, regions(*quads))
    assert [each.text for each in found] == ["He llo", None, "x"]
    assert found[0].confidence == pytest.approx(0.855) and found[2].confidence == pytest.approx(0.4)
    assert len((tesseract / "crops").read_text().split()) == 3


def test_a_failure_of_tesseract_is_the_reason(tesseract: Path):
    (found,) = open_reader("tesseract")(IMAGE, regions(box(10, 10, 60, 20)))
    assert found.text is None
    assert_mentions(found.recognition.reason, "tesseract", "No such file")


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="the program tesseract is not installed")
def test_tesseract_reads_words():
    page = PIL.Image.new("RGB", (500, 200), "white")
    quads = [draw_word(page, "Platform", 40, 40, 36), draw_word(page, "Exit", 40, 120, 24)]
    found = open_reader("tesseract")(np.asarray(page), regions(*quads))
    assert [each.text for each in found] == ["Platform", "Exit"]


@needs_rapidocr
def test_the_command_writes_texts_beside_the_regions(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    page = PIL.Image.new("RGB", (512, 384), "white")
    for place, text in enumerate(("Platform", "2024")):
        draw_word(page, text, 60, 80 + 140 * place, 48)
    write(tmp_path / "a.png", np.asarray(page))
    words = ["input=a.png", "input_size=384x512", "precision=fp32"]
    assert run_command("detect", _detect, [*words, "output=plain"]) == 0
    assert run_command("detect", _detect, [*words, "output=out", "read=true", "labelme=true", "lines=true"]) == 0
    content = json.loads(Path("out/detections.json").read_text())
    schema = json.loads((Path(__file__).parents[2] / "docs/detections.schema.json").read_text())
    jsonschema.validate(content, schema)
    (image,) = content["images"]
    assert content["read"] == "rapidocr" and image["texts"] == ["Platform", "2024"] and image["unread"] == []
    assert all(0.8 < each <= 1 for each in image["confidences"])
    lines = Path("out/txt/res_a.txt").read_text().splitlines()
    assert [line.split(",", 9)[9] for line in lines] == ['"Platform"', '"2024"']
    assert [each.score for each in read_predictions(Path("out/txt"), ["a.png"]).found["a"]] == image["scores"]
    shapes = json.loads(Path("out/labelme/a.json").read_text())["shapes"]
    assert [(shape["label"], shape["description"]) for shape in shapes] == [("text", "Platform"), ("text", "2024")]
    sizes = [PIL.Image.open(f"{folder}/vis/a.jpg").size for folder in ("plain", "out")]
    assert sizes == [(512, 384), (1024, 384)]

    plain, (same,) = json.loads(Path("plain/detections.json").read_text()), without_seconds(Path("plain"))
    more = {"texts", "confidences", "unread", "lines", "seconds", "modified_ns"}
    assert "read" not in plain and {*image} - {*same} == more
    assert all(image[key] == same[key] for key in same)
    assert [line.rsplit(",", 1)[0] for line in lines] == Path("plain/txt/res_a.txt").read_text().splitlines()

    capsys.readouterr()
    assert run_command("detect", _detect, [*words, "output=plain", "read=true"]) == 2
    assert_mentions(capsys.readouterr().err, "other settings", "read", "rapidocr")
    found = Detector(input_size=(384, 512), precision="fp32", read=True)(np.asarray(page))
    assert [each.text for each in found] == ["Platform", "2024"]
    assert [round(each.confidence, 4) for each in found] == image["confidences"]


@pytest.mark.slow
@needs_rapidocr
def test_files_with_texts_are_scored_and_trained_on(tmp_path: Path):
    image, _, _ = written_page(0)
    (tmp_path / "in").mkdir()
    write(tmp_path / "in/a.png", image)
    done = installed("ocrdet-detect", "input=in", "output=out", "read=true", "labelme=true", "threads=1", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (record,) = read_data(tmp_path / "out/labelme").splits["train"]
    (found,) = records(tmp_path / "out").values()
    assert list(record.texts) == [text or "" for text in found["texts"]] and not record.ignore.any()
    words = ("predictions=out/txt", "data=labelme", "data.root=out/labelme", "output=scored")
    done = installed("ocrdet-eval", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((tmp_path / "scored/metrics.json").read_text())["hmean"] > 0.99


def exact(found: list[Detection], quads, texts) -> tuple[int, int, int]:
    """How many words there are, how many are found (IoU of 0.5 or more), and how many of these are read exactly."""
    iou = shared_areas(quads, [each.polygon for each in found]).iou
    there = np.flatnonzero((iou >= 0.5).any(axis=1))
    right = [found[iou[index].argmax()].text == texts[index] for index in there]
    return len(texts), len(there), sum(right)


def rates(name: str, counts: list[tuple[int, int, int]]) -> tuple[float, float]:
    """Printed and returned: the share of the found words that is read exactly, and of all words."""
    words, found, right = (sum(column) for column in zip(*counts, strict=True))
    shares = right / found, right / words
    print(
        f"\n{name}: {words} words, {found} found, {right} exact: {shares[0]:.3f} of the found, {shares[1]:.3f} of all"
    )
    return shares


def readers() -> list[str]:
    return ["rapidocr", *(["tesseract"] if shutil.which("tesseract") else [])]


@pytest.mark.slow
@needs_rapidocr
@pytest.mark.parametrize("read", readers())
def test_exact_matches_on_ten_rendered_pages(read):
    detector = Detector(read=read)
    pages = [written_page(seed) for seed in range(10)]
    counts = [exact(detector(image), quads, texts) for image, quads, texts in pages]
    of_found, of_all = rates(f"ten pages, {read}", counts)
    assert of_found >= (0.98 if read == "rapidocr" else 0.9) and of_all > 0.8


@pytest.mark.slow
@needs_rapidocr
@pytest.mark.parametrize("read", readers())
def test_exact_matches_on_ten_photos(icdar2015: Path, read):
    """Every tenth photo of those that choose thresholds, 801 to 900."""
    labels = {record.image_path.name: record for record in read_data(icdar2015, "icdar2015").splits["train"]}
    detector, counts = Detector(read=read), []
    for number in range(801, 900, 10):
        record = labels[f"img_{number}.jpg"]
        care = np.flatnonzero(~record.ignore)
        quads, texts = [record.polygons[index] for index in care], [record.texts[index] for index in care]
        counts.append(exact(detector(record.image_path), quads, texts))
    of_found, of_all = rates(f"ten photos, {read}", counts)
    assert of_found >= (0.6 if read == "rapidocr" else 0.45) and of_all > 0.35
