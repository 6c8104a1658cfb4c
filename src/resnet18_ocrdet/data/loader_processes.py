"""The processes of a loader: when one dies, that is told where a batch is asked for, with what ended it."""

from __future__ import annotations

import multiprocessing
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any

NO_FILES = "too many open files"
_PID = re.compile(r"\(pid ([0-9]+)\)")  # in what torch raises
EXIT_NO_FILES = 24  # of a loader process that may open no more: EMFILE on Linux


class LoaderDied(RuntimeError):  # noqa: N818 - what happened, as TrainingStopped
    """A loader process ended before its work did. The message says which and how."""

    def told(self, key: str) -> str:
        """One line with what to do. key: the override that sets how many loader processes there are."""
        if NO_FILES in str(self):
            return f"{self}: {key}=0, or allow more of them (ulimit -n 1024), as each batch is handed over in some"
        if "Bus error" in str(self):  # what writing to a full /dev/shm ends with
            return f"{self}: {key}=0, or make /dev/shm larger, in which loader processes hand batches over"
        return f"{self}; a damaged image or too little memory can do that: {key}=0 shows which image"


class LoaderProcesses:
    """Those of one loader. A block entered with `asking` raises LoaderDied when one has died; elsewhere nothing is
    raised. torch by itself raises from a signal's handler, wherever the program happens to be: while it builds the
    network or writes a checkpoint."""

    def __init__(self) -> None:
        self._all: list[BaseProcess] = []

    def context(self, workers: int) -> BaseContext | None:
        """What starts the `workers` processes; None where there are none.

        By fork on Linux, whatever the default of the process: joblib's own, in a sweep, cannot start them."""
        if workers == 0:
            return None
        context: Any = copy(multiprocessing.get_context("fork" if sys.platform == "linux" else None))
        make = context.Process

        def process(*args: Any, **keywords: Any) -> BaseProcess:
            self._all.append(make(*args, **keywords))
            return self._all[-1]

        context.Process = process
        return context  # type: ignore[no-any-return]

    @contextmanager
    def starting(self) -> Iterator[None]:
        """In this block the loader starts them, or tells them to begin again. A death is left for `asking` to tell."""
        try:
            # not while they are forked: Python calls hooks there, and prints what is raised in one
            with _raising_for(self if self._all else None):
                yield
        except (RuntimeError, OSError) as error:
            _refuse_no_files(error)
            if not self.dead():
                raise
        finally:
            _hold_back(self)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """In this block a batch is waited for, which never comes whole when its process dies while it hands it over."""
        try:
            with _raising_for(self):
                self.refuse_dead()
                yield
        except (RuntimeError, OSError) as error:
            _refuse_no_files(error)
            self.refuse_dead()
            raise

    def refuse_dead(self) -> None:
        """Raise LoaderDied if a process has ended."""
        if dead := self.dead():
            raise LoaderDied(", ".join(map(_how, dead))) from None

    def ids(self) -> list[int]:
        """Of the processes that were started."""
        return [process.pid for process in self._all if process.pid is not None]

    def dead(self) -> list[BaseProcess]:
        """Those that ended; while there are batches to come none has a reason to, exit code 0 or not."""
        return [process for process in self._all if process.exitcode is not None]


def _refuse_no_files(error: Exception) -> None:
    """Raise LoaderDied where it was this process that could open no more files."""
    if NO_FILES in str(error).lower():
        raise LoaderDied(f"loader processes cannot hand batches over: {NO_FILES}") from None


def _how(process: BaseProcess) -> str:
    code = process.exitcode or 0
    if code == EXIT_NO_FILES:
        return f"loader process {process.pid} ended: {NO_FILES}"
    if code >= 0:
        return f"loader process {process.pid} ended with exit code {code}"
    return f"loader process {process.pid} was ended by signal {-code} ({signal.strsignal(-code)})"


class _HeldBack:
    """A handler of SIGCHLD that lets torch's raise only while a batch of a dead process is waited for."""

    def __init__(self, theirs: Callable[[int, FrameType | None], Any]) -> None:
        self._theirs = theirs
        self.ours: set[int] = set()  # process ids, also of loaders that are gone before their processes have ended
        self.waiting: LoaderProcesses | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        try:
            self._theirs(number, frame)
        except RuntimeError as error:
            waiting, self.waiting = self.waiting, None
            if waiting is not None:
                waiting.refuse_dead()
                self.waiting = waiting
            if self.ours.isdisjoint(map(int, _PID.findall(str(error)))):  # of a loader that is not ours
                raise


def _hold_back(processes: LoaderProcesses) -> None:
    """Put ours around torch's handler; other threads may not, and there torch installs none."""
    theirs = _handler()
    if callable(theirs) and not isinstance(theirs, _HeldBack) and _in_main_thread():
        signal.signal(signal.SIGCHLD, _HeldBack(theirs))
    if isinstance(handler := _handler(), _HeldBack):
        handler.ours.update(processes.ids())


@contextmanager
def _raising_for(processes: LoaderProcesses | None) -> Iterator[None]:
    handler = _handler()
    if not isinstance(handler, _HeldBack) or not _in_main_thread():
        yield
        return
    try:
        handler.waiting = processes
        yield
    finally:
        handler.waiting = None


def _handler() -> Any:
    return signal.getsignal(signal.SIGCHLD) if hasattr(signal, "SIGCHLD") else None


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
