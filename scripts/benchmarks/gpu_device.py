"""The parts of bench_gpu.py about the device itself: its limits, the step, torch.compile, a profile."""

from __future__ import annotations

import statistics
import time
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from gpu_loader import fed, kept_batch
from gpu_rows import (
    MINED,
    Asked,
    Rows,
    finish,
    first,
    make_compute,
    make_state,
    on_device,
    seconds_a_call,
    steps_of,
    time_bare,
    time_loop,
)
from torch import nn
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from resnet18_ocrdet.data.loader import available_cores
from resnet18_ocrdet.model.dbnet import DBNet
from resnet18_ocrdet.model.loss import DBLoss
from resnet18_ocrdet.structures import Batch

SETTLE = 3  # steps before a profile: allocator, algorithm choice
PROFILED = 5
HOST_WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize")
TOP = 10
MODES = ("default", "reduce-overhead")  # of torch.compile; the second one replays CUDA graphs
COMPILE_SECONDS = 45.0  # guessed for the first one; the longest so far after that


def limits(asked: Asked) -> None:
    """What the machine does at most."""
    rows, device = Rows(asked, "limits"), asked.device
    side = 256 if asked.tiny else 8192
    kinds = (("bf16", torch.bfloat16, "highest"), ("tf32", torch.float32, "high"), ("fp32", torch.float32, "highest"))
    for name, dtype, precision in kinds:
        rows.measure(f"matmul {name}", lambda d=dtype, p=precision: _matmul(side, d, p, asked), side=side)
    rows.measure("conv 3x3 256->64 bf16", lambda: _convolution(asked))
    rows.measure("device copy", lambda: _copy(asked), counts="bytes read and written")
    rows.measure("pinned host to device", lambda: _transfer(asked))
    if asked.cuda:
        card = torch.cuda.get_device_properties(device)
        rows.write(
            name="card", card=card.name, gib=card.total_memory / 2**30, multiprocessors=card.multi_processor_count
        )


def _matmul(side: int, dtype: torch.dtype, precision: str, asked: Asked) -> dict[str, Any]:
    """precision: of torch.set_float32_matmul_precision."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        left, right = (torch.randn(side, side, device=asked.device).to(dtype) for _ in range(2))
        seconds = seconds_a_call(lambda: left @ right, asked.device, asked.tiny)
    finally:
        torch.set_float32_matmul_precision(before)
    return {"tflops": 2 * side**3 / seconds / 1e12}


def _convolution(asked: Asked) -> dict[str, Any]:
    """The layer that costs most, forwards: the heads' first one at 640x640, batch 16."""
    images, side = (1, 16) if asked.tiny else (16, 160)
    layer = nn.Conv2d(256, 64, 3, padding=1, bias=False).to(asked.device, torch.bfloat16)
    layer = layer.to(memory_format=torch.channels_last)
    x = torch.randn(images, 256, side, side, device=asked.device).to(torch.bfloat16)
    x = x.contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        seconds = seconds_a_call(lambda: layer(x), asked.device, asked.tiny)
    return {"tflops": 2 * images * side * side * 256 * 64 * 9 / seconds / 1e12}


def _copy(asked: Asked) -> dict[str, Any]:
    size = 2**20 if asked.tiny else 2**31
    source = torch.randint(0, 255, (size,), dtype=torch.uint8, device=asked.device)
    target = torch.empty_like(source)
    return {"gb_s": 2 * size / seconds_a_call(lambda: target.copy_(source), asked.device, asked.tiny) / 1e9}


def _transfer(asked: Asked) -> dict[str, Any]:
    size = 2**20 if asked.tiny else 2**28
    source = torch.randint(0, 255, (size,), dtype=torch.uint8)
    source = source.pin_memory() if asked.cuda else source
    target = torch.empty(size, dtype=torch.uint8, device=asked.device)
    work = lambda: target.copy_(source, non_blocking=True)  # noqa: E731
    return {"gb_s": size / seconds_a_call(work, asked.device, asked.tiny) / 1e9}


