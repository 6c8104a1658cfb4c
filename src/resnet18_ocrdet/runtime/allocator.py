"""Let the C library keep freed memory instead of returning it to the system at every step.

Only with glibc; elsewhere nothing happens. Measurements: docs/adr/005-kept-memory.md.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable

# mallopt(3). Requests of MMAP_THRESHOLD bytes and more are mapped from the system one by one, MMAP_MAX of them at most;
# a free end of the heap longer than TRIM_THRESHOLD is returned to the system, -1: never.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4
OPT_OUT = "OCRDET_KEEP_MEMORY"
SIZE_CHANGES = 8  # of the canvas, between two calls: each takes time
LARGEST_TENSOR = 1 << 30  # bytes; larger ones are rare enough to go to the system


def keep_freed_memory() -> bool:
    """Let this process reuse the memory of freed tensors. Returns whether that was set.

    A training step allocates and frees gigabytes. By default each large tensor is new memory from the system, which
    must clear its pages first. The environment variable OCRDET_KEEP_MEMORY=0 keeps the C library's own settings."""
    mallopt = _function("mallopt")
    if mallopt is None or os.environ.get(OPT_OUT) == "0":
        return False
    # glibc before 2.35 refuses a threshold above 32 MiB; then all requests come from the heap
    heap = mallopt(M_MMAP_THRESHOLD, LARGEST_TENSOR) or mallopt(M_MMAP_MAX, 0)
    return bool(heap) and bool(mallopt(M_TRIM_THRESHOLD, -1))


def give_back_freed_memory() -> None:
    """Return it to the system. A forked process would hold a second copy of what its parent has freed."""
    trim = _function("malloc_trim")
    if trim is not None:
        trim(0)


class SizeWatch:
    """Gives back freed memory after images of many sizes: they leave gaps that do not fit the next one."""

    def __init__(self) -> None:
        self._last: tuple[int, ...] = ()
        self._changes = 0

    def __call__(self, shape: tuple[int, ...]) -> None:
        """After each image; shape: of its canvas."""
        if shape == self._last:
            return
        self._last = shape
        self._changes += 1
        if self._changes % SIZE_CHANGES == 0:
            give_back_freed_memory()


def _function(name: str) -> Callable[..., int] | None:
    try:
        return ctypes.CDLL(None)[name]
    except (OSError, AttributeError, TypeError):  # not glibc; on Windows CDLL(None) is a TypeError
        return None
