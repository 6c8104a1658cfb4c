"""Where and how a network runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .distributed import World


@dataclass(frozen=True)
class Compute:
    """Device, precision and processes of a run."""

    device: torch.device
    autocast: Callable[[], AbstractContextManager[object]] = field(repr=False)
    world: World = field(default_factory=World)

    def image(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) uint8 onto the device, memory layout kept."""
        return image.to(self.device, non_blocking=True)
