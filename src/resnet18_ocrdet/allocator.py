"""Memory of the C library, kept instead of given back to the system at every step."""

from __future__ import annotations

import ctypes

# mallopt(3): requests of this size and more go to the system one by one; the heap's free end of this size and more
# is given back.
M_MMAP_THRESHOLD, M_TRIM_THRESHOLD = -3, -1
LARGEST_TENSOR = 1 << 30  # bytes; larger ones are rare enough to go to the system
KEPT = 2**31 - 1  # bytes; the largest value mallopt takes


def keep_freed_memory() -> bool:
    """Let this process reuse the memory of freed tensors; True where the C library can (glibc).

    A training step frees and takes gigabytes. By default each large tensor is new memory from the system, whose
    pages it must first clear: docs/adr/005-kept-memory.md has the measurements."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # not glibc; on Windows CDLL(None) is a TypeError
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST_TENSOR)) and bool(mallopt(M_TRIM_THRESHOLD, KEPT))
