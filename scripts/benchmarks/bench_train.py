"""The training step at batch 8, all cores: ours beside the network as published, at 640x640 and 800x800.

    python scripts/benchmarks/bench_train.py [--size 640 800] [--batch 8] [--json FILE]

Ours is the loop of ocrdet-train (`train_one_epoch`: guard, mining and all) on one kept batch of rendered scenes, in
the precision it would choose and in float32. The reference (reference_train.py) is the network as published in float32,
contiguous; and the same in bfloat16, channels last, without further work. Each side is a process of its own, because
ours keeps freed memory; ours comes first and last, as the speed of a shared machine drifts; medians. The exit status
is 1 when a goal is missed, when the loss is not that of float64, or when the reference is slower than what was
measured of the original.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import statistics
from functools import partial
from pathlib import Path
from typing import Any

import torch
from bench_rows import Row, conclude, print_rows, straw_man
from machine_limits import described, machine_limits
from reference_train import PublishedStep
from side_process import answer, served
from torch.amp import GradScaler

from resnet18_ocrdet import build
from resnet18_ocrdet.data.augment import Augment
from resnet18_ocrdet.data.datasets import TrainDataset
from resnet18_ocrdet.data.loader import EpochBatches, TrainLoader
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.data.targets import TargetMaker
from resnet18_ocrdet.model.dbnet import DBNet
from resnet18_ocrdet.model.loss import DBLoss
from resnet18_ocrdet.runtime.allocator import keep_freed_memory
from resnet18_ocrdet.runtime.device import choose_device, choose_precision
from resnet18_ocrdet.structures import Batch
from resnet18_ocrdet.train.engine import TrainState, train_one_epoch
from resnet18_ocrdet.train.guard import Guard
from resnet18_ocrdet.train.hard_negatives import MiningWarmup
from resnet18_ocrdet.train.optim import param_groups

# Measured once of MhLiao/DB itself (commit 65ca77a, plain convolutions), ms an image of a step of 8 by size, on 2
# threads of a machine whose matrix product of 4096 x 4096 in float32 ran at THEIR_GFLOPS, and whose 3x3
# convolution at THEIR_CONV_GFLOPS
THEIR_GFLOPS, THEIR_CONV_GFLOPS = 362.0, 365.0
THEIRS = {640: 1890.0, 800: 3105.0}
GFLOP_640 = 172.3  # products and sums of an image's forward and backward pass at 640x640, as published
SIDES = {  # steps that warm up, steps that count
    "published": (1, 3),
    "published, bf16": (1, 3),
    "fp32": (2, 2),
    "plain": (2, 2),
    "auto": (3, 3),  # the heap of kept memory grows for some steps
}
OURS = ("plain", "fp32", "auto")
TURNS = ("auto", "published", "published, bf16", "fp32", "plain", "auto")  # ours at both ends: a drift would show
GOALS = {  # ours -> reference -> times
    "auto": {"published": 5.5, "published, bf16": 1.5, "plain": None},  # plain: ours, but for model/quick.py
    "fp32": {"published": 1.4},
}
STRETCH = "stretch goals: 8 times published; 40 % of the peak, the faster of product and convolution"
LOSS_ERROR = 0.005


def main() -> None:
    """Measure, print, judge; or be one side, in the process started for it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, nargs="+", default=[640, 800], help="of the square images, px")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.side is not None:
        answer(make_side(asked.side, asked.size[0], asked.batch))
        return
    limits = machine_limits()
    print(described(limits))
    precision = choose_precision("auto", torch.device("cpu"))
    rows, faults, found = [], [], {}
    for size in asked.size:
        found[size] = measure(size, asked.batch)
        rows += make_rows(size, found[size], precision)
        print_rows([row for row in rows if f"step {size}," in row.name])
        print_shares(size, asked.batch, found[size], limits, precision)
        if size in THEIRS and asked.batch == 8:
            reference = milliseconds(found[size]["published"])
            product, by_conv = limits["fp32_gflops"], THEIR_CONV_GFLOPS / limits["fp32_conv_gflops"]
            faults.append(straw_man(f"{size}", reference, THEIRS[size], THEIR_GFLOPS, product, by_conv))
    error = loss_error(asked.size[0], precision)
    print(f"loss of a first step in {precision}: {error:.3%} from float64's (at most {LOSS_ERROR:.1%})")
    faults.append(f"the loss is {error:.2%} from float64's" if error > LOSS_ERROR else None)
    raise SystemExit(conclude(rows, limits, [fault for fault in faults if fault], asked.json, steps=found))


