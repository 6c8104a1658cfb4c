"""The processes of one run: a single one, or those that torchrun started.

Each holds the whole network and sees its share of the images. Every decision is made from numbers that all processes
have, so that none waits for another. docs/adr/007-many-processes.md.
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
PEER_LOST = (
    "Connection closed by peer", "Connection reset by peer", "Broken pipe", "remote process exit", "Socket Timeout"
)  # fmt: skip
EXCHANGE = ("gloo", "NCCL", "ProcessGroup")
PATIENCE = timedelta(minutes=60)  # for a busy process: the first one may be reading a large data set


class World:
    """One process among `size`. A single process exchanges nothing.

    rank: 0 writes the files and prints. local_rank: among the `local_size` processes of this machine."""

    def __init__(self, rank: int = 0, size: int = 1, local_rank: int = 0, local_size: int = 1) -> None:
        self.rank, self.size, self.local_rank, self.local_size = rank, size, local_rank, local_size

    @property
    def first(self) -> bool:
        """Whether this process writes the files and prints."""
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
        """Call `make` in the first process only and return its result in all. A UserError is raised in all of them."""
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
        """The items of all processes, where process i % size holds item i of the whole."""
        if self.size == 1:
            return list(mine)
        shares = self._gather(list(mine))
        return [share[turn] for turn in range(len(shares[0])) for share in shares if turn < len(share)]

    def joined(self, mine: tuple[T, ...]) -> tuple[T, ...]:
        """The items of all processes, one process after the other."""
        return mine if self.size == 1 else tuple(item for share in self._gather(mine) for item in share)

    def report_error(self, text: str) -> None:
        """Print what only this process knows to standard error; the first process prints it elsewhere."""
        if not self.first:
            print(f"process {self.rank}: {printable(text)}", file=sys.stderr, flush=True)

    def lost_peer(self, error: BaseException) -> bool:
        """Whether an exchange failed because another process ended."""
        return self._is_runtime_error(error, PEER_LOST)

    def exchange_failed(self, error: BaseException) -> bool:
        """Whether an exchange failed, for whatever reason."""
        return self._is_runtime_error(error, EXCHANGE)

    def wrap(self, model: nn.Module) -> nn.Module:
        """The network as it is called in training: its gradients are means over the processes."""
        return model if self.size == 1 else DistributedDataParallel(model)

    def no_exchange(self, network: nn.Module) -> AbstractContextManager[object]:
        """Within it, gradients are added up without being exchanged."""
        return network.no_sync() if isinstance(network, DistributedDataParallel) else nullcontext()

    def share_buffers(self, model: nn.Module) -> None:
        """Give every process the batch-norm statistics of the first one."""
        if self.size > 1:
            for buffer in model.buffers():
                distributed.broadcast(buffer, src=0)

    def _is_runtime_error(self, error: BaseException, words: Sequence[str]) -> bool:
        return self.size > 1 and isinstance(error, RuntimeError) and any(word in str(error) for word in words)

    def _gather(self, item: T) -> list[T]:
        items: list[Any] = [None] * self.size
        distributed.all_gather_object(items, item)
        return items


@contextmanager
def join_world(device: str) -> Iterator[World]:
    """Join the processes that torchrun started, or be a single one. device: of the config; decides gloo or NCCL.

    Raises UserError when another launcher started several processes: each would train independently."""
    missing = [name for name in STARTED_BY_TORCHRUN if name not in os.environ]
    if missing:
        for name, alone in (("WORLD_SIZE", "1"), ("RANK", "0")):
            if (value := os.environ.get(name, alone)) != alone:
                raise UserError(
                    f"{name}={value} is set, but {missing[0]} is not: start several processes with torchrun "
                    f"(docs/scale-out.md); for a single process, unset RANK and WORLD_SIZE"
                )
        yield World()
        return
    rank, size, local, here = (int(os.environ[name]) for name in STARTED_BY_TORCHRUN[:4])
    on_gpu = device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())
    if on_gpu:
        _refuse_shared_gpu(device, here)
        torch.cuda.set_device(local)
    distributed.init_process_group("cpu:gloo,cuda:nccl" if on_gpu else "gloo", timeout=PATIENCE)
    try:
        yield World(rank, size, local, here)
    finally:
        distributed.destroy_process_group()


def _refuse_shared_gpu(device: str, processes: int) -> None:
    """Raises the same in every process, so that the first one reports it. processes: on this machine."""
    if ":" in device:
        raise UserError(f"device={device}: under torchrun each process takes its own GPU; use device=cuda or auto")
    gpus = torch.cuda.device_count()
    if processes > gpus:
        raise UserError(f"torchrun started {processes} processes here, but there are {gpus} GPUs: --nproc-per-node")
