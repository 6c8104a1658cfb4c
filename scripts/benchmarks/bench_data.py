"""One training sample by stages, ours beside the DB lineage's way, on one thread: milliseconds an image and ratios.

    OCRDET_ICDAR2015=FOLDER python scripts/benchmarks/bench_data.py [--size 640] [--samples 60] [--json FILE]
    python scripts/benchmarks/bench_data.py --train [--size 256]

Real photos are those of OCRDET_ICDAR2015 (left out where it is not set), dense images are made here: 1280x720 with 100
turned quads. Ours and the lineage's (reference_data.py) take turns in one process, because the speed of a shared machine
drifts; medians. The exit status is 1 when a goal is missed, or when the lineage's way, as written here, is slower than
what was measured of the original: beating a straw man says nothing.
--train feeds a real training step by the real loader, and by one batch kept in memory: what share of the speed is left.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import reference_data as lineage
import torch

from resnet18_ocrdet.data.augment import Augment
from resnet18_ocrdet.data.datasets import TrainDataset
from resnet18_ocrdet.data.geometric import move_regions
from resnet18_ocrdet.data.image_io import read_image
from resnet18_ocrdet.data.labels import LabelledImages
from resnet18_ocrdet.data.load_annotations import read_data
from resnet18_ocrdet.data.loader import EpochBatches, TrainLoader, available_cores
from resnet18_ocrdet.data.photometric import apply_look
from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.data.targets import TargetMaker
from resnet18_ocrdet.model.normalize import Normalize
from resnet18_ocrdet.runtime.allocator import keep_freed_memory

# Measured once of MhLiao/DB itself (commit 65ca77a), ms an image by what and crop, on a machine whose matrix product of
# 4096 x 4096 in float32 ran at THEIR_GFLOPS on one thread
THEIR_GFLOPS = 176.0
THEIRS = {
    ("real", 640): 47.6,
    ("dense", 640): 108.0,
    ("real", 800): 48.3,
    ("dense", 800): 118.0,
    ("targets, 10 large quads", 640): 17.3,
    ("targets, 100 quads", 640): 37.9,
    ("targets, 10 large quads", 800): 27.5,
    ("targets, 100 quads", 800): 48.4,
}
STRAW_MAN = 1.2  # times the scaled figure, at most
LEAST_RATIO = 4.0
MOST_ERROR = 1.0  # levels of 255
MOST_MS_REAL = 6.0  # a whole sample of a real photo at 640
PHOTOS = 120  # of the first 900: the last hundred are for reports
TURN = 10
STAGES = ("decode", "geometry", "photometric", "targets", "normalise", "whole")


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, help="side of the crop, px; 640, with --train 256")
    parser.add_argument("--samples", type=int, default=60, help="of each kind")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--train", action="store_true", help="a training loop by the loader against a kept batch")
    asked = parser.parse_args()
    keep_freed_memory()  # as the commands do
    if asked.train:
        found: dict[str, Any] = {"train": measure_training(asked.size or 256)}
        missed: list[str] = []
    else:
        cv2.setNumThreads(1)
        torch.set_num_threads(1)
        found, missed = measure_samples(asked.size or 640, asked.samples)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for line in missed:
        print(f"MISSED: {line}")
    raise SystemExit(1 if missed else 0)


def measure_samples(size: int, samples: int) -> tuple[dict[str, Any], list[str]]:
    """All figures of one run, and the goals that were missed."""
    gflops = matmul_gflops()
    slower = THEIR_GFLOPS / gflops
    print(f"float32 matrix product on one thread: {gflops:.0f} GFLOP/s; their figures times {slower:.2f}")
    found: dict[str, Any] = {"size": size, "gflops": gflops, "scaled_by": slower}
    missed: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        sets = {"dense": dense_images(Path(folder))}
        root = os.environ.get("OCRDET_ICDAR2015")
        if root:
            sets = {"real": real_photos(Path(root)), **sets}
        else:
            print("OCRDET_ICDAR2015 is not set: no real photos")
        for name, source in sets.items():
            found[name] = compare_samples(source, size, samples)
            report(name, found[name], size, slower, missed)
    for name, large in (("targets, 10 large quads", True), ("targets, 100 quads", False)):
        found[name] = compare_targets(size, samples, large)
        report(name, found[name], size, slower, missed)
    gflops_after = matmul_gflops()
    found["gflops_after"] = gflops_after
    print(f"the matrix product again: {gflops_after:.0f} GFLOP/s")
    return found, missed


def report(name: str, found: dict[str, Any], size: int, slower: float, missed: list[str]) -> None:
    """Print one comparison; append what it misses."""
    ours, theirs = found["ours"]["whole"], found["lineage"]["whole"]
    found["ratio"] = theirs / ours
    original = THEIRS.get((name, size))
    print(f"\n{name}, crop {size}: {ours:.2f} ms against {theirs:.2f} ms: {found['ratio']:.1f} times as fast")
    for stage in STAGES[:-1]:
        cells = [f"{found[who][stage]:8.2f}" if stage in found[who] else "       -" for who in ("ours", "lineage")]
        if "-" not in cells[0] + cells[1] or any(stage in found[who] for who in ("ours", "lineage")):
            print(f"  {stage:12s} {cells[0]} {cells[1]}")
    if "error" in found:
        print(
            f"  threshold maps differ by {found['error']:.2f} of 255 at most (0.5 is the bytes' rounding); others equal"
        )
        if found["error"] > MOST_ERROR:
            missed.append(f"{name}: the maps differ by {found['error']:.2f} levels, the goal is {MOST_ERROR}")
    if original is not None:
        scaled = original * slower
        found["original_scaled"] = scaled
        verdict = "faster than the original: fine" if theirs < scaled else "slower than the original"
        print(f"  MhLiao/DB itself: {original} ms, scaled to this machine {scaled:.1f} ms; ours of it is {verdict}")
        if theirs > STRAW_MAN * scaled:
            missed.append(f"{name}: our copy of the lineage takes {theirs:.1f} ms, a straw man beside {scaled:.1f} ms")
    if found["ratio"] < LEAST_RATIO:
        missed.append(f"{name}: {found['ratio']:.1f} times as fast, the goal is {LEAST_RATIO}")
    in_loader = ours - found["ours"].get("normalise", 0.0)  # ours is normalised on the device, theirs in the loader
    if "normalise" in found["ours"]:
        print(f"  in the loader: {in_loader:.2f} against {theirs:.2f} ms: {theirs / in_loader:.1f} times as fast")
    if name == "real" and size == 640 and in_loader > MOST_MS_REAL:
        missed.append(f"{name}: {in_loader:.2f} ms a sample, the goal is {MOST_MS_REAL}")


def compare_samples(source: LabelledImages, size: int, samples: int) -> dict[str, Any]:
    """Medians of both ways by stage; the network's normalisation is counted on both sides."""
    times: dict[str, list[dict[str, float]]] = {"ours": [], "lineage": []}
    for record in source.records:
        record.image_path.read_bytes()  # the disk is not what is measured
    for who, number, counted in turns(samples):
        index = number % len(source)
        stages: dict[str, float] = {}
        if who == "ours":
            make_ours(source, index, size, np.random.default_rng([1, number]), stages)
        else:
            record = source.record(index)
            polygons = [polygon.astype(np.float64) for polygon in record.polygons]
            read = partial(read_image, record.image_path)
            lineage.make_sample(
                read, polygons, record.ignore.tolist(), size, np.random.default_rng([2, number]), stages
            )
        stages["whole"] = sum(stages.values())
        if counted:
            times[who].append(stages)
    return {who: medians(rows) for who, rows in times.items()} | {"samples": samples}


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
    plan = augment.plan(picture, size, size, rng)
    done("geometry")
    image = picture.pixels(plan.reduce)
    done("decode")
    image = augment.render(picture._replace(read=lambda reduce: image), plan, size, size)
    original = (picture.height, picture.width)
    polygons, ignore = move_regions(picture.polygons, picture.ignore, plan.matrix, original, size, size)
    done("geometry")
    image = apply_look(image, plan.look)
    done("photometric")
    make(polygons, ignore, size, size)
    done("targets")
    normalize(torch.from_numpy(image).permute(2, 0, 1)[None])
    done("normalise")


