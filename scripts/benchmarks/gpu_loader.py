"""The parts of bench_gpu.py about what feeds the device: pictures, the loader, transfers, normalisation, the band."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from gpu_images import Cycled, pictures
from gpu_rows import (
    Asked,
    Rows,
    finish,
    first,
    make_compute,
    make_state,
    on_device,
    seconds_a_call,
    steps_of,
    time_loop,
    watched_memory,
)
from gpu_threshold_map import draw_band, edges_of, taught_regions

from resnet18_ocrdet.data.augment import Augment
from resnet18_ocrdet.data.cache import Kind
from resnet18_ocrdet.data.datasets import TrainDataset
from resnet18_ocrdet.data.loader import EpochBatches, TrainLoader, available_cores, default_workers
from resnet18_ocrdet.data.targets import TargetMaker
from resnet18_ocrdet.model.checkpoint import save_checkpoint
from resnet18_ocrdet.model.compiled import compile_network
from resnet18_ocrdet.model.dbnet import DBNet
from resnet18_ocrdet.model.loss import DBLoss
from resnet18_ocrdet.model.normalize import IMAGENET_MEAN, IMAGENET_STD, Normalize
from resnet18_ocrdet.structures import Batch
from resnet18_ocrdet.train.engine import StepRecord, train_one_epoch

EPOCH = 1000  # images, as ICDAR2015 has: the start of an epoch is part of its cost
LEAST_SECONDS = 6.0  # of a measurement with the loader


def make_loader(asked: Asked, size: int, count: int, workers: int, cache: Kind = "none") -> tuple[TrainLoader, str]:
    """The product's loader with its default augmentation, batches of `count`; and what it reads."""
    source, kind = pictures(asked, cache)
    cycled = Cycled(source, 2 * count if asked.tiny else EPOCH)
    views = TrainDataset(cycled, Augment(), TargetMaker(), size, size, seed=0)
    return TrainLoader(views, EpochBatches(len(views), count, seed=0), workers, pin=asked.cuda), kind


def samples_s(asked: Asked, size: int) -> dict[str, Any]:
    """What one core makes of the same pictures when nobody waits for them: samples/s, without batches and transport."""
    source, kind = pictures(asked)
    views = TrainDataset(Cycled(source, EPOCH), Augment(), TargetMaker(), size, size, seed=0)
    ms = _host_ms(lambda index: views[0, index], 4 if asked.tiny else 100)
    return {"pictures": kind, "ms": ms, "samples_s_by_all_cores": available_cores() * 1000 / ms}


def kept_batch(asked: Asked, size: int, count: int) -> Batch:
    """The first batch of an epoch, in the host's memory."""
    loader, _ = make_loader(asked, size, count, workers=0 if asked.tiny else available_cores())
    (batch,) = next(loader.epoch(0))
    loader.close()
    return batch


def loop(asked: Asked) -> None:
    """The loader alone, and the real loop fed by it; the wait at the start of each epoch apart."""
    rows, cores = Rows(asked, "loop"), available_cores()
    size, most = asked.sizes[0], 1 if asked.tiny else cores
    cases: list[tuple[int, int, int, Kind]] = [(size, asked.batches[0], most, "none")]
    if not asked.tiny:
        cases += [(size, asked.batches[0], most, "ram"), (size, 32, most, "none"), (asked.sizes[1], 16, most, "none")]
        if default_workers() < cores:
            cases.insert(1, (size, asked.batches[0], default_workers(), "none"))
    for side, count, workers, cache in cases:
        key = {"size": side, "batch": count, "workers": workers, "cache": cache}
        rows.measure("fed", partial(fed, asked, side, count, workers, cache), 0.0 if asked.tiny else 20.0, **key)
    rows.measure("samples by one core", partial(samples_s, asked, size))
    rows.measure("save", partial(_save, asked))


def fed(asked: Asked, size: int, count: int, workers: int, cache: Kind, compiled: bool = False) -> dict[str, Any]:
    """Images/s of the loader alone, of the loop fed by it, and on a kept batch. compiled: as by train.compile."""
    compute, precision = make_compute(asked.device)
    net = DBNet().to(asked.device).to(memory_format=torch.channels_last)
    loader, kind = make_loader(asked, size, count, workers, cache)
    try:
        for (batch,) in loader.epoch(0):  # a whole pass: caches are full after it
            kept = batch
        network = compile_network(net, count, size, size, compute) if compiled else None
        state = make_state(net, asked.device, precision, network)
        alone = _alone(asked, loader)
        still = time_loop(state, on_device(kept, count, asked.device), compute, asked.tiny)
        with watched_memory(asked.device) as memory:
            epochs = _epochs(asked, loader, state, compute)
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


def _alone(asked: Asked, loader: TrainLoader) -> float:
    """Images/s, from the first batch of a pass on: what is waiting when it comes was made before."""
    images, seconds, epoch = 0, 0.0, 1
    while seconds < (0.0 if asked.tiny else LEAST_SECONDS / 2) or not images:
        began = time.perf_counter()
        for (batch,) in loader.epoch(epoch):
            images += len(batch.names)
        seconds += time.perf_counter() - began
        epoch += 1
    return images / seconds


