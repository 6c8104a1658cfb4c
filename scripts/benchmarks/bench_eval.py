"""Scoring a set and decoding maps, ours beside the DB lineage's way (reference_eval.py), on one thread: ms and ratios.

    python scripts/benchmarks/bench_eval.py [--images 500] [--json FILE]

Everything is made here. Scoring: images of 1280x720 with 14 quads each and 14 detections. Decoding: 736x1280 maps with
10, 100 and 500 blobs, by decode.unclip=clipper, which gives the reference's boxes, and by decode.unclip=analytic, which
gives others by up to a few pixels (how far is printed). Both sides take turns in one process, because the speed of a
shared machine drifts; medians. The exit status is 1 when a goal is missed, when precision, recall, hmean or boxes
differ, or when the reference, as written here, is slower than what was measured of the original: beating a straw man
says nothing.
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
import reference_eval as lineage
import torch
from bench_rows import Row, conclude, print_rows, straw_man
from machine_limits import described, machine_limits
from numpy.typing import NDArray

from resnet18_ocrdet.evaluation.metrics import IcdarMetric
from resnet18_ocrdet.evaluation.records import EvalSample
from resnet18_ocrdet.inference.postprocess import Decoder
from resnet18_ocrdet.runtime.allocator import keep_freed_memory
from resnet18_ocrdet.structures import Detection, Polygon, ResizeTransform

# Measured once of MhLiao/DB itself (commit 65ca77a), ms, on one thread of a machine whose matrix product of 4096 x 4096
# in float32 ran at THEIR_GFLOPS
THEIR_GFLOPS = 176.0
THEIR_SCORING = 11.1  # an image with 14.0 regions and 13.8 detections
THEIR_DECODING = {10: 3.89, 100: 11.6, 500: 46.4}  # a 736x1280 map, by its blobs
HEIGHT, WIDTH = 736, 1280  # of a map, px
SAME_SIZE = ResizeTransform(HEIGHT, WIDTH, 1.0, 1.0)
IMAGE = (1280, 720)  # width and height of what is scored, px
CHUNK = 25  # images scored in one turn
WHOLE_EVERY = 4  # turns of chunks between two of the whole set
MAPS, TURNS = 4, 5  # a turn decodes each map once
ROUNDING = 0.51  # px
AGAINST = "the lineage's way"
SCORING_GOAL = 20.0  # times
DECODING_GOALS = {100: 2.5, 500: 2.5}  # times, the same boxes
ANALYTIC_GOALS = {100: 4.0, 500: 4.0}


class Labelled(NamedTuple):
    """What is true and what was found of one image."""

    polygons: list[Polygon]
    ignore: NDArray[np.bool_]
    detections: list[Detection]


class Grid(NamedTuple):
    """Where the blobs of a map stand, one a cell, and how large they are."""

    rows: int
    columns: int
    widths: tuple[float, float]  # px, least and most
    heights: tuple[float, float]
    degrees: float  # turned by so much at most


GRIDS = {
    10: Grid(5, 2, (150, 400), (25, 60), 8),
    100: Grid(10, 10, (50, 90), (14, 30), 15),
    500: Grid(25, 20, (26, 48), (8, 14), 10),
}


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=500, help="to score")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    asked = parser.parse_args()
    if asked.images < 1:
        parser.error(f"--images {asked.images}: 1 or more")
    limits = machine_limits(1)
    print(described(limits))
    keep_freed_memory()  # as the commands do
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    rows, faults = measure_scoring(asked.images, limits)
    for blobs in GRIDS:
        measured, found = measure_decoding(blobs, limits)
        rows += measured
        faults += found
    print_rows(rows)
    floor = 4 * HEIGHT * WIDTH / (limits["copy_gb_s"] * 1e6)
    print(f"reading a map once takes {floor:.2f} ms at the speed of copying; scoring has no such limit")
    raise SystemExit(conclude(rows, limits, faults, asked.json))


def measure_scoring(images: int, limits: dict[str, Any]) -> tuple[list[Row], list[str]]:
    """Score a set by both, CHUNK images at a time, and by ours all at once. What they say has to be equal."""
    rng = np.random.default_rng(0)
    labelled = [make_labelled(rng) for _ in range(images)]
    score_ours(IcdarMetric(), labelled[:5])
    score_theirs([], labelled[:5])
    metric, counts = IcdarMetric(), list[lineage.Counts]()
    ours, theirs, together = list[float](), list[float](), list[float]()
    for first in range(0, images, CHUNK):
        chunk = labelled[first : first + CHUNK]
        ours.append(clock(score_ours, metric, chunk) / len(chunk))
        theirs.append(clock(score_theirs, counts, chunk) / len(chunk))
        if first // CHUNK % WHOLE_EVERY == 0:
            whole = IcdarMetric()
            together.append(clock(score_set, whole, labelled) / images)
    rates, faults = lineage.combine(counts), score_differences(metric, counts) + score_differences(whole, counts)
    regions, found = (sum(len(each[place]) for each in labelled) / images for place in (0, 2))
    print(
        f"{images} images with {regions:.1f} regions and {found:.1f} detections: precision {rates.precision:.5f}, "
        f"recall {rates.recall:.5f}, hmean {rates.hmean:.5f} by the reference; ours",
        "differ" if faults else "are equal",
    )
    reference = statistics.median(theirs)
    straw = straw_man("scoring", reference, THEIR_SCORING, THEIR_GFLOPS, limits["fp32_gflops"])
    note = scaled_note(THEIR_SCORING, limits)
    rows = [
        Row("scoring, image by image", "ms an image", statistics.median(ours), reference, AGAINST, note=note),
        Row("scoring, whole set", "ms an image", statistics.median(together), reference, AGAINST, least=SCORING_GOAL),
    ]
    return rows, faults + ([straw] if straw else [])


def score_ours(metric: IcdarMetric, images: Sequence[Labelled]) -> None:
    """By the package."""
    for polygons, ignore, detections in images:
        metric.update(polygons, ignore, detections, "")


def score_set(metric: IcdarMetric, images: Sequence[Labelled]) -> None:
    """By the package, as `ocrdet-eval` and a validation do: all images in one call."""
    metric.update_all([EvalSample("", tuple(polygons), ignore, found) for polygons, ignore, found in images])


def score_theirs(counts: list[lineage.Counts], images: Sequence[Labelled]) -> None:
    """By the reference."""
    for polygons, ignore, detections in images:
        counts.append(lineage.score_image(polygons, ignore.tolist(), [found.polygon for found in detections]))


def score_differences(metric: IcdarMetric, counts: Sequence[lineage.Counts]) -> list[str]:
    """What is not exactly equal, a line each."""
    score, rates = metric.result(), lineage.combine(counts)
    lines = [
        f"scoring: {name} is {getattr(score, name)!r}, {getattr(rates, name)!r} by the reference"
        for name in rates._fields
        if getattr(score, name) != getattr(rates, name)
    ]
    pairs = zip(metric.images, counts, strict=True)
    others = sum((mine.matched, mine.care_regions, mine.care_detections) != its for mine, its in pairs)
    return [*lines, f"scoring: the counts of {others} images differ"] if others else lines


def measure_decoding(blobs: int, limits: dict[str, Any]) -> tuple[list[Row], list[str]]:
    """Decode MAPS maps by both, and by ours in the analytic way, TURNS times."""
    maps = [make_map(blobs, np.random.default_rng([blobs, number])) for number in range(MAPS)]
    decoder, analytic = Decoder(), Decoder(unclip="analytic")
    ours, theirs, other = list[float](), list[float](), list[float]()
    for _ in range(TURNS):
        decoder(maps[0], SAME_SIZE)  # the other side's arrays are in the cache
        ours += [clock(decoder, each, SAME_SIZE) for each in maps]
        other += [clock(analytic, each, SAME_SIZE) for each in maps]
        lineage.decode(maps[0], HEIGHT, WIDTH)
        theirs += [clock(lineage.decode, each, HEIGHT, WIDTH) for each in maps]
    faults = compare_boxes(blobs, maps)
    reference, name = statistics.median(theirs), f"decoding, {blobs} blobs"
    straw = straw_man(name, reference, THEIR_DECODING[blobs], THEIR_GFLOPS, limits["fp32_gflops"])
    note, goal = scaled_note(THEIR_DECODING[blobs], limits), DECODING_GOALS.get(blobs)
    rows = [
        Row(name, "ms a map", statistics.median(ours), reference, AGAINST, least=goal, note=note),
        Row(
            f"{name}, analytic",
            "ms a map",
            statistics.median(other),
            reference,
            AGAINST,
            least=ANALYTIC_GOALS.get(blobs),
        ),
    ]
    return rows, faults + ([straw] if straw else [])


def compare_boxes(blobs: int, maps: Sequence[NDArray[np.float32]]) -> list[str]:
    """Print how far the boxes of both are the same; a line when some are not."""
    boxes = others = border = 0
    worst = 0.0
    for each in maps:
        its, _ = lineage.decode(each, HEIGHT, WIDTH)
        found = box_differences(Decoder()(each, SAME_SIZE), its, HEIGHT, WIDTH)
        boxes, others, worst, border = boxes + len(its), others + found[0], max(worst, found[1]), border + found[2]
    what = f"{blobs} blobs: {others} of {boxes} boxes are others than the reference's, rounded to whole pixels"
    print(f"{what} ({worst:.2f} px apart at most); {border} of its boxes go a pixel past the border")
    apart = np.concatenate([analytic_differences(each) for each in maps])
    print(
        f"{blobs} blobs, analytic: {np.median(apart):.1f} px from them in the middle, {apart.max():.1f} px at most, "
        f"{(apart <= 1).mean():.0%} within 1 px"
    )
    return [what] if others else []


def analytic_differences(prob_map: NDArray[np.float32]) -> NDArray[np.float64]:
    """How far the farthest corner of each analytic box lies from the box that pyclipper gives, px: (M,)."""
    exact, analytic = Decoder()(prob_map, SAME_SIZE), Decoder(unclip="analytic")(prob_map, SAME_SIZE)
    pairs = zip(exact, analytic, strict=True)
    return np.array([np.abs(left.polygon - right.polygon).max() for left, right in pairs], np.float64)


def box_differences(
    detections: Sequence[Detection], boxes: NDArray[np.int16], height: int, width: int
) -> tuple[int, float, int]:
    """How many boxes of the two lists have no equal, how far the farthest lies from its nearest, px; how many are long.

    Equal: the corners in their order, but for the reference's rounding to whole pixels, and for the border: its boxes
    go on to x = width and y = height (these are long), ours end at the last pixel."""
    mine = np.array([found.polygon for found in detections], np.float32).reshape(-1, 4, 2)
    inside = np.minimum(boxes, (width - 1, height - 1))
    long = int((inside != boxes).any(axis=(1, 2)).sum())
    if not len(mine) or not len(boxes):
        return max(len(mine), len(boxes)), float("inf") if len(mine) or len(boxes) else 0.0, long
    apart = np.abs(mine[:, None] - inside[None]).max(axis=(2, 3))
    others = max(int((apart.min(axis=axis) > ROUNDING).sum()) for axis in (0, 1))
    return others, max(float(apart.min(axis=axis).max()) for axis in (0, 1)), long


def make_labelled(rng: np.random.Generator) -> Labelled:
    """10 to 18 regions, two fifths of them don't-care; most are found, more or less; two detections are false."""
    polygons, detections = [], []
    for _ in range(rng.integers(10, 19)):
        height = rng.uniform(14, 45)
        region = turned_box(rng.uniform((60, 40), np.subtract(IMAGE, (60, 40))), rng.uniform(40, 150), height, 20, rng)
        polygons.append(region)
        if rng.random() < 0.85:
            off = rng.normal(0, 0.15 * height, 2) + rng.uniform(-0.15, 0.15, (4, 2)) * height
            detections.append(Detection((region + off).astype(np.float32), float(rng.uniform(0.6, 1))))
    for _ in range(2):
        box = turned_box(rng.uniform((60, 40), np.subtract(IMAGE, (60, 40))), rng.uniform(40, 150), 20, 20, rng)
        detections.append(Detection(box, float(rng.uniform(0.6, 1))))
    return Labelled(polygons, rng.random(len(polygons)) < 0.4, detections)


