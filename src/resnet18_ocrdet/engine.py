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
    mining: float  # 0..1: how far hard negatives were mined; 1 after the warm-up
    data_seconds: float  # waiting for the loader
    seconds: float  # the whole step
    images: int


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
    epoch: int = 0  # finished
    step: int = 0  # finished
    best_hmean: float | None = None


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
    """One pass over `steps` batches; yields after every optimizer step.

    Raises TrainingStopped when the loss is not finite; the weights are then those before the step."""
    state.model.train()
    began = time.perf_counter()
    for batch in batches:
        arrived = time.perf_counter()
        epoch = state.step / steps
        lr = schedule(epoch)
        for group in state.optimizer.param_groups:
            group["lr"] = lr
        mining = state.mining.share
        with compute.autocast():
            maps = state.model(compute.image(batch.image))
        targets = batch.targets.to(compute.device)
        loss = criterion(maps, targets, mining)
        if not torch.isfinite(loss.total):
            raise TrainingStopped(_not_finite(state.step, lr, loss, batch.names))
        state.optimizer.zero_grad(set_to_none=True)
        loss.total.backward()  # type: ignore[no-untyped-call]
        state.optimizer.step()
        if mining < 1.0 and bool((targets.prob_map & targets.prob_mask).any()):
            state.mining.update(float(loss.prob.detach()))
        state.step += 1
        now = time.perf_counter()
        loss = LossParts(*(term.detach() for term in loss))
        yield StepRecord(state.step, epoch, lr, loss, mining, arrived - began, now - began, len(batch.names))
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


def _not_finite(step: int, lr: float, loss: LossParts, names: Sequence[str]) -> str:
    terms = ", ".join(f"{name} {float(term.detach()):.4g}" for name, term in zip(loss._fields, loss, strict=True))
    return (
        f"the loss is not finite at step {step} (lr {lr:.4g}; {terms}) on {', '.join(names)}. "
        f"Halve optimizer.lr and go on with resume=RUN_FOLDER; look at these images for empty or constant ones"
    )
