"""The commands of this environment, called as a user would."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType


def call(command: str, *words: str) -> int:
    """Print a command, run the one of this environment, return its exit code; 128 + N when signal N ended it.

    Signals are handed on and then waited for: the command saves before it ends."""
    print(f"\n$ {shlex.join([command, *words])}", flush=True)
    process = subprocess.Popen([str(Path(sys.executable).with_name(command)), *words])

    def hand_on(number: int, frame: FrameType | None) -> None:
        process.send_signal(number)

    before = {number: signal.signal(number, hand_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        code = process.wait()
        return code if code >= 0 else 128 - code
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def train_once(run_dir: Path, *words: str) -> int:
    """ocrdet-train; one that is done is passed over, one that was stopped is gone on with. Returns the exit code.

    The words are kept beside the run: with others than those, 2 is returned and nothing done."""
    kept, line = run_dir.with_name(run_dir.name + ".words"), shlex.join(words) + "\n"
    if kept.exists() and kept.read_text(encoding="utf-8") != line:
        print(f"{run_dir} was made with other words; choose another --output\n  then: {kept.read_text()}  now:  {line}")
        return 2
    if (run_dir / "summary.txt").exists():
        return 0
    if (run_dir / "checkpoints/last.pt").exists():
        return call("ocrdet-train", f"resume={run_dir}")
    run_dir.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(line, encoding="utf-8")
    return call("ocrdet-train", *words, f"run_dir={run_dir}")