def make_map(blobs: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """What a network says of a page: soft-edged turned rectangles, one in each cell of a grid. (H, W), 0..1."""
    grid = GRIDS[blobs]
    cell = np.array([WIDTH / grid.columns, HEIGHT / grid.rows])
    plane = np.zeros((HEIGHT, WIDTH), np.float32)
    for row in range(grid.rows):
        for column in range(grid.columns):
            centre = (np.array([column, row]) + 0.5) * cell
            box = turned_box(centre, rng.uniform(*grid.widths), rng.uniform(*grid.heights), grid.degrees, rng)
            cv2.fillPoly(plane, [np.rint(box).astype(np.int32)], float(rng.uniform(0.85, 1)))
    plane = cv2.GaussianBlur(plane, (0, 0), 1.0) + rng.normal(0, 0.01, plane.shape).astype(np.float32)
    return np.clip(plane, 0, 1)


def turned_box(
    centre: NDArray[np.float64], width: float, height: float, degrees: float, rng: np.random.Generator
) -> Polygon:
    """A rectangle turned by `degrees` at most, (4, 2)."""
    angle = np.deg2rad(rng.uniform(-degrees, degrees))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    corners = np.array([[-width, -height], [width, -height], [width, height], [-width, height]]) / 2
    return (corners @ turn + centre).astype(np.float32)


def scaled_note(original: float, limits: dict[str, Any]) -> str:
    """What the original program would take here, by the matrix product."""
    return f"MhLiao/DB itself {original * THEIR_GFLOPS / limits['fp32_gflops']:.3g} if scaled to this machine"


def clock(work: Callable[..., object], *arguments: object) -> float:
    """Milliseconds of one call."""
    began = time.perf_counter()
    work(*arguments)
    return 1000 * (time.perf_counter() - began)


if __name__ == "__main__":
    main()
