"""Warm-up of hard-negative mining: from no mining to the full ratio of hard negatives per text pixel.

With random weights, mining from the first step, or switched on at once later, can end in a flat spot (probability 0.25
everywhere for 3 negatives per positive). So it grows step by step, and only as fast as the loss allows.
Measurements: docs/adr/003-mining-warm-up.md.
"""

from __future__ import annotations

import math
from typing import Any


class MiningWarmup:
    """Moves `share` from 0 (no mining) to 1 (full mining) while the cross-entropy is better than a constant prediction.

    Clearly better: `share` grows. Worse: it shrinks. cap: steps after which it grows in any case; 0 mines from the
    first step. negative_ratio: of the loss."""

    BEGIN = 0.3  # balanced cross-entropy at which mining starts: the right class has a probability of about 0.74
    BETTER = 0.9  # times that of a constant prediction
    UP, DOWN = 0.01, 0.005  # per step
    SMOOTHING = 0.95

    def __init__(self, cap: int, negative_ratio: float = 3.0) -> None:
        self.cap, self.negative_ratio = cap, negative_ratio
        self.steps = 0
        self.cross_entropy = constant_prediction_loss(0.0, negative_ratio)
        self.share = 0.0 if cap > 0 else 1.0

    def update(self, cross_entropy: float) -> None:
        """Take in one step. cross_entropy: mean over its batches with text, at the current share."""
        if self.share >= 1.0:
            return
        self.steps += 1
        self.cross_entropy = self.SMOOTHING * self.cross_entropy + (1.0 - self.SMOOTHING) * cross_entropy
        constant = constant_prediction_loss(self.share, self.negative_ratio)
        level = self.BEGIN if self.share == 0.0 else self.BETTER * constant
        if self.steps >= self.cap or self.cross_entropy < level:
            self.share = min(self.share + self.UP, 1.0)
        elif self.cross_entropy > constant:
            self.share = max(self.share - self.DOWN, min(self.share, self.UP))

    def state_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"steps": self.steps, "cross_entropy": self.cross_entropy, "share": self.share}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        self.steps, self.cross_entropy = state["steps"], state["cross_entropy"]
        self.share = state["share"] if self.cap > 0 else 1.0  # a resume may have switched the warm-up off


def constant_prediction_loss(share: float, negative_ratio: float) -> float:
    """Cross-entropy of the best constant prediction, which is the share of text in the loss.

    Background weighs 1/2 at share 0 (0.69), and what is mined at share 1 (3/4 at a ratio of 3: 0.56)."""
    mined = negative_ratio / (1.0 + negative_ratio)
    background = share * mined + (1.0 - share) * 0.5
    return -(background * math.log(background) + (1.0 - background) * math.log(1.0 - background))
