"""Detection end to end at 736x1280, all cores: decode, preprocess, network, post-processing; beside the naive program.

    OCRDET_ICDAR2015=FOLDER python scripts/benchmarks/bench_detect.py [--photos 10] [--sides naive bf16 compiled] [--json FILE]

Photos are from 801-900 of OCRDET_ICDAR2015, rendered scenes where it is not set. The naive program (reference_detect.py)
is float32, contiguous, as published; ours is what ocrdet-detect does: torch in float32 and, where the CPU multiplies
it, in bfloat16, and exported files in ONNX Runtime and in OpenVINO, one of them in int8. "compiled" is asked for by
name, as it is no setting of ocrdet-detect: torch.compile with its freezing, in bfloat16, for this one size. Weights
are random, and their maps absurd: post-processing gets maps made of the labels instead. Each side is a process of its
own, because ours keeps freed memory and the naive program does not; they take turns, as the speed of a shared machine
drifts; medians. The exit status is 1 when a goal is missed, when the sides find another number of boxes, or when the
naive program, as written here, is slower than what was measured of the original.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import reference_detect
import reference_eval
import torch
from bench_rows import Row, conclude, print_rows, straw_man
from machine_limits import described, machine_limits
from side_process import answer, served
from torch import nn

from resnet18_ocrdet import build
from resnet18_ocrdet.config.bundled import BUNDLED_PATH
from resnet18_ocrdet.data.image_io import read_image
from resnet18_ocrdet.data.letterbox import letterbox
from resnet18_ocrdet.data.load_annotations import read_data
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.detections.item import Item
from resnet18_ocrdet.detections.pipeline import detect_all
from resnet18_ocrdet.export.card import make_card
from resnet18_ocrdet.export.graph import trace
from resnet18_ocrdet.export.int8 import to_int8
from resnet18_ocrdet.export.onnx_file import write_onnx
from resnet18_ocrdet.geometry.polygon import offset, shrink_distance
from resnet18_ocrdet.inference.backends import EXTRAS, ExportedModel, open_exported
from resnet18_ocrdet.inference.predictor import Predictor
from resnet18_ocrdet.model.checkpoint import load_checkpoint
from resnet18_ocrdet.model.contract import Contract
from resnet18_ocrdet.model.dbnet import DBNet
from resnet18_ocrdet.model.normalize import IMAGENET_MEAN, IMAGENET_STD
from resnet18_ocrdet.runtime.allocator import keep_freed_memory
from resnet18_ocrdet.runtime.device import choose_precision
from resnet18_ocrdet.structures import Polygon, ResizeTransform

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
SIDES = ("naive", "fp32", "bf16", "onnxruntime", "openvino-fp32", "openvino-bf16", "onnxruntime-int8", "openvino-int8")
COMPILED = "compiled"
SHRINK = 0.4
GOALS = {"bf16": 5.0, "fp32": 1.7}  # times the whole of the naive program
FASTEST = 7.0  # times, whichever side that is
LEAST_SHARE = 0.85  # of the time, the network's: the rest is what we add
OVERLAP = "overlap"  # asked of a side instead of a photo
MODEL, SMALL = "model.onnx", "small.onnx"

DecodeStats = dict[str, float]  # ms of each of STAGES, and "boxes", how many were found


def main() -> None:
    """Measure, print, judge; or be one side, in the process started for it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=10, help="or scenes, 1 to 100")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--sides", nargs="+", choices=[*SIDES, COMPILED], default=default_sides(), help="naive is one")
    parser.add_argument("--side", choices=[*SIDES, COMPILED], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)  # of the photos and maps of a side
    asked = parser.parse_args()
    if asked.side is not None:
        serve(asked.side, asked.folder)
        return
    if not 1 <= asked.photos <= 100:
        parser.error(f"--photos {asked.photos}: 1 to 100")
    if asked.sides[0] != "naive" or len(asked.sides) < 2:
        parser.error("--sides: naive, and what it is compared with")
    limits = machine_limits()
    print(described(limits))
    with tempfile.TemporaryDirectory() as folder:
        print(f"{asked.photos} {write_inputs(Path(folder), asked.photos)}")
        write_models(Path(folder), asked.photos)
        found, overlap = take_turns(asked.sides, Path(folder), asked.photos)
    rows = make_rows(found, overlap)
    print_rows(rows)
    print_shares(found, limits)
    faults = find_faults(found, limits)
    raise SystemExit(conclude(rows, limits, faults, asked.json, stages=found))


def default_sides() -> list[str]:
    """Those that this machine and its packages have."""
    fast = choose_precision("auto", torch.device("cpu")) == "bf16"
    lacking = [name for name in ("onnxruntime", "openvino") if find_spec(name) is None]
    return [side for side in SIDES if side.split("-")[0] not in lacking and (fast or not side.endswith("bf16"))]


