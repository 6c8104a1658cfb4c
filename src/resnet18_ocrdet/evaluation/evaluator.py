"""Score a labelled set: the same code, and so the same numbers, in ocrdet-train and in ocrdet-eval.

Legend: N images of a batch, H W canvas pixels.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from ..inference.postprocess import Decoded, DecodeStats
from ..model.layers import folded
from ..model.loss import Criterion
from ..runtime.device import Compute
from ..structures import Batch, Detection, Maps, ResizeTransform
from .metrics import EvalSample, IcdarMetric, Score

Decode = Callable[[np.ndarray[Any, np.dtype[np.float32]], ResizeTransform], Decoded]


class Validation(NamedTuple):
    """One pass over a labelled set."""

    loss: dict[str, float]
    metric: IcdarMetric  # with all images
    score: Score  # its result
    decode_stats: DecodeStats
    samples: list[EvalSample]  # in the order of the set
    seconds: float


@torch.inference_mode()
def evaluate(
    model: nn.Module,
    loader: Iterable[Sequence[Batch]],
    criterion: Criterion | None,
    decode: Decode,
    compute: Compute,
    watch: Callable[[Batch, Maps, list[list[Detection]]], None] = lambda batch, maps, found: None,
) -> Validation:
    """Score a labelled set: loss with mined negatives, and the ICDAR metric on decoded boxes.

    criterion: None for a network without a threshold map. watch: called with every batch, its maps and its
    detections."""
    compute.world.share_buffers(model)
    model = folded(model)
    began = time.perf_counter()
    terms = criterion.terms if criterion is not None else ()
    own: list[tuple[list[tuple[int, EvalSample, DecodeStats]], np.ndarray[Any, Any]]] = []  # a chunk each
    for chunk, batch, maps, found in decode_batches(model, loader, decode, compute):
        if chunk == len(own):
            own.append(([], np.zeros(len(terms))))
        rows, sums = own[chunk]
        if criterion is not None:
            loss = criterion(maps, batch.targets.to(compute.device), 1.0)
            sums += len(batch.names) * np.array([float(term) for term in loss])
        detections = [each.detections for each in found]
        samples = map(EvalSample, batch.names, batch.polygons, batch.ignore, detections)
        rows += zip(batch.indices, samples, (each.stages for each in found), strict=True)
        watch(batch, maps, detections)
    chunks = compute.world.in_order(own)  # of all processes, in the order of a single one
    images = sorted((row for rows, _ in chunks for row in rows), key=lambda row: row[0])
    scored = [sample for _, sample, _ in images]
    metric = IcdarMetric()
    metric.update_all(scored)
    means = sum((sums for _, sums in chunks), np.zeros(len(terms))) / max(len(images), 1)
    stats = DecodeStats.together([each for *_, each in images])
    losses = dict(zip(terms, means.tolist(), strict=True))
    return Validation(losses, metric, metric.result(), stats, scored, time.perf_counter() - began)


def decode_batches(
    model: nn.Module, loader: Iterable[Sequence[Batch]], decode: Decode, compute: Compute
) -> Iterator[tuple[int, Batch, Maps, list[Decoded]]]:
    """The maps and regions of each batch, with the number of its chunk.

    A batch is decoded in another thread while the next one is predicted."""

    def decode_all(prob_maps: np.ndarray[Any, Any], transforms: Sequence[ResizeTransform]) -> list[Decoded]:
        return [decode(prob_map, place) for prob_map, place in zip(prob_maps, transforms, strict=True)]

    with ThreadPoolExecutor(1, "decode") as pool:
        waiting: tuple[int, Batch, Maps, Future[list[Decoded]]] | None = None
        for number, batch in ((number, batch) for number, chunk in enumerate(loader) for batch in chunk):
            with compute.autocast():
                maps = model(compute.image(batch.image))
            future = pool.submit(decode_all, maps.prob_map[:, 0].cpu().numpy(), batch.transforms)
            if waiting is not None:
                yield *waiting[:3], waiting[3].result()
            waiting = number, batch, maps, future
        if waiting is not None:
            yield *waiting[:3], waiting[3].result()
