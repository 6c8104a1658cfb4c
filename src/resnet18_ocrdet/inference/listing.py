"""How the regions of an image are listed: in which order, and grouped into lines or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from ..geometry.reading_order import line_quad, reading_lines
from ..structures import TextLine
from .postprocess import Decoded

Order: TypeAlias = Literal["reading", "right_to_left", "none"]


@dataclass(frozen=True)
class Listing:
    """Sorts the regions of an image by their quads.

    order: "reading": as they are read, with lines from left to right. "right_to_left": the same with lines from right
    to left. "none": as the decoder found them. lines: also group them into lines."""

    order: Order = "reading"
    lines: bool = False

    def __call__(self, found: Decoded) -> Decoded:
        """The same regions in this order."""
        if self.order == "none" and not self.lines:
            return found
        if not found.detections:
            return found._replace(lines=[] if self.lines else None)
        quads = np.stack([each.quad for each in found.detections])
        lines = reading_lines(quads, self.order == "right_to_left")
        order = np.arange(len(quads)) if self.order == "none" else np.concatenate(lines)
        grouped = None
        if self.lines:
            place = np.argsort(order)
            grouped = [TextLine(tuple(place[line].tolist()), line_quad(quads[line])) for line in lines]
        return found._replace(detections=[found.detections[index] for index in order.tolist()], lines=grouped)
