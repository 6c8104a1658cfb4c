"""Targets and predictions of a batch as pictures.

Legend: N images of a batch, H W canvas pixels.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ..structures import Batch, Detection, Image, Maps
from . import draw

MAX_OVERLAY_WIDTH = 1600  # px, five tiles of 320: four such pictures per validation take 3 MB of TensorBoard


class Overlays:
    """Collects the first `limit` images of a validation with their predictions and targets.

    Each picture is a row of H×W tiles: detections over labels, predicted probability, predicted threshold, probability
    target, threshold target. There is no predicted threshold if the network has no threshold head. Rows wider than
    `MAX_OVERLAY_WIDTH` are scaled down."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.pictures: list[Image] = []  # each (H, 5 W, 3) or (H, 4 W, 3) before scaling

    def add(self, batch: Batch, maps: Maps, found: list[list[Detection]]) -> None:
        """Add images of a batch until the limit is reached. found: the detections of each image."""
        for n in range(min(len(batch.names), self.limit - len(self.pictures))):
            boxes = [batch.transforms[n].to_canvas(detection.polygon) for detection in found[n]]
            tiles = [draw.outline(_labelled(batch, n), boxes), _heat(maps.prob_map[n, 0])]
            if maps.thresh_logits is not None:
                tiles.append(_heat(maps.thresh_logits[n, 0].float().sigmoid()))
            tiles += [_heat(batch.targets.prob_map[n]), _heat(batch.targets.thresh_map[n] / 255.0)]
            self.pictures.append(draw.fit_width(np.hstack(tiles), MAX_OVERLAY_WIDTH))


def preview(batch: Batch, limit: int = 8) -> Image:
    """Training inputs and targets of a batch: each row has image with labels, probability, threshold, mask."""
    rows = []
    for n in range(min(len(batch.names), limit)):
        prob_map, prob_mask, thresh_map, _ = (plane[n] for plane in batch.targets)
        rows.append(np.hstack([_labelled(batch, n), *map(_heat, (prob_map, thresh_map / 255.0, prob_mask))]))
    return draw.grid(rows)


def _labelled(batch: Batch, n: int) -> Image:
    """Image `n` with its regions, (H, W, 3)."""
    image = batch.image[n].permute(1, 2, 0).contiguous().numpy()
    return draw.labels(image, [batch.transforms[n].to_canvas(p) for p in batch.polygons[n]], batch.ignore[n])


def _heat(plane: Tensor) -> Image:
    """(H, W) values 0..1, on any device, to colors (H, W, 3)."""
    return draw.heat(plane.float().cpu().numpy())
