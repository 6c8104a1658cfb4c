"""Detection end to end at 736x1280, all cores: decode, preprocess, network, post-processing; beside the naive program.

    OCRDET_ICDAR2015=FOLDER python scripts/bench_detect.py [--photos 10] [--json FILE]

Photos are from 801-900 of OCRDET_ICDAR2015, rendered scenes where it is not set. The naive program (lineage_detect.py)
is float32, contiguous, as published; ours is what ocrdet-detect does, in float32 and, where the CPU multiplies it, in
bfloat16. Weights are random, and their maps absurd: post-processing gets maps made of the labels instead. Each side is
a process of its own, because ours keeps freed memory and the naive program does not; they take turns, as the speed of a
shared machine drifts; medians. The exit status is 1 when a goal is missed, when the sides find another number of boxes,
or when the naive program, as written here, is slower than what was measured of the original.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

import lineage_detect
import lineage_eval
from bench_rows import Row, conclude, print_rows, straw_man
from machine_limits import described, machine_limits
from resnet18_ocrdet import build
from resnet18_ocrdet.allocator import keep_freed_memory
from resnet18_ocrdet.contract import Contract
from resnet18_ocrdet.data.image_io import read_image
from resnet18_ocrdet.data.reading import read_data
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.detector import Detector
from resnet18_ocrdet.device import choose_precision
from resnet18_ocrdet.geometry import offset, shrink_distance
from resnet18_ocrdet.model.dbnet import DBNet
from resnet18_ocrdet.model.normalize import IMAGENET_MEAN, IMAGENET_STD
from resnet18_ocrdet.structures import Placement, Polygon
from side_process import answer, served

# Measured once of the original's code, ms an image at 736x1280, on 2 threads of a machine whose matrix product of
# 4096 x 4096 in float32 ran at THEIR_GFLOPS, and whose 3x3 convolution at THEIR_CONV_GFLOPS
THEIR_GFLOPS, THEIR_CONV_GFLOPS = 362.0, 365.0
THEIR_NETWORK, THEIR_WHOLE = 770.0, 793.0
HEIGHT, WIDTH = 736, 1280
GFLOP = 49.7 * HEIGHT * WIDTH / 640**2  # 49.7 at 640x640: every convolution's products and sums, probability head only
TURN, ROUNDS = 2, 2  # photos; times all of them
WARM_UP = 4  # of each side, before all: the naive program's first pages are the slowest
STAGES = ("decode", "preprocess", "network", "post-processing")
AGAINST = "the naive program"
SIDES = ("naive", "fp32", "bf16")
SHRINK = 0.4
GOALS = {("whole", "fp32"): 1.7}  # reached before the work on detection; the others come with it
PENDING = (
    Row("whole, batch norms folded", "ms an image", pending="goal 5x in bf16"),
    Row("whole, compiled, ONNX Runtime or OpenVINO", "ms an image", pending="goals 7x in bf16, 1.7x in fp32"),
    Row("whole, stages overlapped", "ms an image", pending="decoding and boxes beside the network"),
)

Stages = dict[str, float]  # ms of each of STAGES, and "boxes", how many were found


def main() -> None:
    """Measure, print, judge; or be one side, in the process started for it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=10, help="or scenes, 1 to 100")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)  # of the photos and maps of a side
    asked = parser.parse_args()
    if asked.side is not None:
        serve(asked.side, asked.folder)
        return
    if not 1 <= asked.photos <= 100:
        parser.error(f"--photos {asked.photos}: 1 to 100")
    limits = machine_limits()
    print(described(limits))
    sides = SIDES if choose_precision("auto", torch.device("cpu")) == "bf16" else SIDES[:2]
    with tempfile.TemporaryDirectory() as folder:
        print(f"{asked.photos} {write_inputs(Path(folder), asked.photos)}")
        found = take_turns(sides, Path(folder), asked.photos)
    rows = make_rows(found)
    print_rows(rows)
    print_shares(found, limits)
    faults = find_faults(found, limits)
    raise SystemExit(conclude(rows, limits, faults, asked.json, stages=found))


