"""What to do about a bad step: skip it, roll back, or stop.

A step is bad when its loss or its gradient is not finite, or its loss is far above the usual. One bad step is skipped.
After several in a row the last good weights are restored, with half the learning rate.
"""

from __future__ import annotations

import copy
import math
import statistics
from collections import deque
from enum import Enum
from typing import Any, Protocol


class Verdict(Enum):
    """On one step."""

    GOOD = "good"
    SKIP = "skip"
    OVERFLOW = "overflow"  # fp16 only: the gradient scaler skips the step and lowers its scale, as it should
    ROLL_BACK = "roll back"


class Stateful(Protocol):
    """A network or an optimizer."""

    def state_dict(self) -> dict[str, Any]:
        """Its tensors and values."""

    def load_state_dict(self, state: Any) -> object:
        """Restore them."""


class Guard:
    """Judges every step and holds the last good weights in memory.

    initial_loss: the expected loss of an untrained network. ratio: a loss above this many times the running median is
    bad. So is a loss above 3 times the initial one, or 3 times the first one if that is higher: a learning rate far too
    high can ruin the weights before there is a median to compare with. patience: bad steps in a row before a roll-back.
    rollbacks: how many are allowed before the training stops. snapshot_every: good steps between two snapshots."""

    WINDOW = 101  # good steps in the running median
    WORSE_THAN_INITIAL = 3.0  # times
    STATE = ("worst", "bad_in_a_row", "skipped", "rollbacks", "lr_scale")  # what a resumed run needs besides the losses

    def __init__(
        self, initial_loss: float, ratio: float = 20.0, patience: int = 5, rollbacks: int = 3, snapshot_every: int = 100
    ) -> None:
        self.ratio, self.patience, self.allowed, self.snapshot_every = ratio, patience, rollbacks, snapshot_every
        self.worst = initial_loss  # the highest loss that is still normal: the initial one, or that of the first step
        self.losses: deque[float] = deque(maxlen=self.WINDOW)
        self.bad_in_a_row = self.skipped = self.rollbacks = 0
        self.lr_scale = 1.0
        self._good_steps = 0
        self._snapshot: list[dict[str, Any]] | None = None

    def judge(self, loss: float, gradient_norm: float) -> Verdict:
        """Take in one step, before its update. loss: the total."""
        if self._is_bad(loss, gradient_norm):
            self.bad_in_a_row += 1
            self.skipped += 1
            return Verdict.SKIP if self.bad_in_a_row < self.patience else Verdict.ROLL_BACK
        if not self.losses:
            self.worst = max(self.worst, loss)
        self.losses.append(loss)
        self.bad_in_a_row = 0
        return Verdict.GOOD

    def _is_bad(self, loss: float, gradient_norm: float) -> bool:
        if not math.isfinite(loss) or not math.isfinite(gradient_norm):
            return True
        if not self.losses:
            return False
        return loss > min(self.ratio * statistics.median(self.losses), self.WORSE_THAN_INITIAL * self.worst)

    def begin(self, *parts: Stateful) -> None:
        """Take the first snapshot, of the state that a run begins or resumes with."""
        if self._snapshot is None:
            self._snapshot = [copy.deepcopy(part.state_dict()) for part in parts]

    def keep(self, *parts: Stateful) -> None:
        """Call once per good step; takes a snapshot every `snapshot_every` calls."""
        if self._good_steps % self.snapshot_every == 0:
            self._snapshot = [copy.deepcopy(part.state_dict()) for part in parts]
        self._good_steps += 1

    def roll_back(self, *parts: Stateful) -> bool:
        """Restore the last snapshot and halve the learning rate. False once `rollbacks` are used up."""
        self.rollbacks += 1
        self.bad_in_a_row = 0
        if self._snapshot is not None:
            for part, state in zip(parts, self._snapshot, strict=True):
                part.load_state_dict(copy.deepcopy(state))
        self.lr_scale /= 2.0
        return self.rollbacks <= self.allowed

    def state_dict(self) -> dict[str, Any]:
        """Plain values; the snapshot is not among them, a resumed run takes a new one."""
        return {"losses": list(self.losses)} | {name: getattr(self, name) for name in self.STATE}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        self.losses = deque(state["losses"], maxlen=self.WINDOW)
        for name in self.STATE:
            setattr(self, name, state[name])
