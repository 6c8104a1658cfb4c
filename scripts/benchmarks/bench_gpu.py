"""Training on a GPU, measured in one call of under 8 minutes: limits of the device, training step, whole loop.

    python scripts/benchmarks/bench_gpu.py --minutes 8 --json gpu.json        # needs a CUDA device, else exit status 2
    python scripts/benchmarks/bench_gpu.py --device cpu --tiny --minutes 3    # everything at 64x64, as a test
    python scripts/benchmarks/bench_gpu.py --only step,compile                # some parts

Real photos are read from OCRDET_ICDAR2015; if it is not set, scenes are rendered. Each part runs in its own process
with a share of the remaining time; what does not fit is left out or stopped, and reported. Writes the figures to
--json FILE and the table of torch.profiler to FILE with the suffix .profile.txt. The parts:

  limits    matrix products in bf16, tf32 and fp32, copies on the device and to it
  step      images/s on one batch: the real loop (guard, mining, sums, read-back), a bare step (forward pass, loss,
            backward pass, SGD), and the network as published in fp32, contiguous
  loop      images/s of the real loop fed by the real loader, share of the time it waits, start of an epoch, a save
  profile   share of the time in which kernels run, the slowest kernels, waits for the device, loss in bf16 and fp32
  targets   normalisation, transfers, and threshold maps drawn on the device instead of in the loader
  compile   the step with torch.compile, without and with CUDA graphs

The exit status is 1 when a goal is missed or a row failed on a GPU, 2 without a GPU. For a machine that takes only one
shell command and has torch, OpenCV and NumPy but not this package, see docs/performance-gpu.md.
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
from gpu_rows import Options
from resnet18_ocrdet.runtime.machine import available_cores

PARTS = {  # in this order; the number is the weight by which the remaining time is shared
    "limits": (limits, 3.0),
    "step": (step, 10.0),
    "loop": (loop, 11.0),
    "profile": (profiled, 4.0),
    "targets": (targets, 4.0),
    "compile": (compiled, 16.0),
}
GRACE = 5.0  # seconds beyond its time before a part is killed
RESERVE = 15.0  # seconds kept for the start and the report


def main() -> int:
    """Measure, print and judge. Returns the exit status."""
    options = parse()
    if options.part is not None:
        run_part(options)
        return 0
    if options.device == "cuda" and not torch.cuda.is_available():
        print("bench_gpu: no CUDA device; --device cpu --tiny tests that every part runs", file=sys.stderr)
        return 2
    began = time.time()
    with tempfile.TemporaryDirectory() as folder:
        rows, ended = measure(options, Path(folder), began)
        table = Path(folder) / "profile.txt"
        if options.json is not None and table.is_file():
            shutil.copyfile(table, options.json.with_suffix(".profile.txt"))
    found = {"machine": machine(options.device), "seconds": time.time() - began, "parts": ended, "sections": rows}
    found["projection"] = projection(rows)
    found["goals"] = goals(rows, found["projection"]) if options.device == "cuda" and not options.tiny else []
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print_report(found)
    failed = any("failed" in row for part in rows.values() for row in part)
    return 1 if failed or any(not goal["reached"] for goal in found["goals"]) else 0


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=8.0, help="for all parts together (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="64x64, batch 2, few steps, to test that everything runs")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, comma-separated (default: all)")
    parser.add_argument("--part", help=argparse.SUPPRESS)  # one part, in its own process
    parser.add_argument("--until", type=float, help=argparse.SUPPRESS)  # when it must have ended
    parser.add_argument("--rows", type=Path, help=argparse.SUPPRESS)  # file of its rows
    options = parser.parse_args()
    options.only = options.only.split(",")
    if unknown := [name for name in options.only if name not in PARTS]:
        parser.error(f"--only {unknown[0]}: must be one of {', '.join(PARTS)}")
    if options.device == "cpu" and not options.tiny:
        parser.error("--device cpu needs --tiny; scripts/benchmarks/bench_train.py measures a CPU")
    return options


def run_part(options: argparse.Namespace) -> None:
    """Run one part in this process."""
    from resnet18_ocrdet.runtime.allocator import keep_freed_memory

    keep_freed_memory()  # as the commands do
    cv2.setNumThreads(1)
    PARTS[options.part][0](Options(torch.device(options.device), options.tiny, options.until, options.rows))


def measure(options: argparse.Namespace, folder: Path, began: float) -> tuple[dict[str, list[Any]], dict[str, str]]:
    """The rows of each part, and how each part ended."""
    end = began + 60.0 * options.minutes - RESERVE
    wanted = [name for name in PARTS if name in options.only]
    path, ended = folder / "rows.jsonl", {}
    path.touch()
    for place, name in enumerate(wanted):
        weights = [PARTS[other][1] for other in wanted[place:]]
        left = end - time.time()
        seconds = left * weights[0] / sum(weights)
        print(f"{name}: up to {seconds:.0f} s of {left:.0f} s left", flush=True)
        ended[name] = run_apart(name, options, path, time.time() + seconds)
        print(f"{name}: {ended[name]}", flush=True)
    rows: dict[str, list[Any]] = {name: [] for name in wanted}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        rows[row.pop("section")].append(row)
    return rows, ended


def run_apart(name: str, options: argparse.Namespace, path: Path, until: float) -> str:
    """Run one part in its own process group and kill the group when its time is over. Returns how it ended."""
    words = [
        sys.executable,
        __file__,
        f"--part={name}",
        f"--until={until}",
        f"--rows={path}",
        f"--device={options.device}",
    ]
    began = time.time()
    child = subprocess.Popen([*words, *(["--tiny"] if options.tiny else [])], start_new_session=True)
    try:
        code = child.wait(max(until - time.time(), 0.0) + GRACE)
        how = f"done in {time.time() - began:.0f} s" if code == 0 else f"ended with status {code}"
    except subprocess.TimeoutExpired:
        how = f"stopped after {time.time() - began:.0f} s; rows so far are kept"
    finally:
        with suppress(ProcessLookupError):  # the part with its loader processes and compilers
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    return how


def machine(device: str) -> dict[str, Any]:
    """The machine and its versions."""
    card = torch.cuda.get_device_name() if device == "cuda" else None
    return {
        "date": time.strftime("%Y-%m-%d"),
        "card": card,
        "cores": available_cores(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cudnn": torch.backends.cudnn.version() if device == "cuda" else None,
        "opencv": cv2.__version__,
        "numpy": np.__version__,
    }


if __name__ == "__main__":
    sys.exit(main())
