"""Learning rates: by hand, and against torch's own schedulers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler

from resnet18_ocrdet.train.schedule import WARMUP_START, Constant, Cosine, OneCycle, Poly, StepLR

LR = 0.007
EPOCHS = 30


def torch_rates(make, steps):
    """The rate before each of `steps` steps, and after the last."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LR)
    scheduler = make(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return [*rates, optimizer.param_groups[0]["lr"]]


@pytest.mark.parametrize(
    ("epoch", "rate"),
    [(0, 0.007), (9, 0.007), (9.99, 0.007), (10, 0.0007), (11, 0.0007), (20, 0.00007), (30, 0.000007)],
)
def test_step(epoch, rate):
    assert StepLR(LR, EPOCHS)(epoch) == pytest.approx(rate)


@pytest.mark.parametrize(
    ("epoch", "share"),
    # the last 4 of 10 epochs decay: after a quarter of them 1 - sqrt(1/4), after a half 1 - sqrt(1/2)
    [(0, 1), (6, 1), (6.01, 0.95), (7, 0.5), (8, 0.292893), (10, 0), (11, 0)],
)
def test_constant_with_a_decay_at_the_end(epoch, share):
    assert Constant(0.004, 10, decay_epochs=4)(epoch) == pytest.approx(0.004 * share, abs=1e-8)


def test_constant_without_decay_does_not_depend_on_the_length():
    assert {Constant(LR, epochs)(epoch) for epochs in (3, 300) for epoch in (0, 2.9, 3)} == {LR}
    assert Constant(LR, 3, warmup_epochs=1)(0.5) == pytest.approx(LR * (WARMUP_START + 1) / 2)
    assert Constant(LR, 2, decay_epochs=2)(0.5) == pytest.approx(LR / 2)  # nothing but decay


def test_step_size_and_gamma_are_arguments():
    schedule = StepLR(1.0, EPOCHS, step_size=4, gamma=0.5)
    assert [schedule(e) for e in (3.9, 4, 8, 12)] == [1.0, 0.5, 0.25, 0.125]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (StepLR(LR, EPOCHS), lambda o: lr_scheduler.StepLR(o, 10, 0.1)),
        (StepLR(LR, EPOCHS, step_size=7, gamma=0.3), lambda o: lr_scheduler.StepLR(o, 7, 0.3)),
        (Cosine(LR, EPOCHS), lambda o: lr_scheduler.CosineAnnealingLR(o, EPOCHS, eta_min=0.0005)),
        (Cosine(LR, EPOCHS, T_max=50), lambda o: lr_scheduler.CosineAnnealingLR(o, 50, eta_min=0.0005)),
        (Cosine(LR, EPOCHS, eta_min=0.0), lambda o: lr_scheduler.CosineAnnealingLR(o, EPOCHS)),
        (Poly(LR, EPOCHS), lambda o: lr_scheduler.PolynomialLR(o, EPOCHS, 0.9)),
        (Poly(LR, EPOCHS, power=2.0), lambda o: lr_scheduler.PolynomialLR(o, EPOCHS, 2.0)),
    ],
    ids=["step", "step 7", "cosine", "cosine 50", "cosine to 0", "poly", "poly 2"],
)
def test_whole_epochs_agree_with_torch(ours, theirs):
    expected = torch_rates(theirs, EPOCHS)
    assert [ours(epoch) for epoch in range(EPOCHS + 1)] == pytest.approx(expected, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("pct_start", [0.3, 0.5])
def test_one_cycle_agrees_with_torch_stepped_per_batch(pct_start):
    steps, epochs = 200, 10

    def make(optimizer):
        return lr_scheduler.OneCycleLR(
            optimizer, 0.02, total_steps=steps * epochs + 1, pct_start=pct_start, cycle_momentum=False
        )

    expected = torch_rates(make, steps * epochs)[::steps]
    ours = OneCycle(LR, epochs, max_lr=0.02, pct_start=pct_start)
    # torch peaks up to one step early; the slope is at most pi / 2 · 0.02 in 0.3 · 2000 steps: 5e-5 a step
    assert [ours(epoch) for epoch in range(epochs + 1)] == pytest.approx(expected, abs=5.3e-5)


def test_one_cycle_by_hand():
    schedule = OneCycle(LR, 10, max_lr=0.05)
    assert schedule(0) == pytest.approx(0.05 / 25)
    assert schedule(1.5) == pytest.approx((0.05 + 0.002) / 2)  # half-way up, at half of 0.3 · 10
    assert schedule(3) == pytest.approx(0.05)
    assert schedule(6.5) == pytest.approx((0.05 + 0.002 / 1e4) / 2)  # half-way down
    assert schedule(10) == pytest.approx(0.002 / 1e4)


def test_cosine_by_hand_and_flat_after_its_end():
    schedule = Cosine(LR, 60, T_max=50)
    assert schedule(0) == pytest.approx(0.007)
    assert schedule(25) == pytest.approx((0.007 + 0.0005) / 2)
    assert schedule(50) == pytest.approx(0.0005)
    assert schedule(60) == pytest.approx(0.0005)  # torch's would rise again


def test_poly_by_hand():
    schedule = Poly(LR, EPOCHS)
    assert schedule(15) == pytest.approx(0.007 * 0.5**0.9)
    assert schedule(30) == 0.0
    assert schedule(30.001) == 0.0  # rounding past the end is no complex number


WARM = [
    pytest.param(StepLR(LR, EPOCHS, warmup_epochs=3), StepLR(LR, EPOCHS), id="step"),
    pytest.param(Cosine(LR, EPOCHS, warmup_epochs=3), Cosine(LR, EPOCHS), id="cosine"),
    pytest.param(Poly(LR, EPOCHS, warmup_epochs=3), Poly(LR, EPOCHS), id="poly"),
]


@pytest.mark.parametrize(("warm", "cold"), WARM)
def test_warm_up_is_linear_and_continuous_and_then_has_no_effect(warm, cold):
    factors = [warm(epoch) / cold(epoch) for epoch in (0, 0.75, 1.5, 2.25, 3)]
    # equal steps from the start to 1
    assert factors == pytest.approx(list(np.linspace(WARMUP_START, 1.0, 5)))
    assert warm(3 - 1e-9) == pytest.approx(warm(3), rel=1e-6)
    for epoch in (3, 3.5, 10, 29.9, 30):
        assert warm(epoch) == cold(epoch)


@pytest.mark.parametrize(("warm", "cold"), WARM)
def test_the_first_step_of_a_warm_up_has_a_rate_above_zero(warm, cold):
    assert 0 < warm(0) == pytest.approx(WARMUP_START * cold(0))


@pytest.mark.parametrize(
    "schedule",
    [Cosine(LR, EPOCHS), OneCycle(LR, EPOCHS, max_lr=LR), Poly(LR, EPOCHS)],
    ids=["cosine", "onecycle", "poly"],
)
def test_rates_within_an_epoch_are_in_between(schedule):
    epochs = np.linspace(0, EPOCHS, 3001)
    rates = np.array([schedule(epoch) for epoch in epochs])
    # no jump anywhere: 3000 steps, each far below the largest slope pi / 2 · LR / (0.3 · 3000)
    assert np.abs(np.diff(rates)).max() < np.pi / 2 * LR / 900 * 1.01
    assert rates.max() == pytest.approx(LR)
    falling = rates[np.argmax(rates) :]
    assert (np.diff(falling) <= 0).all()
