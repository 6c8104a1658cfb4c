"""Views to batches: order, workers, collation.

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
from .datasets import EvalDataset, TrainDataset, View
from .loader_processes import EXIT_NO_FILES, NO_FILES, LoaderProcesses

CROWDED = 2  # loader processes a core from which a note is given
POLITENESS = 10  # niceness of a loader process: on a CPU the network's threads wait for the slowest of them


class EpochBatches(Sampler[list[tuple[int, int]]]):
    """Shuffled full batches of (epoch, index); the order depends on seed and epoch alone.

    The batches of the epoch go round: one to each process, and again, until each has `rounds` of them for one step.
    What is left over at the end is left out, unless it would be the only batch: then every image counts."""

    def __init__(self, length: int, batch_size: int, seed: int, rounds: int = 1, rank: int = 0, processes: int = 1):
        self.length, self.batch_size, self.seed = length, min(batch_size, length), seed
        self.rounds, self.rank, self.processes = rounds, rank, processes
        self.epoch, self.first = 0, 0  # set before each pass: which one, and the first step not yet done
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
        """Those of one epoch, from step `first` on."""
        order = np.random.default_rng([self.seed, epoch]).permutation(self.length)
        for step in range(first, len(self)):
            for turn in range(self.rounds):
                batch = (step * self.rounds + turn) * self.processes + self.rank
                chosen = order[batch * self.batch_size : (batch + 1) * self.batch_size]
                yield [(epoch, int(index)) for index in chosen]


class Onwards(Sampler[list[tuple[int, int]]]):
    """The batches of an order from where it stands, epoch after epoch without an end."""

    def __init__(self, order: EpochBatches) -> None:
        self._order = order

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        start, first = self._order.epoch, self._order.first
        for epoch in count_up(start):
            yield from self._order.batches(epoch, first if epoch == start else 0)


class TrainLoader:
    """Batches of one epoch after the other; workers stay alive in between, and make the next epoch's first batches
    while this one ends and is validated: else the network would wait for a whole batch at the start of every epoch."""

    def __init__(self, views: TrainDataset, order: EpochBatches, workers: int, pin: bool) -> None:
        _before_fork(workers)
        self._order, self.workers, self.cores = order, workers, available_cores()
        self._processes = LoaderProcesses()
        self._loader: DataLoader[Any] = DataLoader(
            views,
            batch_sampler=Onwards(self._order),
            collate_fn=collate,
            num_workers=workers,
            multiprocessing_context=self._processes.context(workers),
            pin_memory=pin,
            persistent_workers=workers > 0,
            worker_init_fn=partial(_start_worker, polite=not pin),  # pinned: the network runs on a GPU
            generator=torch.Generator(),  # of its own: an early start must not change the random weights
        )
        self._batches: Iterator[Batch] = iter(())
        self._next: tuple[int, int] | None = None  # epoch and step of what `_batches` gives next; None: not known

    def __len__(self) -> int:
        """Steps per epoch."""
        return len(self._order)

    @property
    def batch_size(self) -> int:
        """Images per batch: as asked, or all there are."""
        return self._order.batch_size

    @property
    def images_per_step(self) -> int:
        """In all processes together."""
        return self._order.batch_size * self._order.rounds * self._order.processes

    def begin(self, epoch: int = 0, first: int = 0) -> None:
        """Let the loader processes make the first batches already that `epoch`, called so, gives."""
        self._order.epoch, self._order.first = epoch, first
        with self._processes.starting():
            self._batches = _in_one_line(iter(self._loader))
        self._next = (epoch, first)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[tuple[Batch, ...]]:
        """The batches of each step of epoch `epoch`, counted from 0. first: steps that a resumed run has done.

        Raises UserError for an image that cannot be read, LoaderDied when a loader process has ended."""
        if self._next != (epoch, first):
            self.begin(epoch, first)
        for step in range(first, len(self)):
            self._next = None  # until it is there: what fails on the way ends the iterator
            with self._processes.asking():
                batches = tuple(islice(self._batches, self._order.rounds))
            self._next = (epoch, step + 1) if step + 1 < len(self) else (epoch + 1, 0)
            yield batches

    def close(self) -> None:
        """End the loader processes now; left to the end of the program, torch takes their end for an accident."""
        del self._batches, self._loader


class EveryImage(Sampler[list[int]]):
    """All images in order, in batches that go round the processes."""

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
    """Every image of this process once, in order; each item is a list of batches, images of like size together."""

    def __init__(
        self, views: EvalDataset, batch_size: int, workers: int, pin: bool, rank: int = 0, processes: int = 1
    ) -> None:
        _before_fork(workers)
        order = EveryImage(len(views), batch_size, rank, processes)
        self.images = sum(map(len, order))
        self._processes = LoaderProcesses()
        self._loader: DataLoader[Any] = DataLoader(
            views,
            batch_sampler=order,
            collate_fn=collate_by_size,
            num_workers=workers,
            multiprocessing_context=self._processes.context(workers),
            pin_memory=pin,
            persistent_workers=workers > 0,
            worker_init_fn=partial(_start_worker, polite=not pin),  # pinned: the network runs on a GPU
        )

    def __iter__(self) -> Iterator[list[Batch]]:
        """One pass. Raises as `TrainLoader.epoch`."""
        batches: Iterator[list[Batch]] = iter(())
        with self._processes.starting():
            batches = _in_one_line(iter(self._loader))
        for _ in range(len(self._loader)):
            with self._processes.asking():
                batch = next(batches)
            yield batch

    def close(self) -> None:
        """End the loader processes now, as `TrainLoader.close`."""
        del self._loader


def _in_one_line(loader: Iterable[Any]) -> Iterator[Any]:
    """What the loader yields; a UserError raised in a worker comes without the worker's traceback."""
    try:
        yield from loader
    except UserError as error:
        raise UserError(str(error).strip().splitlines()[-1].split(f"{type(error).__name__}: ", 1)[-1]) from None


