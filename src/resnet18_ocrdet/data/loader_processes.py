"""The processes of a loader: when one dies, that is told where a batch is asked for, with what ended it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import active_children
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any


class LoaderDied(RuntimeError):  # noqa: N818 - what happened, as TrainingStopped
    """A loader process ended before its work did. The message says which and how."""

    def told(self, key: str) -> str:
        """One line with what to do. key: the override that sets how many loader processes there are."""
        if "Bus error" in str(self):  # what writing to a full /dev/shm ends with
            return f"{self}: {key}=0, or make /dev/shm larger, in which loader processes hand batches over"
        return f"{self}; a damaged image or too little memory can do that: {key}=0 shows which image"


class LoaderProcesses:
    """Those of one loader. Blocks entered with `starting` and `asking` raise LoaderDied when one has died; elsewhere
    nothing is raised. torch by itself raises from the signal's handler, wherever the program happens to be: while it
    builds the network or writes a checkpoint."""

    def __init__(self) -> None:
        self._all: set[BaseProcess] = set()

    @contextmanager
    def starting(self) -> Iterator[None]:
        """In this block the loader starts them."""
        before = set(active_children())
        with self._told():
            yield
        self._all |= set(active_children()) - before
        _hold_back()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """In this block a batch is waited for, which never comes whole when its process dies while it hands it over."""
        with self._told(), _raising_for(self):
            self._refuse_dead()
            yield

    def dead(self) -> list[BaseProcess]:
        """Those that ended before they were told to."""
        return [process for process in self._all if process.exitcode]

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (RuntimeError, OSError):
            self._refuse_dead()
            raise

    def _refuse_dead(self) -> None:
        if dead := self.dead():
            raise LoaderDied(", ".join(map(_how, dead))) from None


def _how(process: BaseProcess) -> str:
    code = process.exitcode or 0
    if code > 0:
        return f"loader process {process.pid} ended with exit code {code}"
    return f"loader process {process.pid} was ended by signal {-code} ({signal.strsignal(-code)})"


class _HeldBack:
    """A handler of SIGCHLD that lets torch's raise only while a batch of a dead process is waited for."""

    def __init__(self, theirs: Callable[[int, FrameType | None], Any]) -> None:
        self._theirs = theirs
        self.waiting: LoaderProcesses | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        try:
            self._theirs(number, frame)
        except RuntimeError:
            if self.waiting is not None and self.waiting.dead():
                raise


def _hold_back() -> None:
    """Put ours around torch's handler; other threads may not, and there torch installs none."""
    theirs = _handler()
    if callable(theirs) and not isinstance(theirs, _HeldBack) and _in_main_thread():
        signal.signal(signal.SIGCHLD, _HeldBack(theirs))


@contextmanager
def _raising_for(processes: LoaderProcesses) -> Iterator[None]:
    handler = _handler()
    if not isinstance(handler, _HeldBack) or not _in_main_thread():
        yield
        return
    handler.waiting = processes
    try:
        yield
    finally:
        handler.waiting = None


def _handler() -> Any:
    return signal.getsignal(signal.SIGCHLD) if hasattr(signal, "SIGCHLD") else None


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