def write_models(folder: Path, photos: int) -> None:
    """The same network as files for other libraries, any size of image; one of them in int8."""
    torch.manual_seed(0)
    contract = our_contract("fp32")
    card = make_card(load_checkpoint(BUNDLED_PATH), contract, "uint8", free=True)  # its config; not its weights
    write_onnx(trace(DBNet(), HEIGHT, WIDTH, "uint8", free=True), card, folder / MODEL)
    shutil.copyfile(folder / MODEL, folder / SMALL)
    images = (read_image(folder / f"{number}.jpg") for number in range(photos))
    to_int8(folder / SMALL, (letterbox(image, HEIGHT, WIDTH, "stretch")[0] for image in images), "uint8")


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
        np.save(
            folder / f"{number}.npy",
            label_map(polygons, ResizeTransform(height, width, HEIGHT / height, WIDTH / width)),
        )
    return "photos of 801-900" if root else "rendered scenes (OCRDET_ICDAR2015 is not set)"


def label_map(polygons: tuple[Polygon, ...], placement: ResizeTransform) -> np.ndarray:
    """What a good network would say of these regions, don't-care ones too: (HEIGHT, WIDTH) float32, soft edges."""
    plane = np.zeros((HEIGHT, WIDTH), np.float32)
    for polygon in polygons:
        on_canvas = placement.to_canvas(polygon)
        for piece in offset(on_canvas, -shrink_distance(on_canvas, SHRINK)):
            cv2.fillPoly(plane, [np.rint(piece).astype(np.int32)], 0.95)
    return cv2.GaussianBlur(plane, (0, 0), 1.0)


def take_turns(
    sides: Sequence[str], folder: Path, photos: int
) -> tuple[dict[str, list[DecodeStats]], dict[str, dict[str, float]]]:
    """Every photo ROUNDS times by every side, TURN photos at a time; then, by torch, all of them with overlap."""
    found: dict[str, list[DecodeStats]] = {side: [] for side in sides}
    with ExitStack() as stack:
        ask = {side: stack.enter_context(served([__file__, f"--side={side}", f"--folder={folder}"])) for side in sides}
        for side in sides:
            for _ in range(WARM_UP):
                ask[side](0)
        for first in [*range(0, photos, TURN)] * ROUNDS:
            for side in sides:
                found[side] += [ask[side](number) for number in range(first, min(first + TURN, photos))]
        return found, {side: ask[side](f"{OVERLAP} {photos}") for side in sides if side in GOALS}


def serve(side: str, folder: Path) -> None:
    """Answer with the stages of photo N, a line of JSON for each line N; and to "overlap N" for N photos."""
    torch.manual_seed(0)
    detector = None if side == "naive" else our_detector(side, folder / (SMALL if side.endswith("int8") else MODEL))
    detect = naive_program() if detector is None else our_program(detector)

    def measure(asked: str) -> dict[str, float]:
        if asked.startswith(OVERLAP):
            assert detector is not None
            return overlapped(detector, folder, int(asked.split()[1]))
        marks, boxes = detect(folder / f"{asked}.jpg", np.load(folder / f"{asked}.npy"))
        return {stage: 1000 * (marks[i + 1] - marks[i]) for i, stage in enumerate(STAGES)} | {"boxes": boxes}

    answer(measure)


Program = Callable[[Path, np.ndarray], tuple[list[float], int]]  # file, map -> when each stage began and the last ended


def naive_program() -> Program:
    """The lineage's."""
    net = reference_detect.PublishedDBNet().eval()
    now = time.perf_counter

    def detect(path: Path, prob_map: np.ndarray) -> tuple[list[float], int]:
        marks = [now()]
        image = reference_detect.read(path)
        marks.append(now())
        planes = reference_detect.prepare(image, HEIGHT, WIDTH)
        marks.append(now())
        reference_detect.predict(net, planes)
        marks.append(now())
        boxes, _ = reference_eval.decode(prob_map, *image.shape[:2])
        marks.append(now())
        return marks, len(boxes)

    return detect


def our_detector(side: str, model: Path) -> Predictor:
    """What ocrdet-detect builds."""
    keep_freed_memory()
    cv2.setNumThreads(1)  # as the command does
    device = torch.device("cpu")
    runtime, _, kind = side.partition("-")
    precision = {"onnxruntime": "fp32", COMPILED: "bf16"}.get(side, kind or side)
    contract, compute = our_contract(precision), build.build_compute(device, precision)[0]
    if runtime in EXTRAS:
        net: nn.Module = ExportedModel(open_exported(model, runtime), precision)
    else:
        net = build.place(DBNet(), device)
    detector = Predictor(net, contract, build.build_decoder(contract), compute)
    if side == COMPILED:
        torch._inductor.config.freezing = True
        detector.model = torch.compile(detector.model)
    return detector


