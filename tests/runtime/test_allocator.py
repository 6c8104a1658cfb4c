"""Freed memory stays with the process."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from resnet18_ocrdet.runtime import allocator
from resnet18_ocrdet.runtime.allocator import OPT_OUT, SIZE_CHANGES, SizeWatch

# A tensor of 64 MiB allocated and freed ten times, after a few to let the heap settle: the new pages that it needed.
PROBE = """
import resource, sys, torch
from resnet18_ocrdet.runtime.allocator import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
for _ in range(20):
    torch.ones(1 << 24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(1 << 24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


# The heap's end after 2.4 GB of free memory, none of it ever touched: it must not move back.
HEAP = """
import ctypes
from resnet18_ocrdet.runtime.allocator import give_back_freed_memory, keep_freed_memory
assert keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.sbrk.restype = ctypes.c_void_p
blocks = [libc.malloc(ctypes.c_size_t(400 << 20)) for _ in range(6)]
high = libc.sbrk(0)
for block in blocks:
    libc.free(ctypes.c_void_p(block))
kept = libc.sbrk(0)
give_back_freed_memory()
print(kept == high, libc.sbrk(0) < high)
"""


def page_faults(mode: str) -> int:
    done = subprocess.run([sys.executable, "-c", PROBE, mode], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
@pytest.mark.slow
def test_a_second_allocation_needs_no_new_pages():
    assert page_faults("keep") * 10 < page_faults("default")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_more_than_two_gigabytes_are_kept_until_they_are_returned():
    done = subprocess.run([sys.executable, "-c", HEAP], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]


@pytest.mark.parametrize(("word", "kept"), [("0", False), ("1", True), (None, True)])
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_an_environment_variable_switches_it_off(word, kept):
    probe = "from resnet18_ocrdet.runtime.allocator import keep_freed_memory; print(keep_freed_memory())"
    around = {key: value for key, value in os.environ.items() if key != OPT_OUT}
    around |= {OPT_OUT: word} if word is not None else {}
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, env=around)
    assert done.stdout.strip() == str(kept)


def test_memory_is_given_back_after_some_changes_of_size(monkeypatch):
    calls: list[int] = []
    monkeypatch.setattr(allocator, "give_back_freed_memory", lambda: calls.append(changes))
    watch = SizeWatch()
    changes = 1
    for _ in range(100):  # images of one size
        watch((64, 96, 3))
    assert calls == []
    for changes in range(2, 2 * SIZE_CHANGES + 2):
        watch((64, 128 + 32 * (changes % 2), 3))
    assert calls == [SIZE_CHANGES, 2 * SIZE_CHANGES]
