"""Scoring a set and decoding maps, compared with a plain reference implementation (reference_eval.py), on one thread.

    python scripts/benchmarks/bench_eval.py [--images 500] [--json FILE]

All inputs are made here. Scoring: images of 1280x720 with 14 quads and 14 detections each. Decoding: 736x1280 maps with
10, 100 and 500 blobs, with decode.unclip=clipper, which gives the boxes of the reference, and decode.unclip=analytic,
which gives boxes that differ by a few pixels (printed). Both sides take turns in one process, because the speed of a
shared machine drifts; medians. The exit status is 1 when a goal is missed, when precision, recall, hmean or boxes
differ, or when the reference is slower than the original.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

import reference_eval as reference
from bench_rows import Row, conclude, print_rows, reference_too_slow
from machine_limits import described, machine_limits
from made_images import rotated_box
from resnet18_ocrdet.evaluation.metrics import EvalSample, IcdarMetric
from resnet18_ocrdet.inference.postprocess import Decoder
from resnet18_ocrdet.runtime.allocator import keep_freed_memory
from resnet18_ocrdet.structures import Detection, Polygon, ResizeTransform

# Measured once with MhLiao/DB (commit 65ca77a), ms, on one thread of a machine whose matrix product of 4096 x 4096 in
# float32 ran at ORIGINAL_GFLOPS
ORIGINAL_GFLOPS = 176.0
ORIGINAL_SCORING = 11.1  # an image with 14.0 regions and 13.8 detections
ORIGINAL_DECODING = {10: 3.89, 100: 11.6, 500: 46.4}  # a 736x1280 map, by its blobs
HEIGHT, WIDTH = 736, 1280  # of a map, px
SAME_SIZE = ResizeTransform(HEIGHT, WIDTH, 1.0, 1.0)
IMAGE = (1280, 720)  # width and height of what is scored, px
CHUNK = 25  # images scored in one turn
WHOLE_EVERY = 4  # turns of chunks between two of the whole set
MAPS, TURNS = 4, 5  # a turn decodes each map once
ROUNDING = 0.51  # px
AGAINST = "the reference"
SCORING_GOAL = 20.0  # times
DECODING_GOALS = {100: 2.5, 500: 2.5}  # times, the same boxes
ANALYTIC_GOALS = {100: 4.0, 500: 4.0}


class Labelled(NamedTuple):
    """Labels and detections of one image."""

    polygons: list[Polygon]
    ignore: NDArray[np.bool_]
    detections: list[Detection]


class Grid(NamedTuple):
    """A map with one blob per cell of a grid."""

    rows: int
    columns: int
    widths: tuple[float, float]  # range, px
    heights: tuple[float, float]
    degrees: float  # largest rotation


GRIDS = {
    10: Grid(5, 2, (150, 400), (25, 60), 8),
    100: Grid(10, 10, (50, 90), (14, 30), 15),
    500: Grid(25, 20, (26, 48), (8, 14), 10),
}


def main() -> None:
    """Measure, print and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=500, help="number of images to score")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    if options.images < 1:
        parser.error(f"--images {options.images}: must be 1 or more")
    limits = machine_limits(1)
    print(described(limits))
    keep_freed_memory()  # as the commands do
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    rows, faults = measure_scoring(options.images, limits)
    for blobs in GRIDS:
        decoding_rows, decoding_faults = measure_decoding(blobs, limits)
        rows += decoding_rows
        faults += decoding_faults
    print_rows(rows)
    floor = 4 * HEIGHT * WIDTH / (limits["copy_gb_s"] * 1e6)
    print(f"reading a map once at copying speed takes {floor:.2f} ms")
    raise SystemExit(conclude(rows, limits, faults, options.json))


