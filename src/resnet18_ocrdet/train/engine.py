"""The training loop.

Everything the loop uses comes in as an argument. In each process of the run a step takes one batch, or several whose
gradients are added up.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import Optimizer

from ..errors import TrainingStopped
from ..model.loss import Criterion
from ..runtime.device import Compute
from ..structures import Batch
from .guard import Guard, Stateful, Verdict
from .hard_negatives import MiningWarmup
from .optim import ModelEma, total_norm
from .schedule import Schedule


class StepRecord(NamedTuple):
    """What one optimizer step reports. Loss, norm and verdict are those of all processes together."""

    step: int
    epoch: float
    lr: float
    loss: dict[str, float]  # the terms by name, "total" first
    gradient_norm: float  # before clipping
    verdict: Verdict  # of the guard; GOOD: the weights were updated
    mining: float  # 0..1, how far hard negatives were mined; 1 after the warm-up
    has_text: bool  # whether any pixel of the targets was text
    data_seconds: float  # waiting for the loader
    seconds: float  # the whole step
    names: tuple[str, ...]  # of the images: those of this process for a good step, else of all processes
    images: int = 0  # of all processes


@dataclass
class TrainState:
    """What changes during training, and so what a checkpoint holds."""

    model: nn.Module
    network: nn.Module  # the model as it is called: itself, compiled, or wrapped to exchange gradients
    optimizer: Optimizer
    scaler: GradScaler
    mining: MiningWarmup
    guard: Guard
    ema: ModelEma | None = None
    epoch: int = 0  # finished, validation included
    step: int = 0  # finished
    best_hmean: float | None = None
    not_better: int = 0  # validations since the best one
    sums: LossSums = field(default_factory=lambda: LossSums())
    buffers: list[Tensor] | None = None  # as they were before the current step; None between steps
    updating: bool = False  # from the guard's verdict to the end of the step

    def undo(self) -> bool:
        """Go back to the beginning of the current step. False when it is too late for that."""
        if self.updating:
            return False
        for buffer, before in zip(self.model.buffers(), self.buffers or [], strict=False):
            buffer.copy_(before)
        self.buffers = None
        return True

    @property
    def parts(self) -> list[Stateful]:
        """What a roll-back restores."""
        return [self.model, self.optimizer, *([self.ema] if self.ema is not None else [])]

    @property
    def eval_model(self) -> nn.Module:
        """The network that is validated and shipped."""
        return self.model if self.ema is None else self.ema.model


@dataclass
class LossSums:
    """Sums over the epoch so far; a skipped step adds its time only."""

    terms: list[float] = field(default_factory=list)  # of each term of the loss; empty before the first step
    steps: int = 0  # good ones
    skipped: int = 0  # bad ones; a step that the fp16 gradient scaler skips is neither
    seconds: float = 0.0
    data_seconds: float = 0.0  # of them waiting for the loader
    lr: float = 0.0  # of the newest step

    def add(self, record: StepRecord) -> None:
        """Take in one step."""
        self.lr = record.lr
        self.seconds += record.seconds
        self.data_seconds += record.data_seconds
        if record.verdict is not Verdict.GOOD:
            self.skipped += record.verdict is not Verdict.OVERFLOW
            return
        sums = self.terms or [0.0] * len(record.loss)
        self.terms = [total + term for total, term in zip(sums, record.loss.values(), strict=True)]
        self.steps += 1

    def means(self, names: Sequence[str]) -> dict[str, float]:
        """Mean of each term of the loss. names: `Criterion.terms`."""
        sums = self.terms or [0.0] * len(names)
        return {name: total / max(self.steps, 1) for name, total in zip(names, sums, strict=True)}


def train_one_epoch(
    state: TrainState,
    rounds: Iterable[Sequence[Batch]],
    steps: int,
    schedule: Schedule,
    criterion: Criterion,
    compute: Compute,
    clip_norm: float | None = None,
) -> Iterator[StepRecord]:
    """One pass over an epoch of `steps`; yields after every step. rounds: the batches of each step.

    clip_norm: the longest gradient; longer ones are scaled down to it. Raises TrainingStopped when the guard allows no
    further roll-back; the weights are then the last good ones."""
    state.model.train()
    state.guard.begin(*state.parts)
    began = time.perf_counter()
    for batches in rounds:
        arrived = time.perf_counter()
        epoch, mining = state.step / steps, state.mining.share
        lr = schedule(epoch) * state.guard.lr_scale
        for group in state.optimizer.param_groups:
            group["lr"] = lr * group["lr_factor"]
        state.buffers = [buffer.clone() for buffer in state.model.buffers()]  # the forward pass changes them
        means = add_up_gradients(state, batches, criterion, compute)
        loss, has_text, cross_entropy, gradient = read_back(means, finish_gradients(state, clip_norm))
        names = tuple(name for batch in batches for name in batch.names)
        images = len(names) * compute.world.size
        state.updating = True
        verdict = judge(state, loss["total"], gradient)
        if verdict is Verdict.GOOD:
            state.guard.keep(*state.parts)
            state.scaler.step(state.optimizer)
            if state.ema is not None:
                state.ema.update(state.model)
            if mining < 1.0 and has_text:
                state.mining.update(cross_entropy)
        elif verdict is Verdict.ROLL_BACK or compute.world.any(not _buffers_finite(state.model)):
            verdict = Verdict.ROLL_BACK
            if not state.guard.roll_back(*state.parts):
                raise TrainingStopped(_given_up(state, lr, loss, gradient), batches)
        if verdict is not Verdict.GOOD:
            names = compute.world.joined(names)
        state.scaler.update()
        state.step += 1
        state.buffers, state.updating = None, False
        now = time.perf_counter()
        waited, took = arrived - began, now - began
        yield StepRecord(state.step, epoch, lr, loss, gradient, verdict, mining, has_text, waited, took, names, images)
        began = now


class StepMeans(NamedTuple):
    """Means over the batches of a step in all processes; scalars, still on the device."""

    loss: dict[str, Tensor]  # the terms by name
    text: Tensor  # share of the batches with text, 0..1
    cross_entropy: Tensor  # of the batches with text: what the mining warm-up follows


def add_up_gradients(state: TrainState, batches: Sequence[Batch], criterion: Criterion, compute: Compute) -> StepMeans:
    """Leave in `.grad` the mean gradient of the batches of all processes, scaled by the gradient scaler."""
    state.optimizer.zero_grad(set_to_none=True)
    sums = torch.zeros((), device=compute.device)
    for number, batch in enumerate(batches, start=1):
        targets = batch.targets.to(compute.device)
        more = number < len(batches)
        with compute.world.no_exchange(state.network) if more else nullcontext():
            with compute.autocast():
                maps = state.network(compute.image(batch.image))
            loss = dict(zip(criterion.terms, criterion(maps, targets, state.mining.share), strict=True))
            state.scaler.scale(loss["total"] / len(batches)).backward()  # type: ignore[no-untyped-call]
        text = (targets.prob_map & targets.prob_mask).any().float()
        followed = text * loss.get("prob", loss["total"]).detach()
        sums = sums + torch.stack([*(term.detach() for term in loss.values()), text, followed]) / len(batches)
    *terms, text, followed = compute.world.mean(sums).unbind()
    return StepMeans(dict(zip(criterion.terms, terms, strict=True)), text, followed / text)


def finish_gradients(state: TrainState, clip_norm: float | None) -> Tensor:
    """Undo the scaling, then clip. Returns the norm before clipping, a scalar still on the device."""
    state.scaler.unscale_(state.optimizer)
    if clip_norm is not None:
        return nn.utils.clip_grad_norm_(state.model.parameters(), clip_norm)
    return total_norm(p.grad for p in state.model.parameters() if p.grad is not None)


def read_back(means: StepMeans, norm: Tensor) -> tuple[dict[str, float], bool, float, float]:
    """Copy all values that a step depends on to the CPU at once: a copy makes the CPU wait for the GPU.

    Returns the terms of the loss, whether there was any text, the cross-entropy of the batches with text (NaN without
    text) and the gradient's norm."""
    values = torch.stack([*means.loss.values(), means.text, means.cross_entropy, norm]).tolist()
    *terms, text, cross_entropy, gradient = values
    return dict(zip(means.loss, terms, strict=True)), text > 0, cross_entropy, gradient


def judge(state: TrainState, loss: float, gradient: float) -> Verdict:
    """The guard's verdict. In fp16, an overflow of the gradient with a finite loss is left to the scaler."""
    overflow = math.isfinite(loss) and not math.isfinite(gradient)
    if overflow and state.scaler.is_enabled() and state.scaler.get_scale() > 1.0:
        return Verdict.OVERFLOW
    return state.guard.judge(loss, gradient)


def _buffers_finite(model: nn.Module) -> bool:
    """False when a bad batch got into the running statistics, which skipping the update does not undo."""
    return all(bool(torch.isfinite(buffer).all()) for buffer in model.buffers() if buffer.is_floating_point())


def _given_up(state: TrainState, lr: float, loss: dict[str, float], gradient: float) -> str:
    terms = ", ".join(f"{name} {term:.4g}" for name, term in loss.items())
    return (
        f"the loss is bad again at step {state.step} after {state.guard.rollbacks - 1} roll-backs to good weights, "
        f"each with half the learning rate (now {lr:.3g}; {terms}; gradient norm {gradient:.4g})"
    )
