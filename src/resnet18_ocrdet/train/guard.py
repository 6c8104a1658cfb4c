"""What to do about a step that went wrong: leave it out, go back, or stop.

A step is bad when its loss or its gradient is not finite, or its loss is far above the usual. One bad step is left
out. Several in a row mean that the weights are spoilt: they go back to the last good ones, with half the rate.
"""

from __future__ import annotations

import copy
import math
import statistics
from collections import deque
from collections.abc import Mapping
from enum import Enum
from typing import Any, Protocol, TypedDict

from torch import Tensor


class Verdict(Enum):
    """On one step."""

    GOOD = "good"
    SKIP = "skip"
    OVERFLOW = "overflow"  # fp16 only: the gradient scaler was too high and comes down by itself
    ROLL_BACK = "roll back"


class GuardState(TypedDict):
    """What a resumed run needs."""

    losses: list[float]
    worst: float
    bad_in_a_row: int
    skipped: int
    rollbacks: int
    lr_scale: float


class Stateful(Protocol):
    """A network or an optimizer."""

    def state_dict(self) -> dict[str, Any]:
        """Its tensors and values."""

    def load_state_dict(self, state: Any) -> object:
        """Put them back."""


class Guard:
    """Judges every step and holds the last good weights in memory.

    guess: loss of a network that knows nothing. ratio: a loss above this many times the running median is bad, and so
    is one above 3 times the guess, or the first loss if that is higher: a rate far too high can spoil the weights
    before there is a usual loss to compare with. patience: bad steps in a row before going back. rollbacks: how often
    it goes back before it gives up. snapshot_every: good steps between two copies of the state."""

    WINDOW = 101  # good steps in the running median
    WORSE_THAN_GUESSING = 3.0  # times

    def __init__(
        self, guess: float, ratio: float = 20.0, patience: int = 5, rollbacks: int = 3, snapshot_every: int = 100
    ) -> None:
        self.ratio, self.patience, self.allowed, self.snapshot_every = ratio, patience, rollbacks, snapshot_every
        self.worst = guess  # the highest loss that is no sign of anything: of a guess, or of the first step
        self.losses: deque[float] = deque(maxlen=self.WINDOW)
        self.bad_in_a_row = self.skipped = self.rollbacks = 0
        self.lr_scale = 1.0
        self._good_steps = 0
        self._snapshot: list[dict[str, Any]] | None = None

    def judge(self, loss: float, gradient_norm: float) -> Verdict:
        """Take in one step, before its update. loss: the total."""
        reason = self.fault(loss, gradient_norm)
        if reason is None:
            if not self.losses:
                self.worst = max(self.worst, loss)
            self.losses.append(loss)
            self.bad_in_a_row = 0
            return Verdict.GOOD
        self.bad_in_a_row += 1
        self.skipped += 1
        return Verdict.SKIP if self.bad_in_a_row < self.patience else Verdict.ROLL_BACK

    def fault(self, loss: float, gradient_norm: float) -> str | None:
        """What is wrong with a step; None where nothing is."""
        if not math.isfinite(loss):
            return f"loss {loss}"
        if not math.isfinite(gradient_norm):
            return f"gradient norm {gradient_norm}"
        usual = statistics.median(self.losses) if self.losses else math.inf
        if loss > self.ratio * usual:
            return f"loss {loss:.4g}, {loss / usual:.0f} times the usual {usual:.4g}"
        if self.losses and loss > self.WORSE_THAN_GUESSING * self.worst:
            return f"loss {loss:.4g}, {loss / self.worst:.0f} times that of a guess"
        return None

    def begin(self, *parts: Stateful) -> None:
        """Copy the state that a run begins or goes on with, where there is no copy yet."""
        if self._snapshot is None:
            self._snapshot = [_copied(part.state_dict()) for part in parts]

    def keep(self, *parts: Stateful) -> None:
        """Offer the present state, once per good step; it is copied now and then."""
        if self._good_steps % self.snapshot_every == 0:
            self._snapshot = [_copied(part.state_dict()) for part in parts]
        self._good_steps += 1

    def roll_back(self, *parts: Stateful) -> bool:
        """Put the last copy back and halve the rate. False when it has been done often enough."""
        self.rollbacks += 1
        self.bad_in_a_row = 0
        if self._snapshot is not None:
            for part, state in zip(parts, self._snapshot, strict=True):
                part.load_state_dict(copy.deepcopy(state))
        self.lr_scale /= 2.0
        return self.rollbacks <= self.allowed

    def state_dict(self) -> GuardState:
        """Plain values; the copy is taken anew after a resume."""
        return GuardState(
            losses=list(self.losses),
            worst=self.worst,
            bad_in_a_row=self.bad_in_a_row,
            skipped=self.skipped,
            rollbacks=self.rollbacks,
            lr_scale=self.lr_scale,
        )

    def load_state_dict(self, state: GuardState) -> None:
        """Continue where another run stood."""
        self.losses, self.worst = deque(state["losses"], maxlen=self.WINDOW), state["worst"]
        self.bad_in_a_row, self.skipped = state["bad_in_a_row"], state["skipped"]
        self.rollbacks, self.lr_scale = state["rollbacks"], state["lr_scale"]


def _copied(state: Mapping[str, Any]) -> dict[str, Any]:
    """Tensors cloned, the rest deep-copied."""
    return {str(key): _clone(value) for key, value in state.items()}


def _clone(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, Mapping):
        return {key: _clone(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_clone(inner) for inner in value]
    return copy.deepcopy(value)
