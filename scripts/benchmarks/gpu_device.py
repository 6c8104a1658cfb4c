"""Parts of bench_gpu.py about the device itself: limits, training step, torch.compile, profile."""

from __future__ import annotations

import statistics
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from gpu_loader import fed, kept_batch
from gpu_rows import Options, Rows
from resnet18_ocrdet.model.dbnet import DBNet
from resnet18_ocrdet.model.loss import DBLoss
from resnet18_ocrdet.runtime.machine import available_cores
from resnet18_ocrdet.structures import Batch
from resnet18_ocrdet.train.engine import StepRecord
from training_steps import (
    FULL_MINING,
    make_compute,
    make_model,
    make_state,
    on_device,
    seconds_per_call,
    steps_on,
    synchronize,
    time_bare,
    time_loop,
)

SETTLE = 3  # steps before a profile: allocator, algorithm choice
PROFILED = 5
HOST_WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize")
TOP = 10
MODES = ("default", "reduce-overhead")  # of torch.compile; the second replays CUDA graphs
COMPILE_SECONDS = 45.0  # expected for the first row; then the longest so far


def limits(options: Options) -> None:
    """The limits of the machine."""
    rows, device = Rows(options, "limits"), options.device
    side = 256 if options.tiny else 8192
    kinds = (("bf16", torch.bfloat16, "highest"), ("tf32", torch.float32, "high"), ("fp32", torch.float32, "highest"))
    for name, dtype, precision in kinds:
        rows.measure(f"matmul {name}", lambda d=dtype, p=precision: _matmul(side, d, p, options), side=side)
    rows.measure("conv 3x3 256->64 bf16", lambda: _convolution(options))
    rows.measure("device copy", lambda: _copy(options), counts="bytes read and written")
    rows.measure("pinned host to device", lambda: _transfer(options))
    if options.cuda:
        card = torch.cuda.get_device_properties(device)
        rows.write(
            name="card", card=card.name, gib=card.total_memory / 2**30, multiprocessors=card.multi_processor_count
        )


