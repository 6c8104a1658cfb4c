"""Memory of the C library, kept instead of given back to the system at every step.

All of it is glibc's; elsewhere nothing happens. Measurements: docs/adr/005-kept-memory.md.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable

# mallopt(3). Requests of MMAP_THRESHOLD bytes and more are taken from the system one by one, MMAP_MAX of them at most;
# a free end of the heap longer than TRIM_THRESHOLD is given back, -1: never.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4
OPT_OUT = "OCRDET_KEEP_MEMORY"
LARGEST_TENSOR = 1 << 30  # bytes; larger ones are rare enough to go to the system


def keep_freed_memory() -> bool:
    """Let this process reuse the memory of freed tensors; True where the C library can and nobody objects.

    A training step frees and takes gigabytes. By default each large tensor is new memory from the system, whose
    pages it must first clear. The environment variable OCRDET_KEEP_MEMORY=0 leaves the C library as it is."""
    mallopt = _function("mallopt")
    if mallopt is None or os.environ.get(OPT_OUT) == "0":
        return False
    # glibc before 2.35 refuses a threshold above 32 MiB; there all requests come from the heap
    heap = mallopt(M_MMAP_THRESHOLD, LARGEST_TENSOR) or mallopt(M_MMAP_MAX, 0)
    return bool(heap) and bool(mallopt(M_TRIM_THRESHOLD, -1))


def give_back_freed_memory() -> None:
    """Once, for a forked process: it does not need what its parent keeps, and would hold a second copy of it."""
    trim = _function("malloc_trim")
    if trim is not None:
        trim(0)


def _function(name: str) -> Callable[..., int] | None:
    try:
        return ctypes.CDLL(None)[name]
    except (OSError, AttributeError, TypeError):  # not glibc; on Windows CDLL(None) is a TypeError
        return None
