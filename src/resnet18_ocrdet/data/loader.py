"""Data sets to batches: order, worker processes, collation.

Legend: N images of a batch, H W pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import compress
from itertools import count as count_up
from typing import Any, TypeVar

import numpy as np
import torch

from ..errors import UserError
from ..runtime.machine import available_cores
from ..runtime.messages import count
from ..structures import Batch, Targets
from .datasets import DatasetItem, EvalDataset, TrainDataset
from .loader_processes import LoaderProcesses
from .mixing import MixedDataset
from .pinning import PinnedAhead

Item = TypeVar("Item")

MAX_PER_CORE = 2  # loader processes; with more there is a note


def epoch_and_index(epoch: int, place: int) -> tuple[int, int]:
    """The key of an image of a single set: its place in the set."""
    return epoch, place


class EpochBatches:
    """Shuffled full batches of keys (epoch, index); the order depends only on seed and epoch.

    Batches are dealt to the processes in turn until each has `rounds` of them for one step. An incomplete last batch is
    dropped, unless it is the only one."""

    def __init__(
        self,
        length: int,
        batch_size: int,
        seed: int,
        rounds: int = 1,
        rank: int = 0,
        processes: int = 1,
        key: Callable[[int, int], tuple[int, int]] = epoch_and_index,
    ) -> None:
        """key: of an epoch and a place in it, 0 <= place < length, before the shuffle."""
        self.key = key
        self.length, self.batch_size, self.seed = length, min(batch_size, length), seed
        self.rounds, self.rank, self.processes = rounds, rank, processes
        batches = length // self.batch_size
        if batches < rounds * processes:
            raise UserError(
                f"{length} images make {batches} batches of {self.batch_size}, but a step takes {rounds * processes} "
                f"(train.accumulate={rounds} in {processes} processes): lower train.batch_size or train.accumulate"
            )

    def __len__(self) -> int:
        """Steps per epoch."""
        return self.length // (self.batch_size * self.rounds * self.processes)

    def batches(self, epoch: int, first: int = 0) -> Iterator[list[tuple[int, int]]]:
        """The batches of one epoch, starting at step `first`."""
        order = np.random.default_rng([self.seed, epoch]).permutation(self.length)
        for step in range(first, len(self)):
            for turn in range(self.rounds):
                batch = (step * self.rounds + turn) * self.processes + self.rank
                chosen = order[batch * self.batch_size : (batch + 1) * self.batch_size]
                yield [self.key(epoch, place) for place in chosen.tolist()]

    def endless(self, epoch: int, first: int) -> Iterator[list[tuple[int, int]]]:
        """The batches from step `first` of one epoch on, then those of the epochs after it."""
        yield from self.batches(epoch, first)
        for later in count_up(epoch + 1):
            yield from self.batches(later)


class TrainLoader:
    """Batches of successive epochs. Workers stay alive and prepare the next epoch's first batches during validation:
    otherwise the network would wait for a whole batch at the start of each epoch."""

    def __init__(self, dataset: TrainDataset | MixedDataset, order: EpochBatches, workers: int, pin: bool) -> None:
        self._order, self.workers, self.cores = order, workers, available_cores()
        self._prefetched = _prefetched(partial(_load, dataset, collate), workers, pin, Batch.pinned)
        self._next: tuple[int, int] | None = None  # epoch and step of the next batch; None: unknown

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
        self._prefetched.start(self._order.endless(epoch, first))
        self._next = (epoch, first)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[tuple[Batch, ...]]:
        """Yield the batches of each step of epoch `epoch`, from 0. first: steps that a resumed run has already done.

        Raises UserError for an image that cannot be read, LoaderDied if a loader process has ended."""
        if self._next != (epoch, first):
            self.begin(epoch, first)
        for step in range(first, len(self)):
            self._next = None  # until the batch arrives
            batches = tuple(self._prefetched.take() for _ in range(self._order.rounds))
            self._next = (epoch, step + 1) if step + 1 < len(self) else (epoch + 1, 0)
            yield batches

    def close(self) -> None:
        """End the loader processes."""
        self._prefetched.close()


def eval_batches(length: int, batch_size: int, rank: int = 0, processes: int = 1) -> list[list[int]]:
    """The indices of all images in order, in batches dealt to the processes in turn: those of process `rank`."""
    return [
        list(range(first, min(first + batch_size, length)))
        for first in range(rank * batch_size, length, batch_size * processes)
    ]


class EvalLoader:
    """Every image of this process once, in order; each item is a list of batches, grouped by image size."""

    def __init__(
        self, dataset: EvalDataset, batch_size: int, workers: int, pin: bool, rank: int = 0, processes: int = 1
    ) -> None:
        self._order = eval_batches(len(dataset), batch_size, rank, processes)
        self.images = sum(map(len, self._order))
        self._prefetched = _prefetched(partial(_load, dataset, collate_by_size), workers, pin, _pin_all)

    def __iter__(self) -> Iterator[list[Batch]]:
        """One pass. Raises like `TrainLoader.epoch`."""
        return self._pass(self._order)

    def spread(self, images: int) -> Iterator[list[Batch]]:
        """About so many images, in whole batches that are spread evenly over all of them; at least one batch."""
        share = min(images / max(self.images, 1), 1.0)
        taken = (math.ceil((n + 1) * share) > math.ceil(n * share) for n in range(len(self._order)))
        return self._pass(list(compress(self._order, taken)))

    def _pass(self, order: list[list[int]]) -> Iterator[list[Batch]]:
        self._prefetched.start(order)
        for _ in order:
            yield self._prefetched.take()

    def close(self) -> None:
        """End the loader processes."""
        self._prefetched.close()


def _prefetched(
    make: Callable[[Any], Item], workers: int, pin: bool, pinned: Callable[[Item], Item]
) -> LoaderProcesses[Any, Item] | PinnedAhead[Any, Item]:
    if pin and workers == 0:  # all in this thread: OpenCV's text drawing is not safe in several
        return LoaderProcesses(lambda keys: pinned(make(keys)), 0, nice=False)
    processes = LoaderProcesses(make, workers, nice=not pin)  # pinned: the network runs on a GPU
    return PinnedAhead(processes, pinned) if pin else processes


def _load(dataset: Any, collate: Callable[[Sequence[DatasetItem]], Item], keys: Sequence[Any]) -> Item:
    return collate([dataset[key] for key in keys])


def _pin_all(batches: list[Batch]) -> list[Batch]:
    return [batch.pinned() for batch in batches]


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
