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
