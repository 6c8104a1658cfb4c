"""Signs in the numbers of a run that it will not succeed as it is, each with its cause and what to type.

A sign is told once. Legend: a record is one line of metrics.jsonl.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import fmean
from typing import Any

from torch import Tensor, nn

from ..runtime.messages import count
from .engine import StepRecord
from .hard_negatives import guess

WITHOUT_TEXT = 50  # steps in a row
FLAT_SPOT = 100  # steps in a row
DEAD_DICE = 0.97  # of the flat spot: text and background look the same
NEAR_GUESS = 0.1  # relative distance of the cross-entropy from that of a constant answer
STILL = 1e-7  # of the weights' length a step; a rate of 0.007 moves them by about 1e-3
RISES = 3  # validations in a row
WAITS = 0.25  # share of the time spent waiting for the loader from which advice is given
DRIFT = 1.2  # times the shift at which the rise began
OVER = 1.05  # times the validation loss before: what rises by less may be noise


class Diagnosis:
    """Watches the steps of one run."""

    def __init__(self, negative_ratio: float, warmed_up: bool) -> None:
        """negative_ratio: the loss's. warmed_up: whether the mining warm-up is on."""
        self.guess, self.warmed_up = guess(1.0, negative_ratio), warmed_up
        self._textless = 0
        self._steps: deque[tuple[float, float]] = deque(maxlen=FLAT_SPOT)
        self._told: set[str] = set()
        self._mined_from: int | None = None  # first epoch, counted from 1, known to be mined fully in all of its steps

    def step(self, record: StepRecord) -> str | None:
        """Take in one step; a line when it makes a sign complete."""
        if record.mining < 1.0:
            self._mined_from = int(record.epoch) + 2
        elif self._mined_from is None:
            self._mined_from = int(record.epoch) + 1 if self.warmed_up else 1
        self._textless = 0 if record.has_text else self._textless + 1
        if self._textless == WITHOUT_TEXT:
            return self._once("no text", self._no_text(record))
        if record.mining < 1.0 or not record.has_text:
            self._steps.clear()
            return None
        self._steps.append((float(record.loss.prob), float(record.loss.binary)))
        return self._once("flat spot", self._flat_spot()) if self._in_flat_spot() else None

    def epoch(self, records: Sequence[Mapping[str, Any]]) -> list[str]:
        """Lines on the epochs so far, the newest last."""
        # while mining grows, the training loss is an easier one than the validation's
        found = {"drift": drift(records), "over-fitting": over_fitting(records, self._mined_from or 1)}
        return [line for sign, text in found.items() if (line := self._once(sign, text)) is not None]

    def _in_flat_spot(self) -> bool:
        if len(self._steps) < FLAT_SPOT:
            return False
        prob, binary = (sum(values) / FLAT_SPOT for values in zip(*self._steps, strict=True))
        return bool(binary > DEAD_DICE and abs(prob / self.guess - 1.0) < NEAR_GUESS)

    def _no_text(self, record: StepRecord) -> str:
        return (
            f"no pixel was text in the last {WITHOUT_TEXT} steps (loss {float(record.loss.total):.3f}, binary "
            f"{float(record.loss.binary):.3f}): there is nothing to learn but background. Regions marked ###, smaller "
            f"than train.min_text_size or outside the image are not taught; train.preview=true shows what is"
        )

    def _flat_spot(self) -> str:
        prob, binary = self._steps[-1]
        remedy = (
            "a lower optimizer.lr, scheduler.warmup_epochs=1 or init.backbone=imagenet"
            if self.warmed_up
            else "train.mining_warmup=true"
        )
        return (
            f"the loss stands still at the cold-start flat spot: for {FLAT_SPOT} steps the answer is the same "
            f"everywhere (binary {binary:.2f}, cross-entropy {prob:.3f}; a constant answer has {self.guess:.3f}). It "
            f"does not get out by itself: start again with {remedy}"
        )

    def _once(self, sign: str, text: str | None) -> str | None:
        if text is None or sign in self._told:
            return None
        self._told.add(sign)
        return text


class Displacement:
    """How far the weights move."""

    def __init__(self, model: nn.Module) -> None:
        self._before = [weight.clone() for weight in _taught(model)]

    def share(self, model: nn.Module) -> float:
        """|weights now - weights then| / |weights then|, of all that is taught."""
        moved = [now - then for now, then in zip(_taught(model), self._before, strict=True)]
        length = nn.utils.get_total_norm
        return float(length(moved) / length(self._before))


def standing_still(moved: float, steps: int, lr: float) -> str | None:
    """A line when the first epoch left the weights where they were. moved: Displacement.share after `steps`.

    lr: optimizer.lr, as it was typed."""
    if steps == 0 or moved / steps >= STILL:
        return None
    return (
        f"the weights stand still: in {steps} steps they moved by {moved:.1e} of their length. The rate is too low: "
        f"optimizer.lr={lr:g}, where 0.007 is usual for SGD, 0.001 for AdamW"
    )


def drift(records: Sequence[Mapping[str, Any]]) -> str | None:
    """A line when the matched boxes move away from their regions, validation by validation."""
    shifts = [r["center_shift"] for r in records if r.get("center_shift") is not None][-RISES - 1 :]
    if len(shifts) <= RISES or not _rising(shifts) or shifts[-1] < DRIFT * shifts[0]:
        return None
    return (
        f"matched boxes drift: the mean shift of their centres over text height rose {RISES} times "
        f"({_arrows(shifts)}). The rate is too high: start again with a lower optimizer.lr, half of it"
    )


def over_fitting(records: Sequence[Mapping[str, Any]], since: int = 1) -> str | None:
    """A line when the validation loss rises, beyond its noise, while the training loss falls.

    since: first epoch whose training loss compares with the later ones."""
    validated = [r for r in records if r.get("val_loss") is not None]
    newest = [r for r in validated if r["epoch"] >= since][-RISES - 1 :]
    val = [r["val_loss"]["total"] for r in newest]
    train = [r["train_loss"]["total"] for r in newest]
    if len(val) <= RISES or not _rising(val) or not _rising(train[::-1]) or val[-1] <= OVER * val[0]:
        return None
    # Three rises in a row are common where the loss falls on trend and scatters: the mean of them must be high too.
    if fmean(val) <= OVER * _lowest_mean([r["val_loss"]["total"] for r in validated], RISES + 1):
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
        remedy = "smaller image files, augment=light, or a machine with more cores: all of them load already"
    return f"the network waited for images {share:.0%} of the time: {remedy}"


def _taught(model: nn.Module) -> list[Tensor]:
    return [parameter.detach() for parameter in model.parameters() if parameter.requires_grad]


def _rising(values: Sequence[float]) -> bool:
    return all(math.isfinite(low) and low < high for low, high in pairwise(values))


def _lowest_mean(values: Sequence[float], length: int) -> float:
    """Of all runs of `length` neighbours, those that are finite."""
    means = (fmean(values[first : first + length]) for first in range(len(values) - length + 1))
    return min(mean for mean in means if math.isfinite(mean))


def _arrows(values: Sequence[float]) -> str:
    return " → ".join(f"{value:.3f}" for value in values)
