"""The network compiled by torch.compile, for training at one size.

Evaluation, averaging, saving and the optimizer use the plain network: both share the same weights.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from ..errors import UserError
from ..runtime.device import Compute
from ..runtime.machine import ran_out

LONGEST_REASON = 200  # characters of the compiler's message; the rest is its generated code


def compile_network(model: nn.Module, batch: int, height: int, width: int, compute: Compute) -> nn.Module:
    """Compile for batches of (batch, 3, height, width), with one forward and backward pass.

    The model's weights and statistics do not change. Raises UserError, with the compiler's reason, if the network
    cannot be compiled. Running out of memory is not raised, as the first training step will report it."""
    network = cast(nn.Module, torch.compile(model, dynamic=False))
    before = [buffer.clone() for buffer in model.buffers()]
    model.train()
    # channels last, as collated; random bytes, not zeros: batch norm divides by their standard deviation
    draw = torch.Generator().manual_seed(0)  # the run's random state must not change
    image = torch.randint(0, 256, (batch, height, width, 3), generator=draw, dtype=torch.uint8).permute(0, 3, 1, 2)
    try:
        with compute.autocast():
            maps = network(compute.image(image))
        sum(logits.float().mean() for logits in maps if logits is not None).backward()
    except Exception as error:  # the compiler raises many types, also those of the C++ compiler
        if not ran_out(error):
            raise UserError(
                f"train.compile=true: torch.compile cannot compile this network on this machine ({_reason(error)}); "
                f"use train.compile=false"
            ) from None
    finally:
        model.zero_grad(set_to_none=True)
        with torch.no_grad():
            for buffer, value in zip(model.buffers(), before, strict=True):
                buffer.copy_(value)
    return network


def _reason(error: Exception) -> str:
    """The first line that says more than which part of the compiler raised the next one."""
    lines = [line.strip() for line in str(error).splitlines()]
    reasons = [line for line in lines if line and not line.endswith("raised:")] or [type(error).__name__]
    return reasons[0] if len(reasons[0]) <= LONGEST_REASON else f"{reasons[0][:LONGEST_REASON]} …"
