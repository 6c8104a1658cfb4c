"""Views to batches: order, workers, collation.

Legend: N images of a batch, H W pixels.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

from ..allocator import give_back_freed_memory
from ..errors import UserError
from ..structures import Batch, Targets
from .views import ScoreViews, TrainViews, View

POLITENESS = 10  # niceness of a loader process: on a CPU the network's threads wait for the slowest of them


class EpochBatches(Sampler[list[tuple[int, int]]]):
    """Shuffled full batches of (epoch, index); the order depends on seed and epoch alone.

    The last, incomplete batch is left out, unless it would be the only one: then every image counts."""

    def __init__(self, length: int, batch_size: int, seed: int) -> None:
        self.length, self.batch_size, self.seed = length, min(batch_size, length), seed
        self.epoch, self.first = 0, 0  # set before each pass: which one, and the first batch not yet seen

    def __len__(self) -> int:
        return self.length // self.batch_size

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.length)
        for step in range(self.first, len(self)):
            chosen = order[step * self.batch_size : (step + 1) * self.batch_size]
            yield [(self.epoch, int(index)) for index in chosen]


class TrainLoader:
    """Batches of one epoch after the other; workers stay alive in between."""

    def __init__(self, views: TrainViews, batch_size: int, seed: int, workers: int, pin: bool) -> None:
        _before_fork(workers)
        self._order = EpochBatches(len(views), batch_size, seed)
        self._loader: DataLoader[Any] = DataLoader(
            views,
            batch_sampler=self._order,
            collate_fn=collate,
            num_workers=workers,
            pin_memory=pin,
            persistent_workers=workers > 0,
            worker_init_fn=partial(_start_worker, polite=not pin),  # pinned: the network runs on a GPU
        )

    def __len__(self) -> int:
        """Steps per epoch."""
        return len(self._order)

    @property
    def batch_size(self) -> int:
        """Images per step: as asked, or all there are."""
        return self._order.batch_size

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Batches of epoch `epoch`, counted from 0. first: batches of it that a resumed run has seen."""
        self._order.epoch, self._order.first = epoch, first
        return _in_one_line(self._loader)


class ScoreLoader:
    """Every image once, in order; each item is a list of batches, images of like size together."""

    def __init__(self, views: ScoreViews, batch_size: int, workers: int, pin: bool) -> None:
        _before_fork(workers)
        self._loader: DataLoader[Any] = DataLoader(
            views,
            batch_size=batch_size,
            collate_fn=collate_by_size,
            num_workers=workers,
            pin_memory=pin,
            persistent_workers=workers > 0,
            worker_init_fn=partial(_start_worker, polite=not pin),  # pinned: the network runs on a GPU
        )

    def __iter__(self) -> Iterator[list[Batch]]:
        """One pass."""
        return _in_one_line(self._loader)


def _in_one_line(loader: DataLoader[Any]) -> Iterator[Any]:
    """What the loader yields; a UserError raised in a worker comes without the worker's traceback."""
    try:
        yield from loader
    except UserError as error:
        raise UserError(str(error).strip().splitlines()[-1].split("UserError: ", 1)[-1]) from None


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
    )


def collate_by_size(views: Sequence[View]) -> list[Batch]:
    """One batch for each canvas size among the views."""
    groups: dict[tuple[int, ...], list[View]] = {}
    for view in views:
        groups.setdefault(view.image.shape, []).append(view)
    return [collate(group) for group in groups.values()]


def default_workers() -> int:
    """Loader processes when none are asked for: the cores this process may use, 8 at most."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, 8)


def _before_fork(workers: int) -> None:
    """A forked worker inherits OpenCV's thread pool without its threads, and hangs in it: close the pool first."""
    if workers > 0:
        cv2.setNumThreads(1)


def _start_worker(_: int, polite: bool) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the main one decides when to stop
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the main one ends its loader processes with it
    cv2.setNumThreads(1)  # a worker is one core; more threads only fight each other
    give_back_freed_memory()
    if polite and hasattr(os, "nice"):
        os.nice(POLITENESS)
