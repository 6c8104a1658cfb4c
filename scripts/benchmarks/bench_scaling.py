"""How cost grows on this machine: a training step with batch and size, the loader with regions, crop and photo.

    python scripts/benchmarks/bench_scaling.py [--png scaling.png] [--json scaling.json] [--seconds 180]

The step is the real loop's (engine.train_one_epoch, precision=auto) on a kept batch; the loader is `TrainDataset` on
one thread, augmentation and targets included, on JPEGs made here. Points take turns, and of each the shortest time
counts: it is the one that was disturbed least. The exponent between two neighbours is the slope of their line in a
log-log plot: 1 is as fast as the input grows, 0 not at all. Of regions, what they add to an image without any is
judged. Where a pair grows faster than its input (exponent above 1.15) both are measured again; the exit status is 1
when they still do.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from gpu_rows import finish, first, make_compute, make_state, steps_of
from machine_limits import described, machine_limits

from resnet18_ocrdet.data.augment import Augment
from resnet18_ocrdet.data.datasets import TrainDataset
from resnet18_ocrdet.data.labels import LabelledImages
from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.data.targets import TargetMaker
from resnet18_ocrdet.model.dbnet import DBNet
from resnet18_ocrdet.runtime.allocator import keep_freed_memory
from resnet18_ocrdet.runtime.device import choose_device
from resnet18_ocrdet.structures import Batch, Targets

FASTEST_GROWTH = 1.15  # exponent: above it, cost grows faster than its input
ROUNDS = 4
AGAIN = 2  # times a pair that seems to grow too fast is measured again
VIEWS = 16  # of the loader, a point
STEP_SIZE, STEP_BATCH = 320, 2  # px where the batch grows; images where the size does
CROP, PHOTO, REGIONS = 640, (720, 1280), 50  # of the loader, where something else grows
TEXT_SHARE = 0.1  # of the pixels of the step's targets


@dataclass
class Curve:
    """Time against one input."""

    name: str
    of: str  # what grows, with its unit
    inputs: Sequence[float]  # rising
    measure: Callable[[int], float] = field(repr=False)  # number of the point -> seconds
    base: bool = False  # the first input is 0: what the others add to it is judged
    seconds: list[float] = field(default_factory=list)  # the shortest so far, a point

    def __post_init__(self) -> None:
        self.seconds = self.seconds or [math.inf] * len(self.inputs)

    def take(self, point: int) -> None:
        """Measure one point once more."""
        self.seconds[point] = min(self.seconds[point], self.measure(point))

    def exponents(self) -> list[float | None]:
        """From each point's neighbour before it; None where there is none to compare with, or not measured."""
        floor = self.seconds[0] if self.base else 0.0
        costs = [second - floor for second in self.seconds]
        found: list[float | None] = [None]
        for (x0, y0), (x1, y1) in pairwise(zip(self.inputs, costs, strict=True)):
            known = x0 > 0 and y0 > 0 and y1 > 0 and math.isfinite(y0) and math.isfinite(y1)
            found.append(math.log(y1 / y0) / math.log(x1 / x0) if known else None)
        return found

    def too_fast(self) -> list[int]:
        """Points whose cost grew faster than their input."""
        return [point for point, slope in enumerate(self.exponents()) if slope is not None and slope > FASTEST_GROWTH]


def main(argv: list[str]) -> int:
    """Measure, print, draw, judge. Returns the exit status."""
    asked = parse(argv)
    keep_freed_memory()  # as the commands do
    cv2.setNumThreads(1)
    limits = machine_limits()
    print(described(limits))
    with tempfile.TemporaryDirectory() as folder:
        curves = [*step_curves(asked.tiny), *loader_curves(Path(folder), asked.tiny)]
        measure(curves, time.monotonic() + asked.seconds)
    for curve in curves:
        report(curve)
    faults = [fault_line(curve, point) for curve in curves for point in curve.too_fast()]
    for line in faults:
        print(f"GROWS TOO FAST: {line}")
    if not faults:
        print(f"nothing grows faster than its input (no exponent above {FASTEST_GROWTH})")
    if asked.json is not None:
        content = {"limits": limits, "most": FASTEST_GROWTH, "curves": [plain(curve) for curve in curves]}
        asked.json.write_text(json.dumps(content | {"faults": faults}, indent=1) + "\n", encoding="utf-8")
    if asked.png is not None:
        draw(asked.png, curves)
    return 1 if faults else 0