def compare_targets(size: int, samples: int, large: bool) -> dict[str, Any]:
    """Targets alone, and the largest difference of the threshold maps, in levels of 255; the others must be equal."""
    make = TargetMaker()
    kind, worst = (10, LARGE) if large else (100, SMALL), 0.0
    times: dict[str, list[dict[str, float]]] = {"ours": [], "lineage": []}
    made: dict[int, Any] = {}
    for who, number, counted in turns(samples):
        quads = turned_quads(size, size, np.random.default_rng(number), *kind)
        plain, ignore = [quad.astype(np.float64) for quad in quads], np.zeros(len(quads), bool)
        began = time.perf_counter()
        if who == "ours":
            planes: Any = make(quads, ignore, size, size)
        else:
            planes = lineage.make_targets(plain, ignore.tolist(), size, size)
        if counted:
            times[who].append({"whole": 1000 * (time.perf_counter() - began)})
        other = made.pop(number, None)
        if other is None:
            made[number] = planes
            continue
        worst = max(worst, float(np.abs(other[2] - planes[2] * 255.0).max()))
        for place in (0, 1, 3):
            np.testing.assert_array_equal(other[place], planes[place])
    return {who: medians(rows) for who, rows in times.items()} | {"error": worst, "samples": samples}


def turns(samples: int) -> Iterator[tuple[str, int, bool]]:
    """Who makes which sample, and whether it counts: both in turn, TURN at a time, the first of each only to warm up.

    One by one, the lineage's large planes would push ours out of the cache before every sample."""
    for first in range(0, samples, TURN):
        for who in ("ours", "lineage"):
            for number in range(first, min(first + TURN, samples)):
                yield who, number, number > first