def step(asked: Asked) -> None:
    """Images/s of the step on a batch that lies on the device: the real loop, a bare step, the published network."""
    rows, device = Rows(asked, "step"), asked.device
    compute, precision = make_compute(device)
    plain, _ = make_compute(device, "fp32")
    for size in asked.sizes:
        whole = kept_batch(asked, size, max(asked.batches))
        for count in asked.batches:
            batch = on_device(whole, count, device)
            key = {"size": size, "batch": count}
            rows.measure(
                f"loop, {precision}", lambda b=batch: time_loop(_ours(asked, precision), b, compute, asked.tiny), **key
            )
            rows.measure(f"bare, {precision}", lambda b=batch: time_bare(_net(asked), b, compute, asked.tiny), **key)
            rows.measure("as published, fp32, contiguous", lambda b=batch: _published(asked, b, plain), **key)
        if asked.cuda:
            batch = on_device(whole, asked.batches[0], device)
            with torch.backends.cudnn.flags(benchmark=True):  # a trial of every algorithm at the first call
                rows.measure(
                    f"bare, {precision}, cudnn.benchmark",
                    lambda b=batch: time_bare(_net(asked), b, compute, asked.tiny),
                    size=size,
                    batch=asked.batches[0],
                )


def _net(asked: Asked) -> DBNet:
    torch.manual_seed(0)
    return DBNet().to(asked.device).to(memory_format=torch.channels_last)


def _ours(asked: Asked, precision: str) -> Any:
    return make_state(_net(asked), asked.device, precision)


def _published(asked: Asked, batch: Batch, plain: Any) -> dict[str, Any]:
    """Convolutions of float32 run in tf32 on a GPU, as torch does it by default: told with the row."""
    torch.manual_seed(0)
    batch = batch._replace(image=batch.image.contiguous())
    found = time_bare(DBNet(plain=True).to(asked.device), batch, plain, asked.tiny)
    return found | ({"tf32_convolutions": torch.backends.cudnn.allow_tf32} if asked.cuda else {})


def compiled(asked: Asked) -> None:
    """The same steps by torch.compile: the time it takes to compile, then the loop and the bare step."""
    rows, device = Rows(asked, "compile"), asked.device
    compute, precision = make_compute(device)
    for size in asked.sizes:
        whole = kept_batch(asked, size, max(asked.batches))
        for count in asked.batches:
            batch = on_device(whole, count, device)
            for mode in MODES[: 1 if asked.tiny else None]:
                rows.measure(
                    f"torch.compile, {mode}, {precision}",
                    lambda b=batch, m=mode: _compiled(asked, b, m, compute, precision),
                    0.0 if asked.tiny else COMPILE_SECONDS,
                    size=size,
                    batch=count,
                )
            if (size, count) == (asked.sizes[0], asked.batches[0]) and not asked.tiny:
                key = {"size": size, "batch": count, "workers": available_cores(), "cache": "none"}
                work = partial(fed, asked, size, count, available_cores(), "none", compiled=True)
                # a row of the loop: what ocrdet-train does with train.compile=true
                Rows(asked, "loop").measure("fed, train.compile=true", work, COMPILE_SECONDS, **key)


def _compiled(asked: Asked, batch: Batch, mode: str, compute: Any, precision: str) -> dict[str, Any]:
    torch.compiler.reset()
    torch._dynamo.utils.counters.clear()
    net = _net(asked)
    network: Any = torch.compile(net, dynamic=False, mode=None if mode == "default" else mode)
    began = time.perf_counter()
    state = make_state(net, asked.device, precision, network)
    first(steps_of(state, batch, compute), 2)  # the second one meets what the first one recorded
    took = time.perf_counter() - began
    loop = time_loop(state, batch, compute, asked.tiny)
    bare = time_bare(network, batch, compute, asked.tiny)
    skips = torch._dynamo.utils.counters["inductor"].get("cudagraph_skips", 0)
    more = {"bare_ms": bare["ms"], "bare_images_s": bare["images_s"], "cudagraph_skips": skips}
    return {"compile_s": took} | loop | more


