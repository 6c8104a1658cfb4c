"""ocrdet-eval: from a checkpoint and from result files."""

from __future__ import annotations

import csv
import json
import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from config_runner import configs
from eval_calls import score
from html_page import Page
from resnet18_ocrdet.cli import _evaluate
from resnet18_ocrdet.commands import eval_checkpoint, evaluate
from resnet18_ocrdet.commands.eval_checkpoint import CheckpointScorer
from resnet18_ocrdet.commands.eval_records import EvalResult, with_unique_names
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.data.labels import LabelledImages
from resnet18_ocrdet.data.record import to_record
from resnet18_ocrdet.evaluation.metrics import EvalSample, IcdarMetric
from resnet18_ocrdet.runtime.console import Display
from resnet18_ocrdet.runtime.regular_file import sha256

CARE = "10,10,60,10,60,30,10,30"
SCORES = ("precision", "recall", "hmean", "ap")  # validation while training is the same code
OTHER = "70,50,120,50,120,80,70,80"
BOM = "\ufeff"


@pytest.fixture
def test_half(tmp_path: Path) -> Path:
    """Two images of an official test half, one with a don't-care region; label files with and without BOM."""
    root = tmp_path / "icdar"
    (root / "ch4_test_images").mkdir(parents=True)
    (root / "Challenge4_Test_Task1_GT").mkdir()
    for number in (1, 2):
        cv2.imwrite(str(root / f"ch4_test_images/img_{number}.jpg"), np.zeros((96, 160, 3), np.uint8))
    (root / "Challenge4_Test_Task1_GT/gt_img_1.txt").write_text(f"{BOM}{CARE},word\r\n{OTHER},###\r\n", "utf-8")
    (root / "Challenge4_Test_Task1_GT/gt_img_2.txt").write_text(f"{CARE},a, b\n{OTHER},c\n", "utf-8")
    return root


def results(folder: Path, first: str, second: str | None) -> Path:
    folder.mkdir()
    (folder / "res_img_1.txt").write_text(first)
    if second is not None:
        (folder / "res_img_2.txt").write_text(second)
    return folder


