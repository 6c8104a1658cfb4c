"""Scoring a labelled set: the same code, and so the same numbers, in a training and in ocrdet-eval.

Everything comes in as an argument. Legend: N images of a batch, H W canvas pixels.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import nn

from ..inference.records import Decoded, DecodeStats
from ..model.fold import folded
from ..model.loss import Criterion
from ..runtime.compute import Compute
from ..structures import Batch, Detection, LossParts, Maps, ResizeTransform
from .records import EvalSample, Score

Decode = Callable[[np.ndarray[Any, np.dtype[np.float32]], ResizeTransform], Decoded]


class Metric(Protocol):
    """Collects images, gives a score."""

    def update_all(self, answers: Sequence[EvalSample]) -> object:
        """Take in any number of images."""

    def result(self) -> Score:
        """Score what was taken in."""


class Validation(NamedTuple):
    """One pass over a labelled set."""

    loss: dict[str, float]
    score: Score
    stages: DecodeStats  # how far the regions came on the way from map to box
    answers: list[EvalSample]  # what is true and what was found, in the order of the set
    seconds: float


@torch.inference_mode()
def evaluate(
    model: nn.Module,
    loader: Iterable[Sequence[Batch]],
    criterion: Criterion | None,
    decode: Decode,
    metric: Metric,
    compute: Compute,
    watch: Callable[[Batch, Maps, list[list[Detection]]], None] = lambda batch, maps, found: None,
) -> Validation:
    """Score a labelled set: loss with mined negatives, and the metric on decoded boxes.

    criterion: None for a network without a threshold map, whose loss is not known. watch: called with every batch, its
    maps and its detections, for pictures and tables."""
    compute.world.share_buffers(model)
    model = folded(model)
    began = time.perf_counter()
    mine: list[tuple[list[tuple[int, EvalSample, DecodeStats]], np.ndarray[Any, Any]]] = []
    for chunk, batch, maps, found in decoded(answered(model, loader, compute), decode):
        if chunk == len(mine):
            mine.append(([], np.zeros(len(LossParts._fields))))
        rows, sums = mine[chunk]
        if criterion is not None:
            loss = criterion(maps, batch.targets.to(compute.device), 1.0)
            sums += len(batch.names) * np.array([float(term) for term in loss])
        regions = [each.detections for each in found]
        answers = map(EvalSample, batch.names, batch.polygons, batch.ignore, regions)
        rows += zip(batch.indices, answers, (each.stages for each in found), strict=True)
        watch(batch, maps, regions)
    chunks = compute.world.in_order(mine)  # of all processes, as one alone would have met them
    images = sorted((row for rows, _ in chunks for row in rows), key=lambda row: row[0])
    scored = [answer for _, answer, _ in images]
    metric.update_all(scored)
    means = sum((sums for _, sums in chunks), np.zeros(len(LossParts._fields))) / max(len(images), 1)
    stages = DecodeStats.together([reached for *_, reached in images])
    loss_terms = dict(zip(LossParts._fields, means.tolist(), strict=True)) if criterion is not None else {}
    return Validation(loss_terms, metric.result(), stages, scored, time.perf_counter() - began)


def answered(
    model: nn.Module, loader: Iterable[Sequence[Batch]], compute: Compute
) -> Iterator[tuple[int, Batch, Maps]]:
    """What the network says of each batch, with the number of the chunk it lies in."""
    for number, chunk in enumerate(loader):
        for batch in chunk:
            with compute.autocast():
                maps = model(compute.image(batch.image))
            yield number, batch, maps


def decoded(
    answers: Iterable[tuple[int, Batch, Maps]], decode: Decode
) -> Iterator[tuple[int, Batch, Maps, list[Decoded]]]:
    """The same with the regions of each image; a batch is decoded in a thread of its own while the next one is read."""

    def decode_all(prob_maps: np.ndarray[Any, Any], placements: Sequence[ResizeTransform]) -> list[Decoded]:
        return [decode(prob_map, place) for prob_map, place in zip(prob_maps, placements, strict=True)]

    with ThreadPoolExecutor(1, "decode") as pool:
        waiting: tuple[int, Batch, Maps, Future[list[Decoded]]] | None = None
        for number, batch, maps in answers:
            found = pool.submit(decode_all, maps.prob_map[:, 0].cpu().numpy(), batch.placements)
            if waiting is not None:
                yield waiting[0], waiting[1], waiting[2], waiting[3].result()
            waiting = number, batch, maps, found
        if waiting is not None:
            yield waiting[0], waiting[1], waiting[2], waiting[3].result()
