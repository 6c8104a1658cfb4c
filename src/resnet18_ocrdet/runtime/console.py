"""Output to the terminal: lines, and a progress bar below them while something runs.

Without a terminal the bar becomes a plain line every few seconds.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from .messages import printable

PLAIN_EVERY_SECONDS = 10.0


class Advance(Protocol):
    """Moves a progress bar."""

    def __call__(self, steps: int = 1, note: str = "") -> None:
        """`steps` more are done; `note` is shown next to the bar."""


class Display:
    """Lines and progress of one command; every line also goes to `log_file`, with the time."""

    def __init__(self, quiet: bool = False) -> None:
        """quiet: for the processes of a run that do not print."""
        self.console = Console(highlight=False, soft_wrap=True, emoji=False, quiet=quiet)
        self.log_file: Path | None = None
        self._early: list[str] = []  # printed before there was a log

    def log_to(self, log_file: Path) -> None:
        """From now on every line also goes to `log_file`, starting with those already printed."""
        self.log_file = log_file
        for text in self._early:
            self._log(text)
        self._early.clear()

    def line(self, text: str) -> None:
        """Print one line; control characters, as in a file name, are escaped."""
        text = printable(text)
        self.console.print(text, markup=False)
        self._log(text)

    def lines(self, texts: Iterable[str | None], mark: str = "") -> None:
        """Print each text that is not None, after `mark`."""
        for text in texts:
            if text is not None:
                self.line(mark + text)

    @contextmanager
    def progress(self, label: str, total: int, done: int = 0) -> Iterator[Advance]:
        """Show `label` and the progress of `total` steps while the block runs. done: before it began."""
        if self.console.is_terminal:
            with self._bar() as bar:
                task = bar.add_task(label, total=total, completed=done, note="")
                yield lambda steps=1, note="": bar.update(task, advance=steps, note=note)
        else:
            yield self._plain(label, total, done)

    def _bar(self) -> Progress:
        return Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("eta"),
            TimeRemainingColumn(), TextColumn("{task.fields[note]}"), console=self.console, transient=True,
        )  # fmt: skip

    def _plain(self, label: str, total: int, done: int) -> Advance:
        began = printed = time.monotonic()
        before = done

        def advance(steps: int = 1, note: str = "") -> None:
            nonlocal done, printed
            done += steps
            now = time.monotonic()
            if now - printed >= PLAIN_EVERY_SECONDS and done < total:
                printed = now
                left = (now - began) / (done - before) * (total - done)
                self.line(f"{label}  {done}/{total}  eta {duration(left)}  {note}".rstrip())

        return advance

    def _log(self, text: str) -> None:
        if self.log_file is None:
            self._early.append(text)
            return
        # A full disk must not end a run that still has a terminal.
        with suppress(OSError), self.log_file.open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {text}\n")


def duration(seconds: float) -> str:
    """45 -> '45 s', 150 -> '2 min 30 s', 7500 -> '2 h 05 min'."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
