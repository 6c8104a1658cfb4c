"""scripts/pick_table.py: its draws and its tables; the trainings are not run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))  # scripts are not a package

import pick_table
from conftest import assert_mentions
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.pick.prelabels import LabelledImage, PreLabel, write_label_files


def test_random_draws_differ_and_can_be_repeated():
    first, second = (pick_table.random_numbers(seed, 50) for seed in (0, 1))
    assert first == pick_table.random_numbers(0, 50) != second
    assert len(set(first)) == 50 and min(first) >= 1 and max(first) <= 800


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--photos", "few"], "init.weights=PATH is missing"),
        (["init.weights=a.pt"], "--photos"),
        (["--photos", "few", "init.weights=a.pt", "--number", "801"], "--number 801: at most 800"),
        (["--photos", "few", "init.weights=a.pt"], "few/ch4_training_images/img_1.jpg: no such file"),
    ],
)
def test_a_mistake_is_one_line(words, told, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["pick_table", *words])
    with pytest.raises(UserError) as error:
        pick_table.main()
    assert_mentions(str(error.value), told)


def scored(folder: Path, hmean: float | None, **counts: int) -> Path:
    folder.mkdir(parents=True)
    interval = None if hmean is None else [hmean - 0.05, hmean + 0.05]
    values = {"hmean": hmean, "precision": 0.5, "recall": 0.25, "interval_95": {"hmean": interval}, **counts}
    (folder / "metrics.json").write_text(json.dumps(values))
    return folder


def test_the_mean_of_the_draws_leaves_out_the_picked_ones(tmp_path):
    outcomes = []
    for name, hmean in (("50 picked", 0.6), ("seed 0", 0.5), ("seed 1", 0.4), ("seed 2", None)):
        scored(tmp_path / name / "before", 0.2)
        scored(tmp_path / name / "after", hmean)
        outcomes.append(pick_table.Outcome(name, tmp_path / name))
    lines = pick_table.training_table(outcomes)
    assert lines[2] == "| nothing | 0.200 | 0.150 to 0.250 |"
    assert lines[3] == "| 50 picked | 0.600 | 0.550 to 0.650 |"
    assert lines[-1] == "| mean of 3 random draws | 0.300 | |"  # (0.5 + 0.4 + 0) / 3


def test_regions_to_draw_and_to_delete(tmp_path):
    # 100 regions, 70 found by 90 pre-labels: 30 are missing, 20 wrong
    counts = {"care_regions": 100, "matched": 70, "care_detections": 90}
    metrics = pick_table.metrics_of(scored(tmp_path / "score", 0.5, **counts))
    none, everything = pick_table.label_table([("all", metrics)])[2:]
    assert none == "| none | | | 100 | 0 |"
    assert everything == "| all | 0.500 | 0.250 | 30 | 20 |"


@pytest.mark.parametrize(("left_out", "boxes"), [((), 2), (("unsure",), 1)])
def test_prelabels_become_result_files(left_out, boxes, tmp_path, monkeypatch):
    picked = tmp_path / "picked"
    (picked / "images").mkdir(parents=True)
    cv2.imencode(".png", np.zeros((60, 90, 3), np.uint8))[1].tofile(picked / "images/img_7.png")
    sure = PreLabel([[10.0, 10.0], [50.4, 10.0], [50.4, 30.0], [10.0, 30.0]], 0.9, False)
    unsure = PreLabel([[10.0, 40.0], [50.0, 40.0], [50.0, 55.0], [10.0, 55.0]], 0.5, True)
    write_label_files(picked, [LabelledImage("img_7.png", 60, 90, [sure, unsure])], "labelme")
    picks = [{"image": "img_7.png", "unsure_regions": 1}]
    (picked / "report.json").write_text(json.dumps({"picked": picks}))
    called = []
    monkeypatch.setattr(pick_table, "call", lambda *words: called.append(words) or 0)
    assert pick_table.score_prelabels(picked, tmp_path / "set", tmp_path / "out", left_out) == 0
    lines = (tmp_path / "out/results/res_img_7.txt").read_text().splitlines()
    assert lines[0] == "10,10,50,10,50,30,10,30" and len(lines) == boxes
    assert called[0][:2] == ("ocrdet-eval", f"predictions={tmp_path}/out/results")
    assert pick_table.picked_numbers(picked) == [7]
