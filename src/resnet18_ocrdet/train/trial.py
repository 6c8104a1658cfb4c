"""Measure how long a training step takes, before the length of the run is chosen."""

from __future__ import annotations

from itertools import islice

from ..data.loader import TrainLoader
from ..model.loss import Criterion
from ..runtime.device import Compute
from .engine import TrainState, train_one_epoch

STEPS = 8
SLOW_STEPS = 3  # the first ones, in which memory is allocated and loader processes start


def seconds_per_step(state: TrainState, loader: TrainLoader, criterion: Criterion, compute: Compute) -> float:
    """Mean duration of a step, s, with the batches with which the training will begin; they are prepared again.

    state: of a copy of the network, since its batch-norm statistics change; the rate is 0. Raises as the training."""
    steps = train_one_epoch(state, loader.epoch(0), len(loader), lambda epoch: 0.0, criterion, compute)
    seconds = [record.seconds for record in islice(steps, STEPS)]
    loader.begin()
    measured = seconds[SLOW_STEPS:] or seconds[-1:]
    return sum(measured) / len(measured)
