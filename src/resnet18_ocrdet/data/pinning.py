"""Batches in pinned memory, which the GPU copies without the CPU waiting: one batch ahead, in a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

from .loader_processes import LoaderProcesses

Key = TypeVar("Key")
Item = TypeVar("Item")


class PinnedAhead(Generic[Key, Item]):
    """The items of `processes`, of which a thread receives and pins the next one. Used like `LoaderProcesses`."""

    def __init__(self, processes: LoaderProcesses[Key, Item], pin: Callable[[Item], Item]) -> None:
        self._processes, self._pin = processes, pin
        self._thread = ThreadPoolExecutor(1, "pin memory")
        self._next: Future[Item] | None = None  # only its thread takes items, and never while `start` runs

    def start(self, keys: Iterable[Key]) -> None:
        """See `LoaderProcesses.start`."""
        if self._next is not None:
            wait([self._next])
        self._processes.start(keys)
        self._next = self._thread.submit(self._take)

    def take(self) -> Item:
        """See `LoaderProcesses.take`."""
        assert self._next is not None  # started
        item = self._next.result()
        self._next = self._thread.submit(self._take)  # after the last key it fails; nobody asks for its result
        return item

    def close(self) -> None:
        """See `LoaderProcesses.close`."""
        self._processes.hang_up()  # the thread may be waiting for an item
        self._thread.shutdown()
        self._processes.close()

    def _take(self) -> Item:
        return self._pin(self._processes.take())
