"""One training step, as it runs here against the same network in plain fp32: milliseconds an image and their ratio.

    python scripts/bench_step.py [--size 640] [--batch 8] [--repeats 5]

Both are measured in turn in one run, medians, because the speed of a shared machine drifts.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from resnet18_ocrdet.device import autocast, choose_device, choose_precision
from resnet18_ocrdet.loss import DBLoss
from resnet18_ocrdet.model.dbnet import DBNet
from resnet18_ocrdet.structures import Targets


class Step:
    """A network, its optimizer and one fixed batch."""

    def __init__(
        self, device: torch.device, precision: str, layout: torch.memory_format, size: int, batch: int
    ) -> None:
        """layout: memory format of weights and images."""
        torch.manual_seed(0)
        self.device, self.precision = device, precision
        self.model = DBNet().to(device).to(memory_format=layout)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.007, momentum=0.9)
        self.image = torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8).to(device, memory_format=layout)
        text = (torch.rand(batch, size, size) < 0.1).to(device, torch.uint8)
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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=640)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    device = choose_device("auto")
    ours = choose_precision("auto", device)
    steps = {
        "fp32, contiguous": Step(device, "fp32", torch.contiguous_format, asked.size, asked.batch),
        f"{ours}, channels last (ours)": Step(device, ours, torch.channels_last, asked.size, asked.batch),
    }
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for repeat in range(asked.repeats + 1):  # the first is a warm-up
        for name, step in steps.items():
            took = step()
            if repeat:
                seconds[name].append(took)
    median = {name: statistics.median(times) for name, times in seconds.items()}
    for name, value in median.items():
        print(f"{name:32s} {1000 * value / asked.batch:8.1f} ms an image")
    plain, fast = median.values()
    print(f"ratio {plain / fast:.2f} on {device.type}, {asked.size}x{asked.size}, batch {asked.batch}")


if __name__ == "__main__":
    main()
