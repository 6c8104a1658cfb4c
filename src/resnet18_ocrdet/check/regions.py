"""Findings about regions, and the size of the text. No model is needed.

Legend: C care regions of a split.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from ..data.findings import Report
from ..data.record import LabelRecord
from ..data.targets import TargetMaker
from ..geometry.polygon import area, min_area_quad
from ..runtime.messages import share
from .image_stats import ImageStats, care_regions

WHOLE_IMAGE = 0.9  # of the image's area
SAME_PLACE = 0.8  # intersection over union of two regions
CHUNK = 32  # regions compared at once
MAX_CORNERS = 100
MAX_ELONGATION = 100.0  # length / height

ResizeFactors = Callable[[int, int], tuple[float, float]]
"""(height, width) of an image, px, to the factors (y, x) of its resize."""


class SplitStats(NamedTuple):
    """The labels of one split in numbers."""

    images: int
    regions: int
    dont_care: int
    usable: int  # care regions that can be trained on at this input size
    lost: int  # regions whose position is unknown
    heights: NDArray[np.float32]  # (C,) px after the resize
    aspects: NDArray[np.float32]  # (C,) length / height

    @property
    def care(self) -> int:
        """Number of regions that are not don't-care."""
        return self.regions - self.dont_care


def check_regions(
    root: Path,
    split: str,
    records: Sequence[LabelRecord],
    images: Sequence[ImageStats],
    make: TargetMaker,
    scale: ResizeFactors,
    report: Report,
) -> SplitStats:
    """Add findings about the regions of one split, and count them.

    root: path of findings about the whole set. make, scale: targets and resize of the planned training."""
    heights: list[float] = []
    aspects: list[float] = []
    usable = small = 0
    for record, image in zip(records, images, strict=True):
        size = record.size or ((image.height, image.width) if image.height else None)
        factors = scale(*size) if size else (1.0, 1.0)
        for region in care_regions(record):
            polygon = record.polygons[region]
            corners, height = min_area_quad(polygon)
            length = max(float(np.linalg.norm(corners[i + 1] - corners[i])) for i in (0, 1))
            if size and (covered := area(polygon) / (size[0] * size[1])) >= WHOLE_IMAGE:
                add_region(report, "PG042", record, region, f"covers {min(covered, 1):.0%} of the image")
            if len(polygon) > MAX_CORNERS:
                add_region(report, "PG045", record, region, f"{len(polygon)} corners")
            if height > 0 and length > MAX_ELONGATION * height:
                add_region(report, "PG046", record, region, f"{length:.0f} px long, {height:.1f} px high")
            aspects.append(length / max(height, 1e-3))
            scaled = polygon * np.array(factors[::-1], np.float32)
            heights.append(min_area_quad(scaled)[1])
            if heights[-1] < make.min_text_size:  # the same rule as make.too_small
                small += 1
                continue
            pieces = make.pieces(scaled)
            usable += pieces > 0
            if pieces != 1:
                code, detail = ("PG038", f"{pieces} pieces") if pieces else ("PG037", "nothing is left")
                add_region(report, code, record, region, f"{detail} at train.shrink_ratio={make.shrink_ratio:g}")
        for region in image.curved:
            add_region(report, "PG047", record, region, "the ink is curved inside the box")
        for first, second, iou in covering(record):
            other = f"the region in line {record.line(first)}" if record.line(first) else "another region"
            add_region(report, "PG043", record, second, f"IoU {iou:.2f} with {other}")
    stats = SplitStats(
        images=len(records),
        regions=sum(len(record.polygons) for record in records),
        dont_care=int(sum(record.ignore.sum() for record in records)),
        usable=usable,
        lost=sum(record.lost for record in records),
        heights=np.array(heights, np.float32),
        aspects=np.array(aspects, np.float32),
    )
    if small:
        least = f"below {make.min_text_size:g} px after the resize"
        report.add("PG036", root, 0, f"{split}: {share(small, stats.care, 'care region')} {least}")
    _add_totals(root, split, records, stats, report)
    return stats


def add_region(report: Report, code: str, record: LabelRecord, region: int, detail: str) -> None:
    """Report a finding about one region, where it is written."""
    report.add(code, record.place, record.line(region), detail, record.image_path)


def covering(record: LabelRecord) -> Iterator[tuple[int, int, float]]:
    """Pairs of care regions of one image that cover each other: the earlier one, the later one, IoU."""
    care = care_regions(record)
    if len(care) < 2:
        return
    shapes = shapely.make_valid(np.array([shapely.Polygon(record.polygons[region]) for region in care]))
    tree, areas = shapely.STRtree(shapes), shapely.area(shapes)
    for other, shape in enumerate(shapes):
        near = np.sort(tree.query(shape))
        near = near[near < other]
        for first in range(0, len(near), CHUNK):  # one pair per region: many overlapping ones make millions
            some = near[first : first + CHUNK]
            both = shapely.area(shapely.intersection(shape, shapes[some]))
            either = areas[other] + areas[some] - both
            covered = np.flatnonzero((either > 0) & (both > SAME_PLACE * either))
            if len(covered):
                one = int(covered[0])
                yield care[int(some[one])], care[other], float(both[one] / either[one])
                break


def _add_totals(root: Path, split: str, records: Sequence[LabelRecord], stats: SplitStats, report: Report) -> None:
    """Findings about a whole split."""
    labelled = [record for record in records if record.polygons]
    masked = sum(bool(record.ignore.all()) for record in labelled)
    if split == "train" and not stats.care:
        what = f"all {stats.regions} regions are don't-care" if stats.regions else "no regions"
        report.add("GT014", root, 0, f"{split}: {what}")
    elif labelled and 2 * masked > len(records):
        report.add("GT013", root, 0, f"{split}: {share(masked, len(records), 'image')}")
    unlabelled = {finding.image for finding in report.of("GT001")}
    without = sum(not r.polygons and not r.lost and r.image_path not in unlabelled for r in records)
    if without and not report.of("GT002"):
        report.add("GT002", root, 0, f"{split}: {share(without, len(records), 'image')}")
    bare = sum(not text and not ignore for r in records for text, ignore in zip(r.texts, r.ignore, strict=True))
    if bare and not report.of("GT010"):
        report.add("GT010", root, 0, f"{split}: {share(bare, stats.care, 'care region')}")
