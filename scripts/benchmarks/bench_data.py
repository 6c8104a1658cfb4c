"""One training sample, stage by stage, compared with a plain reference implementation, on one thread.

    OCRDET_ICDAR2015=FOLDER python scripts/benchmarks/bench_data.py [--size 640] [--samples 60] [--json FILE]
    python scripts/benchmarks/bench_data.py --train [--size 256]

Real photos are read from OCRDET_ICDAR2015 and left out if it is not set; dense images are made here: 1280x720 with 100
rotated quads. Both sides (the other is reference_data.py) take turns in one process, because the speed of a shared
machine drifts; medians. The exit status is 1 when a goal is missed, or when the reference is slower than the original.
--train compares real training steps fed by the real loader with steps on one batch in memory.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

import reference_data as reference
from bench_rows import Row, conclude, print_rows, reference_too_slow
from machine_limits import described, machine_limits
from made_images import LARGE, SMALL, random_quads, write_photo
from resnet18_ocrdet.data.augment import Augment
from resnet18_ocrdet.data.datasets import TrainDataset
from resnet18_ocrdet.data.image_io import read_image
from resnet18_ocrdet.data.labels import LabelledImages
from resnet18_ocrdet.data.load_annotations import read_data
from resnet18_ocrdet.data.loader import EpochBatches, TrainLoader
from resnet18_ocrdet.data.region_clipping import move_regions, regions_in_image
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.data.targets import TargetMaker
from resnet18_ocrdet.model.layers import Normalize
from resnet18_ocrdet.model.loss import DBLoss
from resnet18_ocrdet.runtime.allocator import keep_freed_memory
from resnet18_ocrdet.runtime.machine import available_cores
from resnet18_ocrdet.structures import Batch
from resnet18_ocrdet.train.engine import train_one_epoch
from training_steps import make_compute, make_model, make_state

# Measured once with MhLiao/DB (commit 65ca77a), ms per image, on a machine whose matrix product of 4096 x 4096 in
# float32 ran at ORIGINAL_GFLOPS on one thread
ORIGINAL_GFLOPS = 176.0
ORIGINAL_MS = {
    ("real photo", 640): 47.6,
    ("dense image", 640): 108.0,
    ("real photo", 800): 48.3,
    ("dense image", 800): 118.0,
    ("targets, 10 large quads", 640): 17.3,
    ("targets, 100 quads", 640): 37.9,
    ("targets, 10 large quads", 800): 27.5,
    ("targets, 100 quads", 800): 48.4,
}
MIN_RATIO = 4.0
MAX_ERROR = 1.0  # levels of 255
MAX_MS_REAL = 6.0  # the loader's part of a sample of a real photo at 640
PHOTOS = 120  # of the first 900: the last hundred are for reports
TURN = 10  # samples
STAGES = ("decode", "geometry", "photometric", "targets", "normalise")
AGAINST = "the reference"

Times = dict[str, list[dict[str, float]]]  # "ours" and "reference" -> ms by stage, one dict per sample


def main() -> None:
    """Measure, print and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, help="side of the crop, px; 640, with --train 256")
    parser.add_argument("--samples", type=int, default=60, help="of each kind")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--train", action="store_true", help="training steps by the loader and on one batch")
    options = parser.parse_args()
    if options.train:
        keep_freed_memory()  # as the commands do
        raise SystemExit(conclude([], {}, [], options.json, train=measure_training(options.size or 256)))
    limits = machine_limits(1)
    print(described(limits))
    keep_freed_memory()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    size, rows, faults = options.size or 640, list[Row](), list[str]()
    with tempfile.TemporaryDirectory() as folder:
        for name, source in sources(Path(folder)).items():
            rows += sample_rows(name, size, compare_samples(source, size, options.samples))
    for name, sides, count in (("targets, 10 large quads", LARGE, 10), ("targets, 100 quads", SMALL, 100)):
        times, error = compare_targets(size, options.samples, sides, count)
        rows.append(whole_row(name, size, times))
        if error > MAX_ERROR:
            faults.append(f"{name}: the threshold maps differ by {error:.2f} levels, at most {MAX_ERROR} are allowed")
        print(f"{name}: threshold maps differ by at most {error:.2f} of 255 (0.5 is rounding); other maps are equal")
    print_rows(rows)
    for row in rows:
        original = ORIGINAL_MS.get((row.name.removesuffix(f", crop {size}"), size))
        if original is not None and row.reference is not None:
            fault = reference_too_slow(row.name, row.reference, original, ORIGINAL_GFLOPS, limits["fp32_gflops"])
            faults += [fault] if fault else []
    raise SystemExit(conclude(rows, limits, faults, options.json, size=size, samples=options.samples))


