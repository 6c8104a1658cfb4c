"""When the loss starts to mine hard negatives.

From random weights, mining from the first step can fall into a flat spot (probability 0.25 everywhere:
3 negatives for each positive). So the first steps weigh text and background equally, until the network
tells one from the other. Measurements: docs/adr/003-mining-warm-up.md.
"""

from __future__ import annotations

from typing import TypedDict


class MiningState(TypedDict):
    """What a resumed run needs."""

    steps: int
    dice: float
    active: bool


class MiningWarmup:
    """Counts the balanced steps and ends them once the smoothed Dice term stays below a level.

    cap: steps after which mining starts in any case; 0 mines from the start."""

    DICE_LEVEL = 0.75
    SMOOTHING = 0.95

    def __init__(self, cap: int) -> None:
        self.cap = cap
        self.steps = 0
        self.dice = 1.0
        self.active = cap > 0

    def update(self, dice: float) -> None:
        """Take in the Dice term of one step, 0..1."""
        if not self.active:
            return
        self.steps += 1
        self.dice = self.SMOOTHING * self.dice + (1.0 - self.SMOOTHING) * dice
        self.active = self.steps < self.cap and self.dice > self.DICE_LEVEL

    def state_dict(self) -> MiningState:
        """Plain values."""
        return MiningState(steps=self.steps, dice=self.dice, active=self.active)

    def load_state_dict(self, state: MiningState) -> None:
        """Continue where another run stood."""
        self.steps, self.dice, self.active = state["steps"], state["dice"], state["active"]
