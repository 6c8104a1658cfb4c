"""What the parts of bench_gpu.py share: the clock, the rows they write, training states and how a step is timed."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice, repeat
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from resnet18_ocrdet.model.loss import DBLoss
from resnet18_ocrdet.runtime.compute import Compute
from resnet18_ocrdet.runtime.device import autocast, choose_precision, gradient_scaler
from resnet18_ocrdet.runtime.memory import peak_memory
from resnet18_ocrdet.structures import Batch, Targets
from resnet18_ocrdet.train.engine import StepRecord, TrainState, train_one_epoch
from resnet18_ocrdet.train.guard import Guard, Verdict
from resnet18_ocrdet.train.hard_negatives import MiningWarmup

MINED = 1.0  # share of mining: hard negatives in full, as in all but the first steps of a training
RATE = 1e-4  # learning rate: speed does not depend on it, and no step goes wrong
STEPS_OF_AN_EPOCH = 1000


class Asked(NamedTuple):
    """How a part is to measure."""

    device: torch.device
    tiny: bool  # 64x64 and few steps: to see that everything runs
    until: float  # time.time() at which the part must have ended
    path: Path  # of its rows, a JSON object a line

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sides of the square images, px; the first is the one the goals are about."""
        return (64,) if self.tiny else (640, 800)

    @property
    def batches(self) -> tuple[int, ...]:
        """Images a step, the most telling first."""
        return (2,) if self.tiny else (16, 32, 8)

    @property
    def cuda(self) -> bool:
        """Whether it is a GPU of the CUDA kind."""
        return self.device.type == "cuda"

    def left(self) -> float:
        """Seconds."""
        return self.until - time.time()


class Rows:
    """Writes each row as soon as it is measured: what ends a part early does not take them."""

    def __init__(self, asked: Asked, section: str) -> None:
        self.asked, self.section = asked, section
        self._longest = 0.0  # seconds a row has taken so far

    def write(self, **row: Any) -> None:
        """Keep and print one row."""
        with self.asked.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"section": self.section, **row}) + "\n")
        print(f"  {self.section}: " + "  ".join(f"{key} {shown(value)}" for key, value in row.items()), flush=True)

    def measure(self, name: str, work: Callable[[], dict[str, Any]], seconds: float = 0.0, **key: Any) -> None:
        """Write what `work` finds; a row that fails is told and costs nothing but itself.

        Left out when less time is left than `seconds`, or than the longest row before took. key: what else names it."""
        expected = max(seconds, self._longest)
        if self.asked.left() < expected:
            return self.write(name=name, **key, left_out=f"{self.asked.left():.0f} s left, {expected:.0f} needed")
        began = time.monotonic()
        try:
            found = work()
        except Exception as error:  # a compiler, an allocator, a driver: whatever it is, the other rows count
            found = {"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
        if self.asked.cuda:
            torch.cuda.empty_cache()
        self._longest = max(self._longest, time.monotonic() - began)
        self.write(name=name, **key, **found)


def shown(value: Any) -> str:
    """Three digits of a number."""
    return (
        f"{value:.3g}"
        if isinstance(value, float) and abs(value) < 100
        else f"{value:.0f}"
        if isinstance(value, float)
        else str(value)
    )


def finish(device: torch.device) -> None:
    """Wait until the device has done all it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_a_call(work: Callable[[], object], device: torch.device, tiny: bool = False, budget: float = 1.0) -> float:
    """Median of five groups of calls, each group timed from idle device to idle device, `budget` seconds together."""
    for _ in range(1 if tiny else 3):
        work()
    finish(device)
    began = time.perf_counter()
    work()
    finish(device)
    once = time.perf_counter() - began
    groups, calls = (2, 1) if tiny else (5, max(1, min(200, int(budget / 5 / max(once, 1e-6)))))
    medians = []
    for _ in range(groups):
        began = time.perf_counter()
        for _ in range(calls):
            work()
        finish(device)
        medians.append((time.perf_counter() - began) / calls)
    return statistics.median(medians)


def on_device(batch: Batch, count: int, device: torch.device) -> Batch:
    """The first `count` images of a batch, kept on the device."""
    targets = Targets(*(plane[:count] for plane in batch.targets)).to(device)
    return batch._replace(image=batch.image[:count].to(device), targets=targets, names=batch.names[:count])


def make_compute(device: torch.device, precision: str = "auto") -> tuple[Compute, str]:
    """How the network runs, and the precision that was chosen."""
    chosen = choose_precision(precision, device)
    return Compute(device, partial(autocast, device, chosen)), chosen


def make_state(model: nn.Module, device: torch.device, precision: str, network: nn.Module | None = None) -> TrainState:
    """What ocrdet-train keeps while training, with its default optimizer. network: the model as it is called."""
    decaying = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": decaying, "weight_decay": 1e-4, "lr_factor": 1.0},
        {"params": others, "weight_decay": 0.0, "lr_factor": 1.0},
    ]
    optimizer = torch.optim.SGD(groups, lr=RATE, momentum=0.9)
    return TrainState(
        model=model,
        network=model if network is None else network,
        optimizer=optimizer,
        scaler=gradient_scaler(device, precision),
        mining=MiningWarmup(0),
        guard=Guard(guess=DBLoss().guess, ratio=1e9),
    )


def steps_of(state: TrainState, batch: Batch, compute: Compute) -> Iterator[StepRecord]:
    """Steps of the real loop on one batch, without end."""
    rounds = repeat((batch,))
    return train_one_epoch(state, rounds, STEPS_OF_AN_EPOCH, lambda epoch: RATE, DBLoss(), compute)


def time_loop(state: TrainState, batch: Batch, compute: Compute, tiny: bool) -> dict[str, Any]:
    """Seconds a step of the real loop, its sums included; images/s; peak memory; steps that the guard left out."""
    device, steps = compute.device, steps_of(state, batch, compute)
    skipped = 0

    def step() -> None:
        nonlocal skipped
        record = next(steps)
        state.sums.add(record)
        skipped += record.verdict is not Verdict.GOOD

    with watched_memory(device) as memory:
        seconds = seconds_a_call(step, device, tiny)
    return told(seconds, batch, memory) | ({"skipped": skipped} if skipped else {})


def time_bare(model: nn.Module, batch: Batch, compute: Compute, tiny: bool) -> dict[str, Any]:
    """The same of forward, loss, backward and SGD alone, nothing read back but what the loss itself asks for."""
    optimizer, criterion = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9), DBLoss()
    model.train()

    def step() -> None:
        with compute.autocast():
            maps = model(batch.image)
        optimizer.zero_grad(set_to_none=True)
        criterion(maps, batch.targets, MINED).total.backward()
        optimizer.step()

    with watched_memory(compute.device) as memory:
        seconds = seconds_a_call(step, compute.device, tiny)
    return told(seconds, batch, memory)


def told(seconds: float, batch: Batch, memory: list[float]) -> dict[str, Any]:
    """A row of a step."""
    images = len(batch.image)
    return {"ms": 1000 * seconds, "images_s": images / seconds, "memory_gib": memory[0]}


@contextmanager
def watched_memory(device: torch.device) -> Iterator[list[float]]:
    """A list that holds the peak, GiB, when the block has ended: of the card, else of this process so far."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    found: list[float] = []
    yield found
    found.append(peak_memory(device) or 0.0)


def first(records: Iterator[StepRecord], count: int) -> list[StepRecord]:
    """The next `count` steps."""
    return list(islice(records, count))