def sources(folder: Path) -> dict[str, LabelledImages]:
    """Real photos, if there are any, and five dense images."""
    dense = []
    for number in range(5):
        rng = np.random.default_rng(number)
        dense.append(write_photo(folder / f"{number}.jpg", 720, 1280, random_quads(720, 1280, 100, SMALL, rng), rng))
    root = os.environ.get("OCRDET_ICDAR2015")
    if not root:
        print("OCRDET_ICDAR2015 is not set: no real photos")
        return {"dense image": LabelledImages(dense)}
    return {"real photo": real_photos(Path(root)), "dense image": LabelledImages(dense)}


def real_photos(root: Path) -> LabelledImages:
    """The first photos of the training half of ICDAR2015."""
    return LabelledImages(read_data(root).splits["train"][:PHOTOS])


def sample_rows(name: str, size: int, times: Times) -> list[Row]:
    """Rows of the stages, of a whole sample, and of the loader's part of it.

    We normalise on the device, the reference in the loader: a whole sample includes it on both sides."""
    ours, theirs = (medians(times[side]) for side in ("ours", "reference"))
    rows = [Row(f"{name}, {stage}", "ms per image", ours.get(stage), theirs.get(stage), AGAINST) for stage in STAGES]
    loader = ours["whole"] - ours["normalise"]
    goal = MAX_MS_REAL if (name, size) == ("real photo", 640) else None
    in_loader = Row(f"{name}, loader", "ms per image", loader, theirs["whole"], AGAINST, max_ours=goal)
    return [*rows, whole_row(name, size, times), in_loader]


def whole_row(name: str, size: int, times: Times) -> Row:
    """The row with the goal."""
    ours, theirs = (medians(times[side])["whole"] for side in ("ours", "reference"))
    return Row(f"{name}, crop {size}", "ms per image", ours, theirs, AGAINST, min_ratio=MIN_RATIO)


def compare_samples(source: LabelledImages, size: int, samples: int) -> Times:
    """Milliseconds by stage of both sides."""
    times: Times = {"ours": [], "reference": []}
    for record in source.records:
        record.image_path.read_bytes()  # so that the disk is not measured
    for side, number, counted in turns(samples):
        index = number % len(source)
        stages: dict[str, float] = {}
        if side == "ours":
            make_ours(source, index, size, np.random.default_rng([1, number]), stages)
        else:
            record = source.record(index)
            polygons = [polygon.astype(np.float64) for polygon in record.polygons]
            read = partial(read_image, record.image_path)
            rng = np.random.default_rng([2, number])
            reference.make_sample(read, polygons, record.ignore.tolist(), size, rng, stages)
        stages["whole"] = sum(stages.values())
        if counted:
            times[side].append(stages)
    return times


def make_ours(
    source: LabelledImages, index: int, size: int, rng: np.random.Generator, stages: dict[str, float]
) -> None:
    """What `TrainDataset` does, with a clock between the stages."""
    augment, make, normalize = Augment(), TargetMaker(), Normalize()
    clock = [time.perf_counter()]

    def done(stage: str) -> None:
        clock.append(time.perf_counter())
        stages[stage] = stages.get(stage, 0.0) + 1000 * (clock[-1] - clock[-2])

    picture = source.open(index)
    transform = augment.draw_transform(picture, size, size, rng)
    done("geometry")
    image = picture.pixels(transform.reduce)
    done("decode")
    image = transform.render(picture._replace(read=lambda reduce: image), size, size)
    original = (picture.height, picture.width)
    polygons, ignore = regions_in_image(picture.polygons, picture.ignore, original)
    polygons, ignore = move_regions(polygons, ignore, transform.matrix, original, (size, size))
    done("geometry")
    for change in augment.draw_changes(rng):
        image = change(image)
    done("photometric")
    make(polygons, ignore, size, size)
    done("targets")
    normalize(torch.from_numpy(image).permute(2, 0, 1)[None])
    done("normalise")