def collate(views: Sequence[View]) -> Batch:
    """Stack views of one size. The image tensor is (N, 3, H, W) in channels-last memory, as decoded."""
    images = torch.from_numpy(np.stack([view.image for view in views])).permute(0, 3, 1, 2)
    planes = (torch.from_numpy(np.stack(same)) for same in zip(*(view.planes for view in views), strict=True))
    return Batch(
        image=images,
        targets=Targets(*planes),
        names=tuple(view.original.name for view in views),
        placements=tuple(view.placement for view in views),
        polygons=tuple(view.original.polygons for view in views),
        ignore=tuple(view.original.ignore for view in views),
        indices=tuple(view.number for view in views),
    )


def collate_by_size(views: Sequence[View]) -> list[Batch]:
    """One batch for each canvas size among the views."""
    groups: dict[tuple[int, ...], list[View]] = {}
    for view in views:
        groups.setdefault(view.image.shape, []).append(view)
    return [collate(group) for group in groups.values()]


def too_many(workers: int, key: str, processes: int = 1) -> str | None:
    """A note where the loader processes asked for with `key` are more than twice the cores; None where they are not.

    processes: of the run on this machine, each with loaders of its own."""
    cores = available_cores()
    if workers * processes <= CROWDED * cores:
        return None
    each = f" in each of {processes} processes" if processes > 1 else ""
    return (
        f"{key}={workers}{each} on {count(cores, 'core')}: each loader process takes memory for batches of its own and "
        f"none gets a core to itself; {key}={max(cores // processes, 1)} is as fast"
    )


def default_workers(processes: int = 1) -> int:
    """Loader processes when none are asked for: the cores for each of `processes`, 8 at most."""
    return max(min(available_cores() // processes, 8), 1)


def available_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _before_fork(workers: int) -> None:
    """A forked worker inherits OpenCV's thread pool without its threads, and hangs in it: close the pool first."""
    if workers > 0:
        cv2.setNumThreads(1)


def _start_worker(_: int, polite: bool) -> None:
    if hasattr(os, "setpgrp"):
        os.setpgrp()  # Ctrl-C and `timeout` signal the whole group: the main process decides when its loaders end
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the main one ends its loader processes with it
    queues.Queue._on_queue_feeder_error = staticmethod(_end_unsent)  # type: ignore[attr-defined]
    cv2.setNumThreads(1)  # a worker is one core; more threads only fight each other
    give_back_freed_memory()
    keep_freed_memory()  # of its own from here on: half of the time to decode a photo goes into new pages
    if polite and hasattr(os, "nice"):
        os.nice(POLITENESS)


def _end_unsent(error: Exception, batch: object) -> None:
    """End this process, as its batch cannot be handed over: the main one would wait for it for ever."""
    if NO_FILES in str(error).lower():
        os._exit(EXIT_NO_FILES)
    if "shared memory" in str(error) and hasattr(signal, "SIGBUS"):
        signal.pthread_kill(
            threading.get_ident(), signal.SIGBUS
        )  # as for writing to it when full: torch names the cause
    os.write(2, f"loader process {os.getpid()}: a batch cannot be handed over: {error}\n".encode())
    os._exit(1)