def write_inputs(folder: Path, count: int) -> str:
    """Make N.jpg (or a link to a photo) and N.npy, the map of its labels. Returns what they are, in words."""
    root = os.environ.get("OCRDET_ICDAR2015")
    scenes = None if root else SyntheticScenes(count, 720, WIDTH, seed=0)
    records = read_data(Path(root)).parts["train"][800:900] if root else []
    for number in range(count):
        picture = folder / f"{number}.jpg"
        if scenes is None:
            record = records[number * len(records) // count]
            picture.symlink_to(record.image_path.resolve())
            record.image_path.read_bytes()  # the disk is not what is measured
            polygons: tuple[Polygon, ...] = record.polygons
        else:
            scene = scenes.load(number)
            cv2.imwrite(str(picture), scene.image[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, 85))
            polygons = scene.polygons
        height, width = read_image(picture).shape[:2]
        np.save(folder / f"{number}.npy", label_map(polygons, Placement(height, width, HEIGHT / height, WIDTH / width)))
    return "photos of 801-900" if root else "rendered scenes (OCRDET_ICDAR2015 is not set)"


def label_map(polygons: tuple[Polygon, ...], placement: Placement) -> np.ndarray:
    """What a good network would say of these regions, don't-care ones too: (HEIGHT, WIDTH) float32, soft edges."""
    plane = np.zeros((HEIGHT, WIDTH), np.float32)
    for polygon in polygons:
        on_canvas = placement.to_canvas(polygon)
        for piece in offset(on_canvas, -shrink_distance(on_canvas, SHRINK)):
            cv2.fillPoly(plane, [np.rint(piece).astype(np.int32)], 0.95)
    return cv2.GaussianBlur(plane, (0, 0), 1.0)


def take_turns(sides: tuple[str, ...], folder: Path, photos: int) -> dict[str, list[Stages]]:
    """Every photo ROUNDS times by every side, TURN photos at a time."""
    found: dict[str, list[Stages]] = {side: [] for side in sides}
    with ExitStack() as stack:
        ask = {side: stack.enter_context(served([__file__, f"--side={side}", f"--folder={folder}"])) for side in sides}
        for side in sides:
            for _ in range(WARM_UP):
                ask[side](0)
        for first in [*range(0, photos, TURN)] * ROUNDS:
            for side in sides:
                found[side] += [ask[side](number) for number in range(first, min(first + TURN, photos))]
    return found


def serve(side: str, folder: Path) -> None:
    """Answer with the stages of photo N, a line of JSON for each line N."""
    torch.manual_seed(0)
    detect = naive_program() if side == "naive" else our_program(side)

    def measure(number: str) -> Stages:
        marks, boxes = detect(folder / f"{number}.jpg", np.load(folder / f"{number}.npy"))
        return {stage: 1000 * (marks[i + 1] - marks[i]) for i, stage in enumerate(STAGES)} | {"boxes": boxes}

    answer(measure)


Program = Callable[[Path, np.ndarray], tuple[list[float], int]]  # file, map -> when each stage began and the last ended


def naive_program() -> Program:
    """The lineage's."""
    net = lineage_detect.PublishedDBNet().eval()
    now = time.perf_counter

    def detect(path: Path, prob_map: np.ndarray) -> tuple[list[float], int]:
        marks = [now()]
        image = lineage_detect.read(path)
        marks.append(now())
        planes = lineage_detect.prepare(image, HEIGHT, WIDTH)
        marks.append(now())
        lineage_detect.predict(net, planes)
        marks.append(now())
        boxes, _ = lineage_eval.decode(prob_map, *image.shape[:2])
        marks.append(now())
        return marks, len(boxes)

    return detect


def our_program(precision: str) -> Program:
    """What ocrdet-detect does, with a clock where the `Detector` calls its network and its decoder."""
    keep_freed_memory()
    cv2.setNumThreads(1)  # as the command does
    device = torch.device("cpu")
    contract = our_contract(precision)
    model, decoder = build.place(DBNet(), device), build.build_decoder(contract)
    detector = Detector(model, contract, decoder, build.build_compute(device, precision)[0])
    now = time.perf_counter

    def detect(path: Path, prob_map: np.ndarray) -> tuple[list[float], int]:
        def network(*words: Any, **named: Any) -> Any:
            marks.append(now())
            return model(*words, **named)

        def decode(_: np.ndarray, placement: Placement) -> Any:
            marks.append(now())
            return decoder(prob_map, placement)

        detector.model, detector.decode = network, decode
        marks = [now()]
        image = read_image(path)
        marks.append(now())
        found = detector(image)
        marks.append(now())
        return marks, len(found)

    return detect


def our_contract(precision: str) -> Contract:
    """Images are stretched to the size, as the naive program does; the rest is the default of a training."""
    return Contract(
        backbone="resnet18",
        height=HEIGHT,
        width=WIDTH,
        resize="stretch",
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        color_order="RGB",
        precision=precision,
        shrink_ratio=SHRINK,
        min_text_size=8,
        bin_thresh=lineage_eval.BIN_THRESH,
        box_thresh=lineage_eval.BOX_THRESH,
        unclip_ratio=lineage_eval.UNCLIP_RATIO,
        max_candidates=lineage_eval.MAX_CANDIDATES,
        shape="quad",
    )


def make_rows(found: dict[str, list[Stages]]) -> list[Row]:
    """A row for each stage; decode, preprocess and post-processing of both our sides together."""
    naive = found["naive"]
    ours = {side: stages for side, stages in found.items() if side != "naive"}
    both = [each for stages in ours.values() for each in stages]
    rows = [
        Row(stage, "ms an image", median(both, stage), median(naive, stage), AGAINST)
        for stage in STAGES
        if stage != "network"
    ]
    for name, stage in (("network", "network"), ("whole", None)):
        for side, stages in ours.items():
            goal = GOALS.get((name, side))
            rows.append(
                Row(f"{name}, {side}", "ms an image", median(stages, stage), median(naive, stage), AGAINST, goal)
            )
        if "bf16" not in ours:
            rows.append(Row(f"{name}, bf16", "ms an image", note="this CPU has no native bf16"))
    return [*rows, *PENDING]


def print_shares(found: dict[str, list[Stages]], limits: dict[str, Any]) -> None:
    """How much of the machine and of the time the network takes, by side."""
    for side, stages in found.items():
        kind = "fp32" if side == "naive" else side
        peak = max(limits[f"{kind}_gflops"], limits[f"{kind}_conv_gflops"])
        network, whole = median(stages, "network"), median(stages)
        rate = 1000 * GFLOP / network
        least = min(each["network"] for each in stages)
        share = f"{network / whole:.0%} of the time is the network's, {network:.0f} ms ({least:.0f} at best)"
        print(f"{side:6s} network {rate:.0f} GFLOP/s, {rate / peak:.0%} of {peak:.0f} in {kind}; {share}")


def find_faults(found: dict[str, list[Stages]], limits: dict[str, Any]) -> list[str]:
    """A naive program that is a straw man, and sides that find other boxes; a line each."""
    faults = []
    for name, stage, original in (("network", "network", THEIR_NETWORK), ("whole", None, THEIR_WHOLE)):
        here, product = median(found["naive"], stage), limits["fp32_gflops"]
        by_conv = original * THEIR_CONV_GFLOPS / limits["fp32_conv_gflops"]
        print(
            f"{name}: the naive program {here:.0f} ms; the original {original:.0f}, scaled to this machine by the "
            f"matrix product {original * THEIR_GFLOPS / product:.0f}, by the convolution {by_conv:.0f}"
        )
        faults.append(straw_man(name, here, original, THEIR_GFLOPS, product))
    boxes = {side: sum(int(each["boxes"]) for each in stages) for side, stages in found.items()}
    print("boxes found in the same maps:", ", ".join(f"{side} {count}" for side, count in boxes.items()))
    if len(set(boxes.values())) > 1:
        faults.append(f"the sides find other boxes in the same maps: {boxes}")
    return [fault for fault in faults if fault]


def median(found: list[Stages], stage: str | None = None) -> float:
    """Of one stage, or of all together, ms an image."""
    return statistics.median(each[stage] if stage else sum(each[one] for one in STAGES) for each in found)


if __name__ == "__main__":
    main()
