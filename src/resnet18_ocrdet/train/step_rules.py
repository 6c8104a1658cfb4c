"""How many steps a fine-tuning needs and has time for, in epochs; and how often it is validated.

A rule in epochs alone says nothing about small sets: 15 epochs of 50 images in batches of 8 are 90 steps. The numbers
are ours; docs/results.md, section Fine-tuning, has what a run of 396 steps reaches on receipts.
"""

from __future__ import annotations

import math
from typing import NamedTuple

STEPS = 400  # of a fine-tuning, at least
MINUTES = 8.0  # for the steps that are added to the usual epochs, with their validations
VAL_STEPS = 50  # at least, between two validations: after fewer, little has changed
VAL_SHARE = 0.15  # of the time, at most, for validations
VALIDATIONS = 4  # about so many at least, whatever they cost: otherwise a long run has no best epoch until its end


class Pace(NamedTuple):
    """How fast a training is."""

    per_epoch: int  # steps
    step: float = 0.0  # seconds; 0: not measured
    validation: float = 0.0  # seconds

    @property
    def between(self) -> float:
        """Steps from one validation to the next."""
        return max(VAL_STEPS, self.validation / (VAL_SHARE * self.step) if self.step else 0.0)

    @property
    def affordable(self) -> float:
        """Steps that fit into MINUTES, with the validations after them."""
        if not self.step:
            return math.inf
        seconds = 60.0 * MINUTES
        often = (seconds - self.validation) / (self.step + self.validation / self.between)
        few = (seconds - VALIDATIONS * self.validation) / self.step
        return max(min(often, few), 0.0)


def epochs_for(steps: float, per_epoch: int) -> int:
    """Whole epochs with at least so many steps."""
    return math.ceil(steps / per_epoch)


def choose_epochs(usual: int, why: str, pace: Pace) -> tuple[int, str]:
    """Epochs, with the reason. usual: what the number of images alone says, for the reason `why`.

    Only steps that are added to the usual ones are limited by MINUTES."""
    steps = usual * pace.per_epoch
    few = f"{usual} epochs of {pace.per_epoch} steps are only {steps} steps"
    if steps >= STEPS:
        return usual, f"{why}; {steps} steps"
    wanted = epochs_for(STEPS, pace.per_epoch)
    epochs = max(usual, int(min(wanted, pace.affordable / pace.per_epoch)))
    if epochs == wanted:
        return epochs, f"{few}; about {STEPS} are needed"
    return epochs, f"{few}; {STEPS} are needed, and {MINUTES:g} minutes are enough for {int(pace.affordable)} of them"


def choose_val_every(epochs: int, pace: Pace) -> tuple[int, str]:
    """Epochs between two validations, with the reason."""
    rarest = math.ceil(epochs / VALIDATIONS)
    every = min(epochs_for(pace.between, pace.per_epoch), rarest)
    if every == rarest:
        why = f"about {VALIDATIONS} validations at least"
    elif pace.between > VAL_STEPS:
        steps = f"{pace.validation / pace.step:.0f} steps"
        why = f"a validation takes as long as {steps}, and gets at most {VAL_SHARE:.0%} of the time"
    else:
        why = f"{VAL_STEPS} steps or more change enough to be measured"
    return every, f"{every * pace.per_epoch} steps: {why}"
