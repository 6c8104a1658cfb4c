"""Findings about regions: each on a hand-made case and on one just below its threshold."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from resnet18_ocrdet.check.image_stats import ImageStats
from resnet18_ocrdet.check.regions import SplitStats, check_regions, covering
from resnet18_ocrdet.check.text_lines import check_lines, neighbors
from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.record import LabelRecord, Region, to_record
from resnet18_ocrdet.data.targets import TargetMaker
from resnet18_ocrdet.runtime.messages import share
from resnet18_ocrdet.structures import Polygon

ROOT = Path("set")
HEIGHT, WIDTH = 400, 800
CROSSED = np.array([[0, 0], [100, 50], [100, 0], [0, 50]], np.float32)  # its two halves cancel: area 0


def box(x: float, y: float, width: float, height: float) -> Polygon:
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.float32)


def record(*polygons: Polygon, texts: str = "", ignore: bool = False, lost: int = 0) -> LabelRecord:
    """texts: one for each region, cut at |; "word" for all where none is given."""
    words = texts.split("|") if texts else ["word"] * len(polygons)
    regions = [Region(p, w, ignore, line) for line, (p, w) in enumerate(zip(polygons, words, strict=True), start=1)]
    return to_record(Path("1.jpg"), Path("1.txt"), regions, lost)


def check(*records: LabelRecord, part: str = "train", curved: tuple[int, ...] = ()) -> tuple[Report, SplitStats]:
    """Without a change of size."""
    report = Report()
    images = [ImageStats(None, HEIGHT, WIDTH, curved=curved) for _ in records]
    return report, check_regions(ROOT, part, records, images, TargetMaker(), lambda h, w: (1.0, 1.0), report)


def found(*polygons: Polygon) -> list[tuple[str, int]]:
    return [(finding.code, finding.line) for finding in check(record(*polygons))[0]]


def test_an_ordinary_word_has_no_finding():
    report, stats = check(record(box(10, 10, 100, 30)))
    assert len(report) == 0
    assert stats[:5] == (1, 1, 0, 1, 0)
    assert (stats.heights, stats.aspects) == (pytest.approx([30]), pytest.approx([100 / 30]))


def test_small_text_is_one_finding_per_split():
    small = record(box(10, 10, 60, 7.9), box(10, 50, 60, 8.1), box(10, 90, 60, 5))
    report, stats = check(small, record(box(0, 0, 60, 3), ignore=True))
    assert [finding.text for finding in report] == ["set: train: 2 of 3 care regions (67%) below 8 px after the resize"]
    assert stats[:5] == (2, 4, 1, 1, 0)


def test_heights_are_those_after_the_resize():
    report = Report()
    images = [ImageStats(None, HEIGHT, WIDTH)]
    seen: list[tuple[int, int]] = []

    def scale(height: int, width: int) -> tuple[float, float]:
        seen.append((height, width))
        return 0.25, 0.5

    stats = check_regions(ROOT, "val", [record(box(0, 0, 100, 20))], images, TargetMaker(), scale, report)
    assert (seen, stats.heights.tolist()) == ([(HEIGHT, WIDTH)], [5.0])
    assert report.counts() == {"PG036": 1}


def test_shrunk_regions():
    upper = [[10, 10], [50, 10], [50, 28], [150, 28], [150, 10], [190, 10]]
    bone = np.array([*upper, *([x, 60 - y] for x, y in reversed(upper))], np.float32)
    report, stats = check(record(bone))
    assert [(finding.code, finding.detail) for finding in report] == [
        ("PG038", "2 pieces at train.shrink_ratio=0.4"),
    ]
    assert stats.usable == 1
    report, stats = check(record(CROSSED))
    assert [finding.code for finding in report] == ["PG037"] and stats.usable == 0


def test_a_region_over_the_whole_image():
    assert found(box(0, 0, 799, 399)) == [("PG042", 1)]
    assert found(box(0, 0, 799, 350)) == []


def test_regions_that_cover_each_other():
    # 100 wide, moved by 10: 90 / 110 = 0.82; by 12: 88 / 112 = 0.79
    assert found(box(10, 10, 100, 30), box(200, 10, 100, 30), box(20, 10, 100, 30)) == [("PG043", 3)]
    assert found(box(10, 10, 100, 30), box(22, 10, 100, 30)) == []
    masked = record(box(10, 10, 100, 30), box(10, 10, 100, 30), ignore=True)
    assert not check(masked)[0].of("PG043"), "don't-care regions may cover each other"
    assert found(CROSSED, CROSSED)[-1] == ("PG043", 2), "an outline that crosses itself does no harm"


def test_many_corners_and_thin_regions():
    def ring(corners: int) -> Polygon:
        turn = np.linspace(0, 2 * np.pi, corners, endpoint=False)
        return np.stack([200 + 150 * np.cos(turn), 200 + 150 * np.sin(turn)], axis=1).astype(np.float32)

    assert (found(ring(101)), found(ring(100))) == ([("PG045", 1)], [])
    assert found(box(0, 0, 790, 7.8))[0] == ("PG046", 1)
    assert found(box(0, 0, 790, 8)) == []


def test_curved_text_is_reported_with_its_line():
    report, _ = check(record(box(10, 10, 100, 30), box(10, 90, 100, 30)), curved=(1,))
    assert [(finding.code, finding.place) for finding in report] == [("PG047", "1.txt:2")]


def test_sets_without_care_regions():
    masked, empty = record(box(0, 0, 90, 30), ignore=True), record()
    assert check(masked, masked)[0].of("GT014")[0].detail == "train: all 2 regions are don't-care"
    assert check(empty)[0].of("GT014")[0].detail == "train: no regions"
    assert not check(masked, part="val")[0].of("GT014")
    word = record(box(0, 0, 90, 30))
    assert check(masked, masked, word)[0].counts() == {"GT013": 1}
    assert check(masked, word)[0].counts() == {}


def test_totals_are_not_added_if_the_reader_reported_each_file():
    bare = record(box(0, 0, 90, 30), box(0, 60, 90, 30), texts="|word")
    report, _ = check(bare, record(), record(lost=1))
    assert {finding.code: finding.detail for finding in report} == {
        "GT002": "train: 1 of 3 images (33%)",
        "GT010": "train: 1 of 2 care regions (50%)",
    }
    report = Report()
    report.add("GT002", Path("a.txt"))
    report.add("GT010", Path("a.txt"))
    images = [ImageStats(None, HEIGHT, WIDTH)] * 2
    check_regions(ROOT, "train", [bare, record()], images, TargetMaker(), lambda h, w: (1, 1), report)
    assert len(report) == 2


def test_unreadable_images_and_invalid_regions_do_no_harm():
    report = Report()
    odd = record(np.full((4, 2), np.nan, np.float32), np.zeros((0, 2), np.float32), box(5, 5, 0, 0), box(9, 9, 90, 30))
    stats = check_regions(
        ROOT, "train", [odd], [ImageStats(None)], TargetMaker(), lambda h, w: pytest.fail("no size"), report
    )
    assert (stats.regions, stats.usable) == (4, 1)


def line_set(*first: Polygon, texts: str = "", others: int = 40) -> list[LabelRecord]:
    """An image, and `others` lines of several words in images of their own."""
    rest = [record(box(20, 20, 400, 30), texts="some words here") for _ in range(others)]
    return [record(*first, texts=texts), *rest]


def lines_of(records: list[LabelRecord]) -> list[tuple[str, int]]:
    report = Report()
    check_lines(ROOT, {"train": records}, report)
    return [(finding.code, finding.line) for finding in report]


def test_a_line_in_pieces():
    whole = box(20, 100, 200, 30)
    assert lines_of(line_set(whole, box(221, 101, 150, 29))) == [("PG048", 2)]  # 1 px apart
    assert lines_of(line_set(whole, box(200, 100, 150, 30))) == [("PG048", 2)]  # 20 px overlap
    assert lines_of(line_set(whole, box(230, 100, 150, 30))) == []  # a third of the height apart: the next word
    assert lines_of(line_set(whole, box(221, 118, 150, 30))) == []  # another line
    assert lines_of(line_set(whole, box(221, 100, 150, 60))) == []  # other type
    assert lines_of(line_set(whole, box(20, 131, 200, 30))) == []  # the line below
    turn = np.array([[0.8, 0.6], [-0.6, 0.8]], np.float32)
    slanted = [whole @ turn, box(221, 100, 150, 30) @ turn]
    assert lines_of(line_set(*slanted)) == [("PG048", 2)]


def test_lines_in_pieces_are_reported_unless_they_are_common():
    pieces = [box(20, 100, 200, 30), box(221, 100, 150, 30)]
    assert lines_of([*line_set(*pieces), *line_set(*pieces, others=0)]) == [("PG048", 2)] * 2  # 4 of 44 regions
    words = [record(box(20, 20, 100, 30)) for _ in range(40)]
    assert lines_of([record(*pieces), record(*pieces), *words]) == [], "words may touch"


def test_a_set_in_which_all_boxes_touch_has_no_findings():
    touching = record(*(box(20 + 60 * i, 100, 60, 30) for i in range(8)))
    assert lines_of([touching] * 10) == []


def test_words_mixed_with_lines():
    words = record(*(box(20 + 120 * i, 100, 110, 30) for i in range(5)))  # 10 px apart
    lines = record(*(box(20, 40 + 60 * i, 600, 30) for i in range(5)), texts="|".join(["two words"] * 5))
    assert lines_of([words] * 10) == []
    assert lines_of([lines] * 10) == []
    assert lines_of([words] * 5 + [lines] * 5) == [("QA103", 0)]
    assert lines_of([words] * 1 + [lines] * 1) == [], "too few to tell"
    short = record(*(box(20, 40 + 60 * i, 90, 30) for i in range(5)))
    assert lines_of([short] * 5 + [lines] * 5) == [], "a line may be one word long"
    bare = [record(*item.polygons, texts="||||") for item in (words, lines)]
    assert lines_of(bare * 5) == [("QA103", 0)], "without transcriptions the shapes tell"


def test_neighbors_are_care_regions():
    pair = [box(20, 100, 100, 30), box(125, 100, 100, 30)]
    assert [found.gap for found in neighbors(record(*pair))] == pytest.approx([5 / 30], abs=1e-3)
    assert neighbors(record(*pair, ignore=True)) == []
    assert neighbors(record(pair[0], np.full((4, 2), np.nan, np.float32), box(9, 9, 0, 0))) == []
    assert neighbors(record(pair[0], np.zeros((0, 2), np.float32), texts="|")) == []
    assert lines_of([record(np.zeros((0, 2), np.float32), texts="")] * 20) == []
    assert neighbors(record()) == []


def test_a_share_is_not_rounded_to_0_or_100_percent():
    assert share(1, 3, "region") == "1 of 3 regions (33%)"
    assert share(999, 1000, "region") == "999 of 1000 regions (99%)"
    assert share(6, 1000, "region") == "6 of 1000 regions (0.6%)"
    assert share(1, 10_000, "region") == "1 of 10000 regions (less than 0.1%)"
    assert (share(0, 1, "image"), share(2, 2, "image")) == ("0 of 1 image (0%)", "2 of 2 images (100%)")


def test_many_overlapping_regions_are_fast():
    heap = [box(number % 7, number % 5, 900, 400) for number in range(600)]
    began = time.perf_counter()
    pairs = list(covering(record(*heap)))
    assert [other for _, other, _ in pairs] == list(range(1, 600)) and neighbors(record(*heap)) == []
    assert time.perf_counter() - began < 2  # all pairs, one after the other, take four times as long