def _epochs(asked: Asked, loader: TrainLoader, state: Any, compute: Any) -> list[list[StepRecord]]:
    """Steps of whole epochs, for LEAST_SECONDS; the first epoch, of the caching allocator, does not count."""
    epochs: list[list[StepRecord]] = []
    began, number = time.perf_counter(), 0
    while len(epochs) < 2 or (not asked.tiny and time.perf_counter() - began < LEAST_SECONDS):
        steps = train_one_epoch(state, loader.epoch(number), len(loader), lambda epoch: 1e-4, DBLoss(), compute)
        records = []
        for record in steps:
            state.sums.add(record)
            records.append(record)
        epochs.append(records)
        number += 1
    return epochs[1:]


def _save(asked: Asked) -> dict[str, Any]:
    """Writing a checkpoint of a training, flushed to the disk, as ocrdet-train does twice an epoch."""
    compute, precision = make_compute(asked.device)
    net = DBNet().to(asked.device).to(memory_format=torch.channels_last)
    state = make_state(net, asked.device, precision)
    batch = on_device(kept_batch(asked, asked.sizes[0], 2), 2, asked.device)
    first(steps_of(state, batch, compute), 1)  # the optimizer has its momentum
    content: Any = {"model": net.state_dict(), "optimizer": state.optimizer.state_dict()}
    path = asked.path.with_name("save.pt")
    seconds = seconds_a_call(lambda: save_checkpoint(path, content), asked.device, tiny=True)
    return {"seconds": seconds, "mib": path.stat().st_size / 2**20}


def targets(asked: Asked) -> None:
    """What the device could take over from the loader, and what it has already: normalisation, transfers, the band."""
    rows, size, count = Rows(asked, "targets"), asked.sizes[0], asked.batches[0]
    key = {"size": size, "batch": count}
    batch = kept_batch(asked, size, count)
    image = batch.image.to(asked.device)
    normalize = Normalize().to(asked.device)
    mean, std = (torch.tensor(each, device=asked.device).view(1, 3, 1, 1) for each in (IMAGENET_MEAN, IMAGENET_STD))
    rows.measure("normalise", lambda: _timed(lambda: normalize(image), asked), **key)
    rows.measure("normalise, plainly", lambda: _timed(lambda: (image.float() / 255.0 - mean) / std, asked), **key)
    pinned = batch._replace(image=batch.image.pin_memory()) if asked.cuda else batch
    if asked.cuda:
        pinned = pinned._replace(targets=type(batch.targets)(*(plane.pin_memory() for plane in batch.targets)))
    rows.measure("image to device", lambda: _timed(lambda: _sent(pinned.image, asked), asked), **key)
    rows.measure("targets to device", lambda: _timed(lambda: pinned.targets.to(asked.device), asked), **key)
    rows.measure("band", lambda: _band(asked, batch, size), **key)


def _timed(work: Callable[[], object], asked: Asked) -> dict[str, Any]:
    with torch.no_grad():
        return {"ms": 1000 * seconds_a_call(work, asked.device, asked.tiny)}


def _sent(image: torch.Tensor, asked: Asked) -> torch.Tensor:
    return image.to(asked.device, non_blocking=True)


def _band(asked: Asked, batch: Batch, size: int) -> dict[str, Any]:
    """The threshold planes: by the loader's code on one core, and on the device from the edges; how far they differ."""
    maker, shape = TargetMaker(), (len(batch.names), size, size)
    regions = [
        taught_regions(maker, polygons, ignore, size, size)
        for polygons, ignore in zip(batch.polygons, batch.ignore, strict=True)
    ]
    whole = _host_ms(lambda i: maker(batch.polygons[i], batch.ignore[i], size, size), len(regions))
    part = _host_ms(lambda i: maker._thresholds(regions[i], size, size), len(regions))
    edges = edges_of(regions, size, size)
    found = draw_band(edges, maker, shape, asked.device)
    gap = (found.cpu().int() - batch.targets.thresh_map.int()).abs()
    finish(asked.device)
    return {
        "loader_targets_ms_an_image": whole,
        "loader_band_ms_an_image": part,
        "host_edges_ms_an_image": _host_ms(lambda i: edges_of(regions[i : i + 1], size, size), len(regions)),
        "device_ms_a_batch": _timed(lambda: draw_band(edges, maker, shape, asked.device), asked)["ms"],
        "regions": sum(map(len, regions)),
        "pairs": int(edges.areas.sum()),
        "levels_off_at_most": int(gap.max()),
        "pixels_off_by_more_than_1": int((gap > 1).sum()),
    }


def _host_ms(work: Callable[[int], object], count: int) -> float:
    """Median over the images, on this thread."""
    seconds = []
    for index in [0, *range(count)]:
        began = time.perf_counter()
        work(index)
        seconds.append(time.perf_counter() - began)
    return 1000 * statistics.median(seconds[1:])
