"""Each sign is reported once, as soon as its condition is met, with its numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from resnet18_ocrdet.model.loss import DBLoss
from resnet18_ocrdet.train.diagnosis import (
    FLAT_SPOT,
    WITHOUT_TEXT,
    Diagnosis,
    Displacement,
    drift,
    over_fitting,
    standing_still,
    waiting,
)
from resnet18_ocrdet.train.engine import StepRecord
from resnet18_ocrdet.train.guard import Verdict

# three background pixels for each text pixel: a constant answer of 1/4 has the entropy of that coin
GUESS = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))  # 0.5623


def step(
    number: int = 1, prob: float = 0.1, binary: float = 0.3, mining: float = 1.0, text: bool = True, epoch: float = 0.0
) -> StepRecord:
    loss = {"total": 4.0, "prob": prob, "thresh": 0.05, "binary": binary}
    return StepRecord(number, epoch, 0.007, loss, 1.0, Verdict.GOOD, mining, text, 0.0, 1.0, ("a.jpg",))


def reported(diagnosis: Diagnosis, records: list[StepRecord]) -> list[tuple[int, str]]:
    """(how many steps it took, line) of every sign."""
    lines = [diagnosis.step(record) for record in records]
    return [(place, line) for place, line in enumerate(lines, start=1) if line is not None]


def watch(warmed_up: bool = True) -> Diagnosis:
    return Diagnosis(DBLoss(), warmed_up)


def flat(**changes: Any) -> StepRecord:
    return step(**{"prob": GUESS, "binary": 0.99} | changes)


def test_fifty_steps_without_text_are_reported_once():
    ((place, line),) = reported(watch(), [step(text=False)] * 3 * WITHOUT_TEXT)
    assert place == WITHOUT_TEXT == 50
    assert "no pixel was text in the last 50 steps" in line and "total 4.000" in line and "binary 0.300" in line
    assert "train.preview=true" in line


def test_one_step_with_text_restarts_the_count():
    almost = [step(text=False)] * (WITHOUT_TEXT - 1)
    assert reported(watch(), [*almost, step(), *almost]) == []
    assert [place for place, _ in reported(watch(), [*almost, step(), *almost, step(text=False)])] == [2 * WITHOUT_TEXT]


def test_the_flat_spot_is_reported_once_after_a_hundred_steps():
    ((place, line),) = reported(watch(), [flat()] * 3 * FLAT_SPOT)
    assert place == FLAT_SPOT == 100
    assert "for 100 steps" in line and "binary 0.99, cross-entropy 0.562" in line and "has 0.562" in line
    assert line.endswith("optimizer.lr, scheduler.warmup_epochs=1 or init.backbone=imagenet")


def test_without_the_mining_warm_up_the_remedy_is_to_switch_it_on():
    ((_, line),) = reported(watch(warmed_up=False), [flat()] * FLAT_SPOT)
    assert line.endswith("train.mining_warmup=true")


@pytest.mark.parametrize(
    ("changes", "flat_spot"),
    [
        ({}, True),
        ({"binary": 0.971}, True),
        ({"binary": 0.96}, False),  # text and background differ
        ({"prob": 0.91 * GUESS}, True),  # within a tenth of a constant answer
        ({"prob": 0.89 * GUESS}, False),
        ({"prob": 1.11 * GUESS}, False),
        ({"mining": 0.99}, False),  # the loss is another one
        ({"prob": math.nan}, False),
    ],
)
def test_what_is_a_flat_spot(changes: dict[str, float], flat_spot: bool):
    assert bool(reported(watch(), [flat(**changes)] * FLAT_SPOT)) == flat_spot


@pytest.mark.parametrize("between", [flat(mining=0.5), flat(text=False)], ids=["easier loss", "no text"])
def test_a_step_of_another_kind_restarts_the_hundred(between: StepRecord):
    almost = [flat()] * (FLAT_SPOT - 1)
    assert reported(watch(), [*almost, between, *almost]) == []
    assert [place for place, _ in reported(watch(), [*almost, between, *almost, flat()])] == [2 * FLAT_SPOT]


def epochs(
    train: list[float], val: list[float | None], shifts: list[float | None] | None = None
) -> list[dict[str, Any]]:
    return [
        {
            "epoch": number,
            "lr": 0.007,
            "train_loss": {"total": train[number - 1]},
            "val_loss": None if value is None else {"total": value},
            "center_shift": None if shifts is None else shifts[number - 1],
        }
        for number, value in enumerate(val, start=1)
    ]


def test_over_fitting_is_three_rises_of_one_loss_while_the_other_falls():
    assert over_fitting(epochs([4, 3, 2], [1.0, 1.1, 1.2])) is None  # two rises
    line = over_fitting(epochs([5, 4, 3, 2, 1], [0.9, 1.0, 1.1, 1.2, 1.3]))
    assert line is not None and "rose 3 times (1.000 → 1.100 → 1.200 → 1.300)" in line
    assert "(4.000 → 3.000 → 2.000 → 1.000)" in line and "train.early_stop=5" in line
    assert over_fitting(epochs([5, 4, 3, 3, 1], [0.9, 1.0, 1.1, 1.2, 1.3])) is None  # the training loss stood
    assert over_fitting(epochs([5, 4, 3, 2, 1], [0.9, 1.0, 1.1, 1.1, 1.3])) is None  # the validation loss stood
    assert over_fitting(epochs([5, 4, 3, 2, 1], [0.9, 1.0, math.nan, 1.2, 1.3])) is None
    assert over_fitting(epochs([6, 5, 4, 3, 2, 1], [math.nan, 0.9, 1.0, 1.1, 1.2, 1.3])) is not None


def test_over_fitting_is_a_rise_beyond_the_noise():
    # Means of four: 2.675 1.925 1.45 1.20 1.15 (lowest) 1.25, and 1.25 > 1.05 · 1.15 = 1.2075: one validation later
    val: list[float | None] = [4.0, 3.0, 2.2, 1.5, 1.0, 1.1, 1.2, 1.3, 1.4]
    train = [9.0 - number for number in range(9)]
    assert [bool(over_fitting(epochs(train, val[:number]))) for number in range(4, 10)] == [False] * 5 + [True]
    # 1.030 is not 1.05 times 1.000, nor is it from there on, however long it goes
    assert over_fitting(epochs(train, [1.0 + 0.01 * number for number in range(9)])) is None
    # 1.20 is 1.09 times 1.10, but that was a single low validation: means 1.2175 1.18 1.1625 1.1575
    assert over_fitting(epochs(train, [1.3, 1.25, 1.22, 1.1, 1.15, 1.18, 1.2])) is None


@pytest.mark.parametrize("level", [1.5, 2.0, 4.0])
def test_a_noisy_falling_validation_loss_is_not_over_fitting(level: float):
    noise, train = np.random.default_rng(0), [8.0 - 0.1 * number for number in range(30)]
    warned = 0
    for _ in range(500):
        val = [level - 0.01 * number + 0.05 * float(noise.standard_normal()) for number in range(30)]
        warned += any(over_fitting(epochs(train, val[:number])) for number in range(4, 31))
    assert warned < 0.02 * 500


def test_epochs_without_a_validation_are_skipped():
    line = over_fitting(epochs([6, 5, 4.5, 4, 3, 2, 1], [0.9, 1.0, None, 1.1, None, 1.2, 1.3]))
    assert line is not None and "(5.000 → 4.000 → 2.000 → 1.000)" in line


def test_over_fitting_is_judged_on_fully_mined_epochs():
    # The loss of an epoch whose mining grows is an easier one: falling says nothing beside a validation that mines.
    records = epochs([8, 7, 6, 5, 4, 3, 2], [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6])
    diagnosis = watch()
    diagnosis.step(step(mining=0.0, epoch=0.0))
    diagnosis.step(step(mining=0.9, epoch=2.5))  # in the third epoch: the fourth is the first that counts
    assert [bool(diagnosis.epoch(records[:number])) for number in range(1, 8)] == [False] * 6 + [True]


def test_a_resumed_run_does_not_know_how_the_epochs_before_it_were_mined():
    records = epochs([8, 7, 6, 5, 4, 3, 2], [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6])
    warmed, plain = watch(), watch(warmed_up=False)
    for diagnosis in (warmed, plain):
        diagnosis.step(step(epoch=4.5))  # resumed in the fifth epoch
    assert warmed.epoch(records) == []
    (line,) = plain.epoch(records)
    assert line.startswith("over-fitting")


def test_drift_is_three_rises_by_a_fifth_in_all():
    assert drift(epochs([1] * 3, [1.0] * 3, [0.1, 0.2, 0.3])) is None
    line = drift(epochs([1] * 4, [1.0] * 4, [0.100, 0.105, 0.115, 0.120]))
    assert line is not None and "rose 3 times (0.100 → 0.105 → 0.115 → 0.120)" in line
    assert "too high" in line and "optimizer.lr" in line
    assert drift(epochs([1] * 4, [1.0] * 4, [0.100, 0.105, 0.115, 0.119])) is None  # 1.19 times
    assert drift(epochs([1] * 4, [1.0] * 4, [0.1, 0.3, 0.2, 0.4])) is None  # not each time
    assert drift(epochs([1] * 4, [1.0] * 4, [None, 0.1, 0.2, 0.3])) is None  # nothing matched in the first


def test_each_sign_of_an_epoch_is_reported_once():
    diagnosis = watch(warmed_up=False)
    records = epochs([5, 4, 3, 2, 1], [1.0, 1.1, 1.2, 1.3, 1.4], [0.1, 0.2, 0.3, 0.4, 0.5])
    assert [line.split(":")[0] for line in diagnosis.epoch(records)] == [
        "matched boxes drift",
        "over-fitting",
    ]
    assert diagnosis.epoch(records) == []


def test_displacement_is_the_distance_over_the_norm():
    net = nn.Linear(2, 1)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[3.0, 0.0]]))
        net.bias.fill_(4.0)  # length 5
    before = Displacement(net)
    assert before.share(net) == 0.0
    with torch.no_grad():
        net.weight += torch.tensor([[0.3, 0.0]])
        net.bias += 0.4  # way 0.5
    assert before.share(net) == pytest.approx(0.1)
    net.bias.requires_grad_(False)  # frozen: neither its way nor its length counts
    frozen = Displacement(net)
    with torch.no_grad():
        net.weight *= 2
        net.bias *= 9
    assert frozen.share(net) == pytest.approx(1.0)


def test_weights_hardly_move_below_a_ten_millionth_per_step():
    line = standing_still(9.0e-6, 100, 1e-9)  # 0.9e-7 a step
    assert line is not None
    assert "9.0e-06 of their norm in 100 steps" in line and "too low: optimizer.lr=1e-09, where 0.007" in line
    assert standing_still(1.1e-5, 100, 1e-9) is None
    assert standing_still(0.0, 0, 1e-9) is None  # no step, no sign


@pytest.mark.parametrize(
    ("share", "workers", "remedy"),
    [
        (0.24, 1, None),
        (0.25, 1, "25% of the time: train.workers=4 (now 1; this machine has 4 cores)"),
        (0.50, 4, "50% of the time: smaller image files, augment=light"),
        (0.50, 9, "50% of the time: smaller image files, augment=light"),
    ],
)
def test_waiting_for_images(share: float, workers: int, remedy: str | None):
    line = waiting(share, workers, 4)
    assert line is None if remedy is None else line is not None and remedy in line


def test_one_core_is_singular():
    line = waiting(0.5, 0, 1)
    assert line is not None and line.endswith("train.workers=1 (now 0; this machine has 1 core)")
