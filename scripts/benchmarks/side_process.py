"""One side of a comparison as a process of its own: memory settings hold for a whole process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any


@contextmanager
def served(words: Sequence[str]) -> Iterator[Callable[[object], Any]]:
    """A Python process that answers each line with a line of JSON. It is told to stop by the end of its input.

    words: a script and its arguments. Gives a function from a line to its answer; the process that ends instead of
    answering ends this one too, with its status."""
    process = subprocess.Popen([sys.executable, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(line: object) -> Any:
        assert process.stdin is not None and process.stdout is not None
        print(line, file=process.stdin, flush=True)
        answer = process.stdout.readline()
        if not answer:
            raise SystemExit(f"{' '.join(words)} ended with status {process.wait()}")
        return json.loads(answer)

    with process:
        yield ask


def answer(work: Callable[[str], object]) -> None:
    """The other end: one line of JSON for each line of the input."""
    for line in sys.stdin:
        print(json.dumps(work(line.strip())), flush=True)
