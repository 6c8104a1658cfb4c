"""The training step at batch 8 on all cores, compared with the network as published, at 640x640 and 800x800.

    python scripts/benchmarks/bench_train.py [--size 640 800] [--batch 8] [--json FILE]

Ours is the loop of ocrdet-train (`train_one_epoch` with guard and mining) on one batch of rendered scenes, in the
precision it chooses and in float32. The reference (reference_train.py) is the network as published: in float32,
contiguous; and in bfloat16, channels last, without further work. Each side runs in its own process, because ours keeps
freed memory. Ours is measured first and last, as the speed of a shared machine drifts; medians. The exit status is 1
when a goal is missed, when the loss differs from that of float64, or when the reference is slower than the original.
"""

from __future__ import annotations

import argparse
import resource
import statistics
from pathlib import Path
from typing import Any

import torch

from bench_rows import Row, conclude, print_rows, reference_too_slow
from machine_limits import described, machine_limits, peak_gflops
from reference_train import PublishedStep
from resnet18_ocrdet.data.augment import Augment
from resnet18_ocrdet.data.datasets import TrainDataset
from resnet18_ocrdet.data.loader import EpochBatches, TrainLoader
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.data.targets import TargetMaker
from resnet18_ocrdet.model.dbnet import DBNet
from resnet18_ocrdet.model.loss import DBLoss
from resnet18_ocrdet.runtime.allocator import keep_freed_memory
from resnet18_ocrdet.runtime.device import choose_precision
from resnet18_ocrdet.structures import Batch
from side_process import serve, served
from training_steps import make_compute, make_model, make_state, steps_on

# Measured once with MhLiao/DB (commit 65ca77a, plain convolutions): ms per image of a step of 8 by size, on 2 threads
# of a machine whose matrix product of 4096 x 4096 in float32 ran at ORIGINAL_GFLOPS, its 3x3 convolution at the other
ORIGINAL_GFLOPS, ORIGINAL_CONV_GFLOPS = 362.0, 365.0
ORIGINAL_MS = {640: 1890.0, 800: 3105.0}
GFLOP_640 = 172.3  # forward and backward pass of an image at 640x640, network as published
SIDES = {  # steps that warm up, steps that count
    "published": (1, 3),
    "published, bf16": (1, 3),
    "fp32": (2, 2),
    "plain": (2, 2),
    "auto": (3, 3),  # the heap of kept memory grows for some steps
}
OURS = ("plain", "fp32", "auto")
TURNS = ("auto", "published", "published, bf16", "fp32", "plain", "auto")
MIN_RATIOS: dict[str, dict[str, float | None]] = {  # ours -> reference -> times faster
    "auto": {"published": 5.5, "published, bf16": 1.5, "plain": None},
    "fp32": {"published": 1.4},
}
MIN_SHARE = 0.90  # in bf16, of the faster of product and convolution
MAX_LOSS_ERROR = 0.005
CPU = torch.device("cpu")


