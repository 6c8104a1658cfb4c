"""The worker processes of a loader, each with a pipe of its own: if one dies, the next request for a batch says how.

Not torch's DataLoader, which waits forever for a lock that a killed worker held (docs/adr/020)."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import re
import signal
import socket
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from multiprocessing.connection import Connection
from typing import Any, Generic, NamedTuple, TypeVar

import cv2
import torch
import torch.multiprocessing  # Connection.send shares the memory of tensors

from ..errors import UserError
from ..runtime.allocator import give_back_freed_memory, keep_freed_memory

Key = TypeVar("Key")
Item = TypeVar("Item")

NO_FILES = "too many open files"
NOT_STARTED = "loader processes cannot be started"
_NO_FILES = re.compile(f"{NO_FILES}|items of ancdata", re.IGNORECASE)  # the latter: no number left for a received file
AHEAD = 2  # keys per process that are in work or whose items wait in its pipe
NICENESS = 10  # of a process if the network runs on the CPU, whose threads wait for the slowest
GRACE = 5.0  # seconds that a process may take to end after its pipe has closed, to finish the item in work


class LoaderDied(RuntimeError):  # noqa: N818 - an event, like TrainingStopped
    """A loader process ended too early, or could not send a batch. The message says which and how."""

    def advice(self, key: str) -> str:
        """The message and what to do, in one line. key: the config key for the number of loader processes."""
        if NO_FILES in str(self).lower():
            return f"{self}: use {key}=0, or allow more open files (ulimit -n 1024): sending a batch needs some"
        if "Bus error" in str(self) or "shared memory" in str(self):  # both mean a full /dev/shm
            return f"{self}: use {key}=0, or make /dev/shm larger: loader processes send batches through it"
        if NOT_STARTED in str(self):
            return f"{self}: use {key}=0 or fewer, or allow more processes (ulimit -u) or memory"
        return f"{self}; possible causes are a damaged image or too little memory: {key}=0 shows which image"


class LoaderProcesses(Generic[Key, Item]):
    """Items made from keys by `workers` processes, in the order of the keys; by this process if there are none."""

    def __init__(self, make: Callable[[Key], Item], workers: int, nice: bool) -> None:
        self._make, self._count, self._nice = make, workers, nice
        self._workers: list[_Worker] = []
        self._requested: deque[_Worker] = deque()  # one for each requested key, in order
        self._keys: Iterator[Key] = iter(())

    def start(self, keys: Iterable[Key]) -> None:
        """Begin to make the first items of `keys`; items of earlier keys that were not taken are dropped.

        Raises LoaderDied if the processes cannot be started; the end of one is reported when its item is taken."""
        if not self._workers and self._count:
            cv2.setNumThreads(1)  # a forked worker would inherit OpenCV's pool without its threads, and hang
            self._workers = [_Worker(self._make, self._nice) for _ in range(self._count)]
        for worker in self._requested:
            worker.dropped += 1
        self._requested.clear()
        self._keys = iter(keys)
        for worker in self._workers * AHEAD:
            self._request_from(worker)

    def take(self) -> Item:
        """The item of the next key, of which there must be one. Raises LoaderDied, or what `make` raised."""
        if not self._count:
            return self._make(next(self._keys))
        worker = self._requested.popleft()
        item: Item = worker.receive()
        self._request_from(worker)
        return item

    def close(self) -> None:
        """End the processes after the items in work, so that they remove their temporary files."""
        self.hang_up()
        for worker in self._workers:
            worker.process.join(GRACE)
            worker.process.kill()  # nothing happens to one that has ended
            worker.process.join()
            worker.pipe.close()
        self._workers.clear()
        self._requested.clear()

    def hang_up(self) -> None:
        """Let the processes end. A `take` in another thread raises an error."""
        for worker in self._workers:
            worker.hang_up()

    def _request_from(self, worker: _Worker) -> None:
        for key in islice(self._keys, 1):  # nothing after the last one
            worker.send(key)
            self._requested.append(worker)


class _Failed(NamedTuple):
    """What a process sends instead of an item."""

    error: Exception


class _Worker:
    """One process. Only this process and that one hold the ends of their pipe, so that a death closes it."""

    def __init__(self, make: Callable[[Any], Any], nice: bool) -> None:
        # by fork on Linux, even if the default differs: joblib's default in a sweep cannot start processes
        context: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else None)
        self.dropped = 0  # items to skip before the next one
        try:
            self.pipe, theirs = context.Pipe()
            self.process = context.Process(target=_serve, args=(theirs, self.pipe, make, nice), daemon=True)
            self.process.start()
        except OSError as error:
            raise LoaderDied(f"{NOT_STARTED}: {error}") from None
        theirs.close()

    def send(self, key: Any) -> None:
        """Request an item. Nothing happens if the process has ended: `receive` will tell."""
        with suppress(OSError):
            self.pipe.send(key)

    def receive(self) -> Any:
        """The item of the oldest key that is still wanted."""
        try:
            while self.dropped:
                self.pipe.recv()
                self.dropped -= 1
            item = self.pipe.recv()
        except (EOFError, OSError, RuntimeError, pickle.UnpicklingError) as error:
            if _NO_FILES.search(str(error)):
                raise LoaderDied(f"batches of loader processes cannot be received: {NO_FILES}") from None
            self.process.join(GRACE)
            if self.process.exitcode is None:
                raise
            raise LoaderDied(f"loader process {self.process.pid} {_how_ended(self.process.exitcode)}") from None
        if isinstance(item, _Failed):
            raise item.error
        return item

    def hang_up(self) -> None:
        """Make the pipe unusable, so that the process ends when it next uses it.

        Closing it would not do: processes that were forked later hold copies of this end."""
        if sys.platform != "win32":
            with socket.socket(fileno=os.dup(self.pipe.fileno())) as end, suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _how_ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was ended by signal {-code} ({signal.strsignal(-code)})"


def _serve(pipe: Connection, parents: Connection, make: Callable[[Any], Any], nice: bool) -> None:
    """The life of a worker: answer keys with items until the main process closes the pipe or has gone."""
    parents.close()  # else this process would keep its own pipe open
    _prepare(nice)
    try:
        while True:
            key = pipe.recv()
            try:
                pipe.send(_make(make, key))
            except Exception as error:  # the item cannot be shared: too many open files, a full /dev/shm
                pipe.send(_Failed(LoaderDied(f"loader process {os.getpid()} cannot send a batch: {error}")))
    except (EOFError, OSError):
        pass


def _make(make: Callable[[Any], Any], key: Any) -> Any:
    try:
        return make(key)
    except (UserError, OSError, MemoryError) as error:
        return _Failed(error)
    except Exception:
        return _Failed(RuntimeError(f"in a loader process:\n{traceback.format_exc()}"))


def _prepare(nice: bool) -> None:
    if hasattr(os, "setpgrp"):
        os.setpgrp()  # Ctrl-C and `timeout` signal the whole group; the main process ends its workers
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the main process ends its workers with it
    cv2.setNumThreads(1)  # one core per worker
    torch.set_num_threads(1)
    give_back_freed_memory()
    keep_freed_memory()  # half of the time to decode a photo is spent on new memory pages
    if nice and hasattr(os, "nice"):
        os.nice(NICENESS)
