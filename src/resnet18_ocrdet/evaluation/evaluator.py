"""Score a labelled set: the same code, and so the same numbers, in ocrdet-train and in ocrdet-eval. If nothing was
found, explain at which step from the probability map to a match all regions were lost.

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
from ..model.contract import Contract
from ..model.layers import folded
from ..model.loss import Criterion
from ..runtime.device import Compute
from ..runtime.messages import count
from ..structures import Batch, Detection, Maps, ResizeTransform
from .metrics import MATCH_IOU, EvalSample, IcdarMetric, Score

Decode = Callable[[np.ndarray[Any, np.dtype[np.float32]], ResizeTransform], Decoded]

NOISE = 10  # contours per region; text that is merely small gives about one


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


def explain_zero(
    score: Score, stats: DecodeStats, best_iou: float, contract: Contract, warming_up: bool = False
) -> list[str]:
    """Two lines for a set without a match: the count after each step, and the step that lost the last ones.

    best_iou: highest IoU of any box with any region, 0..1. warming_up: the mining warm-up is not over; until then
    misplaced boxes do not indicate wrong labels."""
    boxes = f"{stats.boxes} box" + ("" if stats.boxes == 1 else "es")
    steps = (
        f"hmean 0, step by step: {count(score.care_regions, 'region')} to find → highest probability "
        f"{stats.max_prob:.2f} → {count(stats.contours, 'contour')} above bin_thresh → {stats.large} large enough → "
        f"{stats.confident} above box_thresh → {boxes} → best IoU {best_iou:.2f} (must be above {MATCH_IOU:g})"
    )
    return [steps, f"lost at: {_lost_at(score, stats, best_iou, contract, warming_up)}"]


def _lost_at(score: Score, stats: DecodeStats, best_iou: float, contract: Contract, warming_up: bool) -> str:
    noise = stats.contours > NOISE * score.care_regions
    counts = f"{count(stats.contours, 'contour')} for {count(score.care_regions, 'region')}"
    if stats.contours == 0:
        return (
            f"probability: no pixel is above decode.bin_thresh={contract.bin_thresh:g}. The network does not know text "
            f"yet: train longer, or check the targets with train.preview=true"
        )
    if stats.large == 0 and noise:
        return f"size: {counts}, all thinner than 3 px: noise, not text. Train longer"
    if stats.large == 0:
        return (
            f"size: every contour is thinner than 3 px at {contract.height}x{contract.width}. The text is too small: "
            f"use a larger input_size"
        )
    if stats.confident == 0:
        limit = f"a mean probability of decode.box_thresh={contract.box_thresh:g}"
        if noise:
            return f"score: {counts}, none with {limit}: noise, not text. Train longer"
        return (
            f"score: no contour has {limit}. The network sees text with low confidence: train longer, or inspect the "
            f"boxes with decode.box_thresh=0.3"
        )
    if stats.boxes == 0:
        return f"size: every box is thinner than 5 px after unclip_ratio={contract.unclip_ratio:g}"
    if best_iou > MATCH_IOU:
        return "matching: all boxes are on don't-care regions"
    if best_iou > 0.3:
        return (
            f"IoU: boxes are on the text but do not fit it (best IoU {best_iou:.2f}). Train longer; if boxes stay too "
            f"tight or too loose, change decode.unclip_ratio={contract.unclip_ratio:g}"
        )
    misplaced = f"IoU: boxes are not on the labels (best IoU {best_iou:.2f})"
    if warming_up:
        return f"{misplaced}, which is normal early in training. Train longer"
    return (
        f"{misplaced}. Train longer; if it stays, check that the labels are in pixels of these images (image size, "
        f"EXIF rotation) with train.preview=true"
    )
