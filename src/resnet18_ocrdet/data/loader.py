"""Data sets to batches: order, worker processes, collation.

Legend: N images of a batch, H W pixels.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import count as count_up
from itertools import islice
from multiprocessing import queues
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

from ..errors import UserError
from ..runtime.allocator import give_back_freed_memory, keep_freed_memory
from ..runtime.messages import count
from ..structures import Batch, Targets
from .datasets import DatasetItem, EvalDataset, TrainDataset
from .loader_processes import EXIT_NO_FILES, NO_FILES, LoaderProcesses

MAX_PER_CORE = 2  # loader processes; with more there is a note
NICENESS = 10  # of a loader process if the network runs on the CPU, whose threads wait for the slowest


class EpochBatches(Sampler[list[tuple[int, int]]]):
    """Shuffled full batches of (epoch, index); the order depends only on seed and epoch.

    Batches are dealt to the processes in turn until each has `rounds` of them for one step. An incomplete last batch is
    dropped, unless it is the only one."""

    def __init__(self, length: int, batch_size: int, seed: int, rounds: int = 1, rank: int = 0, processes: int = 1):
        self.length, self.batch_size, self.seed = length, min(batch_size, length), seed
        self.rounds, self.rank, self.processes = rounds, rank, processes
        self.epoch, self.first = 0, 0  # set before each epoch: its number, and the first step to do
        batches = length // self.batch_size
        if batches < rounds * processes:
            raise UserError(
                f"{length} images make {batches} batches of {self.batch_size}, but a step takes {rounds * processes} "
                f"(train.accumulate={rounds} in {processes} processes): lower train.batch_size or train.accumulate"
            )

    def __len__(self) -> int:
        """Steps per epoch."""
        return self.length // (self.batch_size * self.rounds * self.processes)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        return self.batches(self.epoch, self.first)

    def batches(self, epoch: int, first: int = 0) -> Iterator[list[tuple[int, int]]]:
        """The batches of one epoch, starting at step `first`."""
        order = np.random.default_rng([self.seed, epoch]).permutation(self.length)
        for step in range(first, len(self)):
            for turn in range(self.rounds):
                batch = (step * self.rounds + turn) * self.processes + self.rank
                chosen = order[batch * self.batch_size : (batch + 1) * self.batch_size]
                yield [(epoch, int(index)) for index in chosen]


class EndlessBatches(Sampler[list[tuple[int, int]]]):
    """The batches of an order, from its current epoch and step, without end."""

    def __init__(self, order: EpochBatches) -> None:
        self._order = order

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        start, first = self._order.epoch, self._order.first
        for epoch in count_up(start):
            yield from self._order.batches(epoch, first if epoch == start else 0)


class TrainLoader:
    """Batches of successive epochs. Workers stay alive and prepare the next epoch's first batches during validation:
    otherwise the network would wait for a whole batch at the start of each epoch."""

    def __init__(self, dataset: TrainDataset, order: EpochBatches, workers: int, pin: bool) -> None:
        _before_fork(workers)
        self._order, self.workers, self.cores = order, workers, available_cores()
        self._processes = LoaderProcesses()
        self._loader: DataLoader[Any] = DataLoader(
            dataset,
            batch_sampler=EndlessBatches(self._order),
            collate_fn=collate,
            num_workers=workers,
            multiprocessing_context=self._processes.context(workers),
            pin_memory=pin,
            persistent_workers=workers > 0,
            worker_init_fn=partial(_start_worker, nice=not pin),  # pinned: the network runs on a GPU
            generator=torch.Generator(),  # separate: an early start must not change the random weights
        )
        self._batches: Iterator[Batch] = iter(())
        self._next: tuple[int, int] | None = None  # epoch and step of the next item of `_batches`; None: unknown

    def __len__(self) -> int:
        """Steps per epoch."""
        return len(self._order)

    @property
    def batch_size(self) -> int:
        """Images per batch: as configured, or fewer if there are fewer images."""
        return self._order.batch_size

    @property
    def images_per_step(self) -> int:
        """Images per step in all processes together."""
        return self._order.batch_size * self._order.rounds * self._order.processes

    def begin(self, epoch: int = 0, first: int = 0) -> None:
        """Start preparing the first batches that `epoch(epoch, first)` will return."""
        self._order.epoch, self._order.first = epoch, first
        with self._processes.starting():
            self._batches = _one_line_errors(iter(self._loader))
        self._next = (epoch, first)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[tuple[Batch, ...]]:
        """Yield the batches of each step of epoch `epoch`, from 0. first: steps that a resumed run has already done.

        Raises UserError for an image that cannot be read, LoaderDied if a loader process has ended."""
        if self._next != (epoch, first):
            self.begin(epoch, first)
        for step in range(first, len(self)):
            self._next = None  # until the batch arrives: an error ends the iterator
            with self._processes.asking():
                batches = tuple(islice(self._batches, self._order.rounds))
            self._next = (epoch, step + 1) if step + 1 < len(self) else (epoch + 1, 0)
            yield batches

    def close(self) -> None:
        """End the loader processes now; at exit, torch would report them as failed."""
        del self._batches, self._loader


class EvalBatches(Sampler[list[int]]):
    """All images in order, in batches dealt to the processes in turn."""

    def __init__(self, length: int, batch_size: int, rank: int = 0, processes: int = 1) -> None:
        self._mine = [
            list(range(first, min(first + batch_size, length)))
            for first in range(rank * batch_size, length, batch_size * processes)
        ]

    def __len__(self) -> int:
        return len(self._mine)

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self._mine)


class EvalLoader:
    """Every image of this process once, in order; each item is a list of batches, grouped by image size."""

    def __init__(
        self, dataset: EvalDataset, batch_size: int, workers: int, pin: bool, rank: int = 0, processes: int = 1
    ) -> None:
        _before_fork(workers)
        order = EvalBatches(len(dataset), batch_size, rank, processes)
        self.images = sum(map(len, order))
        self._processes = LoaderProcesses()
        self._loader: DataLoader[Any] = DataLoader(
            dataset,
            batch_sampler=order,
            collate_fn=collate_by_size,
            num_workers=workers,
            multiprocessing_context=self._processes.context(workers),
            pin_memory=pin,
            persistent_workers=workers > 0,
            worker_init_fn=partial(_start_worker, nice=not pin),  # pinned: the network runs on a GPU
        )

    def __iter__(self) -> Iterator[list[Batch]]:
        """One pass. Raises like `TrainLoader.epoch`."""
        batches: Iterator[list[Batch]] = iter(())
        with self._processes.starting():
            batches = _one_line_errors(iter(self._loader))
        for _ in range(len(self._loader)):
            with self._processes.asking():
                batch = next(batches)
            yield batch

    def close(self) -> None:
        """End the loader processes, see `TrainLoader.close`."""
        del self._loader


def _one_line_errors(loader: Iterable[Any]) -> Iterator[Any]:
    """Items of the loader; a UserError raised in a worker is re-raised without the worker's traceback."""
    try:
        yield from loader
    except UserError as error:
        raise UserError(str(error).strip().splitlines()[-1].split(f"{type(error).__name__}: ", 1)[-1]) from None


