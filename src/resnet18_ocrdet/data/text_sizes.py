"""How high the text of a set is, whatever size its images are resized to."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..structures import Source
from .labels import LabelledImages
from .region_counts import MAX_SAMPLED
from .targets import shorter_side

LOW, HIGH = 0.1, 0.9  # quantiles


class TextSizes(NamedTuple):
    """Heights of the care regions, each divided by the square root of the area of its image.

    Times the square root of the area of an input size, they are pixels after a resize that keeps the aspect ratio."""

    low: float  # the LOW quantile
    median: float
    high: float  # the HIGH quantile
    aspect: float  # height / width, median of the images


def measure_text(source: Source) -> TextSizes | None:
    """Measure a set, or a sample of a large one; None for rendered scenes, and without care regions."""
    if not isinstance(source, LabelledImages):
        return None
    heights: list[float] = []
    aspects: list[float] = []
    for index in sorted({round(place) for place in np.linspace(0, len(source) - 1, min(MAX_SAMPLED, len(source)))}):
        image = source.open(index)
        aspects.append(image.height / image.width)
        side = float(np.sqrt(image.height * image.width))
        care = (polygon for polygon, ignore in zip(image.polygons, image.ignore, strict=True) if not ignore)
        heights += (shorter_side(polygon) / side for polygon in care)
    heights = [height for height in heights if height > 0]
    if not heights:
        return None
    low, median, high = np.quantile(heights, (LOW, 0.5, HIGH)).tolist()
    return TextSizes(low, median, high, float(np.median(aspects)))
