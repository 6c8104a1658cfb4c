"""One training step, as it runs here against the same network as published: milliseconds an image and ratios.

    python scripts/bench_step.py [--size 640] [--batch 8] [--repeats 5] [--rounds 2]

Each row adds one thing to the row above. Every row is a process of its own (memory settings hold for a process); the
rows take turns, because the speed of a shared machine drifts, and the median of all their steps counts.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

import torch
from torch import Tensor
from torch.nn import functional as F

from resnet18_ocrdet.allocator import keep_freed_memory
from resnet18_ocrdet.device import autocast, choose_device, choose_precision
from resnet18_ocrdet.loss import DBLoss
from resnet18_ocrdet.model.dbnet import DBNet
from resnet18_ocrdet.model.head import MapHead, Quadruple
from resnet18_ocrdet.structures import Targets

ROWS = (
    "fp32, contiguous",
    "+ channels last",
    "+ bf16 where native",
    "+ freed memory kept",
    "+ heads as 1x1 convolutions",  # the last row is what ocrdet-train does
)


class Step:
    """A network, its optimizer and one fixed batch."""

    def __init__(self, row: int, size: int, batch: int) -> None:
        """row: index into ROWS; everything up to it is on."""
        if row >= 3:
            keep_freed_memory()
        torch.manual_seed(0)
        layout = torch.channels_last if row >= 1 else torch.contiguous_format
        self.device = choose_device("auto")
        self.precision = choose_precision("auto", self.device) if row >= 2 else "fp32"
        self.model = DBNet().to(self.device).to(memory_format=layout)
        if row < 4:
            self.model.prob_head.forward = as_published(self.model.prob_head)
            self.model.thresh_head.forward = as_published(self.model.thresh_head)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.007, momentum=0.9)
        image = torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8)
        self.image = image.to(self.device, memory_format=layout)
        text = (torch.rand(batch, size, size) < 0.1).to(self.device, torch.uint8)
        self.targets = Targets(text, torch.ones_like(text), text * 100 + 76, text)
        self.criterion = DBLoss()

    def __call__(self) -> float:
        """Do one step; returns its seconds."""
        began = time.perf_counter()
        with autocast(self.device, self.precision):
            maps = self.model(self.image)
        self.optimizer.zero_grad(set_to_none=True)
        self.criterion(maps, self.targets).total.backward()
        self.optimizer.step()
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began


def as_published(head: MapHead):
    """The head's function by torch's own transposed convolutions."""

    def forward(x: Tensor) -> Tensor:
        for layer in head:
            x = F.conv_transpose2d(x, layer.weight, layer.bias, stride=2) if isinstance(layer, Quadruple) else layer(x)
        return x

    return forward


def measure(row: int, asked: argparse.Namespace) -> list[float]:
    """Seconds of each step of one row, in a process of its own."""
    words = [f"--{name}={getattr(asked, name)}" for name in ("size", "batch", "repeats")]
    done = subprocess.run(
        [sys.executable, __file__, *words, f"--row={row}"], stdout=subprocess.PIPE, text=True, check=True
    )
    return [float(word) for word in done.stdout.split()]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=640)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--row", type=int, help=argparse.SUPPRESS)  # one row, in the process it starts for it
    asked = parser.parse_args()
    if asked.row is not None:
        step = Step(asked.row, asked.size, asked.batch)
        print(*[step() for _ in range(asked.repeats + 2)][2:])  # the first are a warm-up
        return
    seconds: list[list[float]] = [[] for _ in ROWS]
    for _ in range(asked.rounds):
        for row, times in enumerate(seconds):
            times += measure(row, asked)
    medians = [statistics.median(times) for times in seconds]
    for name, median in zip(ROWS, medians, strict=True):
        print(f"{name:30s} {1000 * median / asked.batch:8.1f} ms an image   {medians[0] / median:5.2f} times the first")
    print(f"on {choose_device('auto').type}, {asked.size}x{asked.size}, batch {asked.batch}")


if __name__ == "__main__":
    main()
