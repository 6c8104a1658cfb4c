"""How much memory a run has taken at most."""

from __future__ import annotations

import sys

import torch

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

GIB = float(2**30)


def peak_memory(device: torch.device) -> float | None:
    """GiB: of the card where one computes, else of this process without its loader processes; None if unknown."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / GIB
    if resource is None:
        return None
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB on Linux (getrusage(2))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / GIB
