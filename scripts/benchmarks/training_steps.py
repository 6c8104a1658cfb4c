"""Training steps as ocrdet-train does them, made without a config, and how they are timed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import repeat
from typing import Any

import torch
from torch import nn

from resnet18_ocrdet.model.dbnet import DBNet
from resnet18_ocrdet.model.loss import DBLoss
from resnet18_ocrdet.runtime.device import Compute, choose_precision, gradient_scaler
from resnet18_ocrdet.runtime.machine import peak_memory
from resnet18_ocrdet.structures import Batch, Targets
from resnet18_ocrdet.train.engine import StepRecord, TrainState, train_one_epoch
from resnet18_ocrdet.train.guard import Guard, Verdict
from resnet18_ocrdet.train.hard_negatives import MiningWarmup
from resnet18_ocrdet.train.optim import param_groups

FULL_MINING = 1.0  # hard negatives in full, as after the first steps of a training
LEARNING_RATE = 1e-4  # low enough that no step goes wrong; speed does not depend on it
STEPS_PER_EPOCH = 1000


def make_model(device: torch.device, plain: bool = False) -> DBNet:
    """A network on the device, channels last; the same weights at each call."""
    torch.manual_seed(0)
    return DBNet(plain=plain).to(device).to(memory_format=torch.channels_last)


def make_compute(device: torch.device, precision: str = "auto") -> tuple[Compute, str]:
    """How the network runs, and the precision that was chosen."""
    chosen = choose_precision(precision, device)
    return Compute(device, chosen), chosen


def make_state(model: DBNet, device: torch.device, precision: str, network: nn.Module | None = None) -> TrainState:
    """The state of a training with the default optimizer. network: the compiled model, if there is one."""
    return TrainState(
        model=model,
        network=model if network is None else network,
        optimizer=torch.optim.SGD(param_groups(model, 1e-4), lr=LEARNING_RATE, momentum=0.9),
        scaler=gradient_scaler(device, precision),
        mining=MiningWarmup(0),
        guard=Guard(DBLoss().initial_loss, ratio=1e9),
    )


def steps_on(state: TrainState, batch: Batch, compute: Compute) -> Iterator[StepRecord]:
    """Steps of the real training loop on one batch, without end."""
    return train_one_epoch(state, repeat((batch,)), STEPS_PER_EPOCH, lambda _: LEARNING_RATE, DBLoss(), compute)


def on_device(batch: Batch, count: int, device: torch.device) -> Batch:
    """The first `count` images of a batch, on the device."""
    targets = Targets(*(plane[:count] for plane in batch.targets)).to(device)
    return batch._replace(image=batch.image[:count].to(device), targets=targets, names=batch.names[:count])


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_per_call(work: Callable[[], object], device: torch.device, tiny: bool = False) -> float:
    """Median of five groups of calls, about a second together; each group starts and ends with an idle device."""

    def timed(calls: int) -> float:
        began = time.perf_counter()
        for _ in range(calls):
            work()
        synchronize(device)
        return (time.perf_counter() - began) / calls

    timed(1 if tiny else 3)
    once = timed(1)
    groups, calls = (2, 1) if tiny else (5, max(1, min(200, int(0.2 / max(once, 1e-6)))))
    return statistics.median(timed(calls) for _ in range(groups))


def time_loop(state: TrainState, batch: Batch, compute: Compute, tiny: bool) -> dict[str, Any]:
    """A row of the real loop on a batch, its running sums included; how many steps the guard skipped."""
    steps = steps_on(state, batch, compute)
    skipped = 0

    def step() -> None:
        nonlocal skipped
        record = next(steps)
        state.sums.add(record)
        skipped += record.verdict is not Verdict.GOOD

    return _timed_row(step, batch, compute, tiny) | ({"skipped": skipped} if skipped else {})


def time_bare(model: nn.Module, batch: Batch, compute: Compute, tiny: bool) -> dict[str, Any]:
    """A row of forward pass, loss, backward pass and SGD alone."""
    optimizer, criterion = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=0.9), DBLoss()
    model.train()

    def step() -> None:
        with compute.autocast():
            maps = model(batch.image)
        optimizer.zero_grad(set_to_none=True)
        criterion(maps, batch.targets, FULL_MINING).total.backward()
        optimizer.step()

    return _timed_row(step, batch, compute, tiny)


def _timed_row(step: Callable[[], None], batch: Batch, compute: Compute, tiny: bool) -> dict[str, Any]:
    with peak_memory_of(compute.device) as memory:
        seconds = seconds_per_call(step, compute.device, tiny)
    return {"ms": 1000 * seconds, "images_s": len(batch.image) / seconds, "memory_gib": memory[0]}


@contextmanager
def peak_memory_of(device: torch.device) -> Iterator[list[float]]:
    """A list with the peak in GiB after the block: of the GPU's memory, else of this process so far."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    peak: list[float] = []
    yield peak
    peak.append(peak_memory(device) or 0.0)
