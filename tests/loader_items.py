"""Items that tests/data/test_loader_processes.py lets loader processes make in a program of its own."""

from __future__ import annotations

import torch


def many_tensors(_: int) -> list[torch.Tensor]:
    """Each takes an open file while it is shared."""
    return [torch.zeros(64) for _ in range(8)]
