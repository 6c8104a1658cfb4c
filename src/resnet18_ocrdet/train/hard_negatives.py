"""How far the loss mines hard negatives, from nothing to the paper's three for each text pixel.

From random weights, mining from the first step, or switched on at once later, can end in a flat spot
(probability 0.25 everywhere: 3 negatives for each positive). So it grows step by step, and only as fast as
the network follows. Measurements: docs/adr/003-mining-warm-up.md.
"""

from __future__ import annotations

import math
from typing import TypedDict


class MiningState(TypedDict):
    """What a resumed run needs."""

    steps: int
    cross_entropy: float
    share: float


class MiningWarmup:
    """Moves `share` from 0 to 1 while the loss is better than a guess.

    A network that knows nothing but how often text counts gives every pixel that probability; its cross-entropy is the
    entropy of that coin, 0.69 at share 0 and 0.56 at share 1. Clearly better than it: harder. Worse: easier.
    cap: steps after which it grows in any case; 0 mines from the start. negative_ratio: the loss's."""

    BEGIN = 0.3  # of the balanced cross-entropy: the right answer has a probability of about 0.74
    BETTER = 0.9  # of the guess
    UP, DOWN = 0.01, 0.005  # a step
    SMOOTHING = 0.95

    def __init__(self, cap: int, negative_ratio: float = 3.0) -> None:
        self.cap, self.negative_ratio = cap, negative_ratio
        self.steps = 0
        self.cross_entropy = guess(0.0, negative_ratio)
        self.share = 0.0 if cap > 0 else 1.0

    def update(self, cross_entropy: float) -> None:
        """Take in the cross-entropy of a batch with text at the present share; once that is 1, nothing changes."""
        if self.share >= 1.0:
            return
        self.steps += 1
        self.cross_entropy = self.SMOOTHING * self.cross_entropy + (1.0 - self.SMOOTHING) * cross_entropy
        guessed = guess(self.share, self.negative_ratio)
        level = self.BEGIN if self.share == 0.0 else self.BETTER * guessed
        if self.steps >= self.cap or self.cross_entropy < level:
            self.share = min(self.share + self.UP, 1.0)
        elif self.cross_entropy > guessed:
            self.share = max(self.share - self.DOWN, min(self.share, self.UP))

    def state_dict(self) -> MiningState:
        """Plain values."""
        return MiningState(steps=self.steps, cross_entropy=self.cross_entropy, share=self.share)

    def load_state_dict(self, state: MiningState) -> None:
        """Continue where another run stood."""
        self.steps, self.cross_entropy = state["steps"], state["cross_entropy"]
        self.share = state["share"] if self.cap > 0 else 1.0  # the warm-up may have been switched off since


def guess(share: float, negative_ratio: float = 3.0) -> float:
    """Cross-entropy of the best constant answer: background weighs 1/2 at share 0, and as mined (3/4) at share 1."""
    mined = negative_ratio / (1.0 + negative_ratio)
    background = share * mined + (1.0 - share) * 0.5
    return -(background * math.log(background) + (1.0 - background) * math.log(1.0 - background))