def parse(argv: list[str]) -> argparse.Namespace:
    """Exit status 2 for a value that cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--png", type=Path, help="draw the curves into this file")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--seconds", type=float, default=180.0, help="time limit, about (default: %(default)s)")
    parser.add_argument("--tiny", action="store_true", help="two small points a curve: to see that it runs")
    found = parser.parse_args(argv)
    if not found.seconds > 0:
        parser.error(f"--seconds {found.seconds}: must be above 0")
    if found.png is not None and importlib.util.find_spec("matplotlib") is None:
        parser.error("--png needs matplotlib: install the package with its extra [plots]")
    return found


def measure(curves: Sequence[Curve], until: float) -> None:
    """All points in turn, until they had ROUNDS turns or the time is over; then again what seems to grow too fast.

    Every point is measured once, whatever the time."""
    for turn in range(ROUNDS):
        for curve in curves:
            for point in range(len(curve.inputs)):
                if turn == 0 or time.monotonic() < until:
                    curve.take(point)
    for curve in curves:
        for _ in range(AGAIN):
            for point in curve.too_fast():
                curve.take(point - 1)
                curve.take(point)
                if curve.base:
                    curve.take(0)


def step_curves(tiny: bool) -> list[Curve]:
    """A training step against the images of its batch, and against their pixels."""
    device = choose_device("auto")
    compute, precision = make_compute(device)
    torch.manual_seed(0)
    net = DBNet().to(device).to(memory_format=torch.channels_last)
    state = make_state(net, device, precision)
    batches, sizes = ((1, 2), (64, 96)) if tiny else ((1, 2, 4, 8, 16), (256, 384, 512, 640, 800))
    side = sizes[0] if tiny else STEP_SIZE

    def step(count: int, size: int) -> float:
        """The shorter of two steps, after one that meets the new shape."""
        steps = steps_of(state, random_batch(count, size, device), compute)
        seconds = []
        for _ in range(3):
            began = time.perf_counter()
            first(steps, 1)
            finish(device)
            seconds.append(time.perf_counter() - began)
        return min(seconds[1:])

    where = f"{device.type} {precision}"
    return [
        Curve(f"step, {side}x{side}, {where}", "images a batch", batches, lambda i: step(batches[i], side)),
        Curve(
            f"step, batch {STEP_BATCH}, {where}",
            "pixels of an image",
            [float(size * size) for size in sizes],
            lambda i: step(STEP_BATCH, sizes[i]),
        ),
    ]


def random_batch(count: int, size: int, device: torch.device) -> Batch:
    """Noise with a tenth of its pixels text, on the device."""
    image = torch.randint(0, 256, (count, size, size, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    text = (torch.rand(count, size, size) < TEXT_SHARE).to(torch.uint8)
    targets = Targets(text, torch.ones_like(text), text * 100 + 76, text).to(device)
    return Batch(image.to(device), targets, ("noise",) * count, (), (), (), ())


def loader_curves(folder: Path, tiny: bool) -> list[Curve]:
    """One sample against the regions of its photo, the pixels of its crop, and the pixels of its photo."""
    regions = (0, 10, 20) if tiny else (0, 10, 50, 100, 200, 400)
    crops = (64, 96) if tiny else (256, 384, 512, 640, 800)
    photos = ((180, 320), (360, 640)) if tiny else ((360, 640), (720, 1280), (1440, 2560), (2160, 3840))
    usual = photos[0] if tiny else PHOTO
    crop = crops[0] if tiny else CROP
    sets = {(usual, count): photo(folder, usual, count) for count in regions}
    sets |= {(size, REGIONS): photo(folder, size, REGIONS) for size in (*photos, usual)}
    return [
        Curve(
            f"loader, {usual[1]}x{usual[0]} to {crop}x{crop}",
            "regions of a photo",
            regions,
            lambda i: sample_seconds(sets[usual, regions[i]], crop),
            base=True,
        ),
        Curve(
            f"loader, {usual[1]}x{usual[0]}, {REGIONS} regions",
            "pixels of a crop",
            [float(side * side) for side in crops],
            lambda i: sample_seconds(sets[usual, REGIONS], crops[i]),
        ),
        Curve(
            f"loader, to {crop}x{crop}, {REGIONS} regions",
            "pixels of a photo",
            [float(height * width) for height, width in photos],
            lambda i: sample_seconds(sets[photos[i], REGIONS], crop),
        ),
    ]


def photo(folder: Path, size: tuple[int, int], count: int) -> LabelledImages:
    """One JPEG of smooth noise with `count` turned boxes, whose sides are in proportion to the photo's."""
    height, width = size
    rng = np.random.default_rng(count)
    image = cv2.resize(rng.integers(60, 200, (height // 16, width // 16, 3), dtype=np.uint8), (width, height))
    quads = []
    for _ in range(count):
        sides = rng.uniform((0.02, 0.01), (0.08, 0.03)) * width
        spot = rng.uniform((0.05 * width, 0.08 * height), (0.95 * width, 0.92 * height))
        quads.append(cv2.boxPoints((spot.tolist(), sides.tolist(), float(rng.uniform(-30, 30)))).astype(np.float32))
        cv2.fillPoly(image, [np.rint(quads[-1]).astype(np.int32)], [int(value) for value in rng.integers(0, 256, 3)])
    path = folder / f"{width}x{height}_{count}.jpg"
    cv2.imwrite(str(path), image, (cv2.IMWRITE_JPEG_QUALITY, 85))
    flags = np.zeros(count, bool)
    return LabelledImages([LabelRecord(path, None, tuple(quads), flags, ("",) * count, size=size)])


def sample_seconds(source: LabelledImages, crop: int) -> float:
    """Mean of VIEWS views, the same ones at each call."""
    views = TrainDataset(source, Augment(), TargetMaker(), crop, crop, seed=0)
    views[0, 0]  # the file is read, the code is warm
    began = time.perf_counter()
    for epoch in range(VIEWS):
        views[epoch, 0]
    return (time.perf_counter() - began) / VIEWS


def report(curve: Curve) -> None:
    """A table of one curve."""
    added = ", exponent of what regions add" if curve.base else ""
    print(f"\n{curve.name}\n{curve.of:>20s} {'ms':>10s}  exponent{added}")
    for x, seconds, slope in zip(curve.inputs, curve.seconds, curve.exponents(), strict=True):
        print(f"{x:20,.0f} {1000 * seconds:10.2f}  {'' if slope is None else format(slope, '8.2f')}")


def fault_line(curve: Curve, point: int) -> str:
    """What is said of a pair that grows too fast."""
    before, now = curve.inputs[point - 1], curve.inputs[point]
    return f"{curve.name}: from {before:,.0f} to {now:,.0f} {curve.of}, exponent {curve.exponents()[point]:.2f}"


def plain(curve: Curve) -> dict[str, Any]:
    """For the JSON file."""
    rows = zip(curve.inputs, curve.seconds, curve.exponents(), strict=True)
    points = [{"input": x, "ms": 1000 * seconds, "exponent": slope} for x, seconds, slope in rows]
    return {"name": curve.name, "of": curve.of, "points": points}


def draw(path: Path, curves: Sequence[Curve]) -> None:
    """Log-log, beside a line that grows as the input does."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    figure = Figure(figsize=(13, 7.5), layout="constrained")
    for place, curve in enumerate(curves):
        axes = figure.add_subplot(2, 3, place + 1)
        shown = [(x, 1000 * y) for x, y in zip(curve.inputs, curve.seconds, strict=True) if x > 0]
        xs, ys = [x for x, _ in shown], [y for _, y in shown]
        axes.loglog(xs, ys, "o-", label="measured")
        axes.loglog(xs, [ys[-1] * x / xs[-1] for x in xs], ":", color="grey", label="as its input")
        if curve.base:
            axes.axhline(1000 * curve.seconds[0], color="grey", linewidth=0.8, label="without regions")
        axes.set(title=curve.name, xlabel=curve.of, ylabel="ms a step" if place < 2 else "ms a sample")
        axes.set_ylim(min(ys) / 3, max(ys) * 1.5)
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xticks(xs, [f"{x:g}" if x < 1000 else f"{x / 1e6:.2g}M" for x in xs])
        axes.grid(True, which="both", alpha=0.2)
        axes.legend(loc="lower right")
    figure.savefig(path, dpi=90)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
