"""The DB loss: cross-entropy with hard negatives, L1 of the threshold, Dice of the binary map.

All terms are computed in float32 from logits: in bf16 the sigmoid saturates to 1 and the
cross-entropy of the original formula reads several times too high.
Legend: N images, H W pixels.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..structures import LossParts, Maps, Targets

STEEPNESS = 50.0  # k of the DB paper, eq. 2
BYTE = 255.0  # Targets.thresh_map holds threshold * 255


class Criterion(Protocol):
    """A training loss, and what the training loop asks it."""

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of what a call returns, "total" first: in metrics.jsonl, TensorBoard and the progress line."""

    @property
    def negative_ratio(self) -> float | None:
        """Hard negatives per text pixel in the term `prob`; None for a loss without hard-negative mining."""

    @property
    def initial_loss(self) -> float:
        """Expected total of an untrained network; a loss far above it is treated as a bad step by the guard."""

    def __call__(self, maps: Maps, targets: Targets, mining: float = 1.0, /) -> tuple[Tensor, ...]:
        """Compare maps (N, 1, H, W) with targets (N, H, W).

        mining: 0..1, how far hard negatives are mined; always 1 where `negative_ratio` is None. Returns scalars in
        float32: the total, which is differentiable and minimized, then its unweighted terms."""


class DBLoss(nn.Module):
    """5 · cross-entropy + 10 · L1 + 1 · Dice (MhLiao/DB; the paper's alpha and beta count from 1).

    negative_ratio: hard negatives kept for each positive pixel, over the whole batch. min_negatives: at least this many
    are kept per image, so that images with little or no text count too; 0: a batch without text counts all its
    background."""

    terms = LossParts._fields

    def __init__(
        self,
        prob_weight: float = 5.0,
        thresh_weight: float = 10.0,
        binary_weight: float = 1.0,
        negative_ratio: float = 3.0,
        min_negatives: int = 512,
    ) -> None:
        super().__init__()
        self.weights = (prob_weight, thresh_weight, binary_weight)
        self.negative_ratio, self.min_negatives = negative_ratio, min_negatives

    @property
    def initial_loss(self) -> float:
        """Every pixel 0.5, every threshold 0.2 off, no overlap."""
        prob, thresh, binary = self.weights
        return prob * math.log(2.0) + thresh * 0.2 + binary * 1.0

    def forward(self, maps: Maps, targets: Targets, mining: float = 1.0) -> LossParts:
        """Compare maps (N, 1, H, W) with targets (N, H, W).

        mining: 0..1. 1 is the formula of the paper. Below 1 it is an easier form for random weights
        (docs/adr/003-mining-warm-up.md): at 0 all background counts, and weighs as much as text.
        A batch without text, or with don't-care regions only, gives finite terms."""
        assert maps.thresh_logits is not None, "the loss needs the threshold head"
        text = targets.prob_map.float()
        valid = targets.prob_mask.float()
        logits = maps.prob_logits[:, 0].float()
        thresh_map = maps.thresh_logits[:, 0].float().sigmoid()
        thresh_mask = targets.thresh_mask.float()

        prob = self._cross_entropy(logits, text, valid, mining)
        gap = (thresh_map - targets.thresh_map.float() / BYTE).abs() * thresh_mask
        thresh = gap.sum() / thresh_mask.sum().clamp(min=1.0)
        binary = dice(binarize(logits.sigmoid(), thresh_map), text, valid)
        terms = (prob, thresh, binary)
        total = torch.stack([w * term for w, term in zip(self.weights, terms, strict=True)]).sum()
        return LossParts(total, *terms)

    def _cross_entropy(self, logits: Tensor, text: Tensor, valid: Tensor, mining: float) -> Tensor:
        per_pixel = F.binary_cross_entropy_with_logits(logits, text, reduction="none")
        positive = text * valid
        negative = valid - positive
        positives, negatives = torch.stack([positive.sum(), negative.sum()]).tolist()
        # Three times zero is zero: the loss of the reference is 0 for a batch without text.
        wanted = max(int(self.negative_ratio * positives), self.min_negatives * len(logits))
        mined = min(negatives, float(wanted)) if wanted else negatives
        kept = int(negatives ** (1.0 - mining) * mined**mining)  # from all to the mined ones, in equal factors
        mined_share = mined / max(positives + mined, 1.0)
        share = mining * mined_share + (1.0 - mining) * 0.5
        on_text = (per_pixel * positive).sum() / max(positives, 1.0)
        hardest = sum_of_largest((per_pixel * negative).flatten(), kept) / max(kept, 1)
        loss: Tensor = (1.0 - share) * on_text + share * hardest
        return loss


def sum_of_largest(values: Tensor, count: int) -> Tensor:
    """The sum of the `count` largest values; values equal to the smallest of them share its gradient.

    values: (M,) float32, M >= count. Many pixels tie in bf16, and `topk` does not define which of them it takes."""
    assert 0 <= count <= len(values), f"{count} of {len(values)} values"
    if count == 0:
        return values.sum() * 0.0
    edge = nth_largest(values.detach(), count)
    above, tied = values > edge, values == edge
    share = (count - above.sum()) / tied.sum().clamp(min=1)
    return (values * torch.where(tied, share, above.to(values.dtype))).sum()


def nth_largest(values: Tensor, n: int) -> Tensor:
    """The n-th largest of (M,) values, 1 <= n <= M, a scalar. On a CPU, NumPy finds it faster."""
    if values.device.type != "cpu":
        return values.topk(n, sorted=False).values.min()
    place = len(values) - n
    return values.new_tensor(np.partition(values.numpy(), place)[place])


def binarize(prob_map: Tensor, thresh_map: Tensor, steepness: float = STEEPNESS) -> Tensor:
    """Soft step around the learned threshold (DB paper, eq. 2).

    prob_map, thresh_map: same shape, 0..1. Returns the same."""
    return torch.sigmoid(steepness * (prob_map - thresh_map))


def dice(binary_map: Tensor, text: Tensor, valid: Tensor) -> Tensor:
    """1 - 2 |A ∩ B| / (|A| + |B|) over the valid pixels of the whole batch, 0..1.

    Exactly 1, without gradient, where a batch has no text."""
    overlap = (binary_map * text * valid).sum()
    both = (binary_map * valid).sum() + (text * valid).sum()
    return 1.0 - 2.0 * overlap / both.clamp(min=1e-6)
