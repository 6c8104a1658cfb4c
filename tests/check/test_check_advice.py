"""Each rule of the advice, and that the command line accepts every override."""

from __future__ import annotations

import math

import pytest

from config_runner import configs, empty_folder  # noqa: F401 - the fixture acts by being here
from resnet18_ocrdet.check.advice import AdviceInput, advise
from resnet18_ocrdet.commands.cross_checks import suspicions
from resnet18_ocrdet.train.lr_rules import Start, TrainingSet, choose_hparams
from resnet18_ocrdet.train.memory_model import step_bytes
from resnet18_ocrdet.train.step_rules import Pace

GIB = 2**30
TYPICAL = AdviceInput(
    images=2000, care=9000, usable=8800, bad_images=10, text_height=12.0, small_text=0.02, height=800, width=800
)


def advice(**changes: object) -> dict[str, str]:
    """Override of each piece of advice, by what it is about."""
    return {item.what: item.override for item in advise(TYPICAL._replace(**changes))}


def test_a_typical_set_keeps_the_defaults():
    assert advice() == {"learning rate": ""}
    text = advise(TYPICAL)[0].text
    assert text.startswith("advice: learning rate: 2000 images") and text.endswith("0.007 is right")


@pytest.mark.parametrize(
    ("changes", "rate"),
    [
        ({"images": 499, "usable": 9000}, "0.004"),
        ({"images": 500}, ""),
        ({"bad_images": 401}, "0.004"),  # more than a fifth
        ({"bad_images": 400}, ""),
        ({"usable": 4499}, "0.004"),  # less than half of the text can be trained on
        ({"usable": 4500}, ""),
        ({"dont_care": 27_001}, "0.004"),  # more than three quarters of all regions
        ({"dont_care": 27_000}, ""),
        ({"images": 300, "usable": 4000}, "0.003"),
        ({"images": 5001}, "0.008"),
        ({"images": 5000}, ""),
        ({"images": 6000, "bad_images": 600}, ""),  # many, but not clean
        ({"images": 5001, "usable": 8000}, ""),  # likewise
        ({"images": 5001, "dont_care": 9001}, ""),
        ({"images": 6000, "backbone": "resnet34"}, "0.008"),
        ({"backbone": "resnet50"}, "0.008"),
        ({"perspective": 0.1}, "0.008"),
        ({"scale_min": 0.25, "scale_max": 2.0}, "0.008"),
        ({"images": 100, "backbone": "resnet50"}, "0.004"),  # a reason for a lower rate comes first
        ({"lr": 0.003}, "0.007"),
        ({"images": 100, "lr": 0.004}, ""),
        ({"images": 100, "optimizer": "adamw", "lr": 0.001}, ""),
    ],
)
def test_the_learning_rate(changes: dict[str, object], rate: str):
    assert advice(**changes)["learning rate"] == (f"optimizer.lr={rate}" if rate else "")


@pytest.mark.parametrize("images", [40, 499, 500, 5000, 5001])
@pytest.mark.parametrize("usable", [400, 500, 800, 900])
@pytest.mark.parametrize("dont_care", [0, 1001, 3001])
def test_the_rate_is_that_of_finetune_for_the_same_data(images: int, usable: int, dont_care: int):
    case = TYPICAL._replace(images=images, care=1000, usable=usable, dont_care=dont_care, bad_images=0, lr=1.0)
    data = TrainingSet(images, usable / 1000, dont_care / (1000 + dont_care))
    rate = choose_hparams(data, Start(0.55), Pace(100))[0].value
    assert advise(case)[0].override == f"optimizer.lr={rate:g}"


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


def test_few_images_need_more_epochs_and_later_drops():
    # 30 epochs of 40 images in batches of 8: 150 steps; 3000 of them are 600 epochs, more than the most
    assert advice(images=40)["epochs"] == "train.epochs=300"
    # 30 epochs of 100 images: 12 whole steps each, 360 in all; 3000 / 12 = 250
    assert advice(images=100)["epochs"] == "train.epochs=250"
    # 5 epochs of 800 images: 500 steps; 30 epochs, and the drops with them
    few = advice(images=800, epochs=5)
    assert few == {"learning rate": "", "epochs": "train.epochs=30 scheduler.step_size=10"}
    assert "epochs" not in advice(images=800)
    assert "epochs" not in advice(images=100, epochs=240)


