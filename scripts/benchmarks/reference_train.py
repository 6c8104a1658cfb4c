"""Plain reference for bench_train.py: a training step as MhLiao/DB does it, written from scratch.

Float planes from the loader, sigmoid maps, the loss from probabilities, hard negatives by topk, SGD.

Legend: N images, H W pixels.
"""

from __future__ import annotations

import copy
import time

import torch
from torch import Tensor
from torch.nn import functional as F

from reference_detect import PublishedDBNet

STEEPNESS = 50.0


class PublishedTraining(PublishedDBNet):
    """With the threshold head."""

    def __init__(self) -> None:
        super().__init__()
        self.thresh_head = copy.deepcopy(self.prob_head)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """image: (N, 3, H, W) float32, normalised. Returns probability, threshold and binary map, (N, H, W), 0..1."""
        joined = self.joined(image)
        prob, thresh = self.prob_head(joined)[:, 0], self.thresh_head(joined)[:, 0]
        return prob, thresh, torch.reciprocal(1 + torch.exp(-STEEPNESS * (prob - thresh)))


def db_loss(maps: tuple[Tensor, Tensor, Tensor], text: Tensor, valid: Tensor, level: Tensor, border: Tensor) -> Tensor:
    """5 · balanced cross-entropy + 10 · L1 + Dice; all planes (N, H, W) float32."""
    prob, thresh, binary = (plane.float() for plane in maps)
    positive, negative = text * valid, (1 - text) * valid
    wanted = int(positive.sum())
    hard = min(int(negative.sum()), wanted * 3)
    each = F.binary_cross_entropy(prob, text, reduction="none")
    hardest, _ = torch.topk((each * negative).view(-1), hard)
    cross_entropy = ((each * positive).sum() + hardest.sum()) / (wanted + hard + 1e-6)
    l1 = (torch.abs(thresh - level) * border).sum() / border.sum()
    overlap = (binary * text * valid).sum()
    dice = 1 - 2.0 * overlap / ((binary * valid).sum() + (text * valid).sum() + 1e-6)
    return 5 * cross_entropy + 10 * l1 + dice


class PublishedStep:
    """The network as published, its optimizer and one batch in memory."""

    def __init__(self, planes: tuple[Tensor, Tensor, Tensor, Tensor, Tensor], reduced: bool) -> None:
        """planes: image (N, 3, H, W) normalised, and the four of `db_loss`, all float32. reduced: bfloat16 autocast
        and channels last."""
        layout = torch.channels_last if reduced else torch.contiguous_format
        self.model = PublishedTraining().train().to(memory_format=layout)
        self.image, *self.targets = planes
        self.image = self.image.contiguous(memory_format=layout)
        self.reduced = reduced
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.007, momentum=0.9, weight_decay=1e-4)

    def __call__(self) -> float:
        """One step; returns its seconds."""
        began = time.perf_counter()
        self.optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.reduced):
            maps = self.model(self.image)
        loss = db_loss(maps, *self.targets)
        loss.backward()
        self.optimizer.step()
        loss.item()
        return time.perf_counter() - began