def measure(size: int, batch: int) -> dict[str, Any]:
    """Seconds an image of each side's steps, and the peak of its memory in MiB."""
    found: dict[str, Any] = {side: {"seconds": [], "memory": 0} for side in SIDES}
    for side in TURNS:  # not all at once: at 800 they would need more memory than many machines have
        warm_up, counted = SIDES[side]
        with served([__file__, f"--side={side}", f"--size={size}", f"--batch={batch}"]) as ask:
            answers = [ask("step") for _ in range(warm_up + counted)]
        found[side]["seconds"] += [each["seconds"] / batch for each in answers[warm_up:]]
        found[side]["memory"] = max(found[side]["memory"], answers[-1]["memory"])
    return found


def make_side(side: str, size: int, batch: int) -> Any:
    """A function that does one step and says how long it took; `answer` calls it."""
    torch.manual_seed(0)
    if side in OURS:
        keep_freed_memory()
    kept = one_batch(size, batch)
    if side in OURS:
        step = partial(next, our_steps(kept, "fp32" if side == "fp32" else "auto", side == "plain"))
    else:
        image = DBNet().normalize(kept.image).contiguous()
        text, valid, level, border = (plane.float() for plane in kept.targets)
        step = PublishedStep((image, text, valid, level / 255, border), reduced=side.endswith("bf16"))

    def measured(_: str) -> dict[str, float]:
        return {"seconds": step(), "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}

    return measured


def one_batch(size: int, batch: int) -> Batch:
    """Rendered scenes, as the loader gives them."""
    views = TrainDataset(SyntheticScenes(batch, size, size, seed=0), Augment(), TargetMaker(), size, size, 0)
    loader = TrainLoader(views, EpochBatches(batch, batch, 0), workers=0, pin=False)
    try:
        return next(iter(loader.epoch(0)))[0]
    finally:
        loader.close()


def our_steps(kept: Batch, precision: str, plain: bool) -> Any:
    """Seconds of one step of the training loop after the other."""
    device = choose_device("cpu")
    compute, _ = build.build_compute(device, precision)
    model = build.place(DBNet(plain=plain), device)
    criterion = DBLoss()
    state = TrainState(
        model=model,
        network=model,
        optimizer=torch.optim.SGD(param_groups(model, 1e-4), lr=0.007, momentum=0.9),
        scaler=GradScaler("cpu", enabled=False),
        mining=MiningWarmup(0),
        guard=Guard(criterion.guess),
    )
    batches = itertools.repeat([kept])
    for record in train_one_epoch(state, batches, 1000, lambda epoch: 0.007, criterion, compute):
        yield record.seconds


def make_rows(size: int, found: dict[str, Any], precision: str) -> list[Row]:
    """Ours against each reference."""
    rows = []
    for ours, references in GOALS.items():
        name = f"training step {size}, {precision if ours == 'auto' else ours}"
        for reference, least in references.items():
            here, there = milliseconds(found[ours]), milliseconds(found[reference])
            # without native bf16 there is nothing to gain from it
            goal = least if size in THEIRS and (ours == "fp32" or precision == "bf16") else None
            rows.append(Row(name, "ms an image", here, there, reference, least=goal))
    return rows


def print_shares(size: int, batch: int, found: dict[str, Any], limits: dict[str, Any], precision: str) -> None:
    """What share of the machine each side reaches, counted in the operations of the published network."""
    gflop = GFLOP_640 * (size / 640) ** 2
    for side, steps in found.items():
        kind = "bf16" if "bf16" in side or (side in ("auto", "plain") and precision == "bf16") else "fp32"
        peak = max(limits[f"{kind}_gflops"] or 0.0, limits[f"{kind}_conv_gflops"] or 0.0)
        took = milliseconds(steps)
        rate = 1000 * gflop / took
        share = f"{rate / peak:.0%} of {peak:.0f}" if peak else f"no native {kind}"
        print(
            f"{size} {side:15s} {took:6.0f} ms an image, {1000 / took:5.2f} images/s; {rate:4.0f} GFLOP/s of the work "
            f"as published, {share}; memory {steps['memory'] / 1024:.1f} GiB at batch {batch}"
        )
    print(STRETCH)


@torch.no_grad()
def loss_error(size: int, precision: str) -> float:
    """How far the loss of one image is from that of float64 maps, as a fraction; the network has learned nothing."""
    torch.manual_seed(0)
    kept = one_batch(size, 1)
    model, exact = DBNet().train(), DBNet(plain=True).double().train()
    exact.load_state_dict(model.state_dict())
    normalized = model.normalize(kept.image).double()
    exact.normalize.forward = lambda image: normalized  # it would be rounded to float32
    compute, _ = build.build_compute(torch.device("cpu"), precision)
    with compute.autocast():
        maps = build.place(model, torch.device("cpu"))(kept.image)
    criterion = DBLoss()
    here, there = (float(criterion(each, kept.targets).total) for each in (maps, exact(kept.image)))
    return abs(here / there - 1.0)


def milliseconds(steps: dict[str, Any]) -> float:
    """The median, an image."""
    return 1000 * statistics.median(steps["seconds"])


if __name__ == "__main__":
    main()
