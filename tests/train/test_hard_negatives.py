"""How many hard negatives are mined, and how the mining grows."""

from __future__ import annotations

import json
import math

import pytest
import torch

from resnet18_ocrdet.model.loss import DBLoss
from resnet18_ocrdet.structures import Maps, Targets
from resnet18_ocrdet.train.hard_negatives import MiningWarmup, constant_prediction_loss

UP, DOWN = MiningWarmup.UP, MiningWarmup.DOWN


def constant(share: float) -> float:
    return constant_prediction_loss(share, 3.0)


def fed(warmup: MiningWarmup, cross_entropy: float, steps: int) -> MiningWarmup:
    for _ in range(steps):
        warmup.update(cross_entropy)
    return warmup


def test_a_cap_of_zero_mines_from_the_start():
    warmup = fed(MiningWarmup(0), 1.0, 10)
    assert warmup.share == 1.0 and warmup.steps == 0


def test_a_constant_prediction_has_the_entropy_of_its_shares():
    assert constant(0.0) == pytest.approx(math.log(2))  # 1:1
    assert constant(1.0) == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))  # 3:1, the flat spot: 0.562
    assert constant(1.0) == pytest.approx(0.562, abs=0.001)


def test_a_constant_prediction_follows_the_ratio():
    assert constant_prediction_loss(1.0, 1.0) == pytest.approx(math.log(2))  # 1:1 also when mined
    assert constant_prediction_loss(1.0, 9.0) == pytest.approx(-(0.9 * math.log(0.9) + 0.1 * math.log(0.1)))
    assert constant_prediction_loss(0.0, 9.0) == pytest.approx(math.log(2))


def test_switched_off_on_resume_it_mines_at_once():
    warmup = MiningWarmup(0)
    warmup.load_state_dict({"steps": 50, "cross_entropy": 0.5, "share": 0.2})
    assert warmup.share == 1.0


def test_nothing_is_mined_before_the_smoothed_cross_entropy_is_low_enough():
    # after n steps of 0.2: 0.2 + (ln 2 - 0.2) * s ** n
    expected = 0
    while 0.2 + (math.log(2) - 0.2) * MiningWarmup.SMOOTHING**expected >= MiningWarmup.BEGIN:
        expected += 1
    assert 10 < expected < 100
    warmup = fed(MiningWarmup(10_000), 0.2, expected - 1)
    assert warmup.share == 0.0
    assert fed(warmup, 0.2, 1).share == UP


def test_one_lucky_step_does_not_start_mining():
    assert fed(MiningWarmup(100), 0.0, 1).share == 0.0


def test_a_low_cross_entropy_reaches_full_mining_in_a_hundred_steps():
    warmup = fed(MiningWarmup(10_000), 0.2, 500)
    assert warmup.share == 1.0
    begun = next(n for n in range(500) if fed(MiningWarmup(10_000), 0.2, n).share > 0)
    assert warmup.steps == begun + 99


def begun(share: float) -> MiningWarmup:
    warmup = MiningWarmup(10_000)
    warmup.load_state_dict({"steps": 50, "cross_entropy": constant(share), "share": share})
    return warmup


def test_just_below_a_constant_prediction_it_holds():
    warmup = begun(0.5)
    assert fed(warmup, 0.95 * constant(0.5), 50).share == 0.5


def test_worse_than_a_constant_prediction_it_shrinks_but_does_not_restart():
    warmup = begun(0.5)
    fed(warmup, 1.2, 10)
    assert warmup.share == pytest.approx(0.5 - 10 * DOWN)
    assert fed(warmup, 1.2, 1000).share == UP


def test_the_cap_ends_the_warm_up_gradually():
    warmup = fed(MiningWarmup(37), 1.0, 36)
    assert warmup.share == 0.0
    assert fed(warmup, 1.0, 1).share == UP
    assert fed(warmup, 1.0, 98).share < 1.0
    assert fed(warmup, 1.0, 2).share == 1.0


def test_full_mining_is_kept():
    warmup = fed(MiningWarmup(1), 1.0, 100)
    steps = warmup.steps
    assert warmup.share == 1.0
    assert fed(warmup, 5.0, 50).share == 1.0 and warmup.steps == steps


@pytest.mark.parametrize("taken", [0, 1, 5, 60, 300])
def test_a_resumed_warm_up_equals_an_uninterrupted_one(taken):
    whole, first = fed(MiningWarmup(200), 0.2, taken), fed(MiningWarmup(200), 0.2, taken)
    second = MiningWarmup(200)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))  # plain values only
    for _ in range(20):
        whole.update(0.2)
        second.update(0.2)
        assert second.state_dict() == whole.state_dict()


def test_a_minimum_of_negatives_raises_the_gradient_of_images_without_text():
    """16 pixels, one of them wrong: with the floor of 2 its gradient is 8 times that of the mean over all."""
    logits = torch.full((1, 1, 4, 4), -6.0)
    logits[0, 0, 0, 0] = 6.0
    zeros = torch.zeros(1, 4, 4, dtype=torch.uint8)
    targets = Targets(zeros, torch.ones_like(zeros), zeros, zeros)
    slopes = []
    for floor in (0, 2):
        leaf = logits.clone().requires_grad_()
        DBLoss(min_negatives=floor)(Maps(leaf, torch.zeros_like(leaf)), targets).prob.backward()
        slopes.append(float(leaf.grad[0, 0, 0, 0]))
    assert slopes[0] == pytest.approx(torch.sigmoid(torch.tensor(6.0)).item() / 16)
    assert slopes[1] == pytest.approx(8 * slopes[0])


def test_the_minimum_counts_per_image_and_applies_below_the_ratio():
    logits = torch.linspace(-3, 3, 128).reshape(2, 1, 8, 8)
    text = torch.zeros(2, 8, 8, dtype=torch.uint8)
    text[0, 0, :4] = 1  # 4 text pixels in the batch: 12 hard negatives at 3 to 1
    targets = Targets(text, torch.ones_like(text), text, text)

    def prob(floor: int) -> float:
        return float(DBLoss(min_negatives=floor)(Maps(logits, logits), targets).prob)

    assert prob(6) == prob(0)  # 2 x 6 are those 12
    assert prob(7) != prob(0)
