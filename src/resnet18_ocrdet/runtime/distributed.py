"""The processes of one run: one alone, or those that torchrun started.

Each holds the whole network and sees its share of the images. What is decided from numbers is decided from numbers
that all of them have, so that none waits for another. docs/adr/007-many-processes.md.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from ..errors import UserError
from .messages import printable

T = TypeVar("T")

STARTED_BY_TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
PEER_LEFT = ("Connection closed by peer", "Connection reset by peer", "gloo", "NCCL", "ProcessGroup", "Socket Timeout")
PATIENCE = timedelta(minutes=60)  # for a process that is busy: the first one may be reading a large data set


class World:
    """One process among `size`; alone, nothing here talks to anybody.

    rank: 0 writes the files and speaks. local_rank: among the `local_size` processes of this machine."""

    def __init__(self, rank: int = 0, size: int = 1, local_rank: int = 0, local_size: int = 1) -> None:
        self.rank, self.size, self.local_rank, self.local_size = rank, size, local_rank, local_size

    @property
    def first(self) -> bool:
        """Whether this process writes the files and speaks."""
        return self.rank == 0

    def mean(self, values: Tensor) -> Tensor:
        """Mean over the processes, element by element; on the device of the network."""
        if self.size == 1:
            return values
        values = values.clone()
        distributed.all_reduce(values)
        return values / self.size

    def any(self, flag: bool) -> bool:
        """Whether it is true in at least one process."""
        if self.size == 1:
            return flag
        count = torch.tensor(float(flag))  # on the CPU, over gloo: a GPU is not waited for
        distributed.all_reduce(count)
        return bool(count > 0)

    def from_first(self, make: Callable[[], T]) -> T:
        """What `make` returns in the first process, in all of them. A UserError there is raised in all of them."""
        if self.size == 1:
            return make()
        sent: list[Any] = [None, None]
        if self.first:
            try:
                sent[0] = make()
            except UserError as error:
                sent[1] = str(error)
        distributed.broadcast_object_list(sent, src=0)
        if sent[1] is not None:
            raise UserError(sent[1])
        return sent[0]  # type: ignore[no-any-return]

    def in_order(self, mine: Sequence[T]) -> list[T]:
        """All items of all processes where item i of the whole lay with process i % size."""
        if self.size == 1:
            return list(mine)
        shares = self._gather(list(mine))
        return [share[turn] for turn in range(len(shares[0])) for share in shares if turn < len(share)]

    def joined(self, mine: tuple[T, ...]) -> tuple[T, ...]:
        """The items of all processes, one process after the other."""
        return mine if self.size == 1 else tuple(item for share in self._gather(mine) for item in share)

    def tell(self, text: str) -> None:
        """What only this process knows, on standard error; the first process has better ways."""
        if not self.first:
            print(f"process {self.rank}: {printable(text)}", file=sys.stderr, flush=True)

    def was_left(self, error: BaseException) -> bool:
        """Whether an exchange failed because another process ended."""
        return self.size > 1 and isinstance(error, RuntimeError) and any(word in str(error) for word in PEER_LEFT)

    def wrap(self, model: nn.Module) -> nn.Module:
        """The network as it is called while training: its gradients come out as means over the processes."""
        return model if self.size == 1 else DistributedDataParallel(model)

    def no_exchange(self, network: nn.Module) -> AbstractContextManager[object]:
        """While more gradients are still to be added up: do not exchange them yet."""
        return network.no_sync() if isinstance(network, DistributedDataParallel) else nullcontext()

    def share_buffers(self, model: nn.Module) -> None:
        """Give every process the batch-norm statistics of the first one."""
        if self.size > 1:
            for buffer in model.buffers():
                distributed.broadcast(buffer, src=0)

    def _gather(self, item: T) -> list[T]:
        items: list[Any] = [None] * self.size
        distributed.all_gather_object(items, item)
        return items


@contextmanager
def join_world(device: str) -> Iterator[World]:
    """The processes that torchrun started, or this one alone. device: the word of the config; decides gloo or NCCL."""
    if any(name not in os.environ for name in STARTED_BY_TORCHRUN):
        yield World()
        return
    rank, size, local, here = (int(os.environ[name]) for name in STARTED_BY_TORCHRUN[:4])
    on_gpu = device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())
    if on_gpu:
        _refuse_shared_card(device, here)
        torch.cuda.set_device(local)
    distributed.init_process_group("cpu:gloo,cuda:nccl" if on_gpu else "gloo", timeout=PATIENCE)
    try:
        yield World(rank, size, local, here)
    finally:
        distributed.destroy_process_group()


def _refuse_shared_card(device: str, processes: int) -> None:
    """The same in every process, so that the one that speaks says it. processes: on this machine."""
    if ":" in device:
        raise UserError(f"device={device}: under torchrun each process takes its own card; use device=cuda or auto")
    cards = torch.cuda.device_count()
    if processes > cards:
        raise UserError(f"torchrun started {processes} processes here, but there are {cards} cards: --nproc-per-node")