def main() -> None:
    """Measure, print and judge; or be one side, in the process that was started for it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, nargs="+", default=[640, 800], help="side of the square images, px")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side is not None:
        serve(make_side(options.side, options.size[0], options.batch))
        return
    limits = machine_limits()
    print(described(limits))
    precision = choose_precision("auto", CPU)
    rows: list[Row] = []
    faults: list[str | None] = []
    results: dict[int, dict[str, Any]] = {}
    for size in options.size:
        results[size] = measure(size, options.batch)
        new = make_rows(size, results[size], limits, precision)
        print_rows(new)
        print_sides(size, options.batch, results[size], limits, precision)
        rows += new
        if size in ORIGINAL_MS and options.batch == 8:
            reference = milliseconds(results[size]["published"])
            slower = ORIGINAL_CONV_GFLOPS / limits["fp32_conv_gflops"]
            scale = (ORIGINAL_GFLOPS, limits["fp32_gflops"], slower)
            faults.append(reference_too_slow(f"{size}", reference, ORIGINAL_MS[size], *scale))
    error = loss_error(options.size[0], precision)
    print(f"loss of a first step in {precision}: {error:.3%} from float64 (at most {MAX_LOSS_ERROR:.1%})")
    faults.append(f"the loss differs by {error:.2%} from float64" if error > MAX_LOSS_ERROR else None)
    raise SystemExit(conclude(rows, limits, [fault for fault in faults if fault], options.json, steps=results))


def measure(size: int, batch: int) -> dict[str, Any]:
    """Seconds per image of the steps of each side, and its peak memory in MiB."""
    result: dict[str, Any] = {side: {"seconds": [], "memory": 0} for side in SIDES}
    for side in TURNS:  # one at a time: at 800 all together need more memory than many machines have
        warm_up, counted = SIDES[side]
        with served([__file__, f"--side={side}", f"--size={size}", f"--batch={batch}"]) as ask:
            answers = [ask("step") for _ in range(warm_up + counted)]
        result[side]["seconds"] += [each["seconds"] / batch for each in answers[warm_up:]]
        result[side]["memory"] = max(result[side]["memory"], answers[-1]["memory"])
    return result


def make_side(side: str, size: int, batch: int) -> Any:
    """A function that does one step and returns its seconds and the peak memory, for `serve`."""
    if side in OURS:
        keep_freed_memory()
    images = one_batch(size, batch)
    if side in OURS:
        compute, precision = make_compute(CPU, "fp32" if side == "fp32" else "auto")
        records = steps_on(make_state(make_model(CPU, side == "plain"), CPU, precision), images, compute)
        step = lambda: next(records).seconds  # noqa: E731
    else:
        image = DBNet().normalize(images.image).contiguous()
        text, valid, level, border = (plane.float() for plane in images.targets)
        step = PublishedStep((image, text, valid, level / 255, border), reduced=side.endswith("bf16"))

    def measured(_: str) -> dict[str, float]:
        return {"seconds": step(), "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}

    return measured


def one_batch(size: int, batch: int) -> Batch:
    """Rendered scenes as the loader returns them."""
    dataset = TrainDataset(SyntheticScenes(batch, size, size, seed=0), Augment(), TargetMaker(), size, size, 0)
    loader = TrainLoader(dataset, EpochBatches(batch, batch, 0), workers=0, pin=False)
    try:
        return next(iter(loader.epoch(0)))[0]
    finally:
        loader.close()


def make_rows(size: int, result: dict[str, Any], limits: dict[str, Any], precision: str) -> list[Row]:
    """Ours compared with each reference. Goals exist for known sizes, and for "auto" only where it means bf16."""
    rows = []
    for ours, references in MIN_RATIOS.items():
        kind = precision if ours == "auto" else ours
        for reference, ratio in references.items():
            judged = ratio is not None and size in ORIGINAL_MS and (ours == "fp32" or precision == "bf16")
            rows.append(
                Row(
                    f"training step {size}, {kind}",
                    "ms per image",
                    milliseconds(result[ours]),
                    milliseconds(result[reference]),
                    reference,
                    min_ratio=ratio if judged else None,
                    share=share_of_limit(size, result[ours], limits, kind),
                    min_share=MIN_SHARE if judged and kind == "bf16" else None,
                )
            )
    return rows


def share_of_limit(size: int, steps: dict[str, Any], limits: dict[str, Any], precision: str) -> float | None:
    """Operations per second of the network as published, as a share of what the machine does in this precision."""
    peak = peak_gflops(limits, precision)
    return 1000 * GFLOP_640 * (size / 640) ** 2 / milliseconds(steps) / peak if peak else None


def print_sides(size: int, batch: int, result: dict[str, Any], limits: dict[str, Any], precision: str) -> None:
    """Time, share of the limit and memory of each side."""
    for side, steps in result.items():
        kind = precision if side in ("auto", "plain") else "bf16" if "bf16" in side else "fp32"
        share, ms = share_of_limit(size, steps, limits, kind), milliseconds(steps)
        limit = f"{share:.0%} of the limit in {kind}" if share else f"no native {kind}"
        memory = f"memory {steps['memory'] / 1024:.1f} GiB at batch {batch}"
        print(f"{size} {side:15s} {ms:6.0f} ms per image, {1000 / ms:5.2f} images/s; {limit}; {memory}")


@torch.no_grad()
def loss_error(size: int, precision: str) -> float:
    """Relative difference between the loss of one image and that of float64 maps, with an untrained network."""
    model, exact = make_model(CPU).train(), DBNet(plain=True).double().train()
    images = one_batch(size, 1)
    normalized = model.normalize(images.image).double()
    exact.load_state_dict(model.state_dict())
    exact.normalize.forward = lambda image: normalized  # it would be rounded to float32
    with make_compute(CPU, precision)[0].autocast():
        maps = model(images.image)
    loss, exact_loss = (float(DBLoss()(each, images.targets).total) for each in (maps, exact(images.image)))
    return abs(loss / exact_loss - 1.0)


def milliseconds(steps: dict[str, Any]) -> float:
    """The median, per image."""
    return 1000 * statistics.median(steps["seconds"])


if __name__ == "__main__":
    main()
