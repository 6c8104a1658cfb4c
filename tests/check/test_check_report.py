"""The two reports of a small data set."""

from __future__ import annotations

import base64
import json
import os
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from html_page import Page
from resnet18_ocrdet.check.advice import Advice, AdviceInput
from resnet18_ocrdet.check.dataset import CheckResult, advice_input, check_dataset
from resnet18_ocrdet.check.report_html import draw_finding, write_report_html
from resnet18_ocrdet.check.report_json import write_report_json
from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.load_annotations import Reading
from resnet18_ocrdet.data.record import Region, to_record
from resnet18_ocrdet.data.targets import TargetMaker
from resnet18_ocrdet.structures import Polygon
from resnet18_ocrdet.viz.crops import GREEN, MAX_SIDE, RED

HOSTILE = "<script>alert('x')</script> & \"quotes\""


def box(x: float, y: float, width: float, height: float) -> Polygon:
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.float32)


@pytest.fixture
def result(tmp_path: Path) -> CheckResult:
    root = tmp_path / "<b>set"
    records = []
    for number, name in enumerate(["1.png", f"{os.fsdecode(b'caf' + bytes([0xE9]))}.png", "3 & 4.png"]):
        path = root / name
        path.parent.mkdir(exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (200, 300, 3), np.uint8)
        path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
        regions = [Region(box(20, 20, 100, 30), HOSTILE, line=1), Region(box(22, 20, 100, 30), "b", line=2)]
        records.append(to_record(path, root / f"{number}.txt", [*regions, Region(box(9, 150, 60, 5), "c", line=3)]))
    broken = root / "broken.png"
    broken.write_bytes(b"\x89PNG")
    reading = Reading(
        "icdar", HOSTILE, {"train": records[:2], "val": [*records[2:], to_record(broken, None, [])]}, Report()
    )
    calls: list[int] = []
    found = check_dataset(root, reading, TargetMaker(), lambda h, w: (1.0, 1.0), 224, 320, lambda: calls.append(1))
    assert len(calls) == 4
    return found._replace(advice=(Advice("learning rate", "few <images>", "optimizer.lr=0.005"),), seconds=1.25)


def test_report_json(result: CheckResult, tmp_path: Path):
    write_report_json(tmp_path / "report.json", result)
    report = json.loads((tmp_path / "report.json").read_bytes())
    assert (report["schema"], report["dialect"], report["seconds"]) == (1, "icdar", 1.25)
    assert report["parts"]["train"] == {"images": 2, "regions": 6, "dont_care": 0, "usable": 4, "lost": 0}
    kinds = {kind["code"]: kind for kind in report["kinds"]}
    assert {code: kind["count"] for code, kind in kinds.items()} == {"IM052": 1, "PG043": 3, "PG036": 2, "GT002": 1}
    assert list(kinds) == ["IM052", "PG043", "GT002", "PG036"], "most severe first"
    assert kinds["PG043"]["examples"][0]["line"] == 2 and kinds["PG036"]["examples"][0]["line"] is None
    assert len(report["findings"]) == len(result.reading.report) == 7
    assert report["levels"] == {"error": 1, "warning": 3, "repair": 0, "info": 3}
    assert report["advice"] == [{"what": "learning rate", "reason": "few <images>", "override": "optimizer.lr=0.005"}]
    images = [Path(finding["image"]) for finding in report["findings"] if finding["image"]]
    assert result.reading.splits["train"][1].image_path in images, "a file name that is not UTF-8 can be read back"


def test_the_number_of_examples_is_limited_and_all_findings_are_listed(result: CheckResult, tmp_path: Path):
    for number in range(30):
        result.reading.report.add("GT018", result.root / "1.txt", number + 1, "5 numbers")
    write_report_json(tmp_path / "report.json", result)
    write_report_html(tmp_path / "report.html", result)
    kinds = {kind["code"]: kind for kind in json.loads((tmp_path / "report.json").read_bytes())["kinds"]}
    assert (kinds["GT018"]["count"], len(kinds["GT018"]["examples"])) == (30, 10)
    assert "and 10 more in report.json" in (tmp_path / "report.html").read_text("utf-8")


