"""Signs that a run will not succeed, each with its cause and what to type. Each sign is reported once.

A record is one line of metrics.jsonl.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import fmean
from typing import Any

from torch import Tensor, nn

from ..model.loss import Criterion
from ..runtime.messages import count
from .engine import StepRecord
from .hard_negatives import constant_prediction_loss
from .optim import total_norm

WITHOUT_TEXT = 50  # steps in a row
FLAT_SPOT = 100  # steps in a row
DEAD_DICE = 0.97  # Dice loss above which text and background get the same prediction
NEAR_CONSTANT = 0.1  # relative distance of the cross-entropy from that of a constant prediction
STILL = 1e-7  # of the weights' norm per step; a rate of 0.007 moves them by about 1e-3
RISES = 3  # validations in a row
WAITS = 0.25  # share of the time spent waiting for the loader from which advice is given
DRIFT = 1.2  # times the shift at which the rise began
OVER = 1.05  # times the validation loss before; a smaller rise may be noise


class Diagnosis:
    """Watches the steps of one run."""

    def __init__(self, criterion: Criterion, warmed_up: bool) -> None:
        """warmed_up: whether the mining warm-up is on."""
        ratio, self.warmed_up = criterion.negative_ratio, warmed_up
        has_flat_spot = ratio is not None and {"prob", "binary"} <= set(criterion.terms)
        self._constant = constant_prediction_loss(1.0, ratio) if ratio is not None and has_flat_spot else None
        self._textless = 0
        self._steps: deque[tuple[float, float]] = deque(maxlen=FLAT_SPOT)
        self._reported: set[str] = set()
        self._mined_from: int | None = None  # the first epoch, from 1, known to be fully mined in all of its steps

    def step(self, record: StepRecord) -> str | None:
        """Take in one step; returns a line when it completes a sign."""
        if record.mining < 1.0:
            self._mined_from = int(record.epoch) + 2
        elif self._mined_from is None:
            self._mined_from = int(record.epoch) + 1 if self.warmed_up else 1
        self._textless = 0 if record.has_text else self._textless + 1
        if self._textless == WITHOUT_TEXT:
            return self._once("no text", _no_text(record))
        if self._constant is None or record.mining < 1.0 or not record.has_text:
            self._steps.clear()
            return None
        self._steps.append((record.loss["prob"], record.loss["binary"]))
        return self._once("flat spot", self._flat_spot(self._constant))

    def epoch(self, records: Sequence[Mapping[str, Any]]) -> list[str]:
        """Lines on the epochs so far, the newest last."""
        # while mining grows, the training loss is easier than the validation loss
        found = {"drift": drift(records), "over-fitting": over_fitting(records, self._mined_from or 1)}
        return [line for sign, text in found.items() if (line := self._once(sign, text)) is not None]

    def _flat_spot(self, constant: float) -> str | None:
        if len(self._steps) < FLAT_SPOT:
            return None
        prob, binary = map(fmean, zip(*self._steps, strict=True))
        if not (binary > DEAD_DICE and abs(prob / constant - 1.0) < NEAR_CONSTANT):
            return None
        remedy = (
            "a lower optimizer.lr, scheduler.warmup_epochs=1 or init.backbone=imagenet"
            if self.warmed_up
            else "train.mining_warmup=true"
        )
        prob, binary = self._steps[-1]
        return (
            f"the loss is stuck in the cold-start flat spot: for {FLAT_SPOT} steps the prediction has been the same "
            f"everywhere (binary {binary:.2f}, cross-entropy {prob:.3f}; a constant prediction has {constant:.3f}). It "
            f"does not recover by itself: start again with {remedy}"
        )

    def _once(self, sign: str, text: str | None) -> str | None:
        if text is None or sign in self._reported:
            return None
        self._reported.add(sign)
        return text


def _no_text(record: StepRecord) -> str:
    loss = ", ".join(f"{name} {term:.3f}" for name, term in record.loss.items())
    return (
        f"no pixel was text in the last {WITHOUT_TEXT} steps (loss: {loss}), so only background is trained on. Regions "
        f"that are marked ###, smaller than train.min_text_size or outside the image are ignored in training; "
        f"train.preview=true shows the targets"
    )


class Displacement:
    """How far the weights move."""

    def __init__(self, model: nn.Module) -> None:
        self._before = [weight.clone() for weight in _trained(model)]

    def share(self, model: nn.Module) -> float:
        """|weights now - weights then| / |weights then|, over all weights that are trained."""
        moved = [now - then for now, then in zip(_trained(model), self._before, strict=True)]
        return float(total_norm(moved) / total_norm(self._before))


def standing_still(moved: float, steps: int, lr: float) -> str | None:
    """A line when the weights hardly moved in the first epoch. moved: Displacement.share after `steps`.

    lr: optimizer.lr, as typed."""
    if steps == 0 or moved / steps >= STILL:
        return None
    return (
        f"the weights hardly move: by {moved:.1e} of their norm in {steps} steps. The learning rate is too low: "
        f"optimizer.lr={lr:g}, where 0.007 is usual for SGD, 0.001 for AdamW"
    )


def drift(records: Sequence[Mapping[str, Any]]) -> str | None:
    """A line when the matched boxes move away from their regions, validation by validation."""
    shifts = [r["center_shift"] for r in records if r.get("center_shift") is not None][-RISES - 1 :]
    if len(shifts) <= RISES or not _rising(shifts) or shifts[-1] < DRIFT * shifts[0]:
        return None
    return (
        f"matched boxes drift: the mean shift of their centres over text height rose {RISES} times "
        f"({_arrows(shifts)}). The learning rate is too high: start again with half of optimizer.lr"
    )


def over_fitting(records: Sequence[Mapping[str, Any]], since: int = 1) -> str | None:
    """A line when the validation loss rises, beyond its noise, while the training loss falls.

    since: first epoch whose training loss is comparable with the later ones."""
    validated = [r for r in records if r.get("val_loss") is not None]
    newest = [r for r in validated if r["epoch"] >= since][-RISES - 1 :]
    val = [r["val_loss"]["total"] for r in newest]
    train = [r["train_loss"]["total"] for r in newest]
    if len(val) <= RISES or not _rising(val) or not _rising(train[::-1]) or val[-1] <= OVER * val[0]:
        return None
    # Three rises in a row are common where the loss falls with noise: their mean must be high too.
    losses = [r["val_loss"]["total"] for r in validated]
    means = [fmean(losses[first : first + RISES + 1]) for first in range(len(losses) - RISES)]
    if fmean(val) <= OVER * min(filter(math.isfinite, means)):
        return None
    return (
        f"over-fitting: the validation loss rose {RISES} times ({_arrows(val)}) while the training loss fell "
        f"({_arrows(train)}). best.pt keeps the best epoch; more images, augment=default, a lower optimizer.lr, or "
        f"train.early_stop=5 to stop in time"
    )


def waiting(share: float, workers: int, cores: int) -> str | None:
    """Advice when the network waits for images. share: of the epoch's time, 0..1."""
    if share < WAITS:
        return None
    if workers < cores:
        remedy = f"train.workers={cores} (now {workers}; this machine has {count(cores, 'core')})"
    else:
        remedy = "smaller image files, augment=light, or a machine with more cores: all cores are loading already"
    return f"the network waited for images {share:.0%} of the time: {remedy}"


def _trained(model: nn.Module) -> list[Tensor]:
    return [parameter.detach() for parameter in model.parameters() if parameter.requires_grad]


def _rising(values: Sequence[float]) -> bool:
    return all(math.isfinite(low) and low < high for low, high in pairwise(values))


def _arrows(values: Sequence[float]) -> str:
    return " → ".join(f"{value:.3f}" for value in values)