def measure_scoring(images: int, limits: dict[str, Any]) -> tuple[list[Row], list[str]]:
    """Score a set on both sides, CHUNK images at a time, and ours all at once. The scores must be equal."""
    rng = np.random.default_rng(0)
    labelled = [make_labelled(rng) for _ in range(images)]
    score_ours(IcdarMetric(), labelled[:5])
    score_reference([], labelled[:5])
    metric, counts = IcdarMetric(), list[reference.Counts]()
    ours, theirs, together = list[float](), list[float](), list[float]()
    for first in range(0, images, CHUNK):
        chunk = labelled[first : first + CHUNK]
        ours.append(clock(score_ours, metric, chunk) / len(chunk))
        theirs.append(clock(score_reference, counts, chunk) / len(chunk))
        if first // CHUNK % WHOLE_EVERY == 0:
            whole = IcdarMetric()
            together.append(clock(score_set, whole, labelled) / images)
    rates, faults = reference.combine(counts), score_differences(metric, counts) + score_differences(whole, counts)
    regions, found = (sum(len(each[place]) for each in labelled) / images for place in (0, 2))
    print(
        f"{images} images with {regions:.1f} regions and {found:.1f} detections: precision {rates.precision:.5f}, "
        f"recall {rates.recall:.5f}, hmean {rates.hmean:.5f} by the reference; ours",
        "differ" if faults else "are equal",
    )
    fault = reference_too_slow(
        "scoring", statistics.median(theirs), ORIGINAL_SCORING, ORIGINAL_GFLOPS, limits["fp32_gflops"]
    )
    unit, note = "ms per image", scaled_note(ORIGINAL_SCORING, limits)
    one_by_one, at_once, theirs_ms = (statistics.median(times) for times in (ours, together, theirs))
    rows = [
        Row("scoring, image by image", unit, one_by_one, theirs_ms, AGAINST, note=note),
        Row("scoring, whole set", unit, at_once, theirs_ms, AGAINST, min_ratio=SCORING_GOAL),
    ]
    return rows, faults + ([fault] if fault else [])


def score_ours(metric: IcdarMetric, images: Sequence[Labelled]) -> None:
    """With the package, image by image."""
    for polygons, ignore, detections in images:
        metric.update(polygons, ignore, detections, "")


def score_set(metric: IcdarMetric, images: Sequence[Labelled]) -> None:
    """With the package, all images in one call, as `ocrdet-eval` and a validation do."""
    metric.update_all([EvalSample("", tuple(polygons), ignore, found) for polygons, ignore, found in images])


def score_reference(counts: list[reference.Counts], images: Sequence[Labelled]) -> None:
    """With the reference."""
    for polygons, ignore, detections in images:
        counts.append(reference.score_image(polygons, ignore.tolist(), [found.polygon for found in detections]))


def score_differences(metric: IcdarMetric, counts: Sequence[reference.Counts]) -> list[str]:
    """One line for everything that is not exactly equal."""
    score, rates = metric.result(), reference.combine(counts)
    lines = [
        f"scoring: {name} is {getattr(score, name)!r}, {getattr(rates, name)!r} by the reference"
        for name in rates._fields
        if getattr(score, name) != getattr(rates, name)
    ]
    pairs = zip(metric.images, counts, strict=True)
    others = sum((mine.matched, mine.care_regions, mine.care_detections) != its for mine, its in pairs)
    return [*lines, f"scoring: the counts of {others} images differ"] if others else lines


def measure_decoding(blobs: int, limits: dict[str, Any]) -> tuple[list[Row], list[str]]:
    """Decode MAPS maps on both sides, and with unclip=analytic, TURNS times."""
    maps = [make_map(blobs, np.random.default_rng([blobs, number])) for number in range(MAPS)]
    decoder, analytic = Decoder(), Decoder(unclip="analytic")
    ours, theirs, other = list[float](), list[float](), list[float]()
    for _ in range(TURNS):
        decoder(maps[0], SAME_SIZE)  # the cache holds the arrays of the other side
        ours += [clock(decoder, each, SAME_SIZE) for each in maps]
        other += [clock(analytic, each, SAME_SIZE) for each in maps]
        reference.decode(maps[0], HEIGHT, WIDTH)
        theirs += [clock(reference.decode, each, HEIGHT, WIDTH) for each in maps]
    faults = compare_boxes(blobs, maps)
    name, original = f"decoding, {blobs} blobs", ORIGINAL_DECODING[blobs]
    exact_ms, analytic_ms, theirs_ms = (statistics.median(times) for times in (ours, other, theirs))
    fault = reference_too_slow(name, theirs_ms, original, ORIGINAL_GFLOPS, limits["fp32_gflops"])
    unit, goal, note = "ms per map", DECODING_GOALS.get(blobs), scaled_note(original, limits)
    rows = [
        Row(name, unit, exact_ms, theirs_ms, AGAINST, min_ratio=goal, note=note),
        Row(f"{name}, analytic", unit, analytic_ms, theirs_ms, AGAINST, min_ratio=ANALYTIC_GOALS.get(blobs)),
    ]
    return rows, faults + ([fault] if fault else [])


