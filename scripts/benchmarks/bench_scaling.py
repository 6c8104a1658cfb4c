"""How the cost grows: a training step with batch and image size, the loader with regions, crop and photo.

    python scripts/benchmarks/bench_scaling.py [--png scaling.png] [--json scaling.json] [--seconds 180]

The step is that of the real loop (engine.train_one_epoch, precision=auto) on one batch; the loader is `TrainDataset` on
one thread, with augmentation and targets, on JPEGs made here. Points take turns, and the shortest time of each counts,
because it was disturbed least. The exponent between two neighbours is the slope of their line in a log-log plot: 1
means as fast as the input, 0 not at all. For regions, the time that they add to an image without any is judged. If a
pair grows faster than its input (exponent above 1.15), both points are measured again; the exit status is 1 if it still
does.
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

from machine_limits import described, machine_limits
from made_images import random_quads, write_photo
from resnet18_ocrdet.data.augment import Augment
from resnet18_ocrdet.data.datasets import TrainDataset
from resnet18_ocrdet.data.labels import LabelledImages
from resnet18_ocrdet.data.targets import TargetMaker
from resnet18_ocrdet.runtime.allocator import keep_freed_memory
from resnet18_ocrdet.runtime.device import choose_device
from resnet18_ocrdet.structures import Batch, Targets
from training_steps import make_compute, make_model, make_state, steps_on, synchronize

MAX_EXPONENT = 1.15  # above it, the cost grows faster than its input
ROUNDS = 4
AGAIN = 2  # times that a pair above MAX_EXPONENT is measured again
SAMPLES = 16  # of the loader, per point
STEP_SIZE, STEP_BATCH = 320, 2  # px while the batch grows; images while the size grows
CROP, PHOTO, REGIONS = 640, (720, 1280), 50  # of the loader, while another input grows
TEXT_SHARE = 0.1  # of the pixels of the step's targets


@dataclass
class Curve:
    """Time against one input."""

    name: str
    of: str  # the input, with its unit
    inputs: Sequence[float]  # rising
    measure: Callable[[int], float] = field(repr=False)  # number of the point -> seconds
    base: bool = False  # the first input is 0, and the time that the others add to it is judged
    seconds: list[float] = field(default_factory=list)  # shortest so far, per point

    def __post_init__(self) -> None:
        self.seconds = self.seconds or [math.inf] * len(self.inputs)

    def take(self, point: int) -> None:
        """Measure one point once more."""
        self.seconds[point] = min(self.seconds[point], self.measure(point))

    def exponents(self) -> list[float | None]:
        """Between each point and the one before; None for the first point, or where there is nothing to compare."""
        floor = self.seconds[0] if self.base else 0.0
        costs = [second - floor for second in self.seconds]
        found: list[float | None] = [None]
        for (x0, y0), (x1, y1) in pairwise(zip(self.inputs, costs, strict=True)):
            known = x0 > 0 and y0 > 0 and y1 > 0 and math.isfinite(y0) and math.isfinite(y1)
            found.append(math.log(y1 / y0) / math.log(x1 / x0) if known else None)
        return found

    def too_fast(self) -> list[int]:
        """Points whose cost grows faster than their input."""
        return [point for point, slope in enumerate(self.exponents()) if slope is not None and slope > MAX_EXPONENT]


def main(argv: list[str]) -> int:
    """Measure, print, draw and judge. Returns the exit status."""
    options = parse(argv)
    keep_freed_memory()  # as the commands do
    cv2.setNumThreads(1)
    limits = machine_limits()
    print(described(limits))
    with tempfile.TemporaryDirectory() as folder:
        curves = [*step_curves(options.tiny), *loader_curves(Path(folder), options.tiny)]
        measure(curves, time.monotonic() + options.seconds)
    for curve in curves:
        report(curve)
    faults = [fault_line(curve, point) for curve in curves for point in curve.too_fast()]
    for line in faults:
        print(f"GROWS TOO FAST: {line}")
    if not faults:
        print(f"no cost grows faster than its input (no exponent above {MAX_EXPONENT})")
    if options.json is not None:
        content = {"limits": limits, "most": MAX_EXPONENT, "curves": [to_json(curve) for curve in curves]}
        options.json.write_text(json.dumps(content | {"faults": faults}, indent=1) + "\n", encoding="utf-8")
    if options.png is not None:
        draw(options.png, curves)
    return 1 if faults else 0


def parse(argv: list[str]) -> argparse.Namespace:
    """Exit status 2 for a value that cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--png", type=Path, help="draw the curves into this file")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--seconds", type=float, default=180.0, help="time limit, about (default: %(default)s)")
    parser.add_argument("--tiny", action="store_true", help="two small points per curve, to test that it runs")
    found = parser.parse_args(argv)
    if not found.seconds > 0:
        parser.error(f"--seconds {found.seconds}: must be above 0")
    if found.png is not None and importlib.util.find_spec("matplotlib") is None:
        parser.error("--png needs matplotlib: install the package with its extra [plots]")
    return found