def our_program(detector: Predictor) -> Program:
    """What ocrdet-detect does, with a clock where the `Predictor` calls its network and its decoder."""
    model, decoder = detector.model, detector.decode
    now = time.perf_counter

    def detect(path: Path, prob_map: np.ndarray) -> tuple[list[float], int]:
        def network(*words: Any, **named: Any) -> Any:
            marks.append(now())
            return model(*words, **named)

        def decode(_: np.ndarray, placement: ResizeTransform) -> Any:
            marks.append(now())
            return decoder(prob_map, placement)

        detector.model, detector.decode = network, decode
        marks = [now()]
        image = read_image(path)
        marks.append(now())
        found = detector(image)
        marks.append(now())
        detector.model, detector.decode = model, decoder
        return marks, len(found)

    return detect


def overlapped(detector: Predictor, folder: Path, photos: int) -> dict[str, float]:
    """ms an image of all photos, one step after the other and as ocrdet-detect overlaps them."""
    maps = [np.load(folder / f"{number}.npy") for number in range(photos)]
    items = [Item(folder / f"{number}.jpg", f"{number}.jpg", Path(str(number))) for number in range(photos)]
    turn = count()
    decoder = detector.decode
    detector.decode = lambda _, placement: decoder(maps[next(turn) % photos], placement)
    began = time.perf_counter()
    for item in items:
        detector(read_image(item.path))
    between = time.perf_counter()
    for _ in detect_all(detector, items, lambda *_: None):
        pass
    done = time.perf_counter()
    detector.decode = decoder
    return {"alone": 1000 * (between - began) / photos, "overlapped": 1000 * (done - between) / photos}


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
        bin_thresh=reference_eval.BIN_THRESH,
        box_thresh=reference_eval.BOX_THRESH,
        unclip_ratio=reference_eval.UNCLIP_RATIO,
        max_candidates=reference_eval.MAX_CANDIDATES,
        shape="quad",
    )


def make_rows(found: dict[str, list[DecodeStats]], overlap: dict[str, dict[str, float]]) -> list[Row]:
    """A row for each stage; decode, preprocess and post-processing of all our sides together."""
    naive = found["naive"]
    ours = {side: stages for side, stages in found.items() if side != "naive"}
    every = [each for stages in ours.values() for each in stages]
    rows = [
        Row(stage, "ms an image", median(every, stage), median(naive, stage), AGAINST)
        for stage in STAGES
        if stage != "network"
    ]
    for name, stage in (("network", "network"), ("whole", None)):
        for side, stages in ours.items():
            goal = GOALS.get(side) if stage is None else None
            rows.append(
                Row(f"{name}, {side}", "ms an image", median(stages, stage), median(naive, stage), AGAINST, goal)
            )
    fastest = min(ours, key=lambda side: median(ours[side]))
    rows.append(Row(f"fastest: {fastest}", "ms an image", median(ours[fastest]), median(naive), AGAINST, FASTEST))
    for side, both in overlap.items():
        rows.append(
            Row(f"steps overlapped, {side}", "ms an image", both["overlapped"], both["alone"], "one after the other")
        )
    return rows


def print_shares(found: dict[str, list[DecodeStats]], limits: dict[str, Any]) -> None:
    """How much of the machine and of the time the network takes, by side."""
    for side, stages in found.items():
        kind = "fp32" if side in ("naive", "fp32", "onnxruntime", "openvino-fp32") else "bf16"  # int8 beside bf16
        peak = max(limits[f"{kind}_gflops"], limits[f"{kind}_conv_gflops"])
        network, whole = median(stages, "network"), median(stages)
        rate = 1000 * GFLOP / network
        least = min(each["network"] for each in stages)
        share = f"{network / whole:.0%} of the time is the network's, {network:.0f} ms ({least:.0f} at best)"
        print(f"{side:13s} network {rate:.0f} GFLOP/s, {rate / peak:.0%} of {peak:.0f} in {kind}; {share}")


def find_faults(found: dict[str, list[DecodeStats]], limits: dict[str, Any]) -> list[str]:
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
    for side, stages in found.items():
        if side != "naive" and median(stages, "network") < LEAST_SHARE * median(stages):
            faults.append(f"{side}: less than {LEAST_SHARE:.0%} of the time is the network's")
    if len(set(boxes.values())) > 1:
        faults.append(f"the sides find other boxes in the same maps: {boxes}")
    return [fault for fault in faults if fault]


def median(found: list[DecodeStats], stage: str | None = None) -> float:
    """Of one stage, or of all together, ms an image."""
    return statistics.median(each[stage] if stage else sum(each[one] for one in STAGES) for each in found)


if __name__ == "__main__":
    main()