def collate(items: Sequence[DatasetItem]) -> Batch:
    """Stack items of one size. The image tensor is (N, 3, H, W) in channels-last memory, as decoded."""
    images = torch.from_numpy(np.stack([item.image for item in items])).permute(0, 3, 1, 2)
    planes = (torch.from_numpy(np.stack(same)) for same in zip(*(item.planes for item in items), strict=True))
    return Batch(
        image=images,
        targets=Targets(*planes),
        names=tuple(item.original.name for item in items),
        transforms=tuple(item.transform for item in items),
        polygons=tuple(item.original.polygons for item in items),
        ignore=tuple(item.original.ignore for item in items),
        indices=tuple(item.number for item in items),
    )


def collate_by_size(items: Sequence[DatasetItem]) -> list[Batch]:
    """One batch for each image size."""
    groups: dict[tuple[int, ...], list[DatasetItem]] = {}
    for item in items:
        groups.setdefault(item.image.shape, []).append(item)
    return [collate(group) for group in groups.values()]


def too_many_workers(workers: int, key: str, processes: int = 1) -> str | None:
    """A note if there are more than MAX_PER_CORE loader processes per core; None otherwise.

    key: the config key of `workers`. processes: of the run on this machine, each with its own loader processes."""
    cores = available_cores()
    if workers * processes <= MAX_PER_CORE * cores:
        return None
    each = f" in each of {processes} processes" if processes > 1 else ""
    return (
        f"{key}={workers}{each} on {count(cores, 'core')}: each loader process needs memory for its batches, and they "
        f"share the cores; {key}={max(cores // processes, 1)} is as fast"
    )


def default_workers(processes: int = 1) -> int:
    """Default number of loader processes: the cores per process of the run, at most 8."""
    return max(min(available_cores() // processes, 8), 1)


def available_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _before_fork(workers: int) -> None:
    """Close OpenCV's thread pool: a forked worker inherits it without its threads, and hangs."""
    if workers > 0:
        cv2.setNumThreads(1)


def _start_worker(_: int, nice: bool) -> None:
    if hasattr(os, "setpgrp"):
        os.setpgrp()  # Ctrl-C and `timeout` signal the whole group; the main process ends its workers
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the main process ends its workers with it
    queues.Queue._on_queue_feeder_error = staticmethod(_exit_unsent)  # type: ignore[attr-defined]
    cv2.setNumThreads(1)  # one core per worker
    give_back_freed_memory()
    keep_freed_memory()  # half of the time to decode a photo is spent on new memory pages
    if nice and hasattr(os, "nice"):
        os.nice(NICENESS)


def _exit_unsent(error: Exception, batch: object) -> None:
    """Exit because a batch cannot be sent: the main process would wait for it forever."""
    if NO_FILES in str(error).lower():
        os._exit(EXIT_NO_FILES)
    if "shared memory" in str(error) and hasattr(signal, "SIGBUS"):
        # the same signal as for writing to a full /dev/shm, for which torch names the cause
        signal.pthread_kill(threading.get_ident(), signal.SIGBUS)
    os.write(2, f"loader process {os.getpid()}: cannot send a batch: {error}\n".encode())
    os._exit(1)
