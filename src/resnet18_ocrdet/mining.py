"""When the loss starts to mine hard negatives.

From random weights, mining from the first step can fall into a flat spot (probability 0.25 everywhere:
3 negatives for each positive). So the first steps weigh text and background equally, until the network
tells one from the other. Measurements: docs/adr/003-mining-warm-up.md.
"""

from __future__ import annotations

import math
from typing import TypedDict


class MiningState(TypedDict):
    """What a resumed run needs."""

    steps: int
    cross_entropy: float
    active: bool


class MiningWarmup:
    """Counts the balanced steps and ends them once the smoothed balanced cross-entropy is below a level.

    Text and background weigh the same in it, so a guess costs ln 2 = 0.69 however little text the images hold;
    at the level the network gives the right answer a probability of about 0.74.
    cap: steps after which mining starts in any case; 0 mines from the start."""

    LEVEL = 0.3
    SMOOTHING = 0.95
    GUESS = math.log(2.0)

    def __init__(self, cap: int) -> None:
        self.cap = cap
        self.steps = 0
        self.cross_entropy = self.GUESS
        self.active = cap > 0

    def update(self, cross_entropy: float) -> None:
        """Take in the balanced cross-entropy of one step; once the warm-up is over, nothing changes."""
        if not self.active:
            return
        self.steps += 1
        self.cross_entropy = self.SMOOTHING * self.cross_entropy + (1.0 - self.SMOOTHING) * cross_entropy
        self.active = self.steps < self.cap and self.cross_entropy > self.LEVEL

    def state_dict(self) -> MiningState:
        """Plain values."""
        return MiningState(steps=self.steps, cross_entropy=self.cross_entropy, active=self.active)

    def load_state_dict(self, state: MiningState) -> None:
        """Continue where another run stood."""
        self.steps, self.cross_entropy, self.active = state["steps"], state["cross_entropy"], state["active"]
