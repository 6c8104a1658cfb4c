"""Threshold maps drawn on the device for a whole batch at once. A prototype that is only measured.

The loader would still move outlines (pyclipper) and fill masks, but skip `TargetMaker._thresholds`. One pass over pairs
of an edge and a pixel in its reach: the distance as DB measures it (data/targets.py), the smallest for each pixel, then
bytes. Legend: N images, E edges, P pairs, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from resnet18_ocrdet.data.targets import TargetMaker, ThresholdRegion, _window, shrink_distances, simplified
from resnet18_ocrdet.structures import Polygon


class Edges(NamedTuple):
    """All edges of a batch, then their start points: 2E rows."""

    values: NDArray[np.float32]  # (2E, 6): start x y, end x y, reach px, 1 for an edge and 0 for its start point
    boxes: NDArray[np.int64]  # (2E, 4): first column, first row, columns, first pixel of the image in the batch
    areas: NDArray[np.int64]  # (2E,): pixels of each box


def text_regions(
    maker: TargetMaker, polygons: Sequence[Polygon], ignore: NDArray[np.bool_], height: int, width: int
) -> list[ThresholdRegion]:
    """The regions from which the threshold map of one image is drawn, as `TargetMaker` collects them."""
    outlines = [simplified(polygon) for polygon in polygons]
    regions = []
    for outline, dont_care, distance in zip(
        outlines, ignore, shrink_distances(outlines, maker.shrink_ratio), strict=True
    ):
        offset = None if dont_care else maker._offset(outline, distance)
        for piece in offset.dilated if offset else ():
            regions.append(ThresholdRegion(outline, distance, _window(piece, offset.bits, height, width)))
    return regions


def edges_of(images: Sequence[Sequence[ThresholdRegion]], height: int, width: int) -> Edges:
    """The edges of the regions of N images, each with the pixels in its reach."""
    rows, limits, firsts = [], [], []
    for number, regions in enumerate(images):
        for region in regions:
            start = region.outline
            end = np.concatenate([start[1:], start[:1]])
            start, end = (each[(start != end).any(axis=1)] for each in (start, end))
            reach = np.full((len(start), 1), region.distance, np.float32)
            rows.append(np.concatenate([start, end, reach], axis=1, dtype=np.float32))
            limits.append(np.tile(np.array(region.window, np.float32), (len(start), 1)))
            firsts.append(np.full(len(start), number * height * width, np.int64))
    if not rows:
        return Edges(np.zeros((0, 6), np.float32), np.zeros((0, 4), np.int64), np.zeros(0, np.int64))
    values, limit, first = np.concatenate(rows), np.concatenate(limits), np.concatenate(firsts)
    start, end, reach = values[:, :2], values[:, 2:4], values[:, 4:5]
    length = np.hypot(*(end - start).T)[:, None]
    middle, band = (start + end) / 2, np.abs((end - start) / length)[:, ::-1] * reach
    low = np.maximum(np.minimum(start, end) - band, middle - length / 2)
    high = np.minimum(np.maximum(start, end) + band, middle + length / 2)
    lows, highs = np.concatenate([low, start - reach]), np.concatenate([high, start + reach])
    limit, first = np.concatenate([limit, limit]), np.concatenate([first, first])
    begin = np.maximum(np.floor(lows), limit[:, :2]).astype(np.int64)
    sides = (np.minimum(np.ceil(highs) + 1, limit[:, 2:]).astype(np.int64) - begin).clip(min=0)
    kinds = np.repeat(np.array([[1.0], [0.0]], np.float32), len(values), axis=0)
    both = np.concatenate([np.concatenate([values, values]), kinds], axis=1, dtype=np.float32)
    return Edges(both, np.concatenate([begin, sides[:, :1], first[:, None]], axis=1), sides[:, 0] * sides[:, 1])


def draw_thresholds(edges: Edges, maker: TargetMaker, shape: tuple[int, int, int], device: torch.device) -> Tensor:
    """Threshold maps of a batch, (N, H, W) uint8. shape: N, H, W."""
    values, boxes, areas = (torch.from_numpy(each).to(device, non_blocking=True) for each in edges)
    _, _, width = shape
    pairs = int(edges.areas.sum())  # known on the host, so nothing waits for the device
    owner = torch.repeat_interleave(torch.arange(len(areas), device=device), areas, output_size=pairs)
    place = torch.arange(pairs, device=device) - (areas.cumsum(0) - areas)[owner]
    left, top, columns, first_pixel = boxes[owner].unbind(1)
    row = place.div(columns, rounding_mode="floor")
    column = place - row * columns
    pixel = first_pixel + (top + row) * width + left + column
    gap = _squared_gap(values[owner], (left + column).float(), (top + row).float())
    squared = torch.ones(shape[0] * shape[1] * width, device=device)
    squared.scatter_reduce_(0, pixel, gap, "amin")
    low, high = 255.0 * maker.thresh_min, 255.0 * maker.thresh_max
    levels = (squared.sqrt() * (low - high) + high).round().clamp(min=float(round(low)))
    return levels.to(torch.uint8).view(shape)


def _squared_gap(edge: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """edge: (P, 6) rows of Edges.values; x, y: (P,) px. Returns squared distances in units of the reach, (P,)."""
    start_x, start_y, end_x, end_y, reach, is_edge = edge.unbind(1)
    edge_x, edge_y = end_x - start_x, end_y - start_y
    length = torch.hypot(edge_x, edge_y)
    dx, dy = x - (start_x + end_x) / 2, y - (start_y + end_y) / 2
    across = (dy * edge_x - dx * edge_y) / (length * reach)
    outside = dx * dx + dy * dy > length * length / 4  # of the circle over the edge: the nearer end point counts
    to_line = torch.where(outside, torch.inf, across * across)
    to_start = ((x - start_x) ** 2 + (y - start_y) ** 2) / (reach * reach)
    return torch.where(is_edge > 0, to_line, to_start)