def compare_targets(size: int, samples: int, sides: Any, count: int) -> tuple[Times, float]:
    """Targets alone, and the largest difference of the threshold maps in levels of 255; the others must be equal."""
    make, worst = TargetMaker(), 0.0
    times: Times = {"ours": [], "reference": []}
    made: dict[int, Any] = {}
    for side, number, counted in turns(samples):
        quads = random_quads(size, size, count, sides, np.random.default_rng(number))
        exact, ignore = [quad.astype(np.float64) for quad in quads], np.zeros(len(quads), bool)
        began = time.perf_counter()
        if side == "ours":
            planes: Any = make(quads, ignore, size, size)
        else:
            planes = reference.make_targets(exact, ignore.tolist(), size, size)
        if counted:
            times[side].append({"whole": 1000 * (time.perf_counter() - began)})
        if number not in made:
            made[number] = planes
            continue
        ours = made.pop(number)
        worst = max(worst, float(np.abs(ours[2] - planes[2] * 255.0).max()))
        for place in (0, 1, 3):
            np.testing.assert_array_equal(ours[place], planes[place])
    return times, worst


def turns(samples: int) -> Iterator[tuple[str, int, bool]]:
    """Side, number of the sample, and whether it counts: TURN samples at a time, the first of each only warms up.

    One at a time, the large planes of the reference would push ours out of the cache before every sample."""
    for first in range(0, samples, TURN):
        for side in ("ours", "reference"):
            for number in range(first, min(first + TURN, samples)):
                yield side, number, number > first


def medians(times: Sequence[dict[str, float]]) -> dict[str, float]:
    """Of each stage, ms."""
    return {stage: statistics.median(each[stage] for each in times) for stage in times[0]}


def measure_training(size: int, batch: int = 8, steps: int = 6) -> dict[str, float]:
    """Images per second of training steps fed by the loader, and of steps on one batch; they take turns."""
    root = os.environ.get("OCRDET_ICDAR2015")
    source = real_photos(Path(root)) if root else SyntheticScenes(400, size, size, seed=0)
    dataset, workers = TrainDataset(source, Augment(), TargetMaker(), size, size, 0), available_cores()
    loader = TrainLoader(dataset, EpochBatches(len(dataset), batch, 0), workers, pin=False)
    device = torch.device("cpu")
    compute, precision = make_compute(device)
    state = make_state(make_model(device), device, precision)
    feed = (images for epoch in range(1000) for (images,) in loader.epoch(epoch))
    kept = next(feed)

    def run(give: Callable[[], Batch], count: int) -> tuple[float, float]:
        """Images per second of `count` steps, and the share of the time spent waiting for images."""
        rounds = ((give(),) for _ in range(count))
        began = time.perf_counter()
        records = list(train_one_epoch(state, rounds, 1000, lambda _: 1e-4, DBLoss(), compute))
        took = time.perf_counter() - began
        return batch * count / took, sum(record.data_seconds for record in records) / took

    run(lambda: kept, 2)
    fed, alone = [], []
    for _ in range(2):
        time.sleep(2.0)  # the queue of the loader fills up and its processes rest
        alone.append(run(lambda: kept, steps)[0])
        run(lambda: next(feed), 2 * workers)  # uses up what was waiting
        fed.append(run(lambda: next(feed), steps))
    loader.close()
    rate, waiting = (statistics.median(column) for column in zip(*fed, strict=True))
    kept_rate = statistics.median(alone)
    print(
        f"training {size}x{size}, batch {batch}, {workers} cores, {precision}: {rate:.1f} images/s by the loader, "
        f"{kept_rate:.1f} on one batch: {rate / kept_rate:.0%}; {waiting:.1%} of the time waiting for the loader; load "
        f"average {os.getloadavg()[0]:.1f}"
    )
    return {
        "fed": rate,
        "kept": kept_rate,
        "share": rate / kept_rate,
        "waited": waiting,
        "cores": workers,
        "size": size,
    }


if __name__ == "__main__":
    main()
