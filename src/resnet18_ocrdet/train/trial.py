"""Measure how long a training step takes, before the length of the run is chosen."""

from __future__ import annotations

from itertools import chain, count, islice
from statistics import fmean

from ..data.loader import TrainLoader
from ..model.loss import Criterion
from ..runtime.device import Compute
from .engine import TrainState, train_one_epoch

STEPS = 8
SLOW_STEPS = 3  # the first ones, in which memory is allocated and loader processes start


def seconds_per_step(state: TrainState, loader: TrainLoader, criterion: Criterion, compute: Compute) -> float:
    """Mean duration of a step, s, with the batches with which the training will begin; they are prepared again.

    Where an epoch has fewer than STEPS, those of the next epochs follow.

    state: of a copy of the network, since its batch-norm statistics change; the rate is 0. Raises as the training."""
    rounds = chain.from_iterable(map(loader.epoch, count()))
    steps = train_one_epoch(state, rounds, len(loader), lambda epoch: 0.0, criterion, compute)
    seconds = [record.seconds for record in islice(steps, STEPS)]
    loader.begin()
    return fmean(seconds[SLOW_STEPS:])
