"""Each rule of the advice on made-up sets, and every override as the command line takes it."""

from __future__ import annotations

import math

import pytest

from config_runner import configs, empty_folder  # noqa: F401 - the fixture acts by being here
from resnet18_ocrdet.check.advice import Situation, advise, step_bytes
from resnet18_ocrdet.commands.cross_checks import suspicions

GIB = 2**30
USUAL = Situation(
    images=2000, care=9000, usable=8800, poor_images=10, text_height=12.0, small_share=0.02, height=800, width=800
)


def advice(**changes: object) -> dict[str, str]:
    """Override of each piece of advice, by what it is about."""
    return {item.what: item.override for item in advise(USUAL._replace(**changes))}


def test_an_ordinary_set_keeps_the_defaults():
    assert advice() == {"learning rate": ""}
    assert advise(USUAL)[0].text == (
        "advice: learning rate: 2000 images, neither few nor many and clean: 0.007 is right"
    )


@pytest.mark.parametrize(
    ("changes", "rate"),
    [
        ({"images": 499, "usable": 9000}, "0.005"),
        ({"images": 500}, ""),
        ({"poor_images": 401}, "0.005"),  # more than a fifth
        ({"poor_images": 400}, ""),
        ({"usable": 7000}, "0.005"),  # 22 % of the text cannot be learnt
        ({"images": 300, "usable": 7000}, "0.003"),
        ({"images": 5001}, "0.008"),
        ({"images": 5000}, ""),
        ({"images": 6000, "poor_images": 600}, ""),  # many, but not clean
        ({"images": 6000, "backbone": "resnet34"}, "0.009"),
        ({"backbone": "resnet50"}, "0.008"),
        ({"perspective": 0.1}, "0.008"),
        ({"scale_min": 0.25, "scale_max": 2.0}, "0.008"),
        ({"images": 100, "backbone": "resnet50"}, "0.005"),  # care comes first
        ({"lr": 0.003}, "0.007"),
        ({"images": 100, "lr": 0.005}, ""),
        ({"images": 100, "optimizer": "adamw", "lr": 0.001}, ""),
    ],
)
def test_the_learning_rate(changes: dict[str, object], rate: str):
    assert advice(**changes)["learning rate"] == (f"optimizer.lr={rate}" if rate else "")


@pytest.mark.parametrize(
    ("changes", "override"),
    [
        ({"images": 400}, "scheduler=cosine"),
        ({"images": 400, "scheduler": "cosine"}, None),
        ({"images": 6000}, "scheduler=onecycle"),
        ({"images": 6000, "scheduler": "onecycle"}, None),
        ({"epochs": 10}, "scheduler.step_size=3"),
        ({"epochs": 11}, None),
        ({"epochs": 10, "scheduler": "poly", "step_size": None}, None),
    ],
)
def test_the_schedule(changes: dict[str, object], override: str | None):
    assert advice(**changes).get("schedule") == override


def test_epochs_make_up_for_few_images_and_move_the_drops():
    # 30 epochs of 40 images in batches of 8: 150 steps; 3000 of them are 600 epochs, more than the most
    assert advice(images=40)["epochs"] == "train.epochs=300"
    # 30 epochs of 100 images: 12 whole steps each, 360 in all; 3000 / 12 = 250
    assert advice(images=100)["epochs"] == "train.epochs=250"
    # 5 epochs of 800 images: 500 steps; 30 epochs, and the drops with them
    few = advice(images=800, epochs=5)
    assert few == {"learning rate": "", "epochs": "train.epochs=30 scheduler.step_size=10"}
    assert "epochs" not in advice(images=800)
    assert "epochs" not in advice(images=100, epochs=240)


def test_the_input_size_is_the_smallest_that_lifts_the_text():
    small = {"small_share": 0.2, "text_height": 5.0}
    assert advice(**small)["input size"] == "input_size=1280x1280"  # 8 / 5 of 800
    assert advice(**small, height=736, width=1280)["input size"] == "input_size=1184x2048"  # 1177.6
    assert advice(small_share=0.2, text_height=7.9)["input size"] == "input_size=832x832"  # 810.1, rounded up
    assert "input size" not in advice(small_share=0.05, text_height=5.0)
    assert "input size" not in advice(small_share=0.2, text_height=5.0, height=2048, width=2048)


