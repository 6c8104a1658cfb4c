"""The worker processes of a loader: if one dies, the next request for a batch raises the cause."""

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
_PID = re.compile(r"\(pid ([0-9]+)\)")  # in torch's error message
EXIT_NO_FILES = 24  # of a loader process with too many open files: EMFILE on Linux


class LoaderDied(RuntimeError):  # noqa: N818 - an event, like TrainingStopped
    """A loader process ended too early. The message says which and how."""

    def advice(self, key: str) -> str:
        """The message and what to do, in one line. key: the config key for the number of loader processes."""
        if NO_FILES in str(self):
            return f"{self}: use {key}=0, or allow more open files (ulimit -n 1024): sending a batch needs some"
        if "Bus error" in str(self):  # caused by writing to a full /dev/shm
            return f"{self}: use {key}=0, or make /dev/shm larger: loader processes send batches through it"
        return f"{self}; possible causes are a damaged image or too little memory: {key}=0 shows which image"


class LoaderProcesses:
    """Processes of one loader. Only a block of `asking` raises LoaderDied if one has died. torch itself raises in a
    signal handler at any time, for example while the network is built or a checkpoint is written."""

    def __init__(self) -> None:
        self._all: list[BaseProcess] = []

    def context(self, workers: int) -> BaseContext | None:
        """The context that starts the `workers` processes; None if there are none.

        By fork on Linux, even if the default differs: joblib's default in a sweep cannot start them."""
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
        """A block in which the loader starts or restarts its processes. A death is raised later, by `asking`."""
        try:
            # not during the fork: Python calls hooks there, and only prints their exceptions
            with _raising_for(self if self._all else None):
                yield
        except (RuntimeError, OSError) as error:
            _raise_no_files(error)
            if not self.dead():
                raise
        finally:
            _defer(self)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """A block that waits for a batch, which never arrives if its process dies while sending it."""
        try:
            with _raising_for(self):
                self.raise_dead()
                yield
        except (RuntimeError, OSError) as error:
            _raise_no_files(error)
            self.raise_dead()
            raise

    def raise_dead(self) -> None:
        """Raise LoaderDied if a process has ended."""
        if dead := self.dead():
            raise LoaderDied(", ".join(map(_how_ended, dead))) from None

    def ids(self) -> list[int]:
        """Process ids of the started processes."""
        return [process.pid for process in self._all if process.pid is not None]

    def dead(self) -> list[BaseProcess]:
        """Processes that have ended: none should while batches are expected, even with exit code 0."""
        return [process for process in self._all if process.exitcode is not None]


def _raise_no_files(error: Exception) -> None:
    """Raise LoaderDied if this process has too many open files."""
    if NO_FILES in str(error).lower():
        raise LoaderDied(f"loader processes cannot send batches: {NO_FILES}") from None


def _how_ended(process: BaseProcess) -> str:
    code = process.exitcode or 0
    if code == EXIT_NO_FILES:
        return f"loader process {process.pid} ended: {NO_FILES}"
    if code >= 0:
        return f"loader process {process.pid} ended with exit code {code}"
    return f"loader process {process.pid} was ended by signal {-code} ({signal.strsignal(-code)})"


class _DeferredHandler:
    """A SIGCHLD handler that lets torch's handler raise only while a batch of a dead process is expected."""

    def __init__(self, torch_handler: Callable[[int, FrameType | None], Any]) -> None:
        self._torch_handler = torch_handler
        self.ours: set[int] = set()  # process ids, also of closed loaders whose processes have not ended yet
        self.waiting: LoaderProcesses | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        try:
            self._torch_handler(number, frame)
        except RuntimeError as error:
            waiting, self.waiting = self.waiting, None
            if waiting is not None:
                waiting.raise_dead()
                self.waiting = waiting
            if self.ours.isdisjoint(map(int, _PID.findall(str(error)))):  # of another loader
                raise


def _defer(processes: LoaderProcesses) -> None:
    """Wrap torch's handler; only in the main thread, as torch installs none in others."""
    torch_handler = _handler()
    if callable(torch_handler) and not isinstance(torch_handler, _DeferredHandler) and _in_main_thread():
        signal.signal(signal.SIGCHLD, _DeferredHandler(torch_handler))
    if isinstance(handler := _handler(), _DeferredHandler):
        handler.ours.update(processes.ids())


@contextmanager
def _raising_for(processes: LoaderProcesses | None) -> Iterator[None]:
    handler = _handler()
    if not isinstance(handler, _DeferredHandler) or not _in_main_thread():
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