LARGE = ((120, 320), (40, 110))  # width and height of a quad, px
SMALL = ((30, 110), (12, 36))


def turned_quads(
    height: int, width: int, rng: np.random.Generator, count: int, sides: tuple[tuple[int, int], tuple[int, int]]
) -> list[np.ndarray]:
    """`count` rectangles turned by up to 30 degrees, wholly in the image, (4, 2) float32 each."""
    quads = []
    while len(quads) < count:
        w, h = rng.uniform(*sides[0]), rng.uniform(*sides[1])
        angle = np.deg2rad(rng.uniform(-30, 30))
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        quad = np.array([[-w, -h], [w, -h], [w, h], [-w, h]]) / 2 @ turn + rng.uniform((0, 0), (width, height))
        if (quad >= 0).all() and (quad <= (width - 1, height - 1)).all():
            quads.append(quad.astype(np.float32))
    return quads


def dense_images(folder: Path) -> LabelledImages:
    """Five 1280x720 JPEGs of smooth noise with 100 quads drawn on each."""
    records = []
    for number in range(5):
        rng = np.random.default_rng(number)
        quads = turned_quads(720, 1280, rng, 100, SMALL)
        image = cv2.resize(rng.integers(60, 200, (45, 80, 3), dtype=np.uint8), (1280, 720))
        for quad in quads:
            cv2.fillPoly(image, [np.rint(quad).astype(np.int32)], [int(v) for v in rng.integers(0, 256, 3)])
        path = folder / f"{number}.jpg"
        cv2.imwrite(str(path), image, (cv2.IMWRITE_JPEG_QUALITY, 85))
        flags = np.zeros(len(quads), bool)
        records.append(LabelRecord(path, None, tuple(quads), flags, ("",) * len(quads), size=(720, 1280)))
    return LabelledImages(records)


def real_photos(root: Path) -> LabelledImages:
    """The first photos of ICDAR2015's training half, their sizes known as after the look at a set."""
    return LabelledImages(read_data(root).parts["train"][:PHOTOS])


def medians(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """Of each stage, ms."""
    return {stage: statistics.median(row[stage] for row in rows) for stage in rows[0]}


def matmul_gflops(side: int = 4096) -> float:
    """The best of three matrix products."""
    left, right = torch.randn(side, side), torch.randn(side, side)
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        left @ right
        seconds.append(time.perf_counter() - began)
    return 2 * side**3 / min(seconds) / 1e9


def measure_training(size: int, batch: int = 8, steps: int = 6) -> dict[str, float]:
    """Images a second of training steps: fed by the loader, and by one batch that is kept; they take turns."""
    from resnet18_ocrdet.model.dbnet import DBNet
    from resnet18_ocrdet.model.loss import DBLoss
    from resnet18_ocrdet.runtime.device import autocast, choose_device, choose_precision

    root = os.environ.get("OCRDET_ICDAR2015")
    source = real_photos(Path(root)) if root else SyntheticScenes(400, size, size, seed=0)
    views = TrainDataset(source, Augment(), TargetMaker(), size, size, 0)
    workers = available_cores()
    loader = TrainLoader(views, EpochBatches(len(views), batch, 0), workers, pin=False)
    device = choose_device("cpu")
    precision = choose_precision("auto", device)
    model = DBNet().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.007, momentum=0.9)
    criterion = DBLoss()

    def step(images: Any) -> None:
        with autocast(device, precision):
            maps = model(images.image)
        optimizer.zero_grad(set_to_none=True)
        criterion(maps, images.targets).total.backward()
        optimizer.step()

    def batches() -> Any:
        for epoch in range(1000):
            for (images,) in loader.epoch(epoch):
                yield images

    feed = batches()
    kept = next(feed)
    for _ in range(2):
        step(kept)
    fed, alone, waited = [], [], []
    for _ in range(2):
        for rows, give in ((alone, lambda: kept), (fed, lambda: next(feed))):
            if rows is alone:
                time.sleep(2.0)  # until the loader's queue is full and its processes rest
            else:
                for _ in range(2 * workers):
                    step(next(feed))  # what was waiting is used up: from here on the loader must keep pace
            waiting, began = 0.0, time.perf_counter()
            for _ in range(steps):
                asked = time.perf_counter()
                images = give()
                waiting += time.perf_counter() - asked
                step(images)
            took = time.perf_counter() - began
            rows.append(batch * steps / took)
            if rows is fed:
                waited.append(waiting / took)
    loader.close()
    found = {"fed": statistics.median(fed), "kept": statistics.median(alone), "cores": workers, "size": size}
    found["waited"] = statistics.median(waited)
    found["share"] = found["fed"] / found["kept"]
    print(
        f"training {size}x{size}, batch {batch}, {workers} cores, {precision}: {found['fed']:.1f} images/s by the "
        f"loader, {found['kept']:.1f} by a kept batch: {found['share']:.0%}; "
        f"{found['waited']:.1%} of the time went into waiting for the loader; machine's load {os.getloadavg()[0]:.1f}"
    )
    return found


if __name__ == "__main__":
    main()