def compare_boxes(blobs: int, maps: Sequence[NDArray[np.float32]]) -> list[str]:
    """Print how many boxes are equal; returns a line when some are not."""
    boxes = others = border = 0
    worst = 0.0
    for each in maps:
        theirs, _ = reference.decode(each, HEIGHT, WIDTH)
        differ, apart, long = box_differences(Decoder()(each, SAME_SIZE), theirs, HEIGHT, WIDTH)
        boxes, others, worst, border = boxes + len(theirs), others + differ, max(worst, apart), border + long
    what = f"{blobs} blobs: {others} of {boxes} boxes differ from the reference, which rounds to whole pixels"
    print(f"{what} ({worst:.2f} px apart at most); {border} of its boxes go one pixel beyond the border")
    moved = np.concatenate([analytic_differences(each) for each in maps])
    print(
        f"{blobs} blobs, analytic: {np.median(moved):.1f} px from them at the median, {moved.max():.1f} px at most, "
        f"{(moved <= 1).mean():.0%} within 1 px"
    )
    return [what] if others else []


def analytic_differences(prob_map: NDArray[np.float32]) -> NDArray[np.float64]:
    """Largest distance between corners of each analytic box and the box of pyclipper, px: (M,)."""
    exact, analytic = Decoder()(prob_map, SAME_SIZE), Decoder(unclip="analytic")(prob_map, SAME_SIZE)
    pairs = zip(exact, analytic, strict=True)
    return np.array([np.abs(left.polygon - right.polygon).max() for left, right in pairs], np.float64)


def box_differences(
    detections: Sequence[Detection], boxes: NDArray[np.int16], height: int, width: int
) -> tuple[int, float, int]:
    """How many boxes of the two lists differ, the largest distance to the nearest box in px, and how many are long.

    Boxes are equal when their corners agree up to the rounding of the reference to whole pixels, and up to the border:
    its boxes may reach x = width or y = height (these are long), ours end at the last pixel."""
    mine = np.array([found.polygon for found in detections], np.float32).reshape(-1, 4, 2)
    inside = np.minimum(boxes, (width - 1, height - 1))
    long = int((inside != boxes).any(axis=(1, 2)).sum())
    if not len(mine) or not len(boxes):
        return max(len(mine), len(boxes)), float("inf") if len(mine) or len(boxes) else 0.0, long
    apart = np.abs(mine[:, None] - inside[None]).max(axis=(2, 3))
    others = max(int((apart.min(axis=axis) > ROUNDING).sum()) for axis in (0, 1))
    return others, max(float(apart.min(axis=axis).max()) for axis in (0, 1)), long


def make_labelled(rng: np.random.Generator) -> Labelled:
    """10 to 18 regions, two fifths of them don't-care; most are detected with some error; two detections are false."""
    polygons, detections = [], []
    for _ in range(rng.integers(10, 19)):
        height = rng.uniform(14, 45)
        region = random_box(rng, height)
        polygons.append(region)
        if rng.random() < 0.85:
            off = rng.normal(0, 0.15 * height, 2) + rng.uniform(-0.15, 0.15, (4, 2)) * height
            detections.append(Detection((region + off).astype(np.float32), float(rng.uniform(0.6, 1))))
    for _ in range(2):
        detections.append(Detection(random_box(rng, 20), float(rng.uniform(0.6, 1))))
    return Labelled(polygons, rng.random(len(polygons)) < 0.4, detections)


def random_box(rng: np.random.Generator, height: float) -> Polygon:
    """A rectangle in the image, rotated by up to 20 degrees."""
    centre = rng.uniform((60, 40), np.subtract(IMAGE, (60, 40)))
    return rotated_box(centre, rng.uniform(40, 150), height, rng.uniform(-20, 20))


def make_map(blobs: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """A probability map of a page: rotated rectangles with soft edges, one per grid cell. (H, W), 0..1."""
    grid = GRIDS[blobs]
    cell = np.array([WIDTH / grid.columns, HEIGHT / grid.rows])
    plane = np.zeros((HEIGHT, WIDTH), np.float32)
    for row in range(grid.rows):
        for column in range(grid.columns):
            centre = (np.array([column, row]) + 0.5) * cell
            width, height = rng.uniform(*grid.widths), rng.uniform(*grid.heights)
            box = rotated_box(centre, width, height, rng.uniform(-grid.degrees, grid.degrees))
            cv2.fillPoly(plane, [np.rint(box).astype(np.int32)], float(rng.uniform(0.85, 1)))
    plane = cv2.GaussianBlur(plane, (0, 0), 1.0) + rng.normal(0, 0.01, plane.shape).astype(np.float32)
    return np.clip(plane, 0, 1)


def scaled_note(original: float, limits: dict[str, Any]) -> str:
    """Time of the original program, scaled to this machine by the matrix product."""
    return f"original scaled to this machine: {original * ORIGINAL_GFLOPS / limits['fp32_gflops']:.3g}"


def clock(work: Callable[..., object], *arguments: object) -> float:
    """Milliseconds of one call."""
    began = time.perf_counter()
    work(*arguments)
    return 1000 * (time.perf_counter() - began)


if __name__ == "__main__":
    main()
