"""Steps and validations of a fine-tuning, by hand."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from resnet18_ocrdet.train.step_rules import (
    MINUTES,
    STEPS,
    VAL_SHARE,
    VALIDATIONS,
    Pace,
    choose_epochs,
    choose_val_every,
)


def test_epochs_of_a_small_set_are_those_that_make_enough_steps():
    # 45 images in batches of 8: 5 steps; 15 epochs are 75 of them, 400 are 80 epochs
    epochs, why = choose_epochs(15, "45 images", Pace(5))
    assert epochs == 80 and "75 steps" in why and "400" in why
    assert choose_epochs(15, "45 images", Pace(7))[0] == 58  # 57.1


def test_the_usual_epochs_stay_where_they_are_steps_enough():
    epochs, why = choose_epochs(15, "400 images", Pace(45))
    assert epochs == 15 and why.startswith("400 images") and "675 steps" in why
    assert choose_epochs(5, "", Pace(80))[0] == 5  # 400
    assert choose_epochs(5, "", Pace(79))[0] == 6  # 395 and 474


def test_steps_that_are_added_fit_into_the_minutes():
    # 1.5 s a step and 4 s after every 50 steps: (480 - 4) / (1.5 + 4 / 50) = 301 steps, 60 epochs of 5
    pace = Pace(5, step=1.5, validation=4.0)
    epochs, why = choose_epochs(15, "45 images", pace)
    assert epochs == 60 and "301" in why and f"{MINUTES:g} minutes" in why
    assert choose_epochs(15, "45 images", pace._replace(step=60.0))[0] == 15  # the usual epochs are not cut


def test_a_validation_comes_after_fifty_steps_or_later():
    every, why = choose_val_every(80, Pace(5, step=1.0, validation=4.0))
    assert every == 10 and "50 steps" in why
    assert choose_val_every(80, Pace(60))[0] == 1
    assert choose_val_every(7, Pace(5))[0] == 2  # four validations rather than one after 50 steps
    # 20 s of 0.5 s a step: 40 steps, which may be 15 % of the time: 267 steps, 6 epochs of 50
    every, why = choose_val_every(80, Pace(50, step=0.5, validation=20.0))
    assert every == 6 and "40 steps" in why and "15%" in why
    assert choose_val_every(15, Pace(50, step=0.5, validation=20.0))[0] == 4  # after epochs 4, 8, 12 and 15
    every, why = choose_val_every(3, Pace(50, step=0.5, validation=20.0))
    assert every == 1 and "4 validations" in why


@given(st.integers(1, 20), st.integers(1, 2000), st.floats(0.01, 100, allow_subnormal=False), st.floats(0, 1000))
def test_the_time_is_kept(usual: int, per_epoch: int, step: float, validation: float):
    pace = Pace(per_epoch, step, validation)
    epochs, _ = choose_epochs(usual, "", pace)
    every, _ = choose_val_every(epochs, pace)
    assert usual <= epochs and 1 <= every <= epochs
    if epochs > usual:
        assert epochs * per_epoch <= STEPS + per_epoch
        steps = epochs * per_epoch
        assert steps * step + math.ceil(epochs / every) * validation <= 60 * MINUTES + 1e-6
    share = validation / (validation + every * per_epoch * step)
    assert math.ceil(epochs / every) <= VALIDATIONS or share <= VAL_SHARE + 1e-9
