"""What the network is taught and what it answers, as pictures.

Legend: N images of a batch, H W canvas pixels.
"""

from __future__ import annotations

from . import draw
from .structures import Batch, Detection, Image, Maps


class Overlays:
    """Collects the first `limit` images of a validation: detections over labels, and the probability map."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.pictures: list[Image] = []

    def add(self, batch: Batch, maps: Maps, found: list[list[Detection]]) -> None:
        """Take what is still missing from one batch."""
        for n in range(min(len(batch.names), self.limit - len(self.pictures))):
            place = batch.placements[n]
            image = batch.image[n].permute(1, 2, 0).contiguous().numpy()
            labelled = draw.labels(image, [place.to_canvas(p) for p in batch.polygons[n]], batch.ignore[n])
            boxes = draw.outline(labelled, [place.to_canvas(detection.polygon) for detection in found[n]])
            self.pictures.append(draw.row([boxes, draw.heat(maps.prob_map[n, 0].cpu().numpy())]))


def preview(batch: Batch, limit: int = 8) -> Image:
    """A batch as the network will see it: each row image with labels, probability, threshold, mask."""
    rows = []
    for n in range(min(len(batch.names), limit)):
        image = batch.image[n].permute(1, 2, 0).contiguous().numpy()
        labelled = draw.labels(image, [batch.placements[n].to_canvas(p) for p in batch.polygons[n]], batch.ignore[n])
        planes = [plane[n].float().numpy() for plane in batch.targets]
        prob_map, prob_mask, thresh_map, _ = planes
        rows.append(draw.row([labelled, *map(draw.heat, (prob_map, thresh_map / 255.0, prob_mask))]))
    return draw.grid(rows)
