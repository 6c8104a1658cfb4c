"""Runs the network on overlapping tiles of a large image, in its own pixels, and joins the maps to one.

Each of two overlapping tiles keeps its own half, so every pixel comes from the tile in which it is farther from the
border. The map has no seams, so regions need no merging.
Legend: H W image pixels, h w tile pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..geometry.overlap import shared_areas
from ..geometry.polygon import text_sizes
from ..structures import Detection, Image
from .postprocess import ProbMap

OVERLAP = 256  # px, at least; each tile keeps its half, so kept pixels are four strides away from a border
STRIDE = 32  # sides of a tile are multiples of it
LARGE_SHARE = 0.25  # of a tile's height: higher text is taken from the whole image
INSIDE = 0.5  # of a detection's area: then it is a piece of the other one


class Span(NamedTuple):
    """One side of a tile, and the part of it that is kept."""

    start: int
    stop: int
    keep_from: int  # start <= keep_from < keep_to <= stop
    keep_to: int


def spans(length: int, tile: int, overlap: int = OVERLAP) -> list[Span]:
    """Cut a side evenly into tiles of one length that overlap by `overlap` px or more, at most by half a tile.

    The kept parts cover 0..length once. One span if the side is not longer than a tile."""
    if length <= tile:
        return [Span(0, length, 0, length)]
    step = tile - min(overlap, tile // 2)
    count = 1 + -(-(length - tile) // step)
    starts = [round(index * (length - tile) / (count - 1)) for index in range(count)]
    edges = [0, *((left + tile + right) // 2 for left, right in pairwise(starts)), length]
    return [Span(start, start + tile, *edges[n : n + 2]) for n, start in enumerate(starts)]


def tiled_map(
    image: Image, predict: Callable[[Image], ProbMap], height: int, width: int, exact: bool = False
) -> ProbMap:
    """The probability map (H, W) of an image in its own pixels.

    predict: (h, w, 3), multiples of 32, to (h, w). height, width: of a tile. exact: tiles of smaller images are padded
    to that size."""
    whole = np.zeros(image.shape[:2], np.float32)
    for down in spans(image.shape[0], height):
        for across in spans(image.shape[1], width):
            tile = image[down.start : down.stop, across.start : across.stop]
            prob_map = predict(_padded(tile, height if exact else 0, width if exact else 0))
            rows, columns = (slice(side.keep_from, side.keep_to) for side in (down, across))
            whole[rows, columns] = prob_map[
                down.keep_from - down.start : down.keep_to - down.start,
                across.keep_from - across.start : across.keep_to - across.start,
            ]
    return whole


def joined(small: list[Detection], large: list[Detection], above: float) -> list[Detection]:
    """Detections from more pixels, and from fewer pixels those of text higher than `above`, px of the image.

    Pieces of a large detection among the small ones are dropped."""
    heights, _ = text_sizes([each.polygon for each in large])
    kept = [each for each, height in zip(large, heights, strict=True) if height > above]
    if not kept or not small:
        return [*kept, *small]
    shared = shared_areas([each.polygon for each in kept], [each.polygon for each in small])
    pieces = shared.of_detection.max(axis=0) > INSIDE
    return [*kept, *(each for each, piece in zip(small, pieces, strict=True) if not piece)]


def _padded(tile: Image, height: int, width: int) -> Image:
    """Pad with black on the right and below, to multiples of the stride and at least height x width."""
    below = max(height - tile.shape[0], -tile.shape[0] % STRIDE)
    right = max(width - tile.shape[1], -tile.shape[1] % STRIDE)
    return np.pad(tile, ((0, below), (0, right), (0, 0))) if below or right else np.ascontiguousarray(tile)
