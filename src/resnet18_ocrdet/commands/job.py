"""What a single run and a sweep share: the job, its folder, and how a mistake is reported."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from ..errors import UserError
from ..runtime.messages import printable

if TYPE_CHECKING:
    from omegaconf import DictConfig

Job = Callable[["DictConfig", list[str]], int]

FOLDER_KEY = {"train": "run_dir", "eval": "output", "detect": "output", "check": "output", "export": "output"}
GRACE_SECONDS = 5.0  # for rank 0 to report first


def report(command: str, error: UserError) -> int:
    """Print a mistake, one line each. Returns the exit code."""
    rank = os.environ.get("RANK", "0")
    if rank != "0":  # a mistake of all processes is reported by rank 0: torchrun then ends this process
        time.sleep(GRACE_SECONDS)
    process = "" if rank == "0" else f"process {rank}: "
    for line in str(error).split("\n"):
        print(f"ocrdet-{command}: {process}{printable(line)}", file=sys.stderr)
    return error.exit_code


def stamp() -> str:
    """Date and time, for the name of a folder."""
    return datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
