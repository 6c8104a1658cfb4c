"""Images much larger than a network is made for: looked at piece by piece, in their own pixels, as one map.

Each tile reaches into its neighbours, and of two that overlap each keeps its own half: a pixel is judged by the tile in
which it lies deeper. The map has no seams, so that regions need no merging.
Legend: H W image pixels, h w tile pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..geometry.batched import text_sizes
from ..geometry.overlap import shared_areas
from ..structures import Detection, Image
from .postprocess import ProbMap

OVERLAP = 256  # px that neighbours share at least; each keeps its half, four strides away from its border
STRIDE = 32  # sides of a tile are multiples of it
SHRINK = 0.5  # an image that would be scaled down below this loses text that its pixels show
LARGE_TEXT = 0.25  # of a tile's height: what is higher is judged by the look at the whole image
INSIDE = 0.5  # of a detection's area: mostly within another one


class Span(NamedTuple):
    """One side of a tile: where it lies, and which part of it is kept."""

    start: int
    stop: int
    keep_from: int  # start <= keep_from < keep_to <= stop
    keep_to: int


def spans(length: int, tile: int, overlap: int = OVERLAP) -> list[Span]:
    """Cut a side into tiles of one length, evenly, that overlap by `overlap` px or more, by half a tile at most.

    What is kept of them covers 0..length once. One span where the side is not longer than a tile."""
    if length <= tile:
        return [Span(0, length, 0, length)]
    step = tile - min(overlap, tile // 2)
    count = 1 + -(-(length - tile) // step)
    starts = [round(index * (length - tile) / (count - 1)) for index in range(count)]
    edges = [0, *((left + tile + right) // 2 for left, right in pairwise(starts)), length]
    return [Span(start, start + tile, *edges[n : n + 2]) for n, start in enumerate(starts)]


def tiled_map(image: Image, look: Callable[[Image], ProbMap], height: int, width: int, exact: bool = False) -> ProbMap:
    """The probability map (H, W) of an image in its own pixels.

    look: (h, w, 3), multiples of 32, to (h, w). height, width: of a tile. exact: each is padded to that, where an image
    is smaller in one direction."""
    whole = np.zeros(image.shape[:2], np.float32)
    for down in spans(image.shape[0], height):
        for across in spans(image.shape[1], width):
            tile = image[down.start : down.stop, across.start : across.stop]
            seen = look(_padded(tile, height if exact else 0, width if exact else 0))
            rows, columns = (slice(side.keep_from, side.keep_to) for side in (down, across))
            whole[rows, columns] = seen[
                down.keep_from - down.start : down.keep_to - down.start,
                across.keep_from - across.start : across.keep_to - across.start,
            ]
    return whole


def joined(small: list[Detection], large: list[Detection], tile_height: int) -> list[Detection]:
    """What the tiles found and, of text too high for a tile, what the look at the whole image found.

    Where a large one is kept, pieces of it that the tiles found are left out."""
    heights, _ = text_sizes([each.polygon for each in large])
    kept = [each for each, height in zip(large, heights, strict=True) if height > LARGE_TEXT * tile_height]
    if not kept or not small:
        return [*kept, *small]
    (shared,) = shared_areas([[each.polygon for each in kept]], [[each.polygon for each in small]], [""])
    pieces = shared.of_detection.max(axis=0) > INSIDE
    return [*kept, *(each for each, piece in zip(small, pieces, strict=True) if not piece)]


def _padded(tile: Image, height: int, width: int) -> Image:
    """Black right and below, to sides that the network takes, height and width at least."""
    below = max(height - tile.shape[0], -tile.shape[0] % STRIDE)
    right = max(width - tile.shape[1], -tile.shape[1] % STRIDE)
    return np.pad(tile, ((0, below), (0, right), (0, 0))) if below or right else np.ascontiguousarray(tile)