def measure(curves: Sequence[Curve], until: float) -> None:
    """Measure all points ROUNDS times, or until the time is over but at least once; then repeat what grows too fast."""
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
    """A training step by the images of its batch, and by their pixels."""
    device = choose_device("auto")
    compute, precision = make_compute(device)
    state = make_state(make_model(device), device, precision)
    batches, sizes = ((1, 2), (64, 96)) if tiny else ((1, 2, 4, 8, 16), (256, 384, 512, 640, 800))
    side = sizes[0] if tiny else STEP_SIZE

    def step(count: int, size: int) -> float:
        """The shorter of two steps, after one that warms up the new shape."""
        steps = steps_on(state, random_batch(count, size, device), compute)
        seconds = []
        for _ in range(3):
            began = time.perf_counter()
            next(steps)
            synchronize(device)
            seconds.append(time.perf_counter() - began)
        return min(seconds[1:])

    where = f"{device.type} {precision}"
    return [
        Curve(f"step, {side}x{side}, {where}", "images per batch", batches, lambda i: step(batches[i], side)),
        Curve(
            f"step, batch {STEP_BATCH}, {where}",
            "pixels of an image",
            [float(size * size) for size in sizes],
            lambda i: step(STEP_BATCH, sizes[i]),
        ),
    ]


def random_batch(count: int, size: int, device: torch.device) -> Batch:
    """Noise with a tenth of its pixels text."""
    image = torch.randint(0, 256, (count, size, size, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    text = (torch.rand(count, size, size) < TEXT_SHARE).to(torch.uint8)
    targets = Targets(text, torch.ones_like(text), text * 100 + 76, text).to(device)
    return Batch(image.to(device), targets, ("noise",) * count, (), (), (), ())


def loader_curves(folder: Path, tiny: bool) -> list[Curve]:
    """One sample by the regions of its photo, the pixels of its crop, and the pixels of its photo."""
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
    """One JPEG with `count` rotated boxes, in proportion to the photo."""
    height, width = size
    rng = np.random.default_rng(count)
    sides = ((0.02 * width, 0.08 * width), (0.01 * width, 0.03 * width))
    quads = random_quads(height, width, count, sides, rng)
    return LabelledImages([write_photo(folder / f"{width}x{height}_{count}.jpg", height, width, quads, rng)])


def sample_seconds(source: LabelledImages, crop: int) -> float:
    """Mean of SAMPLES samples, the same at each call."""
    dataset = TrainDataset(source, Augment(), TargetMaker(), crop, crop, seed=0)
    dataset[0, 0]  # warm-up
    began = time.perf_counter()
    for epoch in range(SAMPLES):
        dataset[epoch, 0]
    return (time.perf_counter() - began) / SAMPLES


def report(curve: Curve) -> None:
    """A table of one curve."""
    added = ", exponent of what regions add" if curve.base else ""
    print(f"\n{curve.name}\n{curve.of:>20s} {'ms':>10s}  exponent{added}")
    for x, seconds, slope in zip(curve.inputs, curve.seconds, curve.exponents(), strict=True):
        print(f"{x:20,.0f} {1000 * seconds:10.2f}  {'' if slope is None else format(slope, '8.2f')}")


def fault_line(curve: Curve, point: int) -> str:
    """The message about a pair that grows too fast."""
    before, now = curve.inputs[point - 1], curve.inputs[point]
    return f"{curve.name}: from {before:,.0f} to {now:,.0f} {curve.of}, exponent {curve.exponents()[point]:.2f}"


def to_json(curve: Curve) -> dict[str, Any]:
    """A curve for the JSON file."""
    rows = zip(curve.inputs, curve.seconds, curve.exponents(), strict=True)
    points = [{"input": x, "ms": 1000 * seconds, "exponent": slope} for x, seconds, slope in rows]
    return {"name": curve.name, "of": curve.of, "points": points}


def draw(path: Path, curves: Sequence[Curve]) -> None:
    """Log-log, with a line that grows like the input."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    figure = Figure(figsize=(13, 7.5), layout="constrained")
    for place, curve in enumerate(curves):
        axes = figure.add_subplot(2, 3, place + 1)
        shown = [(x, 1000 * y) for x, y in zip(curve.inputs, curve.seconds, strict=True) if x > 0]
        xs, ys = [x for x, _ in shown], [y for _, y in shown]
        axes.loglog(xs, ys, "o-", label="measured")
        axes.loglog(xs, [ys[-1] * x / xs[-1] for x in xs], ":", color="grey", label="like its input")
        if curve.base:
            axes.axhline(1000 * curve.seconds[0], color="grey", linewidth=0.8, label="without regions")
        axes.set(title=curve.name, xlabel=curve.of, ylabel="ms per step" if place < 2 else "ms per sample")
        axes.set_ylim(min(ys) / 3, max(ys) * 1.5)
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xticks(xs, [f"{x:g}" if x < 1000 else f"{x / 1e6:.2g}M" for x in xs])
        axes.grid(True, which="both", alpha=0.2)
        axes.legend(loc="lower right")
    figure.savefig(path, dpi=90)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
