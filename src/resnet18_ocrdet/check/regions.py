"""What is wrong with the regions of a set, and how large its text is; no model is needed.

Legend: K regions of one image, C care regions of a part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from resnet18_ocrdet.check.look import Look
from resnet18_ocrdet.check.measure import drawable
from resnet18_ocrdet.check.wording import share
from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.data.targets import TargetMaker
from resnet18_ocrdet.geometry.polygon import area, min_area_quad
from resnet18_ocrdet.structures import Polygon

WHOLE_IMAGE = 0.9  # of the image's area
SAME_PLACE = 0.8  # intersection over union of two regions
AT_ONCE = 32  # regions that one is compared with
MANY_CORNERS = 100
LONGEST = 100.0  # length over height
HALF = 0.5

Scale = Callable[[int, int], tuple[float, float]]
"""(height, width) of an image, px, to the factors (y, x) of its resize."""


class Facts(NamedTuple):
    """The labels of one part in numbers."""

    images: int
    regions: int
    dont_care: int
    usable: int  # care regions that can be learnt at this input size
    lost: int  # regions whose place is unknown
    sizes: NDArray[np.int32]  # (images known, 2): height and width, px
    heights: NDArray[np.float32]  # (C,) px after the resize
    native: NDArray[np.float32]  # (C,) px in the image as it is
    aspects: NDArray[np.float32]  # (C,) longer over shorter side

    @property
    def care(self) -> int:
        """Those that are no don't-care."""
        return self.regions - self.dont_care


def check_regions(
    root: Path,
    part: str,
    records: Sequence[LabelRecord],
    looks: Sequence[Look],
    make: TargetMaker,
    scale: Scale,
    report: Report,
) -> Facts:
    """Add what is wrong with the regions of one part, and count them.

    root: what a finding about the whole set names. make, scale: how a training would draw and resize."""
    heights: list[float] = []
    native: list[float] = []
    aspects: list[float] = []
    sizes: list[tuple[int, int]] = []
    usable = small = 0
    for record, look in zip(records, looks, strict=True):
        size = size_of(record, look)
        factors = scale(*size) if size else (1.0, 1.0)
        sizes += [size] if size else []
        for region, polygon in enumerate(record.polygons):
            if not drawable(polygon):
                continue
            corners, height = min_area_quad(polygon)
            length = max(float(np.linalg.norm(corners[i + 1] - corners[i])) for i in (0, 1))
            if record.ignore[region]:
                continue
            for code, detail in _odd(polygon, length, height, size):
                _add(report, code, record, region, detail)
            native.append(height)
            aspects.append(length / max(height, 1e-3))
            scaled = polygon * np.array(factors[::-1], np.float32)
            heights.append(min_area_quad(scaled)[1])
            if heights[-1] < make.min_text_size:  # as make.too_small has it
                small += 1
                continue
            pieces = make.pieces(scaled)
            usable += pieces > 0
            if pieces != 1:
                code, detail = ("PG038", f"{pieces} pieces") if pieces else ("PG037", "nothing is left of it")
                _add(report, code, record, region, f"{detail} at train.shrink_ratio={make.shrink_ratio:g}")
        for region in look.curved:
            _add(report, "PG047", record, region, "its ink bends within the box")
        for first, second, iou in covering(record):
            where = f"region of line {record.line(first)}" if record.line(first) else "another region"
            _add(report, "PG043", record, second, f"covers the {where}: intersection over union {iou:.2f}")
    facts = Facts(
        images=len(records),
        regions=sum(len(record.polygons) for record in records),
        dont_care=int(sum(record.ignore.sum() for record in records)),
        usable=usable,
        lost=sum(record.lost for record in records),
        sizes=np.array(sizes, np.int32).reshape(-1, 2),
        heights=np.array(heights, np.float32),
        native=np.array(native, np.float32),
        aspects=np.array(aspects, np.float32),
    )
    if small:
        least = f"below {make.min_text_size:g} px after the resize"
        report.add("PG036", root, 0, f"{part}: {share(small, facts.care, 'care region')} {least}")
    _add_totals(root, part, records, facts, report)
    return facts


def size_of(record: LabelRecord, look: Look) -> tuple[int, int] | None:
    """Height and width of an image, px; None where it could not be read."""
    return record.size or ((look.height, look.width) if look.height else None)


def covering(record: LabelRecord) -> Iterator[tuple[int, int, float]]:
    """Each care region of one image that covers an earlier one, which comes first, with intersection over union."""
    care = [int(r) for r in np.flatnonzero(~record.ignore) if drawable(record.polygons[r])]
    if len(care) < 2:
        return
    shapes = shapely.make_valid(np.array([shapely.Polygon(record.polygons[region]) for region in care]))
    tree, areas = shapely.STRtree(shapes), shapely.area(shapes)
    for other, shape in enumerate(shapes):
        near = np.sort(tree.query(shape))
        near = near[near < other]
        for first in range(0, len(near), AT_ONCE):  # the first pair tells it: regions in a heap make millions
            some = near[first : first + AT_ONCE]
            both = shapely.area(shapely.intersection(shape, shapes[some]))
            either = areas[other] + areas[some] - both
            covered = np.flatnonzero((either > 0) & (both > SAME_PLACE * either))
            if len(covered):
                one = int(covered[0])
                yield care[int(some[one])], care[other], float(both[one] / either[one])
                break


def _odd(polygon: Polygon, length: float, height: float, size: tuple[int, int] | None) -> Iterator[tuple[str, str]]:
    """Codes and details of one region's shape."""
    if size:
        covered = area(polygon) / (size[0] * size[1])
        if covered >= WHOLE_IMAGE:
            yield "PG042", f"covers {min(covered, 1):.0%} of the image"
    if len(polygon) > MANY_CORNERS:
        yield "PG045", f"{len(polygon)} corners"
    if height > 0 and length > LONGEST * height:
        yield "PG046", f"{length:.0f} px long, {height:.1f} px high"


def _add(report: Report, code: str, record: LabelRecord, region: int, detail: str) -> None:
    report.add(code, record.label_path or record.image_path, record.line(region), detail, record.image_path)


def _add_totals(root: Path, part: str, records: Sequence[LabelRecord], facts: Facts, report: Report) -> None:
    """What only the whole part shows."""
    labelled = [record for record in records if len(record.polygons)]
    masked = sum(bool(record.ignore.all()) for record in labelled)
    if part == "train" and not facts.care:
        what = f"all {facts.regions} regions are don't-care" if facts.regions else "no regions at all"
        report.add("GT014", root, 0, f"{part}: {what}")
    elif labelled and masked > HALF * len(records):
        report.add("GT013", root, 0, f"{part}: {share(masked, len(records), 'image')} with nothing but don't-care")
    unlabelled = {finding.image for finding in report.of("GT001")}
    without = sum(
        not len(record.polygons) and not record.lost and record.image_path not in unlabelled for record in records
    )
    if without and not report.of("GT002"):
        report.add("GT002", root, 0, f"{part}: {share(without, len(records), 'image')} without text")
    bare = sum(not text and not ignore for r in records for text, ignore in zip(r.texts, r.ignore, strict=True))
    if bare and not report.of("GT010"):
        report.add("GT010", root, 0, f"{part}: {share(bare, facts.care, 'care region')} without transcription")
