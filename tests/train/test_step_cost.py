"""The cost of a training step per image, counted instead of timed: a change that raises it must change these numbers.

All figures are differences between a batch of two and a batch of one, so that what the weights cost drops out.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from resnet18_ocrdet.model.dbnet import DBNet
from resnet18_ocrdet.model.loss import DBLoss
from resnet18_ocrdet.structures import Targets

SIDE = 128
PIXELS = SIDE * SIDE
COPIES = ("copy_", "_to_copy", "clone")


class Cost(NamedTuple):
    """Of one image more, by pixel."""

    operations: float  # products and sums of convolutions and matrix products, forward and backward
    copied: float  # values written by mere copies and changes of type
    written: float  # bytes of new tensors


class Counted(TorchDispatchMode):
    """Adds up what is copied and what is written into new memory."""

    def __init__(self) -> None:
        super().__init__()
        self.copied = self.written = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        inputs = {each.data_ptr() for each in args if isinstance(each, Tensor)}
        for tensor in out if isinstance(out, (tuple, list)) else [out]:
            if isinstance(tensor, Tensor):
                if func.overloadpacket.__name__ in COPIES:
                    self.copied += tensor.numel()
                if tensor.data_ptr() not in inputs:
                    self.written += tensor.numel() * tensor.element_size()
        return out


def step(batch: int, plain: bool) -> tuple[int, int, int]:
    """One step in bf16 on images as the loader gives them, without the optimizer."""
    torch.manual_seed(0)
    model = DBNet(plain=plain).to(memory_format=torch.channels_last).train()
    image = torch.randint(0, 256, (batch, SIDE, SIDE, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    text = torch.zeros(batch, SIDE, SIDE, dtype=torch.uint8)
    text[:, 40:80, 20:100] = 1
    targets = Targets(text, torch.ones_like(text), text * 100 + 76, text)
    with FlopCounterMode(display=False) as flops, Counted() as counted:
        with torch.autocast("cpu", torch.bfloat16):
            maps = model(image)
        DBLoss()(maps, targets).total.backward()
    return flops.get_total_flops(), counted.copied, counted.written


def cost(plain: bool) -> Cost:
    one, two = step(1, plain), step(2, plain)
    return Cost(*((more - less) / PIXELS for less, more in zip(one, two, strict=True)))


@pytest.fixture(scope="module")
def ours() -> Cost:
    return cost(plain=False)


@pytest.fixture(scope="module")
def plain() -> Cost:
    return cost(plain=True)


def conv(channels: int, out: int, kernel: int, stride: int) -> float:
    """Products of a convolution for each pixel of the image; its output has `stride` times shorter sides."""
    return channels * out * kernel**2 / stride**2


def by_hand() -> float:
    """Of the published network. Each product goes with a sum, and comes again in the gradients of input and weight."""
    stem, levels = conv(3, 64, 7, 2), ((64, 64, 4), (64, 128, 8), (128, 256, 16), (256, 512, 32))
    backbone = stem + sum(conv(c, k, 3, s) + 3 * conv(k, k, 3, s) for c, k, s in levels)
    backbone += sum(conv(c, k, 1, s) for c, k, s in levels[1:])
    neck = sum(conv(k, 256, 1, s) + conv(256, 64, 3, s) for _, k, s in levels)
    head = conv(256, 64, 3, 4) + conv(64, 4 * 64, 1, 4) + conv(64, 4, 1, 2)
    return 6 * (backbone + neck + 2 * head) - 2 * stem  # the image needs no gradient


def saved_by_hand() -> float:
    """Of it not done by quick.py: taps of enlarged maps, and the lateral convolution at stride 4."""
    neck = conv(64, 256, 1, 4) + conv(256, 64, 3, 4) - conv(64, 64, 3, 4) - conv(256, 64, 4, 8)
    head = conv(192, 64, 3, 4) - conv(64, 64, 4, 8) - conv(128, 64, 6, 16)
    zeros = conv(256, 16, 1, 4) - conv(64, 4, 1, 2)  # of the last layer's matrix
    return 6 * (neck + 2 * (head - zeros))


def test_the_operations_are_those_of_the_layers(ours, plain):
    assert plain.operations == by_hand() == 420_768
    assert ours.operations == by_hand() - saved_by_hand()


def test_a_step_does_not_get_more_expensive(ours, plain):
    assert ours.operations < 0.82 * plain.operations
    assert (
        ours.copied <= 20
    )  # values a pixel; 19 with torch 2.15: 6 for the image, 9 for maps and loss, 4 to put the maps in order
    assert ours.written <= 1450 < plain.written  # bytes a pixel; 1404 with torch 2.15
