"""Pages of TIFF and PDF files in the output folder: one result each, continued exactly, with LabelMe files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jsonschema
import numpy as np
import PIL.Image
import pytest

from detect_calls import fill, records, without_seconds
from paged_files import pdf, words, write_pages
from resnet18_ocrdet.cli import _detect
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.data.image_io import read_image
from resnet18_ocrdet.data.load_annotations import read_data
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes

PDF_PAGES = [words(str(page), 40, x=30, y=30) for page in range(1, 4)]


def scenes(number: int) -> list[np.ndarray]:
    source = SyntheticScenes(number, 96, 128, seed=5)
    return [source.load(index).image for index in range(number)]


@pytest.fixture
def call(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    """A call on in/, which holds a photo, a TIFF of three pages and a PDF of three; returns code and text."""
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "in", 1)
    write_pages(tmp_path / "in/scan.tif", scenes(3))
    (tmp_path / "in/doc.pdf").write_bytes(pdf(PDF_PAGES, size=(96, 72)))

    def detect(*more: str) -> tuple[int, str]:
        words = ["input=in", "output=out", f"checkpoint={tiny_run}/checkpoints/last.pt", "decode.box_thresh=0"]
        code = run_command("detect", _detect, [*words, *more])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return detect


NAMES = ["doc.pdf#1", "doc.pdf#2", "doc.pdf#3", "photo 0.jpg", "scan.tif#1", "scan.tif#2", "scan.tif#3"]
RESULTS = ["doc#1", "doc#2", "doc#3", "photo 0", "scan#1", "scan#2", "scan#3"]


def test_every_page_is_a_result_and_a_second_call_continues(call):
    code, text = call("crops=true")
    assert code == 0 and "2 files with 6 pages" in text and "7 images in in" in text
    found = records(Path("out"))
    assert list(found) == NAMES
    assert sorted(path.name for path in Path("out/txt").iterdir()) == [f"res_{name}.txt" for name in RESULTS]
    assert sorted(path.name for path in Path("out/vis").iterdir()) == [f"{name}.jpg" for name in RESULTS]
    assert {path.name.rpartition("_")[0] for path in Path("out/crops").iterdir()} <= set(RESULTS)
    for name, record in found.items():
        status = Path("in", name.partition("#")[0]).stat()
        assert (record["bytes"], record["modified_ns"]) == (status.st_size, status.st_mtime_ns)
        assert (record["dpi"] is not None) == name.startswith("doc")
    # 32 px for 40 pt would be 57.6 dpi, at least 96: 72 pt are an inch
    assert (found["doc.pdf#2"]["dpi"], found["doc.pdf#2"]["height"], found["doc.pdf#2"]["width"]) == (96, 96, 128)
    content = json.loads(Path("out/detections.json").read_text())
    jsonschema.validate(content, json.loads((Path(__file__).parents[2] / "docs/detections.schema.json").read_text()))

    whole, lines = without_seconds(Path("out")), Path("out/detections.jsonl").read_text().splitlines()
    Path("out/detections.jsonl").write_text("\n".join(lines[:2]) + "\n" + lines[2][:40])  # killed in mid-PDF
    code, text = call("crops=true")
    assert code == 0 and "7 images in in, 2 of them done already" in text
    assert without_seconds(Path("out")) == whole


def test_shards_share_the_pages(call):
    assert call("vis=false")[0] == 0
    whole = without_seconds(Path("out"))
    for shard in ("1/2", "2/2"):
        assert call("vis=false", "output=parts", f"shard={shard}")[0] == 0
    assert len(records_of_shard("1-of-2")) == 4 and len(records_of_shard("2-of-2")) == 3
    code, text = call("vis=false", "output=parts")
    assert code == 0 and "7 of them done already" in text and without_seconds(Path("parts")) == whole


def records_of_shard(tag: str) -> list[dict]:
    return json.loads(Path(f"parts/detections.{tag}.json").read_text())["images"]


def test_a_file_that_changes_its_number_of_pages(call):
    assert call("labelme=true")[0] == 0
    write_pages(Path("in/scan.tif"), scenes(2)[::-1])
    code, text = call("labelme=true")
    assert code == 0 and "6 images in in, 4 of them done already" in text
    assert list(records(Path("out"))) == NAMES[:-1]
    for folder, form in (("txt", "res_{}.txt"), ("vis", "{}.jpg"), ("labelme", "{}.json")):
        here = {path.name for path in Path("out", folder).iterdir()}
        assert {form.format(name) for name in RESULTS[:-1]} <= here and form.format("scan#3") not in here
    assert not Path("out/labelme/scan#3.png").exists()
    np.testing.assert_array_equal(read_image(Path("out/labelme/scan#1.png")), scenes(2)[1])
    PIL.Image.fromarray(scenes(1)[0]).save("in/scan.tif")
    assert call("labelme=true")[0] == 0
    assert sorted(path.name for path in Path("out/txt").iterdir() if "scan" in path.name) == ["res_scan.txt"]
    write_pages(Path("in/scan.tif"), scenes(3))
    assert call("labelme=true")[0] == 0
    assert sorted(path.name for path in Path("out/txt").iterdir()) == [f"res_{name}.txt" for name in RESULTS]


def test_pages_can_be_corrected_and_trained_on(call):
    assert call("labelme=true", "coco=true", "vis=false")[0] == 0
    found = records(Path("out"))
    parts = read_data(Path("out/labelme"), "labelme").splits
    regions = {record.image_path.name: len(record.polygons) for part in parts.values() for record in part}
    expected = {
        f"{name}.png" if "#" in name else f"{name}.jpg": len(found[image]["polygons"])
        for name, image in zip(RESULTS, NAMES, strict=True)
    }
    assert regions == expected
    assert read_image(Path("out/labelme/doc#2.png")).shape == (96, 128, 3)
    names = [image["file_name"] for image in json.loads(Path("out/coco.json").read_text())["images"]]
    assert names == NAMES
    corrected = Path("out/labelme/scan#2.json")
    corrected.write_text(corrected.read_text() + " ")
    Path("out/labelme/scan#1.png").unlink()
    assert call("labelme=true", "vis=false")[0] == 0
    assert corrected.read_text().endswith(" ") and Path("out/labelme/scan#1.png").is_file()


def test_the_resolution_is_a_setting_of_the_results(call):
    assert call("dpi=48", "vis=false")[0] == 0
    assert records(Path("out"))["doc.pdf#1"]["height"] == 48
    code, text = call("vis=false")
    assert code == 2 and "dpi 48 → auto" in text
    code, text = call("dpi=none")
    assert code == 2 and "dpi" in text


def test_pdfs_that_cannot_be_read_are_listed_and_nothing_is_lost(call, monkeypatch):
    Path("in/locked.pdf").write_bytes(pdf(PDF_PAGES, password="secret"))
    Path("in/cut.pdf").write_bytes(pdf(PDF_PAGES)[:200])
    Path("in/half.pdf").write_bytes(pdf(PDF_PAGES, size=(96, 72)).replace(b" 6 0 R", b" 99 0 R"))  # page 2 of 3
    code, text = call("vis=false")
    assert code == 1 and "Traceback" not in text
    errors = json.loads(Path("out/errors.json").read_text())
    assert [error["image"] for error in errors] == ["cut.pdf", "half.pdf#2", "locked.pdf"]
    assert all("\n" not in error["error"] for error in errors)
    assert set(NAMES) | {"half.pdf#1", "half.pdf#3"} == set(records(Path("out")))
    before = sorted(path.name for path in Path("out/txt").iterdir())
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    code, text = call("vis=false")
    assert code == 2 and "that are not in the input" in text  # the pages of doc.pdf, which were done
    assert sorted(path.name for path in Path("out/txt").iterdir()) == before
    code, text = call("vis=false", "output=other")
    assert code == 1 and "pip install 'resnet18-ocrdet[pdf]'" in text and "failed: in/doc.pdf" in text
    errors = json.loads(Path("other/errors.json").read_text())
    assert [error["image"] for error in errors] == ["cut.pdf", "doc.pdf", "half.pdf", "locked.pdf"]
