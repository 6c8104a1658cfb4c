"""Training on a GPU, measured in one call of under 8 minutes: what the card can do, what a step and the loop reach.

    python scripts/benchmarks/bench_gpu.py --minutes 8 --json gpu.json                  # needs a CUDA device; else exit status 2
    python scripts/benchmarks/bench_gpu.py --device cpu --tiny --minutes 3              # everything at 64x64: does it run?
    python scripts/benchmarks/bench_gpu.py --only step,compile                          # some parts

Real photos feed the loop where OCRDET_ICDAR2015 names them, else rendered scenes. Each part runs in a process of its
own with a share of the time that is left; what does not fit is left out or cut off, and told. Writes the figures to
--json FILE and torch.profiler's table beside it, as FILE with the ending .profile.txt. The parts:

  limits    matrix products in bf16, tf32 and fp32, copies on the device and to it
  step      images/s on a kept batch: the real loop (guard, mining, sums, all that it reads back), a bare step (forward,
            loss, backward, SGD), and the network as published in fp32, contiguous
  loop      images/s of the real loop fed by the real loader, share of the time it waits, start of an epoch, a save
  profile   share of the time in which kernels run, the kernels that cost most, waits for the device, bf16 against fp32
  targets   normalisation, transfers, and the threshold band drawn on the device instead of in the loader
  compile   the step by torch.compile, without and with CUDA graphs

The exit status is 1 when a goal is missed or a row failed on a GPU, 2 without a GPU. On a machine that is reached by
one shell command only and has torch, OpenCV and NumPy, but not this package: docs/performance-gpu.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from gpu_device import compiled, limits, profiled, step
from gpu_loader import loop, targets
from gpu_report import goals, print_report, projection
from gpu_rows import Asked

PARTS = {  # in this order; the number says how the time that is left is shared among those that are left
    "limits": (limits, 3.0),
    "step": (step, 10.0),
    "loop": (loop, 11.0),
    "profile": (profiled, 4.0),
    "targets": (targets, 4.0),
    "compile": (compiled, 16.0),
}
GRACE = 5.0  # seconds that a part is given beyond its end before it is killed
RESERVE = 15.0  # seconds kept for the start and the report


def main() -> int:
    """Measure, print, judge. Returns the exit status."""
    asked = parse()
    if asked.part is not None:
        run_part(asked)
        return 0
    if asked.device == "cuda" and not torch.cuda.is_available():
        print("bench_gpu: no CUDA device here; --device cpu --tiny shows that every part runs", file=sys.stderr)
        return 2
    began = time.time()
    with tempfile.TemporaryDirectory() as folder:
        rows, ended = measure(asked, Path(folder), began)
        table = Path(folder) / "profile.txt"
        if asked.json is not None and table.is_file():
            shutil.copyfile(table, asked.json.with_suffix(".profile.txt"))
    found = {"machine": machine(asked.device), "seconds": time.time() - began, "parts": ended, "sections": rows}
    found["projection"] = projection(rows)
    found["goals"] = goals(rows, found["projection"]) if asked.device == "cuda" and not asked.tiny else []
    if asked.json is not None:
        asked.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print_report(found)
    failed = any("failed" in row for part in rows.values() for row in part)
    return 1 if failed or any(not goal["reached"] for goal in found["goals"]) else 0


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=8.0, help="for all parts together (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="64x64, batch 2, few steps: to see that everything runs")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between (default: all)")
    parser.add_argument("--part", help=argparse.SUPPRESS)  # one part, in the process that is started for it
    parser.add_argument("--until", type=float, help=argparse.SUPPRESS)  # and when it must have ended
    parser.add_argument("--rows", type=Path, help=argparse.SUPPRESS)  # and where its rows go
    asked = parser.parse_args()
    asked.only = asked.only.split(",")
    if unknown := [name for name in asked.only if name not in PARTS]:
        parser.error(f"--only {unknown[0]}: known are {', '.join(PARTS)}")
    if asked.device == "cpu" and not asked.tiny:
        parser.error("--device cpu: only with --tiny; scripts/benchmarks/bench_train.py measures a CPU")
    return asked


def run_part(asked: argparse.Namespace) -> None:
    """One part, in this process."""
    from resnet18_ocrdet.runtime.allocator import keep_freed_memory

    keep_freed_memory()  # as the commands do
    cv2.setNumThreads(1)
    PARTS[asked.part][0](Asked(torch.device(asked.device), asked.tiny, asked.until, asked.rows))


def measure(asked: argparse.Namespace, folder: Path, began: float) -> tuple[dict[str, list[Any]], dict[str, str]]:
    """The rows of each part, and how each part ended."""
    end = began + 60.0 * asked.minutes - RESERVE
    wanted = [name for name in PARTS if name in asked.only]
    path, ended = folder / "rows.jsonl", {}
    path.touch()
    for place, name in enumerate(wanted):
        weights = [PARTS[other][1] for other in wanted[place:]]
        left = end - time.time()
        seconds = left * weights[0] / sum(weights)
        print(f"{name}: up to {seconds:.0f} s of {left:.0f} s left", flush=True)
        ended[name] = run_apart(name, asked, path, time.time() + seconds)
        print(f"{name}: {ended[name]}", flush=True)
    rows: dict[str, list[Any]] = {name: [] for name in wanted}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        rows[row.pop("section")].append(row)
    return rows, ended


def run_apart(name: str, asked: argparse.Namespace, path: Path, until: float) -> str:
    """Run one part in a process group of its own, and end the group when its time is over. Returns how it ended."""
    words = [
        sys.executable,
        __file__,
        f"--part={name}",
        f"--until={until}",
        f"--rows={path}",
        f"--device={asked.device}",
    ]
    began = time.time()
    child = subprocess.Popen([*words, *(["--tiny"] if asked.tiny else [])], start_new_session=True)
    try:
        code = child.wait(max(until - time.time(), 0.0) + GRACE)
        how = f"done in {time.time() - began:.0f} s" if code == 0 else f"ended with status {code}"
    except subprocess.TimeoutExpired:
        how = f"cut off after {time.time() - began:.0f} s; its rows so far count"
    finally:
        with suppress(ProcessLookupError):  # the part itself, loader processes and compilers that it has left
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    return how


def machine(device: str) -> dict[str, Any]:
    """What measured."""
    card = torch.cuda.get_device_name() if device == "cuda" else None
    return {
        "date": time.strftime("%Y-%m-%d"),
        "card": card,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cudnn": torch.backends.cudnn.version() if device == "cuda" else None,
        "opencv": cv2.__version__,
        "numpy": np.__version__,
    }


if __name__ == "__main__":
    sys.exit(main())
