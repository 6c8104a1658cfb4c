"""Pages of TIFF and PDF files in the output folder: one result each, continued exactly, with LabelMe files."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import cv2
import jsonschema
import numpy as np
import PIL.Image
import pytest

from conftest import installed
from detect_calls import PROGRAM, fill, memory_by_images, mixture, records, without_seconds
from paged_files import pdf, words, write_pages
from resnet18_ocrdet import Detector
from resnet18_ocrdet.cli import _detect
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.data.image_io import read_image
from resnet18_ocrdet.data.load_annotations import read_data
from resnet18_ocrdet.data.pages import PageReader
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
    # 40 px for 40 pt would be 72 dpi, at least 96: 72 pt are an inch
    assert (found["doc.pdf#2"]["dpi"], found["doc.pdf#2"]["height"], found["doc.pdf#2"]["width"]) == (96, 96, 128)
    content = json.loads(Path("out/detections.json").read_text())
    jsonschema.validate(content, json.loads((Path(__file__).parents[2] / "docs/detections.schema.json").read_text()))

    whole, lines = without_seconds(Path("out")), Path("out/detections.jsonl").read_text().splitlines()
    Path("out/detections.jsonl").write_text("\n".join(lines[:2]) + "\n" + lines[2][:40])  # killed in mid-PDF
    code, text = call("crops=true")
    assert code == 0 and "7 images in in, 2 of them done already" in text
    assert without_seconds(Path("out")) == whole


def test_a_file_that_cannot_be_read_costs_the_others_nothing(call):
    Path("in/empty.jpg").touch()
    for done in ("", ", 7 of them done already"):
        code, text = call("labelme=true")
        assert code == 1 and f"8 images in in{done};" in text
        for folder, form in (("txt", "res_{}.txt"), ("vis", "{}.jpg"), ("labelme", "{}.json")):
            assert {form.format(name) for name in RESULTS} <= {path.name for path in Path("out", folder).iterdir()}


def test_blank_images_are_announced(call):
    PIL.Image.fromarray(np.full((96, 128, 3), 240, np.uint8)).save("in/empty.png")
    code, text = call("vis=false")
    assert code == 0 and "1 image almost blank (first: empty.png)" in text
    assert [name for name, record in records(Path("out")).items() if record["blank"]] == ["empty.png"]


@pytest.mark.slow
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


def test_a_pdf_of_one_page_has_a_picture_too(call):
    Path("in/doc.pdf").write_bytes(pdf(PDF_PAGES[:1], size=(96, 72)))
    Path("in/scan.tif").unlink()
    for _ in range(2):
        assert call("labelme=true", "vis=false")[0] == 0
        assert list(records(Path("out"))) == ["doc.pdf", "photo 0.jpg"]
        names = ["doc.json", "doc.png", "photo 0.jpg", "photo 0.json"]
        assert sorted(path.name for path in Path("out/labelme").iterdir()) == names
    assert json.loads(Path("out/labelme/doc.json").read_text())["imagePath"] == "doc.png"
    assert read_image(Path("out/labelme/doc.png")).shape == (96, 128, 3)


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
    assert "failed: in/half.pdf#2: " in text
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


@pytest.mark.slow
def test_after_kills_each_page_is_done_once(tiny_run: Path, tmp_path: Path):
    names = mixture(tmp_path / "in", 10)
    words = ["input=in", f"checkpoint={tiny_run}/checkpoints/last.pt", "tiling=off", "vis=false"]
    assert installed("ocrdet-detect", *words, "output=whole", cwd=tmp_path).returncode == 0
    lines = tmp_path / "out/detections.jsonl"
    done, kills = 0, 0
    while done < 50:
        process = subprocess.Popen([PROGRAM, *words, "output=out"], cwd=tmp_path, stdout=subprocess.DEVNULL)
        while process.poll() is None and (not lines.is_file() or lines.read_bytes().count(b"\n") <= done + 12):
            time.sleep(0.01)
        process.kill()
        process.wait()
        done, kills = lines.read_bytes().count(b"\n"), kills + 1
    assert kills > 2
    finished = installed("ocrdet-detect", *words, "output=out", cwd=tmp_path)
    assert finished.returncode == 0 and "70 images in in" in finished.stdout
    images = [json.loads(line)["image"] for line in lines.read_text().splitlines()]
    assert sorted(images) == sorted(names)
    assert without_seconds(tmp_path / "out") == without_seconds(tmp_path / "whole")
    assert len(list((tmp_path / "out/txt").iterdir())) == 70


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_pages(tiny_run: Path, tmp_path: Path):
    mixture(tmp_path / "in", 1)
    words = ["input=in", "output=out", f"checkpoint={tiny_run}/checkpoints/last.pt", "tiling=off", "vis=false"]
    process = subprocess.Popen([PROGRAM, *words], cwd=tmp_path, stdout=subprocess.DEVNULL)
    used = memory_by_images(process, tmp_path / "out/detections.jsonl")
    assert process.returncode == 0 and len(records(tmp_path / "out")) == 61
    for first, last in ((0, 30), (31, 61)):  # doc.pdf, the photo, scan.tif, whose pages have 5 MB; three are read ahead
        early = max(used[done] for done in used if first + 5 <= done < first + 15)
        late = max(used[done] for done in used if last - 12 <= done < last - 4)
        assert late - early < 20


@pytest.mark.slow
@pytest.mark.parametrize("size", [7, 8, 10, 24])
def test_text_of_a_pdf_is_found_whatever_its_size(size: int, tmp_path: Path):
    """Words of 5 letters, 3 in a line; found if the box of a region overlaps that of the word by half of both."""
    width = 5 * 0.6 * size  # Courier: 0.6 of the font's size for each letter
    rows = range(60, 780, 3 * size)
    content = [words("Words", size, x=50 + 1.6 * width * column, y=y) for y in rows for column in range(3)]
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf(["\n".join(content)]).replace(b"Helvetica", b"Courier"))
    image, dpi = PageReader().read(path)
    scale = dpi / 72
    found = np.array([[*each.polygon.min(0), *each.polygon.max(0)] for each in Detector()(image)]) / scale
    seen = 0
    for y in rows:
        for column in range(3):
            left = 50 + 1.6 * width * column
            box = np.array([left, 842 - y - 0.6 * size, left + width, 842 - y])  # letters without descenders
            low, high = np.maximum(found[:, :2], box[:2]), np.minimum(found[:, 2:], box[2:])
            both = np.clip(high - low, 0, None).prod(axis=1)
            areas = (found[:, 2:] - found[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
            seen += bool((both / (areas - both) >= 0.5).any())
    assert seen >= 0.95 * len(rows) * 3


@pytest.mark.slow
def test_white_text_on_transparency_is_found(tmp_path: Path):
    alpha = np.zeros((400, 640), np.uint8)
    for row, text in enumerate(("Station", "Platform 4", "Exit")):
        cv2.putText(alpha, text, (60, 100 + 110 * row), cv2.FONT_HERSHEY_SIMPLEX, 1.6, 255, 5, cv2.LINE_AA)
    detector, found = Detector(), []
    for colour in (255, 0):
        cv2.imwrite(str(tmp_path / "a.png"), np.dstack([np.full((400, 640, 3), colour, np.uint8), alpha]))
        found.append(len(detector(tmp_path / "a.png")))
    assert min(found) >= 3
