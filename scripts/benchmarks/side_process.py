"""One side of a comparison in its own process, because memory settings apply to a whole process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any


@contextmanager
def served(command: Sequence[str]) -> Iterator[Callable[[object], Any]]:
    """Start a Python script that answers each input line with a line of JSON; it ends at the end of its input.

    command: the script and its arguments. Yields a function from a line to its answer. If the process ends without
    answering, this process ends too."""
    process = subprocess.Popen([sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(line: object) -> Any:
        assert process.stdin is not None and process.stdout is not None
        print(line, file=process.stdin, flush=True)
        answer = process.stdout.readline()
        if not answer:
            raise SystemExit(f"{' '.join(command)} ended with status {process.wait()}")
        return json.loads(answer)

    with process:
        yield ask


def serve(work: Callable[[str], object]) -> None:
    """The other end: one line of JSON for each line of the input."""
    for line in sys.stdin:
        print(json.dumps(work(line.strip())), flush=True)
