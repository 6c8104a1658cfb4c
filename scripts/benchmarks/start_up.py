"""How soon the commands answer and a training begins: seconds from the start of a process, medians of several.

    python scripts/benchmarks/start_up.py [--repeats 3] [WORDS of the training ...]

A command without a job is timed to its end. The training is the installed ocrdet-train on a terminal of its own, timed
until its progress bar counts the first step (the bar moves ten times a second), then interrupted. WORDS:
64 rendered scenes at 256x256. One run of each, not counted, brings the files into memory first."""

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
COLOUR = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
FIRST_STEP = re.compile(rb"[1-9]\d*/\d+ +\d+:\d\d:\d\d")  # "1/8 0:00:01" behind the bar, not "epoch 1/1" before it
PATIENCE_SECONDS = 120.0


def main() -> int:
    """Print the table. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("words", nargs="*", default=SCENES, help="of the training")
    asked = parser.parse_args()
    repeats = asked.repeats
    print(f"{'':44s} median   of {repeats}: least to most, s")
    for command in COMMANDS:
        for words, code in (("--help",), 0), (("--cfg", "job"), 0), (("no_such_key=1",), 2):
            row(f"{command} {' '.join(words)}", repeats, lambda c=command, w=words, s=code: answer(c, w, s))
    row("ocrdet-train: the first step", repeats, lambda: first_step(asked.words))
    return 0


def row(name: str, repeats: int, measure: Callable[[], float]) -> None:
    """One line of the table."""
    measure()
    seconds = [measure() for _ in range(repeats)]
    print(f"{name:44s} {statistics.median(seconds):6.2f}   {min(seconds):6.2f} to {max(seconds):.2f}", flush=True)


def answer(command: str, words: tuple[str, ...], code: int) -> float:
    """Seconds until a command has ended. Ends this program when its exit code is not `code`."""
    began = time.perf_counter()
    done = subprocess.run([installed(command), *words], capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode != code:
        raise SystemExit(f"{command} {' '.join(words)} ended with {done.returncode}, not {code}: {done.stderr}")
    return seconds


def first_step(words: tuple[str, ...] | list[str]) -> float:
    """Seconds until the progress bar of a training has counted its first step."""
    with tempfile.TemporaryDirectory() as folder:
        ours, its = pty.openpty()
        began = time.perf_counter()
        process = subprocess.Popen(
            [installed("ocrdet-train"), *words],
            cwd=folder,
            env=os.environ | {"COLUMNS": "200", "TERM": "xterm"},  # room for the bar with its count and time
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
    """The moment at which what is written to a terminal first holds the pattern."""
    text = b""
    while time.perf_counter() - began < PATIENCE_SECONDS:
        if not select.select([terminal], [], [], 1.0)[0]:
            continue
        try:
            text += os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        if pattern.search(COLOUR.sub(b"", text)):
            return time.perf_counter()
    raise SystemExit(f"no first step was seen:\n{text.decode(errors='replace')}")


def drain(terminal: int) -> None:
    """Take what is still written, until the other end is closed."""
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
