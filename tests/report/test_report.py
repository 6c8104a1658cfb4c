"""What an evaluation writes besides the score: recall by size, box fit, comparison, files, page."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from html_page import Page
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.evaluation.icdar_files import read_predictions
from resnet18_ocrdet.evaluation.metrics import EvalSample, IcdarMetric
from resnet18_ocrdet.report.analysis import ErrorAnalysis, fit_of, recall_by_size, sizes_of
from resnet18_ocrdet.report.cases import gained, lost, missed_of_size, worst_images
from resnet18_ocrdet.report.compare import compare_scores, describe_change
from resnet18_ocrdet.report.files import result_file_names, write_results, write_tables
from resnet18_ocrdet.report.html import Baseline, write_report
from resnet18_ocrdet.structures import Detection
from scored_images import box

HOSTILE = '<b>&"1.jpg'


def sample(name, regions, boxes, ignore=None):
    flags = np.array(ignore if ignore is not None else [False] * len(regions), bool)
    return EvalSample(name, tuple(regions), flags, [Detection(each, 0.9 - 0.1 * n) for n, each in enumerate(boxes)])


def analysis_of(samples):
    metric = IcdarMetric()
    metric.update_all(samples)
    return ErrorAnalysis(metric, samples)


def word(x, height, length=100.0):
    return box(x, 0, length, height)


def test_sizes_of_rotated_and_flat_regions():
    turned = np.float32([[0, 0], [30, 40], [22, 46], [-8, 6]])  # 50 long, 10 high
    heights, aspects = sizes_of([box(0, 0, 80, 20), box(0, 0, 20, 80), turned, box(0, 0, 40, 0.1)])
    assert heights == pytest.approx([20, 20, 10, 1], rel=1e-4)
    assert aspects == pytest.approx([4, 4, 5, 40], rel=1e-4)


def test_recall_by_size():
    # heights 10, 14, 14 and 50 px, found: both of 14; a region of 20 px is don't-care
    regions = [word(0, 10), word(200, 14), word(400, 14), word(600, 50), word(800, 20)]
    samples = [sample("1.jpg", regions, [regions[1], regions[2]], [False] * 4 + [True])]
    heights, aspects = recall_by_size(samples, IcdarMetric().update_all(samples))
    assert [(share.low, share.high, share.regions, share.found) for share in heights if share.regions] == [
        (8, 12, 1, 0), (12, 16, 2, 2), (48, None, 1, 0)
    ]  # fmt: skip
    assert [(share.low, share.recall) for share in aspects if share.regions] == [(1.5, 0.0), (5, 1.0), (8, 0.0)]
    assert sum(share.regions for share in heights) == sum(share.regions for share in aspects) == 4


def test_fit():
    # 100 x 20 found by 100 x 25: IoU 0.8, area 1.25; and by 100 x 15: 0.75, 0.75
    samples = [sample("1.jpg", [word(0, 20)], [word(0, 25)]), sample("2.jpg", [word(0, 20)], [word(0, 15)])]
    fit = fit_of(samples, IcdarMetric().update_all(samples))
    assert fit == pytest.approx((0.775, 1.0))
    nothing = [sample("1.jpg", [word(0, 20)], [])]
    assert fit_of(nothing, IcdarMetric().update_all(nothing)) is None


def test_an_empty_set():
    analysis = analysis_of([])
    assert analysis.to_dict()["hmean"] is None
    assert analysis.mistakes == [] and sum(share.regions for share in analysis.heights) == 0


def many(share, seed, count=200):
    """Images of one word, found with this probability."""
    rng = np.random.default_rng(seed)
    return [sample(f"{n}.jpg", [word(0, 20)], [word(0, 20)] if rng.random() < share else []) for n in range(count)]


def test_a_score_compared_with_itself_is_noise():
    rows = analysis_of(many(0.6, 0)).rows
    change = compare_scores(rows, rows)
    assert change.by["hmean"] == 0 and change.interval_95["hmean"] == (0, 0) and change.is_noise
    assert (change.better, change.gained, change.lost) == (0.5, 0, 0)


def test_a_large_difference_is_significant_and_a_small_one_is_not():
    poor, good = (analysis_of(many(share, seed=1)).rows for share in (0.5, 0.7))
    change = compare_scores(poor, good)
    assert change.gained > 20 and change.lost == 0  # the same random numbers
    assert change.by["recall"] == pytest.approx(change.gained / 200)
    assert not change.is_noise and change.better == 1.0
    assert "the new one is better" in describe_change(change) and "the old one is better" in describe_change(
        compare_scores(good, poor)
    )
    back = compare_scores(good, poor)
    assert (back.gained, back.lost) == (change.lost, change.gained)
    assert back.interval_95["hmean"] == pytest.approx([-end for end in reversed(change.interval_95["hmean"])])
    other = compare_scores(poor, analysis_of(many(0.5, seed=2)).rows)
    assert other.is_noise and "may be chance" in describe_change(other)
    assert describe_change(compare_scores(good, good)) == "hmean does not change."


def test_pairing_narrows_the_interval():
    poor, good = (analysis_of(many(share, seed=1)).rows for share in (0.5, 0.6))
    low, high = compare_scores(poor, good).interval_95["recall"]
    alone = [analysis_of(many(share, seed=1)).interval_95["recall"] for share in (0.5, 0.6)]
    assert high - low < 0.8 * min(end - begin for begin, end in alone)


def test_scores_of_different_images_cannot_be_compared():
    with pytest.raises(ValueError, match="different images"):
        compare_scores(analysis_of(many(0.5, 0, 3)).rows, analysis_of(many(0.5, 0, 4)).rows)


@pytest.fixture
def samples():
    return [
        sample("a.jpg", [word(0, 20), word(200, 9)], [word(0, 20), word(500, 20)]),
        sample("b.jpg", [word(0, 30)], [word(0, 30)]),
        sample(HOSTILE, [word(0, 20)], []),
    ]


def test_tables(samples, tmp_path: Path):
    write_tables(tmp_path, analysis_of(samples))
    with (tmp_path / "per_image.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["image"], row["matched"], row["recall"]) for row in rows] == [
        ("a.jpg", "1", "0.5"), ("b.jpg", "1", "1.0"), (HOSTILE, "0", "0.0")
    ]  # fmt: skip
    with (tmp_path / "mistakes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["image"], row["mistake"], row["regions"], row["detections"]) for row in rows] == [
        ("a.jpg", "missed", "1", ""), ("a.jpg", "false", "", "1"), (HOSTILE, "missed", "0", "")
    ]  # fmt: skip


def test_result_files_can_be_scored(samples, tmp_path: Path):
    write_results(tmp_path, samples)
    for name, scores in (("boxes", True), ("submission.zip", False), ("submission_with_scores.zip", True)):
        again = read_predictions(tmp_path / name, [each.name for each in samples]).found
        assert sorted(again) == sorted(Path(each.name).stem for each in samples)
        assert [len(again[Path(each.name).stem]) for each in samples] == [2, 1, 0]
        assert again["a"][1].polygon.tolist() == word(500, 20).tolist()
        assert again["a"][1].score == pytest.approx(0.8) if scores else np.isnan(again["a"][1].score)
    first = (tmp_path / "submission.zip").read_bytes()
    write_results(tmp_path, samples)
    assert (tmp_path / "submission.zip").read_bytes() == first


def test_names_that_are_not_utf8_in_a_zip(tmp_path: Path):
    write_results(tmp_path, [sample("caf\udce9.jpg", [], [word(0, 20)])])
    with zipfile.ZipFile(tmp_path / "submission_with_scores.zip") as archive:
        assert archive.namelist() == ["res_caf\\udce9.txt"]


@pytest.mark.parametrize(
    ("names", "files"),
    [
        (["a.jpg", "b.jpg"], ["a", "b"]),
        (["x/1.jpg", "y/1.jpg"], ["x__1", "y__1"]),
        (["a.jpg", "a.png", "a.jpg.tif"], ["a.jpg", "a.png", "a.jpg.tif"]),
        (["1.jpg", "1.jpg"], ["0_1.jpg", "1_1.jpg"]),
    ],
)
def test_result_file_names_are_unique(names, files):
    assert result_file_names(names) == [f"res_{file}.txt" for file in files]


def test_images_with_the_same_stem_keep_their_suffix(tmp_path: Path):
    write_results(tmp_path, [sample("a.jpg", [], [word(0, 20)]), sample("a.png", [], []), sample("b.jpg", [], [])])
    with zipfile.ZipFile(tmp_path / "submission.zip") as archive:
        assert archive.namelist() == ["res_a.jpg.txt", "res_a.png.txt", "res_b.txt"]


def test_cases(samples):
    analysis = analysis_of(samples)
    assert [case[:3] for case in worst_images(analysis, 5)] == [(0, (1,), (1,)), (2, (0,), ())]
    (low,) = [share for share in analysis.heights if share.contains(9)]
    (case,) = missed_of_size(analysis, low, by_height=True)
    assert (case.image, case.regions, case.note) == (0, (1,), "100 by 9 px")
    first, second, third = samples
    better = analysis_of([first, second._replace(detections=[]), third._replace(detections=second.detections)])
    assert [(case.image, case.regions) for case in lost(analysis, better)] == [(1, (0,))]
    (case,) = gained(analysis, better)
    assert (case.image, case.regions, case.detections) == (2, (0,), (0,))


def test_the_page(samples, tmp_path: Path):
    old, new = (analysis_of(each) for each in (samples, [samples[0]._replace(detections=[]), *samples[1:]]))
    read = lambda image: np.full((60 + image, 700, 3), 90, np.uint8)  # noqa: E731
    baseline = Baseline("<old>", old, compare_scores(old.rows, new.rows))
    write_report(tmp_path / "report.html", "Evaluation of <x>", ["one & two"], new, read, baseline)
    page = Page((tmp_path / "report.html").read_text("utf-8"))
    assert page.is_self_contained()
    for text in ("Evaluation of <x>", "one & two", "Compared with <old>", HOSTILE, "0 gained", "1 lost", "a.jpg"):
        assert text in page.text
    pictures = [place for place in page.addresses if place.startswith("data:")]
    # 2 worst images; 1 lost; 3 missed; by height 2 + 1; by aspect 2 + 1
    assert len(pictures) == 2 + 1 + 3 + 3 + 3


def test_the_page_is_written_without_pictures_of_unreadable_images(samples, tmp_path: Path):
    def read(image):
        if image == 0:
            raise UserError("a.jpg: damaged")
        return np.full((60, 700, 3), 90, np.uint8)

    write_report(tmp_path / "report.html", "x", [], analysis_of(samples), read)
    page = Page((tmp_path / "report.html").read_text("utf-8"))
    assert page.is_self_contained() and len([place for place in page.addresses if place.startswith("data:")]) == 4


def test_the_page_of_a_perfect_score_and_of_an_empty_one(tmp_path: Path):
    for samples in ([sample("1.jpg", [word(0, 20)], [word(0, 20)])], [sample("1.jpg", [], [])]):
        write_report(tmp_path / "report.html", "x", [], analysis_of(samples), lambda image: pytest.fail("no picture"))
        assert Page((tmp_path / "report.html").read_text("utf-8")).is_self_contained()


def test_the_analysis_can_be_written_as_json(samples):
    content = json.loads(json.dumps(analysis_of(samples).to_dict()))
    assert content["mistakes"]["missed"] == 2 and content["mistakes"]["false"] == 1
    assert content["recall_by_height"][1] == {"low": 8, "high": 12, "regions": 1, "found": 0, "recall": 0}
    assert content["fit"] == {"iou": 1, "area_ratio": 1}


def test_a_name_is_not_a_formula_in_a_table(samples, tmp_path: Path):
    names = ["=1+1.jpg", "@sum.jpg", "plain.jpg"]
    write_tables(tmp_path, analysis_of([each._replace(name=name) for each, name in zip(samples, names, strict=True)]))
    for table in ("per_image.csv", "mistakes.csv"):
        with (tmp_path / table).open(newline="") as file:
            shown = {row[0] for row in list(csv.reader(file))[1:]}
        assert shown <= {"'=1+1.jpg", "'@sum.jpg", "plain.jpg"} and shown


def test_a_name_too_long_for_a_file_is_only_in_the_zips(samples, tmp_path: Path):
    long = "x" * 248
    assert write_results(tmp_path, [samples[0]._replace(name=f"{long}.jpg"), *samples[1:]]) == [f"{long}.jpg"]
    assert len(list((tmp_path / "boxes").iterdir())) == len(samples) - 1
    assert len(read_predictions(tmp_path / "submission.zip", [long]).found[long]) == 2
