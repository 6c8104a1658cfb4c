"""Run the installed commands as a user would."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType


def call(command: str, *args: str) -> int:
    """Print a command and run it; returns its exit code, or 128 + N if signal N ended it.

    SIGINT and SIGTERM are forwarded, and the command is waited for, because it saves before it ends."""
    print(f"\n$ {shlex.join([command, *args])}", flush=True)
    process = subprocess.Popen([str(Path(sys.executable).with_name(command)), *args])

    def forward(number: int, frame: FrameType | None) -> None:
        process.send_signal(number)

    before = {number: signal.signal(number, forward) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        code = process.wait()
        return code if code >= 0 else 128 - code
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def train_once(run_dir: Path, *overrides: str) -> int:
    """Run ocrdet-train, or resume a run that was stopped; a finished run is skipped. Returns the exit code.

    The overrides are kept in a file next to the run; other overrides for the same run are refused with code 2."""
    kept, line = run_dir.with_name(run_dir.name + ".words"), shlex.join(overrides) + "\n"
    if kept.exists() and kept.read_text(encoding="utf-8") != line:
        print(f"{run_dir} has other overrides; choose another --output\n  before: {kept.read_text()}  now:    {line}")
        return 2
    if (run_dir / "summary.txt").exists():
        return 0
    if (run_dir / "checkpoints/last.pt").exists():
        return call("ocrdet-train", f"resume={run_dir}")
    run_dir.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(line, encoding="utf-8")
    return call("ocrdet-train", *overrides, f"run_dir={run_dir}")
