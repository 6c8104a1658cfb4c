"""Learning rate as a function of fractional epochs, called before every step. It has no state, so a resume needs none.

In all classes `lr` is the optimizer's rate and `epochs` the length of the run. During the first `warmup_epochs` the
schedule is multiplied by a factor that rises linearly to 1; the warm-up does not delay the schedule.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

WARMUP_START = 0.01  # of the full rate, at the first step of a warm-up


Schedule: TypeAlias = Callable[[float], float]
"""The rate at an epoch, 0 to `epochs`."""


@dataclass(frozen=True)
class StepLR:
    """Multiply by `gamma` every `step_size` epochs."""

    lr: float
    epochs: int
    step_size: int = 10
    gamma: float = 0.1
    warmup_epochs: float = 0.0

    def __call__(self, epoch: float) -> float:
        """Constant within an epoch after the warm-up."""
        return warmup_factor(epoch, self.warmup_epochs) * self.lr * self.gamma ** (int(epoch) // self.step_size)


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from `lr` to `eta_min` in `T_max` epochs (None: the run's), then flat."""

    lr: float
    epochs: int
    T_max: float | None = None
    eta_min: float = 0.0005
    warmup_epochs: float = 0.0

    def __call__(self, epoch: float) -> float:
        """As torch.optim.lr_scheduler.CosineAnnealingLR, but without the rise after T_max."""
        done = min(epoch / (self.T_max or self.epochs), 1.0)
        rate = self.eta_min + (self.lr - self.eta_min) * (1.0 + math.cos(math.pi * done)) / 2.0
        return warmup_factor(epoch, self.warmup_epochs) * rate


@dataclass(frozen=True)
class OneCycle:
    """Rise from max_lr / div_factor to max_lr, fall to max_lr / div_factor / final_div_factor, both as cosines.

    The rate of torch.optim.lr_scheduler.OneCycleLR; the momentum does not change."""

    lr: float
    epochs: int
    max_lr: float
    pct_start: float = 0.3
    div_factor: float = 25.0
    final_div_factor: float = 1e4

    def __call__(self, epoch: float) -> float:
        """The rise serves as warm-up."""
        first = self.max_lr / self.div_factor
        done = min(epoch / self.epochs, 1.0)
        if done < self.pct_start:
            return _between(first, self.max_lr, done / self.pct_start)
        return _between(self.max_lr, first / self.final_div_factor, (done - self.pct_start) / (1.0 - self.pct_start))


@dataclass(frozen=True)
class Poly:
    """lr · (1 - epoch / epochs) ** power, the schedule of the DB reference."""

    lr: float
    epochs: int
    power: float = 0.9
    warmup_epochs: float = 0.0

    def __call__(self, epoch: float) -> float:
        """Reaches 0 at the end of the run."""
        left = max(1.0 - epoch / self.epochs, 0.0)
        return warmup_factor(epoch, self.warmup_epochs) * self.lr * math.pow(left, self.power)


@dataclass(frozen=True)
class Constant:
    """`lr`, which falls to 0 in the last `decay_epochs`: a run that has not begun to decay can be made longer.

    Warm-up, stable, decay, with 1 - sqrt in the decay (Hägele et al. 2024, arXiv:2405.18392, section 3)."""

    lr: float
    epochs: int
    decay_epochs: float = 0.0
    warmup_epochs: float = 0.0

    def __call__(self, epoch: float) -> float:
        """Reaches 0 at the end of the run if it decays."""
        decaying = epoch - (self.epochs - self.decay_epochs)
        left = 1.0 - math.sqrt(min(decaying / self.decay_epochs, 1.0)) if decaying > 0.0 < self.decay_epochs else 1.0
        return warmup_factor(epoch, self.warmup_epochs) * self.lr * left


def warmup_factor(epoch: float, warmup_epochs: float) -> float:
    """Factor that grows linearly from WARMUP_START to 1."""
    if epoch >= warmup_epochs:
        return 1.0
    return WARMUP_START + (1.0 - WARMUP_START) * epoch / warmup_epochs


def _between(start: float, end: float, done: float) -> float:
    """Half a cosine from start (done = 0) to end (done = 1)."""
    return end + (start - end) * (1.0 + math.cos(math.pi * done)) / 2.0