def test_result_files_are_scored_by_the_protocol(test_half: Path, tmp_path: Path, monkeypatch):
    # image 1: the care word found, the detection on ### not counted; image 2: one of two found, one false
    results(tmp_path / "mine", f"{CARE},0.9\n{OTHER},0.8\n", f"{CARE},0.7\n0,0,5,0,5,5,0,5,0.6\n")
    code, metrics = score(monkeypatch, tmp_path, "predictions=mine", "data=icdar2015", f"data.root={test_half}")
    assert code == 0 and metrics["split"] == "test" and metrics["data"]["root"] == str(test_half)
    assert (metrics["matched"], metrics["care_regions"], metrics["care_detections"]) == (2, 3, 3)
    assert metrics["precision"] == pytest.approx(2 / 3) and metrics["recall"] == pytest.approx(2 / 3)
    assert metrics["hmean"] == pytest.approx(2 / 3)
    assert metrics["ap"] == pytest.approx((1 / 1 + 2 / 2) / 3)  # scores .9 hit, .7 hit, .6 miss
    with (tmp_path / "out/per_image.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == ["img_1.jpg", "img_2.jpg"]
    assert float(rows[1]["recall"]) == 0.5


def test_a_missing_file_counts_as_nothing_found(test_half: Path, tmp_path: Path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        archive.writestr("res_img_1.txt", CARE)
    code, metrics = score(monkeypatch, tmp_path, "predictions=mine.zip", "data=icdar2015", f"data.root={test_half}")
    assert code == 0 and metrics["missing_files"] == 1
    assert metrics["recall"] == pytest.approx(1 / 3) and metrics["ap"] is None


def test_a_result_for_an_unknown_image_is_refused(test_half: Path, tmp_path: Path, monkeypatch, capsys):
    folder = results(tmp_path / "mine", CARE, None)
    (folder / "res_img_77.txt").write_text(CARE)
    code, _ = score(monkeypatch, tmp_path, "predictions=mine", "data=icdar2015", f"data.root={test_half}")
    assert code == 2
    assert "res_img_77.txt" in capsys.readouterr().err


def test_an_absent_split_is_refused_with_those_that_exist(test_half: Path, tmp_path: Path, monkeypatch, capsys):
    results(tmp_path / "mine", CARE, None)
    words = ("predictions=mine", "data=icdar2015", f"data.root={test_half}", "split=val")
    assert score(monkeypatch, tmp_path, *words)[0] == 2
    assert capsys.readouterr().err.endswith("split=val: this data set has no val images; it has test\n")


def test_a_checkpoint_alone_is_scored_on_its_own_validation_split(tiny_run: Path, tmp_path: Path, monkeypatch):
    path, hashed = tiny_run / "checkpoints/last.pt", []
    for module in (evaluate, eval_checkpoint):
        monkeypatch.setattr(module, "sha256", lambda path: hashed.append(path) or sha256(path))
    code, metrics = score(monkeypatch, tmp_path, f"checkpoint={path}", "workers=0")
    last = json.loads((tiny_run / "metrics.jsonl").read_text().splitlines()[-1])
    assert code == 0
    assert hashed == [path] and metrics["model_sha256"] == sha256(path)
    assert (metrics["split"], metrics["images"], metrics["contract"]["height"]) == ("val", 2, 64)
    assert [metrics[key] for key in SCORES] == [last[key] for key in SCORES]
    assert metrics["contract"]["precision"] in ("bf16", "fp32")
    assert metrics["loss"] == pytest.approx(last["val_loss"], rel=1e-5)


def test_a_data_set_that_moved_since_the_training_is_reported(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    content = torch.load(tiny_run / "checkpoints/last.pt", weights_only=True)
    content["config"]["data"] = {
        "_target_": "resnet18_ocrdet.data.splits.custom", "root": "photos", "train": None, "val": None, "seed": 0
    }  # fmt: skip
    torch.save(content, tmp_path / "moved.pt")
    assert score(monkeypatch, tmp_path, "checkpoint=moved.pt")[0] == 2
    error = capsys.readouterr().err
    assert error.startswith(
        f"ocrdet-eval: data.root=photos: no such folder (looked in {tmp_path}); recorded in moved.pt"
    )
    assert "data.root=…" in error and error.count("\n") == 1


def test_text_too_small_for_the_size_is_reported(tiny_run: Path, test_half: Path, tmp_path: Path, monkeypatch, capsys):
    words = ("data=icdar2015", f"data.root={test_half}", "input_size=32x32")
    assert score(monkeypatch, tmp_path, f"checkpoint={tiny_run}/checkpoints/last.pt", *words)[0] == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note: test: ")]
    assert "too small at 32x32" in line and "input_size" in line


def test_thresholds_on_the_command_line_beat_the_contract(tiny_run: Path, tmp_path: Path, monkeypatch):
    words = (f"checkpoint={tiny_run}/checkpoints/last.pt", "workers=0", "decode.box_thresh=0.1", "input_size=96x96")
    _, metrics = score(monkeypatch, tmp_path, *words, "data=synthetic", "data.test_size=2")
    contract = metrics["contract"]
    assert (contract["box_thresh"], contract["height"], metrics["split"]) == (0.1, 96, "test")
    assert contract["bin_thresh"] == 0.3


def test_recorded_scenes_keep_the_size_of_the_training(tiny_run: Path):
    """At any input size; the run leaves the size of its scenes open."""
    (cfg,) = configs("eval", f"checkpoint={tiny_run}/checkpoints/last.pt", "input_size=96x96")
    scorer = CheckpointScorer(cfg, cfg.checkpoint, None, Display(quiet=True))
    scene = scorer.split.source.open(0)
    assert scorer.saved.data.height is None and scorer.contract.height == 96
    assert (scene.height, scene.width) == (64, 64)


def test_two_sets_of_result_files_are_compared(test_half: Path, tmp_path: Path, monkeypatch, capsys):
    results(tmp_path / "old", f"{CARE},0.9\n", "")
    results(tmp_path / "new", f"{CARE},0.9\n", f"{CARE},0.8\n{OTHER},0.7\n")
    words = ("data=icdar2015", f"data.root={test_half}")
    code, metrics = score(monkeypatch, tmp_path, "predictions=new", "baseline=old", *words)
    assert code == 0 and (metrics["hmean"], metrics["baseline"]["recall"]) == (1.0, pytest.approx(1 / 3))
    change = metrics["baseline"]["change"]
    assert (change["gained"], change["lost"]) == (2, 0)
    assert change["by"]["recall"] == pytest.approx(2 / 3)
    out = capsys.readouterr().out
    assert (
        "compared with old, precision 1.0000  recall 0.3333  hmean 0.5000" in out
        and "hmean changes by +0.500, " in out
        and "regions: 2 gained, 0 lost" in out
    )
    page = Page((tmp_path / "out/report.html").read_text("utf-8"))
    assert page.is_self_contained() and "Compared with old" in page.text


def test_a_checkpoint_is_compared_with_the_boxes_it_wrote_itself(tiny_run: Path, tmp_path: Path, monkeypatch):
    last = f"checkpoint={tiny_run}/checkpoints/last.pt"
    code, first = score(monkeypatch, tmp_path, last, "workers=0", "decode.box_thresh=0", "decode.bin_thresh=0.1")
    shutil.move(tmp_path / "out", tmp_path / "before")
    words = (last, "baseline=before/submission.zip", "workers=0", "decode.box_thresh=0", "decode.bin_thresh=0.1")
    code, metrics = score(monkeypatch, tmp_path, *words)
    assert code == 0 and metrics["baseline"]["split"] == "val"
    assert first["care_detections"] > 0
    # whole pixels move a box across IoU 0.5 now and then
    assert metrics["baseline"]["care_detections"] == first["care_detections"]


def test_a_baseline_that_does_not_exist(test_half: Path, tmp_path: Path, monkeypatch, capsys):
    results(tmp_path / "mine", CARE, None)
    words = ("predictions=mine", "data=icdar2015", f"data.root={test_half}", "baseline=nowhere.pt")
    assert score(monkeypatch, tmp_path, *words)[0] == 2
    assert "baseline=nowhere.pt: no such checkpoint, folder or zip of result files" in capsys.readouterr().err


def test_the_baseline_is_opened_before_anything_is_scored(test_half: Path, tmp_path: Path, monkeypatch, capsys):
    results(tmp_path / "mine", CARE, None)
    (results(tmp_path / "other", CARE, None) / "res_img_99.txt").write_text(CARE)
    (tmp_path / "bad.pt").write_text("not a checkpoint")
    words = ("predictions=mine", "data=icdar2015", f"data.root={test_half}")
    assert score(monkeypatch, tmp_path, *words, "baseline=other")[0] == 2
    assert "baseline=other: the test split has no image for 1 file: res_img_99.txt" in capsys.readouterr().err
    assert score(monkeypatch, tmp_path, *words, "baseline=bad.pt")[0] == 2
    output = capsys.readouterr()
    assert "bad.pt" in output.err and "on test" not in output.out


def test_a_data_set_is_not_written_to(tiny_run: Path, test_half: Path, tmp_path: Path, monkeypatch, capsys):
    results(tmp_path / "mine", CARE, None)
    monkeypatch.chdir(tmp_path)
    words = ["predictions=mine", "data=icdar2015", f"data.root={test_half}"]
    before = sorted(test_half.rglob("*"))
    assert run_command("eval", _evaluate, [*words, f"output={test_half}/out"]) == 2
    assert f"inside data.root={test_half}" in capsys.readouterr().err
    content = torch.load(tiny_run / "checkpoints/last.pt", weights_only=True)  # the same for a recorded data set
    recorded = {"root": str(test_half), "train": None, "val": None, "seed": 0}
    content["config"]["data"] = {"_target_": "resnet18_ocrdet.data.splits.icdar2015", **recorded}
    torch.save(content, tmp_path / "recorded.pt")
    words = ["checkpoint=recorded.pt", "split=test"]
    assert run_command("eval", _evaluate, [*words, f"output={test_half}/out"]) == 2
    assert f"inside data.root={test_half}" in capsys.readouterr().err
    assert sorted(test_half.rglob("*")) == before


def test_inputs_are_not_overwritten(test_half: Path, tmp_path: Path, monkeypatch, capsys):
    (tmp_path / "out").mkdir()
    results(tmp_path / "out/boxes", "10.4,10.2,60.1,10.3,60,30,10,30,0.93217", None)
    monkeypatch.chdir(tmp_path)
    words = ["predictions=out/boxes", "data=icdar2015", f"data.root={test_half}"]
    assert run_command("eval", _evaluate, [*words, "output=out"]) == 2
    assert "predictions=out/boxes: this call writes there" in capsys.readouterr().err
    assert run_command("eval", _evaluate, [*words, "output=elsewhere"]) == 0
    assert not (tmp_path / "elsewhere/boxes").exists()
    assert (tmp_path / "out/boxes/res_img_1.txt").read_text().endswith("0.93217")


def test_a_zip_is_not_a_checkpoint_and_its_suffix_does_not_matter(test_half: Path, tmp_path: Path, monkeypatch, capsys):
    for name in ("mine.zip", "MINE.RESULTS"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("res_img_1.txt", CARE)
    data = ("data=icdar2015", f"data.root={test_half}")
    assert score(monkeypatch, tmp_path, "predictions=MINE.RESULTS", "baseline=mine.zip", *data)[0] == 0
    capsys.readouterr()
    assert score(monkeypatch, tmp_path, "checkpoint=mine.zip", *data)[0] == 2
    assert "mine.zip" in capsys.readouterr().err


def test_images_of_one_name_are_shown_with_their_folder(tmp_path: Path, monkeypatch):
    for folder in ("a", "b"):
        (tmp_path / f"set/images/{folder}").mkdir(parents=True)
        cv2.imwrite(str(tmp_path / f"set/images/{folder}/1.png"), np.zeros((64, 64, 3), np.uint8))
    names = [EvalSample("1.png", (), np.zeros(0, bool), []) for _ in "ab"]
    records = [to_record(tmp_path / f"set/images/{folder}/1.png", None, []) for folder in "ab"]
    metric = IcdarMetric()
    metric.update_all(names)
    result = with_unique_names(EvalResult(metric, names, "", {}), LabelledImages(records))
    assert [sample.name for sample in result.samples] == ["a/1.png", "b/1.png"]
    assert [row.name for row in result.metric.images] == ["a/1.png", "b/1.png"]
