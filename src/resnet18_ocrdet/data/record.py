"""What a label reader gives: the regions of one image, and where each of them was written.

Legend: K regions of one image, V vertices of one polygon.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resnet18_ocrdet.structures import Polygon

Frame = Literal["unknown", "upright", "raw"]
"""What the coordinates count from: the picture as it is seen, or the stored pixels before EXIF turns them."""


class Region(NamedTuple):
    """One labelled region, as a reader found it."""

    polygon: Polygon  # (V, 2), px, in the order of the file, not yet cleaned
    text: str = ""  # "" where the file gives none
    ignore: bool = False  # marked as don't-care, by the dialect's mark
    line: int = 0  # of the label file, or number of the entry, from 1


@dataclass(frozen=True, slots=True, eq=False)
class LabelRecord:
    """Labels of one image. The image is not opened."""

    image_path: Path
    label_path: Path | None  # None where the labels come from no file of their own
    polygons: tuple[Polygon, ...]  # K of them, in pixels of the image
    ignore: NDArray[np.bool_]  # (K,): don't-care regions
    texts: tuple[str, ...]  # K; "" where the file gives none
    lines: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))  # (K,), or (0,) where unknown
    lost: int = 0  # regions that are written but whose place is unknown
    stated: tuple[int, int] | None = None  # height and width of the image, px, where the labels state them
    size: tuple[int, int] | None = None  # height and width of the upright image, px, once it was looked at
    frame: Frame = "unknown"

    def line(self, region: int) -> int:
        """Where region number `region` is written; 0 where that is unknown."""
        return int(self.lines[region]) if region < len(self.lines) else 0


def to_record(
    image: Path,
    label: Path | None,
    regions: Sequence[Region],
    lost: int = 0,
    stated: tuple[int, int] | None = None,
    frame: Frame = "unknown",
) -> LabelRecord:
    """Pack what a reader found for one image."""
    return LabelRecord(
        image_path=image,
        label_path=label,
        polygons=tuple(np.asarray(region.polygon, np.float32).reshape(-1, 2) for region in regions),
        ignore=np.array([region.ignore for region in regions], np.bool_),
        texts=tuple(region.text for region in regions),
        lines=np.array([region.line for region in regions], np.int32),
        lost=lost,
        stated=stated,
        frame=frame,
    )
