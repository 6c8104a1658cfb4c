"""Parts of bench_gpu.py about what feeds the device: images, loader, transfers, normalisation, threshold map."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from gpu_images import Cycled, training_images
from gpu_rows import Options, Rows
from gpu_threshold_map import draw_thresholds, edges_of, text_regions
from resnet18_ocrdet.data.augment import Augment
from resnet18_ocrdet.data.cache import CacheKind
from resnet18_ocrdet.data.datasets import TrainDataset
from resnet18_ocrdet.data.loader import EpochBatches, TrainLoader, default_workers
from resnet18_ocrdet.data.targets import TargetMaker
from resnet18_ocrdet.model.checkpoint import save_checkpoint
from resnet18_ocrdet.model.compiled import compile_network
from resnet18_ocrdet.model.layers import IMAGENET_MEAN, IMAGENET_STD, Normalize
from resnet18_ocrdet.model.loss import DBLoss
from resnet18_ocrdet.runtime.machine import available_cores
from resnet18_ocrdet.structures import Batch
from resnet18_ocrdet.train.engine import StepRecord, train_one_epoch
from training_steps import (
    make_compute,
    make_model,
    make_state,
    on_device,
    peak_memory_of,
    seconds_per_call,
    steps_on,
    synchronize,
    time_loop,
)

EPOCH = 1000  # images, as in ICDAR2015: the start of an epoch is part of its cost
MIN_SECONDS = 6.0  # of a measurement with the loader


def make_loader(
    options: Options, size: int, count: int, workers: int, cache: CacheKind = "none"
) -> tuple[TrainLoader, str]:
    """The loader of ocrdet-train with default augmentation, batches of `count`; and what it reads."""
    source, kind = training_images(options, cache)
    cycled = Cycled(source, 2 * count if options.tiny else EPOCH)
    dataset = TrainDataset(cycled, Augment(), TargetMaker(), size, size, seed=0)
    return TrainLoader(dataset, EpochBatches(len(dataset), count, seed=0), workers, pin=options.cuda), kind


def samples_s(options: Options, size: int) -> dict[str, Any]:
    """Samples per second of one core, without batches and transport."""
    source, kind = training_images(options)
    dataset = TrainDataset(Cycled(source, EPOCH), Augment(), TargetMaker(), size, size, seed=0)
    ms = _host_ms(lambda index: dataset[0, index], 4 if options.tiny else 100)
    return {"pictures": kind, "ms": ms, "samples_s_by_all_cores": available_cores() * 1000 / ms}


def kept_batch(options: Options, size: int, count: int) -> Batch:
    """The first batch of an epoch, in host memory."""
    loader, _ = make_loader(options, size, count, workers=0 if options.tiny else available_cores())
    (batch,) = next(loader.epoch(0))
    loader.close()
    return batch


def loop(options: Options) -> None:
    """The loader alone, and the real loop fed by it; the wait at the start of each epoch is listed separately."""
    rows, cores = Rows(options, "loop"), available_cores()
    size, most = options.sizes[0], 1 if options.tiny else cores
    cases: list[tuple[int, int, int, CacheKind]] = [(size, options.batches[0], most, "none")]
    if not options.tiny:
        cases += [
            (size, options.batches[0], most, "ram"),
            (size, 32, most, "none"),
            (options.sizes[1], 16, most, "none"),
        ]
        if default_workers() < cores:
            cases.insert(1, (size, options.batches[0], default_workers(), "none"))
    for side, count, workers, cache in cases:
        key = {"size": side, "batch": count, "workers": workers, "cache": cache}
        rows.measure("fed", partial(fed, options, side, count, workers, cache), 0.0 if options.tiny else 20.0, **key)
    rows.measure("samples by one core", partial(samples_s, options, size))
    rows.measure("save", partial(_save, options))


def fed(
    options: Options, size: int, count: int, workers: int, cache: CacheKind, compiled: bool = False
) -> dict[str, Any]:
    """Images/s of the loader alone, of the loop fed by it, and of the loop on one batch. compiled: train.compile."""
    compute, precision = make_compute(options.device)
    net = make_model(options.device)
    loader, kind = make_loader(options, size, count, workers, cache)
    try:
        for (batch,) in loader.epoch(0):  # a whole pass fills the caches
            kept = batch
        network = compile_network(net, count, size, size, compute) if compiled else None
        state = make_state(net, options.device, precision, network)
        alone = _alone(options, loader)
        still = time_loop(state, on_device(kept, count, options.device), compute, options.tiny)
        with peak_memory_of(options.device) as memory:
            epochs = _epochs(options, loader, state, compute)
    finally:
        loader.close()
    steps = [record for epoch in epochs for record in epoch]
    seconds = sum(record.seconds for record in steps)
    return {
        "pictures": kind,
        "loader_alone_images_s": alone,
        "kept_batch_images_s": still["images_s"],
        "images_s": count * len(steps) / seconds,
        "waiting": sum(record.data_seconds for record in steps) / seconds,
        "waiting_without_first_steps": sum(r.data_seconds for epoch in epochs for r in epoch[1:]) / seconds,
        "first_wait_ms": 1000 * statistics.median(epoch[0].data_seconds for epoch in epochs),
        "epochs": len(epochs),
        "memory_gib": memory[0],
    }


def _alone(options: Options, loader: TrainLoader) -> float:
    """Images/s of the loader without training steps."""
    images, seconds, epoch = 0, 0.0, 1
    while seconds < (0.0 if options.tiny else MIN_SECONDS / 2) or not images:
        began = time.perf_counter()
        for (batch,) in loader.epoch(epoch):
            images += len(batch.names)
        seconds += time.perf_counter() - began
        epoch += 1
    return images / seconds


def _epochs(options: Options, loader: TrainLoader, state: Any, compute: Any) -> list[list[StepRecord]]:
    """Steps of whole epochs, for MIN_SECONDS; the first epoch only warms up the allocator."""
    epochs: list[list[StepRecord]] = []
    began, number = time.perf_counter(), 0
    while len(epochs) < 2 or (not options.tiny and time.perf_counter() - began < MIN_SECONDS):
        steps = train_one_epoch(state, loader.epoch(number), len(loader), lambda epoch: 1e-4, DBLoss(), compute)
        records = []
        for record in steps:
            state.sums.add(record)
            records.append(record)
        epochs.append(records)
        number += 1
    return epochs[1:]


def _save(options: Options) -> dict[str, Any]:
    """Writing a training checkpoint, flushed to the disk, as ocrdet-train does twice per epoch."""
    compute, precision = make_compute(options.device)
    net = make_model(options.device)
    state = make_state(net, options.device, precision)
    batch = on_device(kept_batch(options, options.sizes[0], 2), 2, options.device)
    next(steps_on(state, batch, compute))  # gives the optimizer its momentum
    content: Any = {"model": net.state_dict(), "optimizer": state.optimizer.state_dict()}
    path = options.path.with_name("save.pt")
    seconds = seconds_per_call(lambda: save_checkpoint(path, content), options.device, tiny=True)
    return {"seconds": seconds, "mib": path.stat().st_size / 2**20}


def targets(options: Options) -> None:
    """Normalisation, transfers, and the threshold map, which the device could take over from the loader."""
    rows, size, count = Rows(options, "targets"), options.sizes[0], options.batches[0]
    key = {"size": size, "batch": count}
    batch = kept_batch(options, size, count)
    image = batch.image.to(options.device)
    normalize = Normalize().to(options.device)
    mean, std = (torch.tensor(each, device=options.device).view(1, 3, 1, 1) for each in (IMAGENET_MEAN, IMAGENET_STD))
    rows.measure("normalise", lambda: _timed(lambda: normalize(image), options), **key)
    rows.measure("normalise, plain", lambda: _timed(lambda: (image.float() / 255.0 - mean) / std, options), **key)
    pinned = batch._replace(image=batch.image.pin_memory()) if options.cuda else batch
    if options.cuda:
        pinned = pinned._replace(targets=type(batch.targets)(*(plane.pin_memory() for plane in batch.targets)))
    rows.measure("image to device", lambda: _timed(lambda: _sent(pinned.image, options), options), **key)
    rows.measure("targets to device", lambda: _timed(lambda: pinned.targets.to(options.device), options), **key)
    rows.measure("threshold map", lambda: _thresholds(options, batch, size), **key)


def _timed(work: Callable[[], object], options: Options) -> dict[str, Any]:
    with torch.no_grad():
        return {"ms": 1000 * seconds_per_call(work, options.device, options.tiny)}


def _sent(image: torch.Tensor, options: Options) -> torch.Tensor:
    return image.to(options.device, non_blocking=True)


def _thresholds(options: Options, batch: Batch, size: int) -> dict[str, Any]:
    """Threshold maps by the loader on one core and on the device, and how far they differ."""
    maker, shape = TargetMaker(), (len(batch.names), size, size)
    regions = [
        text_regions(maker, polygons, ignore, size, size)
        for polygons, ignore in zip(batch.polygons, batch.ignore, strict=True)
    ]
    whole = _host_ms(lambda i: maker(batch.polygons[i], batch.ignore[i], size, size), len(regions))
    part = _host_ms(lambda i: maker._thresholds(regions[i], size, size), len(regions))
    edges = edges_of(regions, size, size)
    result = draw_thresholds(edges, maker, shape, options.device)
    gap = (result.cpu().int() - batch.targets.thresh_map.int()).abs()
    synchronize(options.device)
    return {
        "loader_targets_ms_an_image": whole,
        "loader_thresholds_ms_an_image": part,
        "host_edges_ms_an_image": _host_ms(lambda i: edges_of(regions[i : i + 1], size, size), len(regions)),
        "device_ms_a_batch": _timed(lambda: draw_thresholds(edges, maker, shape, options.device), options)["ms"],
        "regions": sum(map(len, regions)),
        "pairs": int(edges.areas.sum()),
        "levels_off_at_most": int(gap.max()),
        "pixels_off_by_more_than_1": int((gap > 1).sum()),
    }


def _host_ms(work: Callable[[int], object], count: int) -> float:
    """Median over `count` images, on this thread."""
    seconds = []
    for index in [0, *range(count)]:
        began = time.perf_counter()
        work(index)
        seconds.append(time.perf_counter() - began)
    return 1000 * statistics.median(seconds[1:])