def _matmul(side: int, dtype: torch.dtype, precision: str, options: Options) -> dict[str, Any]:
    """precision: of torch.set_float32_matmul_precision."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        left, right = (torch.randn(side, side, device=options.device).to(dtype) for _ in range(2))
        seconds = seconds_per_call(lambda: left @ right, options.device, options.tiny)
    finally:
        torch.set_float32_matmul_precision(before)
    return {"tflops": 2 * side**3 / seconds / 1e12}


def _convolution(options: Options) -> dict[str, Any]:
    """Forward pass of the most expensive layer: the first of the heads at 640x640, batch 16."""
    images, side = (1, 16) if options.tiny else (16, 160)
    layer = nn.Conv2d(256, 64, 3, padding=1, bias=False).to(options.device, torch.bfloat16)
    layer = layer.to(memory_format=torch.channels_last)
    x = torch.randn(images, 256, side, side, device=options.device).to(torch.bfloat16)
    x = x.contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        seconds = seconds_per_call(lambda: layer(x), options.device, options.tiny)
    return {"tflops": 2 * images * side * side * 256 * 64 * 9 / seconds / 1e12}


def _copy(options: Options) -> dict[str, Any]:
    size = 2**20 if options.tiny else 2**31
    source = torch.randint(0, 255, (size,), dtype=torch.uint8, device=options.device)
    target = torch.empty_like(source)
    return {"gb_s": 2 * size / seconds_per_call(lambda: target.copy_(source), options.device, options.tiny) / 1e9}


def _transfer(options: Options) -> dict[str, Any]:
    size = 2**20 if options.tiny else 2**28
    source = torch.randint(0, 255, (size,), dtype=torch.uint8)
    source = source.pin_memory() if options.cuda else source
    target = torch.empty(size, dtype=torch.uint8, device=options.device)
    work = lambda: target.copy_(source, non_blocking=True)  # noqa: E731
    return {"gb_s": size / seconds_per_call(work, options.device, options.tiny) / 1e9}


def step(options: Options) -> None:
    """Images/s on a batch on the device: the real loop, a bare step, the network as published."""
    rows, device = Rows(options, "step"), options.device
    compute, precision = make_compute(device)
    plain, _ = make_compute(device, "fp32")
    for size in options.sizes:
        whole = kept_batch(options, size, max(options.batches))
        for count in options.batches:
            batch = on_device(whole, count, device)
            key = {"size": size, "batch": count}
            rows.measure(
                f"loop, {precision}",
                lambda b=batch: time_loop(_state(options, precision), b, compute, options.tiny),
                **key,
            )
            rows.measure(
                f"bare, {precision}",
                lambda b=batch: time_bare(make_model(options.device), b, compute, options.tiny),
                **key,
            )
            rows.measure("as published, fp32, contiguous", lambda b=batch: _published(options, b, plain), **key)
        if options.cuda:
            batch = on_device(whole, options.batches[0], device)
            with torch.backends.cudnn.flags(benchmark=True):  # a trial of every algorithm at the first call
                rows.measure(
                    f"bare, {precision}, cudnn.benchmark",
                    lambda b=batch: time_bare(make_model(options.device), b, compute, options.tiny),
                    size=size,
                    batch=options.batches[0],
                )


def _state(options: Options, precision: str) -> Any:
    return make_state(make_model(options.device), options.device, precision)


def _published(options: Options, batch: Batch, plain: Any) -> dict[str, Any]:
    """On a GPU torch runs float32 convolutions in tf32 by default; the row says so."""
    torch.manual_seed(0)
    batch = batch._replace(image=batch.image.contiguous())
    result = time_bare(DBNet(plain=True).to(options.device), batch, plain, options.tiny)
    return result | ({"tf32_convolutions": torch.backends.cudnn.allow_tf32} if options.cuda else {})


def compiled(options: Options) -> None:
    """The same steps with torch.compile: time to compile, then the loop and the bare step."""
    rows, device = Rows(options, "compile"), options.device
    compute, precision = make_compute(device)
    for size in options.sizes:
        whole = kept_batch(options, size, max(options.batches))
        for count in options.batches:
            batch = on_device(whole, count, device)
            for mode in MODES[: 1 if options.tiny else None]:
                rows.measure(
                    f"torch.compile, {mode}, {precision}",
                    lambda b=batch, m=mode: _compiled(options, b, m, compute, precision),
                    0.0 if options.tiny else COMPILE_SECONDS,
                    size=size,
                    batch=count,
                )
            if (size, count) == (options.sizes[0], options.batches[0]) and not options.tiny:
                key = {"size": size, "batch": count, "workers": available_cores(), "cache": "none"}
                work = partial(fed, options, size, count, available_cores(), "none", compiled=True)
                # belongs to the section "loop": what ocrdet-train does with train.compile=true
                Rows(options, "loop").measure("fed, train.compile=true", work, COMPILE_SECONDS, **key)


def _compiled(options: Options, batch: Batch, mode: str, compute: Any, precision: str) -> dict[str, Any]:
    torch.compiler.reset()
    torch._dynamo.utils.counters.clear()
    net = make_model(options.device)
    network: Any = torch.compile(net, dynamic=False, mode=None if mode == "default" else mode)
    began = time.perf_counter()
    state = make_state(net, options.device, precision, network)
    run_steps(steps_on(state, batch, compute), 2)  # CUDA graphs are recorded in the first and replayed in the second
    took = time.perf_counter() - began
    loop = time_loop(state, batch, compute, options.tiny)
    bare = time_bare(network, batch, compute, options.tiny)
    skips = torch._dynamo.utils.counters["inductor"].get("cudagraph_skips", 0)
    more = {"bare_ms": bare["ms"], "bare_images_s": bare["images_s"], "cudagraph_skips": skips}
    return {"compile_s": took} | loop | more


def profiled(options: Options) -> None:
    """What limits the step: busy share, kernels, waits for the device; and the loss in bf16 and fp32."""
    rows, device = Rows(options, "profile"), options.device
    compute, precision = make_compute(device)
    size, count = options.sizes[0], options.batches[0]
    key = {"size": size, "batch": count}
    batch = on_device(kept_batch(options, size, count), count, device)
    rows.measure("loss", lambda: _losses(options, batch), **key)
    steps = steps_on(_state(options, precision), batch, compute)
    run_steps(steps, SETTLE)
    rows.measure("waits for the device", lambda: _waits(lambda: run_steps(steps, 1), options), **key)
    rows.measure("kernels", lambda: _kernels(lambda: run_steps(steps, PROFILED), options), **key)


def run_steps(steps: Iterator[StepRecord], count: int) -> None:
    """Run the next `count` steps."""
    for _ in range(count):
        next(steps)


def _losses(options: Options, batch: Batch) -> dict[str, Any]:
    """Loss of one step from the same weights, in the training precision and in float32 without tf32."""
    compute, precision = make_compute(options.device, "auto" if not options.tiny else "bf16")
    result = {}
    for name, chosen in ((precision, compute), ("fp32", make_compute(options.device, "fp32")[0])):
        net = make_model(options.device).train()
        with torch.backends.cudnn.flags(allow_tf32=False), torch.no_grad(), chosen.autocast():
            maps = net(batch.image)
        result[name] = float(DBLoss()(maps, batch.targets, FULL_MINING).total)
    reduced, full = result[precision], result["fp32"]
    return {"reduced": precision, "loss": reduced, "loss_fp32": full, "difference": abs(reduced - full) / full}


def _waits(one_step: Callable[[], object], options: Options) -> dict[str, Any]:
    """How often a step makes the host wait for the device, and where, as torch reports it."""
    if not options.cuda:
        return {"left_out": "needs a GPU"}
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            one_step()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    places = Counter(f"{Path(w.filename).name}:{w.lineno}" for w in seen if "synchroniz" in str(w.message))
    return {"a_step": sum(places.values()), "where": dict(places)}


def _kernels(some_steps: Callable[[], object], options: Options) -> dict[str, Any]:
    """Share of kernels in the wall time, the ten slowest, launches per step; writes the profiler's table to a file."""
    walls = []
    for _ in range(1 if options.tiny else 3):
        synchronize(options.device)
        began = time.perf_counter()
        some_steps()
        synchronize(options.device)
        walls.append((time.perf_counter() - began) / PROFILED)
    wall = statistics.median(walls)  # without the profiler, which slows the host down
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if options.cuda else [])]
    with profile(activities=activities) as seen:
        some_steps()
        synchronize(options.device)
    averages = seen.key_averages()
    order = "self_device_time_total" if options.cuda else "self_cpu_time_total"
    table = averages.table(sort_by=order, row_limit=40, max_name_column_width=90)
    options.path.with_name("profile.txt").write_text(f"{PROFILED} steps of {wall:.4f} s\n{table}\n", encoding="utf-8")
    kind = DeviceType.CUDA if options.cuda else DeviceType.CPU
    # user annotations (Optimizer.step) span kernels that are counted separately
    own = [event for event in averages if event.device_type == kind and not event.is_user_annotation]
    spent = {event.key: getattr(event, order) / 1e6 / PROFILED for event in own}  # µs of all steps -> s of one
    calls = {event.key: event.count / PROFILED for event in averages}
    top = sorted(spent, key=lambda key: -spent[key])[:TOP]
    result = {
        "wall_ms": 1000 * wall,
        "busy_ms": 1000 * sum(spent.values()),
        "busy_share": sum(spent.values()) / wall if options.cuda else None,
        "kernels_a_step": sum(event.count for event in own) / PROFILED,
        "top": [{"name": name[:120], "ms": 1000 * spent[name], "calls": calls[name]} for name in top],
    }
    return result | {"host_waits_a_step": {name: calls[name] for name in HOST_WAITS if name in calls}}
