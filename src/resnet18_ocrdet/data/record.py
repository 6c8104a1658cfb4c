"""What a label format returns: the regions of one image, and where each of them is written.

Legend: K regions of one image, V vertices of one polygon.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..structures import Polygon

Frame = Literal["unknown", "upright", "raw"]
"""Which pixels the coordinates refer to: the upright image, or the stored pixels before the EXIF orientation."""


class Region(NamedTuple):
    """One labelled region, as read from the file."""

    polygon: Polygon  # (V, 2), px, in the order of the file, not yet repaired
    text: str = ""  # "" if the file has none
    ignore: bool = False  # marked as don't-care by its text
    line: int = 0  # of the label file, or number of the entry, from 1
    flag: str = ""  # of the tool, which may mean don't-care: "difficult", or several: "difficult,occluded"
    category: str = ""  # its class, if the file has classes


@dataclass(frozen=True, slots=True, eq=False)
class LabelRecord:
    """Labels of one image. The image is not opened."""

    image_path: Path
    label_path: Path | None  # None if the labels do not come from a file
    polygons: tuple[Polygon, ...]  # K of them, in pixels of the image
    ignore: NDArray[np.bool_]  # (K,): don't-care regions
    texts: tuple[str, ...]  # K; "" if the file has none
    lines: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))  # (K,), or (0,) if unknown
    lost: int = 0  # regions in the file whose position is unknown
    stated: tuple[int, int] | None = None  # height and width of the image, px, if the labels state them
    size: tuple[int, int] | None = None  # height and width of the upright image, px, once the image was checked
    frame: Frame = "unknown"
    flags: tuple[str, ...] = ()  # K, as in `Region`; () once `region_selection` has decided what they mean
    categories: tuple[str, ...] = ()  # K, as in `Region`; () if no file has classes

    @property
    def place(self) -> Path:
        """The file in which the labels are corrected: their own, or the image."""
        return self.label_path or self.image_path

    def line(self, region: int) -> int:
        """Line of region number `region`; 0 if unknown."""
        return int(self.lines[region]) if region < len(self.lines) else 0

    def only(self, regions: Sequence[int]) -> LabelRecord:
        """The record with these regions, in this order."""
        return replace(
            self,
            polygons=tuple(self.polygons[region] for region in regions),
            ignore=self.ignore[list(regions)],
            texts=tuple(self.texts[region] for region in regions),
            lines=np.array([self.line(region) for region in regions], np.int32),
            flags=tuple(self.flags[region] for region in regions) if self.flags else (),
            categories=tuple(self.categories[region] for region in regions) if self.categories else (),
        )


def to_record(
    image: Path,
    label: Path | None,
    regions: Sequence[Region | None],
    lost: int = 0,
    stated: tuple[int, int] | None = None,
    frame: Frame = "unknown",
) -> LabelRecord:
    """Pack the regions of one image. None in `regions` is a lost region, counted in addition to `lost`."""
    kept = [region for region in regions if region is not None]
    return LabelRecord(
        image_path=image,
        label_path=label,
        polygons=tuple(np.asarray(region.polygon, np.float32).reshape(-1, 2) for region in kept),
        ignore=np.array([region.ignore for region in kept], np.bool_),
        texts=tuple(region.text for region in kept),
        lines=np.array([region.line for region in kept], np.int32),
        lost=lost + len(regions) - len(kept),
        stated=stated,
        frame=frame,
        flags=tuple(region.flag for region in kept),
        categories=tuple(region.category for region in kept),
    )
