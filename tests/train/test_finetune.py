"""experiment=finetune: the rules by hand; a run that uses them, its resume, and its score before and after."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from config_runner import configs
from resnet18_ocrdet.cli import _train
from resnet18_ocrdet.commands import auto_measure, train_parts
from resnet18_ocrdet.commands.auto_hparams import choose_sizes, choose_values, take_thresholds
from resnet18_ocrdet.commands.auto_measure import training_set
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.commands.train_calibrate import keep_typed_thresholds
from resnet18_ocrdet.commands.train_data import images_per_epoch
from resnet18_ocrdet.commands.train_report import write_summary
from resnet18_ocrdet.data.loader import EpochBatches
from resnet18_ocrdet.data.region_counts import RegionCounts
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.data.text_sizes import TextSizes
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.model.checkpoint import load_checkpoint, save_checkpoint
from resnet18_ocrdet.runtime.console import Display
from resnet18_ocrdet.runtime.run_folder import RunFolder
from resnet18_ocrdet.train import engine, trial
from resnet18_ocrdet.train.lr_rules import KEYS, Start, TrainingSet, choose_hparams
from resnet18_ocrdet.train.step_rules import Pace
from resnet18_ocrdet.viz.draw import write

CLEAN = (0.95, 0.1)  # fractions of usable text and of don't-care regions


Case = tuple[TrainingSet, Start, Pace]
LONG = Pace(per_epoch=100)  # steps: enough, even in 5 epochs
LINES = "most misses are splits"


def start(images: int, usable: float, dont_care: float, hmean: float | None, units: str = "") -> Case:
    return TrainingSet(images, usable, dont_care), Start(hmean, units), LONG


# start, rate of SGD, epochs, whether the stem and the statistics are frozen
RULES = [
    (start(312, *CLEAN, 0.55), 0.004, 15, True),  # few
    (start(499, *CLEAN, 0.55), 0.004, 15, True),
    (start(500, *CLEAN, 0.55), 0.007, 5, False),  # between
    (start(5000, *CLEAN, 0.55), 0.007, 5, False),
    (start(5001, *CLEAN, 0.55), 0.008, 5, False),  # many
    (start(5001, 0.9, 0.5, 0.55), 0.008, 5, False),  # just clean
    (start(5001, 0.89, 0.5, 0.55), 0.007, 5, False),
    (start(5001, 0.9, 0.51, 0.55), 0.007, 5, False),
    (start(1000, 0.5, 0.75, 0.55), 0.007, 5, False),  # just not poor
    (start(1000, 0.49, 0.1, 0.55), 0.004, 10, False),  # poor
    (start(1000, 0.95, 0.76, 0.55), 0.004, 10, False),
    (start(9000, 0.49, 0.1, 0.55), 0.004, 10, False),
    (start(1000, *CLEAN, 0.4), 0.007, 5, False),  # just no gap
    (start(1000, *CLEAN, 0.399), 0.004, 15, False),  # gap
    (start(9000, *CLEAN, 0.0), 0.004, 15, False),
    (start(312, *CLEAN, 0.2), 0.003, 15, False),  # few and gap: nothing is frozen
    (start(312, 0.3, 0.1, 0.55), 0.003, 15, True),  # few and poor
    (start(1000, 0.3, 0.1, 0.2), 0.003, 15, False),  # poor and gap
    (start(312, 0.3, 0.9, 0.2), 0.003, 15, False),  # all three
    (start(1000, *CLEAN, 0.749), 0.007, 5, False),
    (start(1000, *CLEAN, 0.75), 0.003, 5, False),  # good already
    (start(9000, *CLEAN, 0.9), 0.003, 5, False),
    (start(312, *CLEAN, 0.9), 0.003, 15, True),
    (start(1000, 0.3, 0.1, 0.9), 0.003, 10, False),
    (start(312, *CLEAN, None), 0.004, 15, True),  # nothing to validate on: neither gap nor good
    (start(1000, *CLEAN, None), 0.007, 5, False),
    (start(1000, *CLEAN, 0.6, LINES), 0.004, 15, False),  # other units are a gap, too
    (start(312, *CLEAN, 0.8, LINES), 0.003, 15, False),
]


@pytest.mark.parametrize(("case", "rate", "epochs", "frozen"), RULES)
def test_rules(case: Case, rate: float, epochs: int, frozen: bool):
    choices = choose_hparams(*case)
    assert tuple(choice.key for choice in choices) == KEYS
    assert [choice.value for choice in choices] == [rate, epochs, 1, "stem" if frozen else None, frozen]
    assert all(choice.reason for choice in choices)


@pytest.mark.parametrize(
    ("case", "rate"),
    [
        (start(50, *CLEAN, 0.3), 0.001),
        (start(9000, *CLEAN, 0.6), 0.001),
        (start(50, *CLEAN, None), 0.001),
        (start(50, *CLEAN, 0.75), 0.0005),  # good already
        (start(50, *CLEAN, 0.75, LINES), 0.001),  # but the labels mark other units
    ],
)
def test_the_rate_of_adamw(case: Case, rate: float):
    chosen, sgd = (choose_hparams(*case, optimizer=name) for name in ("adamw", "sgd"))
    assert chosen[0].value == rate and chosen[1:] == sgd[1:]
    assert choose_hparams(*case, optimizer="other") == sgd[1:]


# the reason for one of KEYS has all of these
REASONS = [
    (start(312, *CLEAN, 0.55), 0, ["312 images are fewer than 500"]),
    (start(1, *CLEAN, 0.55), 0, ["1 image is fewer than 500"]),
    (start(312, *CLEAN, 0.55), 3, ["312 images are fewer than 500"]),
    (start(312, *CLEAN, 0.55), 4, ["312 images are fewer than 500", "batch-norm statistics"]),
    (start(312, *CLEAN, 0.2), 3, ["312 images are fewer than 500", "hmean 0.200", "below 0.4", "every layer"]),
    (
        start(312, 0.41, 0.1, 0.2),
        0,
        ["312 images are fewer than 500; ", "41% of the text", "less than 50%; ", "hmean 0.200", "below 0.4"],
    ),
    (start(800, 0.9, 0.82, 0.5), 1, ["82% of the regions are don't-care, more than 75%"]),
    (start(800, *CLEAN, 0.81), 0, ["hmean 0.810", "0.75 or more"]),
    (start(800, *CLEAN, 0.5), 0, ["800 images", "5000"]),
    (start(800, *CLEAN, 0.5), 1, ["800 images"]),
    (start(800, *CLEAN, 0.5), 3, ["800 images", "every layer"]),
    (start(312, *CLEAN, 0.2, LINES), 3, ["hmean 0.200", LINES, "every layer"]),
    (start(6000, *CLEAN, 0.5), 0, ["6000 images are more than 5000", "clean"]),
    (
        start(6000, 0.8, 0.6, 0.5),
        0,
        ["6000 images are more than 5000", "not clean", "80% of the text", "60% of the regions are don't-care"],
    ),
]


@pytest.mark.parametrize(("case", "place", "parts"), REASONS)
def test_reasons_have_the_numbers(case: Case, place: int, parts: list[str]):
    reason = choose_hparams(*case)[place].reason
    assert [part for part in parts if part not in reason] == [], reason


def test_fractions_of_the_labels():
    # 100 regions, 60 don't-care, 30 of the other 40 usable
    labels = RegionCounts(regions=100, dont_care=60, outside=4, too_small=6, usable=30, height=12.0)
    assert training_set(7, labels) == TrainingSet(7, 0.75, 0.6)
    assert training_set(7, RegionCounts(4, 4, 0, 0, 0, 0.0)) == TrainingSet(7, 0.0, 1.0)
    assert training_set(7, None) == TrainingSet(7, 1.0, 0.0)  # rendered scenes


# --- whole runs -------------------------------------------------------------------------------------------------------


def train(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["ocrdet-train", *words])
    return run_command("train", _train)


def journal(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def words(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """A fine-tuning on six photos, four of them to learn from, two steps an epoch."""
    root = tmp_path_factory.mktemp("photos")
    (root / "images").mkdir()
    (root / "gts").mkdir()
    scenes = SyntheticScenes(6, 96, 96, seed=0)
    for index in range(6):
        write(root / f"images/{index}.jpg", scenes.load(index).image)
        (root / f"gts/{index}.txt").write_text("10,10,60,10,60,40,10,40,word\n5,70,40,70,40,90,5,90,###\n")
    data = ("data=custom", f"data.root={root}", "data.train=0-3", "data.val=4-5")
    crops = ("input_size=64x64", "augment.crop_size=64x64")
    tiny = (*crops, "train.batch_size=2", "train.workers=0", "precision=fp32")
    return ("experiment=finetune", f"init.weights={tiny_run}/checkpoints/last.pt", *data, *tiny)


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """As if the starting weights had hmean 0.5, after a real measuring. Returns what was measured, run by run."""
    seen: list[float | None] = []
    measure = train_parts.measure_start

    def measured(*arguments: Any) -> tuple[Start, float]:
        start, _ = measure(*arguments)
        seen.append(start.hmean)
        return Start(0.5), 0.1  # s; as measured it would differ between runs

    monkeypatch.setattr(train_parts, "measure_start", measured)
    return seen


FEW = "4 images are fewer than 500"


@pytest.mark.slow
def test_a_run_chooses_its_values_and_reports_before_and_after(words, tiny_run, tmp_path, monkeypatch, capsys):
    assert train(monkeypatch, *words, "train.epochs=2", f"run_dir={tmp_path}/run") == 0
    out = capsys.readouterr().out.splitlines()
    weights = tiny_run / "checkpoints/last.pt"
    tensors = len(load_checkpoint(weights)["model"])
    assert f"starting weights: {tensors} of {tensors} tensors from {weights}" in out
    (measured,) = [line for line in out if line.startswith("starting weights on ")]
    assert re.fullmatch(
        r"starting weights on 2 validation images: hmean 0\.000  precision \S+  recall 0\.000  \d+ s", measured
    )
    gap = "hmean 0.000 of the starting weights is a large gap, below 0.4"
    config = OmegaConf.load(tmp_path / "run/config.yaml")
    content = load_checkpoint(tmp_path / "run/checkpoints/last.pt")
    chosen = content["about"]["start"]["chosen"]
    first, second = out.index(chosen[0]), out.index(chosen[2])
    assert out[first : first + 2] + out[second : second + len(chosen) - 2] == chosen
    assert first < out.index(measured) < second
    starts = ("input_size=64x64: from the command line", "augment.crop_size=64x64: from the command line")
    starts += ("optimizer.lr=0.001: ", "train.epochs=2: from the command line; the rules suggest 200: ")
    starts += ("train.val_every=1: ", f"train.freeze=null: {FEW}, but {gap}: ", "train.freeze_statistics=false: ")
    starts += ("decode.bin_thresh=0.3 decode.box_thresh=0.5: ",)
    assert [told for told, wanted in zip(chosen, starts, strict=True) if not told.startswith(wanted)] == []
    assert not [line for line in out if line.startswith("note: the learning rate never decays")]
    for saved in (config, OmegaConf.create(content["config"])):
        assert [OmegaConf.select(saved, key) for key in KEYS] == [0.001, 2, 1, None, False]
    assert content["about"]["start"] == {"hmean": 0.0, "weights": str(weights), "chosen": chosen}
    assert json.loads((tmp_path / "run/about.json").read_text())["start"] == content["about"]["start"]
    best = max(line["hmean"] or 0.0 for line in journal(tmp_path / "run"))
    assert best == 0.0
    (told,) = [line for line in out if line.startswith("hmean 0.000 (starting weights) → ")]
    assert told in (tmp_path / "run/summary.txt").read_text().splitlines()


def test_the_thresholds_of_the_starting_weights_are_used_unless_overridden(tiny_run: Path, tmp_path: Path, capsys):
    content = load_checkpoint(tiny_run / "checkpoints/last.pt")
    content["contract"] |= {"bin_thresh": 0.45, "box_thresh": 0.5}
    path = tmp_path / "tuned.pt"
    save_checkpoint(path, content)
    (cfg,) = configs("train", "experiment=finetune", f"init.weights={path}")
    take_thresholds(cfg, ["decode.box_thresh=0.7"], Display())
    assert (cfg.decode.bin_thresh, cfg.decode.box_thresh, cfg.decode.unclip_ratio) == (0.45, 0.6, 1.5)
    assert capsys.readouterr().out.splitlines() == ["decode.bin_thresh=0.45: from the starting weights"]
    take_thresholds(cfg, ["decode={bin_thresh: 0.3}"], Display())
    assert (cfg.decode.bin_thresh, cfg.decode.box_thresh) == (0.45, 0.5)
    assert capsys.readouterr().out.startswith("decode.box_thresh=0.5: from the starting weights\n")


TEXT = TextSizes(0.01, 0.02, 0.03, aspect=1.0)


def sizes(*typed: str, text: TextSizes | None = TEXT, memory: int | None = None) -> tuple[str, Any, list[str]]:
    """Input size and crop after the choice, and the lines about it."""
    (cfg,) = configs("train", "experiment=finetune", "init.weights=bundled", *typed)
    lines = choose_sizes(cfg, typed, text, 90, memory, True, Display(quiet=True))
    return f"{cfg.input_size.height}x{cfg.input_size.width}", cfg.augment.crop_size, lines


def test_sizes_follow_the_text_unless_they_are_typed():
    assert sizes()[:2] == ("1216x1216", "416x416")  # 12 px of 0.01
    typed, crop, lines = sizes("input_size=640x640", "augment.crop_size=320x320")
    assert (typed, crop) == ("640x640", "320x320")
    assert all("from the command line; the rules suggest" in line for line in lines) and "1216x1216" in lines[0]
    assert sizes("input_size.height=640")[0] == "640x800"
    assert sizes("decode.resize=stretch")[0] == "800x800"
    assert sizes("augment=none")[:2] == ("1216x1216", None)  # no crops
    assert sizes(text=None) == ("800x800", "416x416", [])  # rendered scenes
    assert sizes("input_size=256x256", text=None)[:2] == ("256x256", None)  # crops are no larger
    assert sizes("input_size=416x416")[:2] == ("416x416", None)
    assert sizes("input_size=352x1600")[:2] == ("352x1600", "416x416")


@pytest.mark.parametrize(
    ("typed", "images", "memory", "batch", "accumulate"),
    [
        ((), 90, 4.0, 4, 2),
        ((), 7, 3.0, 4, 1),  # an epoch has one batch of 4
        ((), 7, 1.5, 1, 7),
        ((), 3, 4.0, 8, 1),  # the only batch holds 3, which fit
        (("train.batch_size=16",), 90, 4.0, 16, 1),
    ],
)
def test_a_batch_that_does_not_fit_is_divided(typed, images, memory, batch, accumulate):
    (cfg,) = configs("train", "experiment=finetune", "init.weights=bundled", *typed)
    lines = choose_sizes(cfg, typed, TEXT, images, int(memory * 2**30), True, Display(quiet=True))
    assert (cfg.train.batch_size, cfg.train.accumulate) == (batch, accumulate)
    assert (f"{memory} GiB" in lines[-1]) == (batch < 8)
    assert len(EpochBatches(images, batch, 0, accumulate)) > 0  # is not refused


def test_an_epoch_has_the_images_of_mixed_sets_too():
    (cfg,) = configs("train", "mix1=synthetic", "train.mix1_share=0.25", "mix3=synthetic", "train.mix3_share=0.25")
    assert images_per_epoch(6, cfg) == 12
    assert images_per_epoch(6, *configs("train")) == 6


def decided(hmean: float | None, processes: int, *words: str) -> tuple[bool, float, float, list[str]]:
    """train.calibrate, bin_thresh and box_thresh after the choice, and the lines about them."""
    (cfg,) = configs("train", "experiment=finetune", "init.weights=bundled", *words)
    cfg.decode.bin_thresh, cfg.decode.box_thresh = 0.45, 0.55  # as of the starting weights
    values = (TrainingSet(90), Start(hmean), Pace(11), Display(quiet=True), processes)
    lines = choose_values(cfg, words, *values)
    about = [line for line in lines if "calibrat" in line or "thresh" in line]
    return cfg.train.calibrate, cfg.decode.bin_thresh, cfg.decode.box_thresh, about


def test_thresholds_are_replaced_only_if_others_are_chosen_at_the_end():
    assert decided(0.5, 1)[:3] == (True, 0.3, 0.5)
    calibrate, *thresholds, (line,) = decided(None, 1)
    assert (calibrate, thresholds) == (False, [0.45, 0.55]) and "no text" in line
    calibrate, *thresholds, (line,) = decided(0.5, 2)
    assert (calibrate, thresholds) == (True, [0.45, 0.55]) and "processes" in line
    assert decided(0.5, 1, "train.calibrate=false") == (False, 0.45, 0.55, [])


def test_typed_thresholds_and_a_calibration_exclude_each_other():
    (cfg,) = configs("train", "experiment=finetune", "init.weights=bundled")
    assert keep_typed_thresholds(cfg, ["decode.max_candidates=50"]) == [] and cfg.train.calibrate
    with pytest.raises(UserError, match=r"decode\.box_thresh"):
        keep_typed_thresholds(cfg, ["train.calibrate=true", "decode={box_thresh: 0.8}"])
    (line,) = keep_typed_thresholds(cfg, ["decode.box_thresh=0.8"])
    assert not cfg.train.calibrate and "decode.box_thresh" in line
    assert keep_typed_thresholds(cfg, ["train.calibrate=false", "decode.box_thresh=0.8"]) == []


def test_validations_follow_typed_epochs():
    case = start(45, *CLEAN, 0.5)[:2]
    assert [each.value for each in choose_hparams(*case, Pace(5))[1:3]] == [80, 10]
    assert [each.value for each in choose_hparams(*case, Pace(5), typed_epochs=12)[1:3]] == [80, 3]


def test_steps_are_timed_beyond_a_short_epoch(monkeypatch: pytest.MonkeyPatch):
    """Epochs of one step: the first is cold, and the mean is of the steps 4 to 8."""
    seconds, asked = iter([9.0, 5.0, 4.0, 1.0, 2.0, 3.0, 4.0, 5.0]), []

    class Loader:
        def __len__(self) -> int:
            return 1

        def epoch(self, number: int) -> Iterator[int]:
            asked.append(number)
            yield number

        def begin(self) -> None:
            asked.append(-1)

    def trained(state: Any, rounds: Iterable[int], *_: Any) -> Iterator[SimpleNamespace]:
        yield from (SimpleNamespace(seconds=next(seconds)) for _ in rounds)

    monkeypatch.setattr(trial, "train_one_epoch", trained)
    assert trial.seconds_per_step(None, Loader(), None, None) == 3.0  # type: ignore[arg-type]
    assert asked == [*range(8), -1]


@pytest.mark.slow
def test_a_run_with_chosen_values_equals_one_with_the_same_overrides(words, near, tmp_path, monkeypatch, capsys):
    """Bit for bit: the measurement changes nothing else."""
    assert train(monkeypatch, *words, "train.epochs=2", f"run_dir={tmp_path}/chosen") == 0
    assert near == [0.0]
    out = capsys.readouterr().out
    assert "optimizer.lr=0.001: " in out
    assert f"train.freeze=stem: {FEW}: keep" in out and f"train.freeze_statistics=true: {FEW}: too few" in out
    values = ("train.auto_hparams=false", "optimizer.lr=0.001", "train.freeze=stem", "train.freeze_statistics=true")
    values += ("train.val_every=1", "decode.box_thresh=0.5")
    assert train(monkeypatch, *words, *values, "train.epochs=2", f"run_dir={tmp_path}/typed") == 0
    assert near == [0.0] and "starting weights on" not in capsys.readouterr().out
    one, other = (load_checkpoint(tmp_path / name / "checkpoints/last.pt") for name in ("chosen", "typed"))
    assert all(torch.equal(one["model"][key], other["model"][key]) for key in one["model"])
    start = load_checkpoint(Path(one["config"]["init"]["weights"]))["model"]
    held = [key for key in start if key.startswith(("backbone.conv1.", "backbone.bn1."))]
    assert len(held) == 6 and all(torch.equal(one["model"][key], start[key]) for key in held)
    assert not torch.equal(one["model"]["neck.lateral.0.weight"], start["neck.lateral.0.weight"])


@pytest.mark.slow
def test_a_resume_keeps_the_chosen_values_and_the_start(words, near, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(auto_measure, "seconds_per_step", lambda *_: 0.01)  # else the reasons differ between runs
    typed = (*words, "train.epochs=2")
    assert train(monkeypatch, *typed, f"run_dir={tmp_path}/whole") == 0
    original = engine.StepRecord

    def killed(*fields: Any) -> Any:
        record = original(*fields)
        if record.step == 3:
            raise KeyboardInterrupt
        return record

    for name in ("again", "same_words"):
        with monkeypatch.context() as patch:
            patch.setattr(engine, "StepRecord", killed)
            assert train(patch, *typed, f"run_dir={tmp_path}/{name}") == 130
    assert len(near) == 3
    capsys.readouterr()
    assert train(monkeypatch, f"resume={tmp_path}/again") == 0
    # the whole first command again: what was chosen is not put back to the values of the preset
    assert train(monkeypatch, *typed, f"run_dir={tmp_path}/same_words", "resume=auto") == 0
    out = capsys.readouterr().out
    assert len(near) == 3 and "starting weights on" not in out and "fewer than 500" not in out
    assert out.count("resumed at epoch 2, step ") == 2 and " tensors from " in out and "resume: " not in out
    gains = re.findall(r"hmean 0\.500 \(starting weights\) → (\S+) \(epoch 1[^)]*\); no epoch was better", out)
    assert len(gains) == 2 and len(set(gains)) == 1
    whole = load_checkpoint(tmp_path / "whole/checkpoints/last.pt")
    for name in ("again", "same_words"):
        content = load_checkpoint(tmp_path / name / "checkpoints/last.pt")
        assert content["about"]["start"] == whole["about"]["start"]
        assert [OmegaConf.select(OmegaConf.create(content["config"]), key) for key in KEYS] == [
            0.001,
            2,
            1,
            "stem",
            True,
        ]
        assert content["step"] == whole["step"] == 4
        assert all(torch.equal(content["model"][key], whole["model"][key]) for key in whole["model"])


@pytest.mark.slow
def test_sgd_has_the_rates_of_the_article(words, near, tmp_path, monkeypatch, capsys):
    typed = ("optimizer=sgd", "scheduler=cosine", "train={epochs: 1}")
    assert train(monkeypatch, *words, *typed, f"run_dir={tmp_path}/run") == 0
    out = capsys.readouterr().out
    assert f"optimizer.lr=0.004: {FEW}\n" in out
    assert "train.epochs=1: from the command line; the rules suggest 200: " in out
    assert load_checkpoint(tmp_path / "run/checkpoints/last.pt")["config"]["optimizer"]["lr"] == 0.004


@pytest.mark.slow
def test_the_peak_of_onecycle_follows_the_rate(words, near, tmp_path, monkeypatch):
    assert train(monkeypatch, *words, "optimizer=sgd", "train.epochs=1", f"run_dir={tmp_path}/run") == 0
    config = OmegaConf.load(tmp_path / "run/config.yaml")
    assert (config.optimizer.lr, config.scheduler.max_lr) == (0.004, 0.004)


@pytest.mark.slow
def test_rendered_scenes_have_clean_labels(words, near, tmp_path, monkeypatch, capsys):
    synthetic = [word for word in words if not word.startswith("data")]
    sizes = ("data.train_size=600", "data.val_size=2", "train.epochs=1", "train.preview=false")
    monkeypatch.setattr("resnet18_ocrdet.commands.train.Training.fit", lambda training: 0)  # the choice is enough
    typed = ("optimizer=sgd", "scheduler=cosine")
    assert train(monkeypatch, *synthetic, *sizes, *typed, f"run_dir={tmp_path}/run") == 0
    assert "optimizer.lr=0.007: 600 images are neither few nor more than 5000\n" in capsys.readouterr().out


@pytest.mark.slow
def test_notes_are_about_the_chosen_values(words, near, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("resnet18_ocrdet.commands.train.Training.fit", lambda training: 0)
    assert train(monkeypatch, *words, "scheduler=cosine", "scheduler.T_max=250", f"run_dir={tmp_path}/run") == 0
    assert "note: the cosine is cut off: scheduler.T_max=250, train.epochs=200\n" in capsys.readouterr().out


@pytest.mark.slow
def test_overrides_that_contradict_chosen_values_are_refused(words, near, tmp_path, monkeypatch, capsys):
    typed = ("optimizer=sgd", "scheduler=cosine", "scheduler.eta_min=0.005")  # below 0.007, above the chosen 0.004
    assert train(monkeypatch, *words, *typed, f"run_dir={tmp_path}/run") == 2
    assert "scheduler.eta_min=0.005 is above optimizer.lr=0.004" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_used_folder_is_refused_before_the_measurement(words, near, tiny_run, monkeypatch, capsys):
    assert train(monkeypatch, *words, f"run_dir={tiny_run}") == 2
    assert "already holds a run" in capsys.readouterr().err and near == []


@pytest.mark.slow
def test_a_preview_measures_nothing(words, near, tmp_path, monkeypatch):
    assert train(monkeypatch, *words, "train.preview=true", f"run_dir={tmp_path}/look") == 0
    assert near == []


def test_a_fault_during_the_measurement_is_one_line(words, tmp_path, monkeypatch, capsys):
    def full(*_: Any) -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr("resnet18_ocrdet.commands.auto_measure.evaluate", full)
    assert train(monkeypatch, *words, f"run_dir={tmp_path}/run") == 2
    told = "out of memory with train.batch_size=2 at 64x64 (another 2 GiB was requested): train.batch_size=1"
    assert told in capsys.readouterr().err


RECORDS = [{"epoch": 6, "hmean": None}, {"epoch": 7, "hmean": 0.6549}, {"epoch": 8, "hmean": 0.6}]


@pytest.mark.parametrize(
    ("start", "line"),
    [
        ({"hmean": 0.412, "weights": "a.pt"}, "hmean 0.412 (starting weights) → 0.655 (epoch 7)"),
        (
            {"hmean": 0.7, "weights": "a.pt"},
            "hmean 0.700 (starting weights) → 0.655 (epoch 7); no epoch was better than the start: keep a.pt",
        ),
        ({"hmean": None, "weights": "a.pt"}, None),  # no text among the validation images
        (None, None),  # not asked for
    ],
)
def test_before_and_after(start: dict[str, Any] | None, line: str | None, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr("resnet18_ocrdet.commands.train_report.draw_curves", lambda *_: True)
    write_summary(RunFolder(tmp_path), RECORDS, 60.0, Display(), start)
    told = [text for text in capsys.readouterr().out.splitlines() if "starting weights" in text]
    assert told == ([] if line is None else [line])


@pytest.mark.slow
def test_two_processes_choose_the_same_and_one_prints(words, tmp_path):
    programs = Path(sys.executable).parent
    torchrun = [programs / "torchrun", "--nproc-per-node=2", "--no-python", programs / "ocrdet-train"]
    plain = [word for word in words if not word.startswith("data")]
    data = ("data.train_size=8", "data.val_size=4", "train.epochs=1", "run_dir=run")
    done = subprocess.run([*torchrun, *plain, *data], cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("train.freeze=null: 8 images are fewer than 500, but hmean 0.000") == 1
    assert done.stdout.count("starting weights on 4 validation images: ") == 1
    assert done.stdout.count("several processes do not calibrate") == 2  # at the choice and at the end
    assert load_checkpoint(tmp_path / "run/checkpoints/last.pt")["world"] == 2
