"""The training loop, and the validation it shares with ocrdet-eval.

Everything the loop uses comes in as an argument. Legend: N images of a batch, H W canvas pixels.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .errors import TrainingStopped
from .guard import Guard, Verdict
from .structures import Batch, Detection, LossParts, Maps, Placement, Polygon, Score, Targets

Criterion = Callable[[Maps, Targets, float], LossParts]
Decode = Callable[[np.ndarray[Any, np.dtype[np.float32]], Placement], list[Detection]]


class Metric(Protocol):
    """Collects images, gives a score."""

    def update(
        self,
        polygons: Sequence[Polygon],
        ignore: np.ndarray[Any, np.dtype[np.bool_]],
        detections: Sequence[Detection],
        name: str,
    ) -> object:
        """Take in one image."""

    def result(self) -> Score:
        """Score what was taken in."""


class Mining(Protocol):
    """Says how far the loss mines hard negatives."""

    share: float

    def update(self, cross_entropy: float) -> None:
        """Take in one step."""

    def state_dict(self) -> Any:
        """Plain values."""

    def load_state_dict(self, state: Any) -> None:
        """Continue where another run stood."""


class StepRecord(NamedTuple):
    """What one optimizer step tells the outside."""

    step: int
    epoch: float
    lr: float
    loss: LossParts
    gradient_norm: float
    verdict: Verdict  # of the guard; GOOD: the weights moved
    mining: float  # 0..1: how far hard negatives were mined; 1 after the warm-up
    data_seconds: float  # waiting for the loader
    seconds: float  # the whole step
    names: tuple[str, ...]  # of the images


class Validation(NamedTuple):
    """One pass over a labelled set."""

    loss: dict[str, float]
    score: Score
    seconds: float


@dataclass
class TrainState:
    """What changes while training, and so what a checkpoint holds."""

    model: nn.Module
    optimizer: Optimizer
    mining: Mining
    guard: Guard
    epoch: int = 0  # finished, validation included
    step: int = 0  # finished
    best_hmean: float | None = None
    sums: LossSums = field(default_factory=lambda: LossSums())


@dataclass
class LossSums:
    """What the epoch so far amounts to; a step that was left out counts for its time only."""

    terms: list[float] = field(default_factory=lambda: [0.0] * len(LossParts._fields))
    steps: int = 0
    seconds: float = 0.0
    lr: float = 0.0  # of the newest step

    def add(self, record: StepRecord) -> None:
        """Take in one step."""
        self.lr = record.lr
        self.seconds += record.seconds
        if record.verdict is not Verdict.GOOD:
            return
        self.terms = [total + float(term) for total, term in zip(self.terms, record.loss, strict=True)]
        self.steps += 1

    def means(self) -> dict[str, float]:
        """Mean of each loss term."""
        return {name: total / max(self.steps, 1) for name, total in zip(LossParts._fields, self.terms, strict=True)}


@dataclass(frozen=True)
class Compute:
    """Where and how the network runs."""

    device: torch.device
    autocast: Callable[[], AbstractContextManager[object]] = field(repr=False)

    def image(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) uint8 onto the device, memory layout kept."""
        return image.to(self.device, non_blocking=True)


def train_one_epoch(
    state: TrainState,
    batches: Iterable[Batch],
    steps: int,
    schedule: Callable[[float], float],
    criterion: Criterion,
    compute: Compute,
) -> Iterator[StepRecord]:
    """One pass over `batches`, of an epoch of `steps`; yields after every step.

    Raises TrainingStopped when the guard has gone back often enough; the weights are then the last good ones."""
    state.model.train()
    state.guard.begin(state.model, state.optimizer)
    began = time.perf_counter()
    for batch in batches:
        arrived = time.perf_counter()
        epoch = state.step / steps
        lr = schedule(epoch) * state.guard.lr_scale
        for group in state.optimizer.param_groups:
            group["lr"] = lr
        mining = state.mining.share
        with compute.autocast():
            maps = state.model(compute.image(batch.image))
        targets = batch.targets.to(compute.device)
        loss = criterion(maps, targets, mining)
        state.optimizer.zero_grad(set_to_none=True)
        loss.total.backward()  # type: ignore[no-untyped-call]
        loss = LossParts(*(term.detach() for term in loss))
        gradient = float(nn.utils.get_total_norm([p.grad for p in state.model.parameters() if p.grad is not None]))
        verdict = state.guard.judge(float(loss.total), gradient)
        if verdict is Verdict.GOOD:
            state.guard.keep(state.model, state.optimizer)  # these weights gave a good step
            state.optimizer.step()
            if mining < 1.0 and bool((targets.prob_map & targets.prob_mask).any()):
                state.mining.update(float(loss.prob))
        elif verdict is Verdict.ROLL_BACK or not _buffers_finite(state.model):
            verdict = Verdict.ROLL_BACK
            if not state.guard.roll_back(state.model, state.optimizer):
                raise TrainingStopped(_given_up(state, lr, loss, gradient), batch)
        state.step += 1
        now = time.perf_counter()
        yield StepRecord(
            state.step, epoch, lr, loss, gradient, verdict, mining, arrived - began, now - began, batch.names
        )
        began = now


@torch.inference_mode()
def evaluate(
    model: nn.Module,
    loader: Iterable[Sequence[Batch]],
    criterion: Criterion,
    decode: Decode,
    metric: Metric,
    compute: Compute,
    watch: Callable[[Batch, Maps, list[list[Detection]]], None] = lambda batch, maps, found: None,
) -> Validation:
    """Score a labelled set: loss with mined negatives, and the metric on decoded boxes.

    watch: called with every batch, its maps and its detections, for pictures and tables."""
    model.eval()
    began = time.perf_counter()
    sums, images = np.zeros(len(LossParts._fields)), 0
    for batch in (batch for chunk in loader for batch in chunk):
        with compute.autocast():
            maps = model(compute.image(batch.image))
        loss = criterion(maps, batch.targets.to(compute.device), 1.0)
        prob_maps = maps.prob_map[:, 0].cpu().numpy()
        found = [decode(prob_map, placement) for prob_map, placement in zip(prob_maps, batch.placements, strict=True)]
        for name, polygons, ignore, detections in zip(batch.names, batch.polygons, batch.ignore, found, strict=True):
            metric.update(polygons, ignore, detections, name)
        sums += len(batch.names) * np.array([float(term) for term in loss])
        images += len(batch.names)
        watch(batch, maps, found)
    means = dict(zip(LossParts._fields, (sums / max(images, 1)).tolist(), strict=True))
    return Validation(means, metric.result(), time.perf_counter() - began)


def _buffers_finite(model: nn.Module) -> bool:
    """False when a bad batch got into the running statistics, which no skipped update takes out again."""
    return all(bool(torch.isfinite(buffer).all()) for buffer in model.buffers() if buffer.is_floating_point())


def _given_up(state: TrainState, lr: float, loss: LossParts, gradient: float) -> str:
    terms = ", ".join(f"{name} {float(term):.4g}" for name, term in zip(loss._fields, loss, strict=True))
    return (
        f"the loss went wrong again at step {state.step} after {state.guard.rollbacks - 1} returns to good weights, "
        f"each with half the rate (now {lr:.3g}; {terms}; gradient norm {gradient:.4g})"
    )