def test_the_input_size_stops_where_memory_or_the_largest_side_do():
    capped = advise(USUAL._replace(small_share=0.5, text_height=1.0))
    assert capped[-1].override == "input_size=2048x2048" and "6400x6400 would lift all but 5% of it" in capped[-1].text
    # 16 GiB, 80 % of it less 0.8 GiB leaves 12 GiB: 1900 bytes a pixel allow four images of 1302²
    tight = advice(small_share=0.5, text_height=4.0, memory=16 * GIB)
    assert (tight["input size"], tight["batch size"]) == (
        "input_size=1280x1280",
        "train.batch_size=4 train.accumulate=2",
    )
    assert "input size" not in advice(small_share=0.5, text_height=4.0, memory=4 * GIB)


def test_a_batch_that_does_not_fit():
    # 800²: 1.13 GiB an image. 8 of them and the rest take 9.9 GiB; 80 % of 12 are 9.6, 80 % of 13 are 10.4
    assert "batch size" not in advice(memory=13 * GIB)
    assert advice(memory=12 * GIB)["batch size"] == "train.batch_size=4 train.accumulate=2"
    assert advice(memory=12 * GIB, batch_size=12)["batch size"] == "train.batch_size=4 train.accumulate=3"
    hopeless = advise(USUAL._replace(memory=GIB))[-1]
    assert (hopeless.what, hopeless.override) == ("memory", "") and "not even one image fits" in hopeless.text


def test_memory_grows_with_pixels_images_and_backbone():
    assert step_bytes("resnet18", 800, 800, 8) == pytest.approx(9.86 * GIB, rel=0.01)
    base = step_bytes("resnet18", 32, 32, 0)
    assert step_bytes("resnet18", 64, 64, 2) - base == 8 * (step_bytes("resnet18", 32, 32, 1) - base)
    assert step_bytes("resnet50", 64, 64, 2) > step_bytes("resnet34", 64, 64, 2) > step_bytes("resnet18", 64, 64, 2)


def test_nothing_is_said_of_nothing():
    assert advise(USUAL._replace(images=0)) == []
    assert advise(USUAL._replace(care=0, usable=0, text_height=0.0)) == []


SITUATIONS = [
    USUAL,
    USUAL._replace(images=40),
    USUAL._replace(images=100, usable=1000, small_share=0.9, text_height=0.3, memory=4 * GIB),
    USUAL._replace(images=800, epochs=5),
    USUAL._replace(images=9000, epochs=5),
    USUAL._replace(epochs=10),
    USUAL._replace(images=9000, perspective=0.1, memory=6 * GIB, batch_size=64),
    USUAL._replace(small_share=0.3, text_height=5.0, height=736, width=1280, memory=64 * GIB),
    USUAL._replace(backbone="resnet50", memory=GIB),
]


@pytest.mark.parametrize("case", SITUATIONS)
def test_every_override_is_taken_by_the_command_line(case: Situation):
    words = [word for item in advise(case) for word in item.override.split()]
    keys = [word.partition("=")[0] for word in words]
    assert len(keys) == len(set(keys)), "one word for each key"
    start = [f"train.batch_size={case.batch_size}", f"train.epochs={case.epochs}"]
    start = [word for word in start if word.partition("=")[0] not in keys]
    (cfg,) = configs("train", *start, *words)
    assert [odd for odd in suspicions(cfg) if not odd.startswith("train.batch_size")] == []
    after = case._replace(
        lr=float(cfg.optimizer.lr),
        epochs=int(cfg.train.epochs),
        scheduler="step" if "step_size" in cfg.scheduler else "cosine" if "T_max" in cfg.scheduler else "onecycle",
        step_size=int(cfg.scheduler.step_size) if "step_size" in cfg.scheduler else None,
        batch_size=int(cfg.train.batch_size),
        accumulate=int(cfg.train.accumulate),
        text_height=case.text_height * math.sqrt(cfg.input_size.height * cfg.input_size.width / 640_000),
        small_share=0.0,
        height=int(cfg.input_size.height),
        width=int(cfg.input_size.width),
    )
    assert [item.override for item in advise(after) if item.override] == [], "advice that is followed is not repeated"
