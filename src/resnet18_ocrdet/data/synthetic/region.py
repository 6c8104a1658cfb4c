"""A labelled region of a varied scene or a document."""

from __future__ import annotations

from typing import NamedTuple

from ...structures import Polygon


class Region(NamedTuple):
    """Text without a gap: a Latin word with its punctuation, or a Chinese or Japanese run."""

    polygon: Polygon  # (V, 2) image px, clipped to the image
    ignore: bool  # don't-care
    text: str
    height: float  # of the ink across the reading direction, image px, before perspective
    kind: str  # of the block or page it is part of, for statistics
    contrast: float = 0.0  # of the ink against its background, grey levels, 0 if unknown
    angle: float = 0.0  # of the reading direction, degrees, clockwise on screen
