"""How long the commands take to start: seconds from the start of a process, medians of several runs.

    python scripts/benchmarks/start_up.py [--repeats 3] [OVERRIDES of the training ...]

A command without a job is timed to its end. The installed ocrdet-train runs in a pseudo-terminal and is timed until its
progress bar shows the first step (the bar is drawn ten times a second), then interrupted. It trains on 64 rendered
scenes at 256x256 by default. A first run of each, which does not count, brings the files into memory."""

from __future__ import annotations

import argparse
import os
import pty
import re
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

COMMANDS = ("ocrdet-train", "ocrdet-eval", "ocrdet-detect", "ocrdet-check")
SCENES = ("train.epochs=1", "data.train_size=64", "data.val_size=8", "input_size=256x256")
ESCAPE = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
FIRST_STEP = re.compile(rb"[1-9]\d*/\d+ +\d+:\d\d:\d\d")  # "1/8 0:00:01" after the bar, not "epoch 1/1" before it
TIMEOUT_SECONDS = 120.0


def main() -> int:
    """Print the table. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("overrides", nargs="*", default=SCENES, help="of the training")
    options = parser.parse_args()
    repeats = options.repeats
    print(f"{'':44s} median   of {repeats}: min to max, s")
    for command in COMMANDS:
        for overrides, code in (("--help",), 0), (("--cfg", "job"), 0), (("no_such_key=1",), 2):
            row(f"{command} {' '.join(overrides)}", repeats, lambda c=command, w=overrides, s=code: answer(c, w, s))
    row("ocrdet-train: the first step", repeats, lambda: first_step(options.overrides))
    return 0


def row(name: str, repeats: int, measure: Callable[[], float]) -> None:
    """One line of the table."""
    measure()
    seconds = [measure() for _ in range(repeats)]
    print(f"{name:44s} {statistics.median(seconds):6.2f}   {min(seconds):6.2f} to {max(seconds):.2f}", flush=True)


def answer(command: str, overrides: tuple[str, ...], code: int) -> float:
    """Seconds until a command has ended. Exits when its exit code is not `code`."""
    began = time.perf_counter()
    done = subprocess.run([installed(command), *overrides], capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode != code:
        raise SystemExit(f"{command} {' '.join(overrides)} ended with {done.returncode}, not {code}: {done.stderr}")
    return seconds


def first_step(overrides: tuple[str, ...] | list[str]) -> float:
    """Seconds until the progress bar of a training shows its first step."""
    with tempfile.TemporaryDirectory() as folder:
        ours, its = pty.openpty()
        began = time.perf_counter()
        process = subprocess.Popen(
            [installed("ocrdet-train"), *overrides],
            cwd=folder,
            env=os.environ | {"COLUMNS": "200", "TERM": "xterm"},  # wide enough for count and time after the bar
            stdin=its,
            stdout=its,
            stderr=its,
            start_new_session=True,
        )
        os.close(its)
        try:
            return read_until(ours, FIRST_STEP, began) - began
        finally:
            process.send_signal(signal.SIGINT)
            drain(ours)
            process.wait()


def read_until(terminal: int, pattern: re.Pattern[bytes], began: float) -> float:
    """The time at which the output of a terminal first matches the pattern."""
    text = b""
    while time.perf_counter() - began < TIMEOUT_SECONDS:
        if not select.select([terminal], [], [], 1.0)[0]:
            continue
        try:
            text += os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        if pattern.search(ESCAPE.sub(b"", text)):
            return time.perf_counter()
    raise SystemExit(f"the first step did not appear:\n{text.decode(errors='replace')}")


def drain(terminal: int) -> None:
    """Read until the other end is closed."""
    try:
        while os.read(terminal, 65536):
            pass
    except OSError:
        os.close(terminal)


def installed(command: str) -> str:
    """The command of this environment."""
    return str(Path(sys.executable).with_name(command))


if __name__ == "__main__":
    sys.exit(main())
