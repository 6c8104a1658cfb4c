"""Detection end to end at 736x1280 on all cores, compared with a plain reference: decode, preprocess, network, boxes.

    OCRDET_ICDAR2015=FOLDER python scripts/benchmarks/bench_detect.py [--photos 10] [--sides reference bf16 compiled]

Photos are from 801-900 of OCRDET_ICDAR2015; if it is not set, rendered scenes are used. The reference is float32,
contiguous, as published (reference_detect.py). Ours is what ocrdet-detect does: torch in float32 and, where the CPU has
it, in bfloat16, and exported files in ONNX Runtime and OpenVINO, also in int8. "compiled" runs only on request, because
ocrdet-detect does not offer it: torch.compile with freezing, in bfloat16, for this one size. Weights are random, so
post-processing gets maps made from the labels instead. Each side runs in its own process, because ours keeps freed
memory; they take turns, as the speed of a shared machine drifts; medians. The exit status is 1 when a goal is missed,
when the sides find different numbers of boxes, or when the reference is slower than the original.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench_rows import Row, conclude, print_rows, reference_too_slow
from detect_sides import (
    COMPILED,
    HEIGHT,
    OVERLAP,
    REFERENCE,
    SIDES,
    STAGES,
    WIDTH,
    StageTimes,
    default_sides,
    precision_of,
    serve_side,
    write_inputs,
    write_models,
)
from machine_limits import described, machine_limits, peak_gflops
from side_process import served

# Measured once with the code of the original, ms per image at 736x1280, on 2 threads of a machine whose matrix product
# of 4096 x 4096 in float32 ran at ORIGINAL_GFLOPS
ORIGINAL_GFLOPS = 362.0
ORIGINAL_NETWORK, ORIGINAL_WHOLE = 770.0, 793.0
GFLOP = 49.7 * HEIGHT * WIDTH / 640**2  # 49.7 at 640x640: all convolutions, with the probability head only
TURN, ROUNDS = 2, 2  # photos; times all of them
WARM_UP = 4  # photos of each side before all
MIN_RATIOS = {"bf16": 5.0, "fp32": 1.7}  # times faster than the reference, end to end
FASTEST_RATIO = 7.0  # of the fastest side
MIN_SHARE = 0.95  # of the limit, for the network in bf16 and for that of the fastest side
NETWORK_TIME = 0.85  # at least this share of the time is spent in the network: the rest is what we add


def main() -> None:
    """Measure, print and judge; or be one side, in the process that was started for it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=10, help="or scenes, 1 to 100")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--sides", nargs="+", choices=[*SIDES, COMPILED], default=default_sides())
    parser.add_argument("--side", choices=[*SIDES, COMPILED], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)  # photos and maps of a side
    options = parser.parse_args()
    if options.side is not None:
        serve_side(options.side, options.folder)
        return
    if not 1 <= options.photos <= 100:
        parser.error(f"--photos {options.photos}: must be 1 to 100")
    if options.sides[0] != REFERENCE or len(options.sides) < 2:
        parser.error(f"--sides: must be {REFERENCE} and at least one other")
    limits = machine_limits()
    print(described(limits))
    with tempfile.TemporaryDirectory() as folder:
        print(f"{options.photos} {write_inputs(Path(folder), options.photos)}")
        write_models(Path(folder), options.photos)
        times, overlap = take_turns(options.sides, Path(folder), options.photos)
    rows = make_rows(times, overlap, limits)
    print_rows(rows)
    for side, stages in times.items():
        network, whole = median(stages, "network"), median(stages)
        print(f"{side:16s} network {network:.0f} ms, {network / whole:.0%} of the time")
    raise SystemExit(conclude(rows, limits, find_faults(times, limits), options.json, stages=times))


def take_turns(
    sides: Sequence[str], folder: Path, photos: int
) -> tuple[dict[str, list[StageTimes]], dict[str, dict[str, float]]]:
    """Each side works on every photo ROUNDS times, TURN photos at a time; then torch on all of them with overlap."""
    times: dict[str, list[StageTimes]] = {side: [] for side in sides}
    with ExitStack() as stack:
        ask = {side: stack.enter_context(served([__file__, f"--side={side}", f"--folder={folder}"])) for side in sides}
        for side in sides:
            for _ in range(WARM_UP):
                ask[side](0)
        for first in [*range(0, photos, TURN)] * ROUNDS:
            for side in sides:
                times[side] += [ask[side](number) for number in range(first, min(first + TURN, photos))]
        return times, {side: ask[side](f"{OVERLAP} {photos}") for side in sides if side in MIN_RATIOS}


def make_rows(
    times: dict[str, list[StageTimes]], overlap: dict[str, dict[str, float]], limits: dict[str, Any]
) -> list[Row]:
    """Stages other than the network for all our sides together; network and whole for each side."""
    unit, against, reference = "ms per image", "the reference", times[REFERENCE]
    ours = {side: stages for side, stages in times.items() if side != REFERENCE}
    every = [each for stages in ours.values() for each in stages]
    rows = [
        Row(stage, unit, median(every, stage), median(reference, stage), against)
        for stage in STAGES
        if stage != "network"
    ]
    for side, stages in ours.items():
        share = network_share(side, stages, limits)
        network = median(stages, "network"), median(reference, "network")
        rows.append(Row(f"network, {side}", unit, *network, against, share=share))

    def whole(name: str, side: str, ratio: float | None, judge_share: bool) -> Row:
        share = network_share(side, ours[side], limits) if judge_share else None
        min_share = MIN_SHARE if share is not None else None
        figures = median(ours[side]), median(reference)
        return Row(name, unit, *figures, against, min_ratio=ratio, share=share, min_share=min_share)

    rows += [whole(f"whole, {side}", side, MIN_RATIOS.get(side), side == "bf16") for side in ours]
    fastest = min(ours, key=lambda side: median(ours[side]))
    rows.append(whole(f"fastest: {fastest}", fastest, FASTEST_RATIO, True))
    for side, both in overlap.items():
        rows.append(Row(f"stages overlapped, {side}", unit, both["overlapped"], both["alone"], "one after the other"))
    return rows


def network_share(side: str, stages: list[StageTimes], limits: dict[str, Any]) -> float | None:
    """Operations per second of the network, as a share of what the machine does in this precision."""
    peak = peak_gflops(limits, precision_of(side))
    return 1000 * GFLOP / median(stages, "network") / peak if peak else None


def find_faults(times: dict[str, list[StageTimes]], limits: dict[str, Any]) -> list[str]:
    """A reference that is too slow, sides that add too much to the network, and different numbers of boxes."""
    faults: list[str | None] = []
    for name, stage, original in (("network", "network", ORIGINAL_NETWORK), ("whole", None, ORIGINAL_WHOLE)):
        here = median(times[REFERENCE], stage)
        faults.append(reference_too_slow(name, here, original, ORIGINAL_GFLOPS, limits["fp32_gflops"]))
    for side, stages in times.items():
        if side != REFERENCE and median(stages, "network") < NETWORK_TIME * median(stages):
            faults.append(f"{side}: less than {NETWORK_TIME:.0%} of the time is spent in the network")
    boxes = {side: sum(int(each["boxes"]) for each in stages) for side, stages in times.items()}
    if len(set(boxes.values())) > 1:
        faults.append(f"the sides find different numbers of boxes in the same maps: {boxes}")
    return [fault for fault in faults if fault]


def median(times: list[StageTimes], stage: str | None = None) -> float:
    """Of one stage, or of all together, ms per image."""
    return statistics.median(each[stage] if stage else sum(each[one] for one in STAGES) for each in times)


if __name__ == "__main__":
    main()
