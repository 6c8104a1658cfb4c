"""The network as torch.compile makes it, for training at one size.

Evaluation, averaging, saving and the optimizer keep the plain one: both hold the same weights under the plain names.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from ..errors import UserError
from ..runtime.compute import Compute
from ..runtime.memory import ran_out

LONGEST_REASON = 200  # characters of what the compiler says; the rest is its own code


def compile_network(model: nn.Module, batch: int, height: int, width: int, compute: Compute) -> nn.Module:
    """Compile for batches of (batch, 3, height, width) and try it at once, forwards and backwards.

    The model's weights and statistics stay as they are. Raises UserError, with the compiler's reason, where it cannot
    be compiled; where the memory does not suffice nothing is raised, as the first step of the training tells that."""
    network = cast(nn.Module, torch.compile(model, dynamic=False))
    before = [buffer.clone() for buffer in model.buffers()]
    model.train()
    # as collated: channels last. Bytes at random, not zeros: batch norm divides by their scatter
    draw = torch.Generator().manual_seed(0)  # its own: the run's random numbers are not touched
    image = torch.randint(0, 256, (batch, height, width, 3), generator=draw, dtype=torch.uint8).permute(0, 3, 1, 2)
    try:
        with compute.autocast():
            maps = network(compute.image(image))
        sum(logits.float().mean() for logits in maps if logits is not None).backward()
    except Exception as error:  # the compiler raises many types, those of the C++ compiler it calls among them
        if not ran_out(error):
            raise UserError(
                f"train.compile=true: torch.compile cannot compile this network here ({_reason(error)}); "
                f"type train.compile=false"
            ) from None
    finally:
        model.zero_grad(set_to_none=True)
        with torch.no_grad():
            for buffer, value in zip(model.buffers(), before, strict=True):
                buffer.copy_(value)
    return network


def _reason(error: Exception) -> str:
    """One line: the first that is not only about which part of the compiler raised the next."""
    lines = [line.strip() for line in str(error).splitlines()]
    told = [line for line in lines if line and not line.endswith("raised:")] or [type(error).__name__]
    return told[0] if len(told[0]) <= LONGEST_REASON else f"{told[0][:LONGEST_REASON]} …"
