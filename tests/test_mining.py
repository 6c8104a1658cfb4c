"""When hard negatives begin to be mined."""

from __future__ import annotations

import json
import math

import pytest

from resnet18_ocrdet.mining import MiningWarmup

LOW = MiningWarmup.LEVEL / 2
HIGH = MiningWarmup.LEVEL + 0.01


def steps_until_off(warmup, cross_entropy, limit=10_000):
    for step in range(1, limit + 1):
        warmup.update(cross_entropy)
        if not warmup.active:
            return step
    return None


def test_a_cap_of_zero_mines_from_the_start():
    warmup = MiningWarmup(0)
    assert not warmup.active
    warmup.update(1.0)
    assert not warmup.active and warmup.steps == 0


def test_it_is_on_until_the_smoothed_cross_entropy_falls_below_the_level():
    # after n steps: LOW + (ln 2 - LOW) · s ** n; the first n with that at or below the level ends it
    expected = 0
    while LOW + (math.log(2) - LOW) * MiningWarmup.SMOOTHING**expected > MiningWarmup.LEVEL:
        expected += 1
    assert expected > 1
    assert steps_until_off(MiningWarmup(10_000), LOW) == expected


def test_one_lucky_step_does_not_end_it():
    warmup = MiningWarmup(100)
    warmup.update(0.0)
    assert warmup.active


def test_a_cross_entropy_that_stays_high_ends_at_the_cap():
    assert steps_until_off(MiningWarmup(37), HIGH) == 37
    assert steps_until_off(MiningWarmup(1), 1.0) == 1


def test_once_off_it_stays_off():
    warmup = MiningWarmup(2)
    for _ in range(50):
        warmup.update(1.0)
    assert not warmup.active and warmup.steps == 2


@pytest.mark.parametrize("taken", [0, 1, 5, 300])
def test_a_resumed_run_goes_on_like_one_never_stopped(taken):
    whole, first = MiningWarmup(200), MiningWarmup(200)
    for _ in range(taken):
        whole.update(LOW)
        first.update(LOW)
    state = json.loads(json.dumps(first.state_dict()))  # plain values only
    second = MiningWarmup(200)
    second.load_state_dict(state)
    assert second.active == whole.active
    for _ in range(20):
        whole.update(LOW)
        second.update(LOW)
        assert second.state_dict() == whole.state_dict()