def test_report_html_is_self_contained(result: CheckResult, tmp_path: Path):
    image = result.reading.splits["train"][0].image_path
    result.reading.report.add("QA102", image, 0, HOSTILE, image)
    write_report_html(tmp_path / "report.html", result)
    text = (tmp_path / "report.html").read_bytes().decode("utf-8")
    page = Page(text)
    assert HOSTILE in str(next(attrs.get("alt") for _, attrs in page.seen if "1.png: " in str(attrs.get("alt"))))
    assert page.is_self_contained()
    assert any(address.startswith("data:") for address in page.addresses)
    assert any(re.match(r"#[A-Z]{2}[0-9]{3}$", address) for address in page.addresses)
    assert "url(" not in text and "@import" not in text and "http" not in text
    for word in (HOSTILE, "<b>set", "broken.png", "2.txt:2", "optimizer.lr=0.005", "few <images>", "PG043", "keep one"):
        assert word in page.text


def test_pictures_of_the_page_can_be_decoded(result: CheckResult, tmp_path: Path):
    write_report_html(tmp_path / "report.html", result)
    found = re.findall(r"data:image/jpeg;base64,([^\"]+)", (tmp_path / "report.html").read_text("utf-8"))
    assert len(found) == 3, "three images have regions that cover each other; the broken image has no picture"
    for data in found:
        pixels = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
        assert max(pixels.shape[:2]) <= MAX_SIDE


def near(pixels: np.ndarray, color: tuple[int, int, int]) -> int:
    return int((np.abs(pixels[:, :, ::-1].astype(int) - color).max(axis=2) < 100).sum())


def test_a_picture_shows_the_region_in_red_and_the_others_thin():
    record = to_record(Path("1.png"), None, [Region(box(500, 500, 60, 20)), Region(box(500, 540, 60, 20))])
    image = np.full((1000, 1000, 3), 128, np.uint8)
    shown = cv2.imdecode(np.frombuffer(draw_finding(image, record, [0]), np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape[0] < shown.shape[1] == MAX_SIDE, "a crop, wider than high"
    assert near(shown, RED) > near(shown, GREEN) > 20
    whole = cv2.imdecode(np.frombuffer(draw_finding(image, record, []), np.uint8), cv2.IMREAD_COLOR)
    assert whole.shape == (MAX_SIDE, MAX_SIDE, 3) and near(whole, RED) == 0


@pytest.mark.parametrize(
    "polygon",
    [
        box(-500, -500, 10, 10),
        box(5000, 20, 10, 10),
        np.full((4, 2), np.nan, np.float32),
        box(-1e6, 0, 2e6, 5),
        box(3, 3, 0, 0),
    ],
)
def test_invalid_and_outside_regions_can_be_drawn(polygon: Polygon):
    record = to_record(Path("1.png"), None, [Region(polygon.astype(np.float32))])
    assert draw_finding(np.zeros((50, 3000, 3), np.uint8), record, [0]).startswith(b"\xff\xd8")
    assert draw_finding(np.zeros((1, 1, 3), np.uint8), record, [0]).startswith(b"\xff\xd8")


def test_reports_of_an_empty_set(tmp_path: Path):
    reading = Reading("icdar", "a folder", {}, Report())
    result = check_dataset(tmp_path, reading, TargetMaker(), lambda h, w: (1.0, 1.0), 32, 32)
    write_report_json(tmp_path / "report.json", result)
    write_report_html(tmp_path / "report.html", result)
    assert "No findings" in (tmp_path / "report.html").read_text("utf-8")
    assert advice_input(result, AdviceInput(9, 9, 9, 9, 9, 9, 32, 32)).images == 0


def test_the_advice_is_for_the_training_split(result: CheckResult):
    case = advice_input(result, AdviceInput(0, 0, 0, 0, 0, 0, 0, 0, epochs=7))
    assert case[:4] == (2, 6, 4, 0)
    assert (case.height, case.width, case.epochs, case.small_text) == (224, 320, 7, pytest.approx(1 / 3))
    assert case.text_height == pytest.approx(5.0)
