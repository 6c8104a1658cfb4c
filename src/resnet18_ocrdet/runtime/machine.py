"""Cores and memory of the machine."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

GIB = float(2**30)
TOO_LITTLE = ("out of memory", "can't allocate memory", "unable to allocate")  # of CUDA, of torch on a CPU, of numpy


def available_cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ran_out(error: BaseException) -> bool:
    """Whether an error means too little memory: on a CPU torch raises a plain RuntimeError."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in TOO_LITTLE)


def peak_memory(device: torch.device) -> float | None:
    """GiB, of the GPU if `device` is one, else of this process without its loader processes; None if unknown."""
    if device.type == "cuda":
        import torch

        return torch.cuda.max_memory_allocated(device) / GIB
    if resource is None:
        return None
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB on Linux (getrusage(2))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / GIB
