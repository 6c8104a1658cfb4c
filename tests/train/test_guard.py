"""Bad steps are skipped, then the last good weights restored, then the run stopped."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch
from torch import nn

from resnet18_ocrdet.train.guard import Guard, Verdict

FINE = (1.0, 1.0)
BAD = [(math.nan, 1.0), (math.inf, 1.0), (1.0, math.nan), (1.0, math.inf), (21.0, 1.0)]


def warm(guard: Guard) -> Guard:
    for _ in range(30):
        assert guard.judge(*FINE) is Verdict.GOOD
    return guard


@pytest.mark.parametrize("step", BAD)
def test_one_bad_step_is_skipped_and_counted(step):
    guard = warm(Guard(1000.0, ratio=20, patience=3))
    assert guard.judge(*step) is Verdict.SKIP
    assert guard.judge(*FINE) is Verdict.GOOD
    assert guard.skipped == 1 and guard.bad_in_a_row == 0


@pytest.mark.parametrize("step", BAD)
def test_patience_ends_with_a_roll_back(step):
    guard = warm(Guard(1000.0, patience=3))
    assert [guard.judge(*step) for _ in range(3)] == [Verdict.SKIP, Verdict.SKIP, Verdict.ROLL_BACK]


def test_a_loss_is_measured_against_its_running_median():
    guard = warm(Guard(1000.0, ratio=20))
    assert guard.judge(20.0, 1.0) is Verdict.GOOD  # 20 times is not above 20 times
    assert guard.judge(20.1, 1.0) is Verdict.SKIP
    for _ in range(60):
        guard.judge(10.0, 1.0)
    assert guard.judge(150.0, 1.0) is Verdict.GOOD  # the median is 10 by now


def test_the_first_step_is_bad_only_if_it_is_not_finite():
    assert Guard(1000.0).judge(1e9, 1.0) is Verdict.GOOD
    assert Guard(1000.0).judge(math.nan, 1.0) is Verdict.SKIP


def test_far_above_the_initial_loss_is_bad_even_without_a_median():
    guard = Guard(8.0, ratio=20.0)
    assert guard.judge(7.0, 1.0) is Verdict.GOOD
    assert guard.judge(24.1, 1.0) is Verdict.SKIP  # above 3 · 8
    assert guard.judge(23.9, 1.0) is Verdict.GOOD
    high = Guard(8.0, ratio=20.0)
    assert high.judge(10.0, 1.0) is Verdict.GOOD
    assert high.judge(29.9, 1.0) is Verdict.GOOD  # the first loss counts where it is higher
    assert high.judge(30.1, 1.0) is Verdict.SKIP


def test_a_roll_back_restores_network_and_optimizer_and_halves_the_rate():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    guard = Guard(1000.0, rollbacks=2, snapshot_every=10)

    def step() -> None:
        optimizer.zero_grad()
        net(torch.randn(4, 2)).square().sum().backward()
        optimizer.step()

    step()
    guard.keep(net, optimizer)
    before = plain(net, optimizer)
    for _ in range(3):
        step()
        guard.keep(net, optimizer)  # the next copy is due after ten
    assert plain(net, optimizer) != before
    for times in (1, 2):
        assert guard.roll_back(net, optimizer)
        assert plain(net, optimizer) == before
        assert guard.lr_scale == 0.5**times
        step()  # the copy must not move with the weights
    assert not guard.roll_back(net, optimizer)  # a third time is too often, and the weights are still the good ones
    assert plain(net, optimizer) == before


def plain(net: nn.Module, optimizer: torch.optim.Optimizer) -> Any:
    momenta = [state["momentum_buffer"].tolist() for state in optimizer.state.values()]
    return [value.tolist() for value in net.state_dict().values()], momenta


def test_the_first_snapshot_is_the_state_at_the_start():
    net, guard = nn.Linear(1, 1), Guard(1000.0)
    begun = [value.tolist() for value in net.state_dict().values()]
    guard.begin(net)
    nn.init.zeros_(net.weight)
    guard.begin(net)  # once is enough
    guard.roll_back(net)
    assert [value.tolist() for value in net.state_dict().values()] == begun


def test_without_a_snapshot_only_the_rate_is_halved():
    guard = Guard(1000.0)
    assert guard.roll_back(nn.Linear(1, 1)) and guard.lr_scale == 0.5


def test_a_resumed_guard_judges_like_an_uninterrupted_one():
    one = warm(Guard(1000.0, patience=3))
    one.judge(math.nan, 1.0)
    other = Guard(1000.0, patience=3)
    other.load_state_dict(json.loads(json.dumps(one.state_dict())))
    for step in (BAD[0], BAD[4], FINE, BAD[4]):
        assert one.judge(*step) is other.judge(*step)
    assert one.state_dict() == other.state_dict()
