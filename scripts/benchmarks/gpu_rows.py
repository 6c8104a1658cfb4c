"""Options of a part of bench_gpu.py, and the rows that it writes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch


class Options(NamedTuple):
    """How a part measures."""

    device: torch.device
    tiny: bool  # 64x64 and few steps, to test that everything runs
    until: float  # time.time() at which the part must have ended
    path: Path  # file of its rows, one JSON object per line

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sides of the square images, px; the goals are about the first."""
        return (64,) if self.tiny else (640, 800)

    @property
    def batches(self) -> tuple[int, ...]:
        """Batch sizes, the most important first."""
        return (2,) if self.tiny else (16, 32, 8)

    @property
    def cuda(self) -> bool:
        """Whether the device is a CUDA GPU."""
        return self.device.type == "cuda"

    def left(self) -> float:
        """Seconds until the part must have ended."""
        return self.until - time.time()


class Rows:
    """Writes each row as soon as it is measured, so that rows survive when the part is stopped."""

    def __init__(self, options: Options, section: str) -> None:
        self.options, self.section = options, section
        self._longest = 0.0  # seconds of the slowest row so far

    def write(self, **row: Any) -> None:
        """Append and print one row."""
        with self.options.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"section": self.section, **row}) + "\n")
        print(f"  {self.section}: " + "  ".join(f"{key} {_shown(value)}" for key, value in row.items()), flush=True)

    def measure(self, name: str, work: Callable[[], dict[str, Any]], seconds: float = 0.0, **key: Any) -> None:
        """Write the result of `work`, or the error with which it failed; later rows are measured all the same.

        Left out when less time is left than `seconds`, or than the slowest row took. key: other columns that name the
        row."""
        expected = max(seconds, self._longest)
        if self.options.left() < expected:
            return self.write(name=name, **key, left_out=f"{self.options.left():.0f} s left, {expected:.0f} needed")
        began = time.monotonic()
        try:
            result = work()
        except Exception as error:  # compilers, allocators and drivers raise many types
            result = {"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
        if self.options.cuda:
            torch.cuda.empty_cache()
        self._longest = max(self._longest, time.monotonic() - began)
        self.write(name=name, **key, **result)


def _shown(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