def profiled(asked: Asked) -> None:
    """What limits the step: busy share, kernels, waits for the device; and bf16 against fp32."""
    rows, device = Rows(asked, "profile"), asked.device
    compute, precision = make_compute(device)
    size, count = asked.sizes[0], asked.batches[0]
    key = {"size": size, "batch": count}
    batch = on_device(kept_batch(asked, size, count), count, device)
    rows.measure("loss", lambda: _losses(asked, batch), **key)
    steps = steps_of(_ours(asked, precision), batch, compute)
    first(steps, SETTLE)
    rows.measure("waits for the device", lambda: _waits(lambda: first(steps, 1), asked), **key)
    rows.measure("kernels", lambda: _kernels(lambda: first(steps, PROFILED), asked), **key)


def _losses(asked: Asked, batch: Batch) -> dict[str, Any]:
    """Of one step from the same weights, in the precision of a training and in float32 (convolutions without tf32)."""
    compute, precision = make_compute(asked.device, "auto" if not asked.tiny else "bf16")
    found = {}
    for name, chosen in ((precision, compute), ("fp32", make_compute(asked.device, "fp32")[0])):
        net = _net(asked).train()
        with torch.backends.cudnn.flags(allow_tf32=False), torch.no_grad(), chosen.autocast():
            maps = net(batch.image)
        found[name] = float(DBLoss()(maps, batch.targets, MINED).total)
    reduced, full = found[precision], found["fp32"]
    return {"reduced": precision, "loss": reduced, "loss_fp32": full, "difference": abs(reduced - full) / full}


def _waits(one_step: Callable[[], object], asked: Asked) -> dict[str, Any]:
    """How often a step makes the host wait for the device, and where; torch itself reports them."""
    if not asked.cuda:
        return {"left_out": "only a GPU can be waited for"}
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            one_step()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    places = Counter(f"{Path(w.filename).name}:{w.lineno}" for w in seen if "synchroniz" in str(w.message))
    return {"a_step": sum(places.values()), "where": dict(places)}


def _kernels(some_steps: Callable[[], object], asked: Asked) -> dict[str, Any]:
    """Kernel time over wall time, the ten that cost most, launches a step; the whole table as text beside the rows."""
    walls = []
    for _ in range(1 if asked.tiny else 3):
        finish(asked.device)
        began = time.perf_counter()
        some_steps()
        finish(asked.device)
        walls.append((time.perf_counter() - began) / PROFILED)
    wall = statistics.median(walls)  # without the profiler, which slows the host down
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if asked.cuda else [])]
    with profile(activities=activities) as seen:
        some_steps()
        finish(asked.device)
    averages = seen.key_averages()
    order = "self_device_time_total" if asked.cuda else "self_cpu_time_total"
    table = averages.table(sort_by=order, row_limit=40, max_name_column_width=90)
    asked.path.with_name("profile.txt").write_text(f"{PROFILED} steps of {wall:.4f} s\n{table}\n", encoding="utf-8")
    kind = DeviceType.CUDA if asked.cuda else DeviceType.CPU
    # marks of the program (Optimizer.step) span kernels that are counted themselves
    own = [event for event in averages if event.device_type == kind and not event.is_user_annotation]
    spent = {event.key: getattr(event, order) / 1e6 / PROFILED for event in own}  # µs of all steps -> s of one
    calls = {event.key: event.count / PROFILED for event in averages}
    top = sorted(spent, key=lambda key: -spent[key])[:TOP]
    found = {
        "wall_ms": 1000 * wall,
        "busy_ms": 1000 * sum(spent.values()),
        "busy_share": sum(spent.values()) / wall if asked.cuda else None,
        "kernels_a_step": sum(event.count for event in own) / PROFILED,
        "top": [{"name": name[:120], "ms": 1000 * spent[name], "calls": calls[name]} for name in top],
    }
    return found | {"host_waits_a_step": {name: calls[name] for name in HOST_WAITS if name in calls}}