def test_the_input_size_makes_the_text_as_high_as_finetune_does():
    small = {"small_text": 0.2, "text_height": 5.0}
    assert advice(**small)["input size"] == "input_size=1920x1920"  # 12 / 5 of 800
    assert advice(**small, height=736, width=1280)["input size"] == "input_size=1152x2048"  # 1.6 of them: 1177.6
    assert advice(small_text=0.2, text_height=7.9)["input size"] == "input_size=1216x1216"  # 1215.2, rounded up
    assert (
        advice(small_text=0.2, text_height=10.0, text_median=12.5)["input size"] == "input_size=1280x1280"
    )  # 20 / 12.5
    assert "input size" not in advice(small_text=0.05, text_height=5.0)
    assert "input size" not in advice(small_text=0.06, text_height=12.0, text_median=30.0)
    assert "input size" not in advice(small_text=0.2, text_height=5.0, height=2048, width=2048)


def test_the_input_size_is_limited_by_memory_and_the_largest_side():
    capped = advise(TYPICAL._replace(small_text=0.5, text_height=1.0))
    assert capped[-1].override == "input_size=2048x2048" and "9600x9600" in capped[-1].text
    # 16 GiB, 80 % of it less 0.8 GiB leaves 12 GiB: 1900 bytes a pixel allow four images of 1302²
    tight = advice(small_text=0.5, text_height=4.0, memory=16 * GIB)
    assert (tight["input size"], tight["batch size"]) == (
        "input_size=1280x1280",
        "train.batch_size=4 train.accumulate=2",
    )
    assert "input size" not in advice(small_text=0.5, text_height=4.0, memory=4 * GIB)


def test_a_batch_that_does_not_fit():
    # 800²: 1.13 GiB an image. 8 of them and the rest take 9.9 GiB; 80 % of 12 are 9.6, 80 % of 13 are 10.4
    assert "batch size" not in advice(memory=13 * GIB)
    assert advice(memory=12 * GIB)["batch size"] == "train.batch_size=4 train.accumulate=2"
    assert advice(memory=12 * GIB, batch_size=12)["batch size"] == "train.batch_size=4 train.accumulate=3"
    hopeless = advise(TYPICAL._replace(memory=GIB))[-1]
    assert (hopeless.what, hopeless.override) == ("memory", "") and "not even one image fits" in hopeless.text


def test_memory_grows_with_pixels_images_and_backbone():
    assert step_bytes("resnet18", 800, 800, 8) == pytest.approx(9.86 * GIB, rel=0.01)
    base = step_bytes("resnet18", 32, 32, 0)
    assert step_bytes("resnet18", 64, 64, 2) - base == 8 * (step_bytes("resnet18", 32, 32, 1) - base)
    assert step_bytes("resnet50", 64, 64, 2) > step_bytes("resnet34", 64, 64, 2) > step_bytes("resnet18", 64, 64, 2)


def test_no_advice_without_images_or_text():
    assert advise(TYPICAL._replace(images=0)) == []
    assert advise(TYPICAL._replace(care=0, usable=0, text_height=0.0)) == []


SITUATIONS = [
    TYPICAL,
    TYPICAL._replace(images=40),
    TYPICAL._replace(images=100, usable=1000, small_text=0.9, text_height=0.3, memory=4 * GIB),
    TYPICAL._replace(images=800, epochs=5),
    TYPICAL._replace(images=9000, epochs=5),
    TYPICAL._replace(epochs=10),
    TYPICAL._replace(images=9000, perspective=0.1, memory=6 * GIB, batch_size=64),
    TYPICAL._replace(small_text=0.3, text_height=5.0, height=736, width=1280, memory=64 * GIB),
    TYPICAL._replace(backbone="resnet50", memory=GIB),
]


@pytest.mark.parametrize("case", SITUATIONS)
def test_the_command_line_accepts_every_override(case: AdviceInput):
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
        small_text=0.0,
        height=int(cfg.input_size.height),
        width=int(cfg.input_size.width),
    )
    assert [item.override for item in advise(after) if item.override] == [], "advice that is followed is not repeated"
