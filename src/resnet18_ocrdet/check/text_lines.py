"""Findings about neighboring regions on a line of text: lines in pieces, words mixed with lines."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from ..data.error_policy import RecordsBySplit
from ..data.findings import Report
from ..data.record import LabelRecord
from ..geometry.polygon import is_polygon, min_area_quad
from ..runtime.messages import share
from .image_stats import care_regions
from .regions import add_region

SPLIT_GAP = 0.1  # of the height: a smaller gap is not a space between two words
SPLIT_OVERLAP = 0.5  # of the shorter region: more overlap is not a continuation
WORD_GAP = 0.8  # of the height: the next word of a line is not farther away
SAME_BAND = 0.8  # of the higher region: vertical overlap of two regions on one line
USUAL = 0.02  # of the care regions: if more touch, the set is labelled that way (ICDAR 2015: 0.2)
USUAL_LINES = 0.2  # the same for sets of lines, which have no next word
LINE_SET = 0.3  # of the care regions have several words: a set of lines
MIXED = 0.1  # of the care regions: minimum of words and of lines
MIN_REGIONS = 20  # fewer do not show how a set is labelled
MAX_NEIGHBORS = 50  # mean per region; about 10 on a page of text
LINE_ASPECT = 8.0  # length / height from which a region without transcription counts as a line


class Pair(NamedTuple):
    """Two neighbors on one line."""

    first: int  # index of a region
    second: int
    gap: float  # between their ends, in heights; negative if they overlap
    overlap: float  # 0..1 of the shorter one's length


def check_lines(root: Path, parts: RecordsBySplit, report: Report) -> None:
    """Add PG048 for lines in pieces, unless the whole set is labelled that way, and QA103 for mixed sets.

    root: path of findings about the whole set."""
    regions = words = lines = touching = 0
    splits: list[tuple[LabelRecord, Pair]] = []
    for record in (record for records in parts.values() for record in records):
        touched, beside = set[int](), set[int]()
        for pair in neighbors(record):
            is_split = pair.gap < SPLIT_GAP and pair.overlap <= SPLIT_OVERLAP
            splits += [(record, pair)] if is_split else []
            (touched if is_split else beside).update((pair.first, pair.second))
        touching += len(touched)
        care = np.flatnonzero(~record.ignore).tolist()
        whole = {region for region in care if is_line(record, region)}
        regions += len(care)
        lines += len(whole)
        words += len(beside - whole)
    if touching <= max((USUAL_LINES if lines >= LINE_SET * regions else USUAL) * regions, 2):
        for record, pair in splits:
            line = record.line(pair.first)
            detail = f"continues the region of line {line}" if line else "continues another"
            add_region(report, "PG048", record, pair.second, detail)
    if regions >= MIN_REGIONS and min(words, lines) >= MIXED * regions:
        several = f"{share(lines, regions, 'region')} have several words"
        report.add("QA103", root, 0, f"{several}, {share(words, regions, 'region')} are single words of a line")


def is_line(record: LabelRecord, region: int) -> bool:
    """Whether a region has several words: by its text, or by its shape if it has no text."""
    if text := record.texts[region].strip():
        return len(text.split()) > 1
    if not is_polygon(record.polygons[region]):
        return False
    corners, height = min_area_quad(record.polygons[region])
    return height > 0 and _aspect(corners) >= LINE_ASPECT


def neighbors(record: LabelRecord) -> list[Pair]:
    """Pairs of care regions of one image that follow each other on a line, at most a word gap apart."""
    boxes = {region: min_area_quad(record.polygons[region]) for region in care_regions(record)}
    numbers = [region for region, (_, height) in boxes.items() if height >= 1]
    if len(numbers) < 2:
        return []
    quads = [shapely.Polygon(boxes[number][0]) for number in numbers]
    tree = shapely.STRtree(quads)
    reach = np.array([boxes[number][1] * WORD_GAP for number in numbers])
    near = tree.query(quads, predicate="dwithin", distance=reach)
    if near.shape[1] > MAX_NEIGHBORS * len(numbers):  # many overlapping regions are not lines
        return []
    found = []
    for one, other in near.T:
        if one < other and (beside := _beside(boxes[numbers[one]][0], boxes[numbers[other]][0])) is not None:
            found.append(Pair(numbers[one], numbers[other], *beside))
    return found


def _beside(one: NDArray[np.float32], other: NDArray[np.float32]) -> tuple[float, float] | None:
    """Gap in heights, and overlap of the shorter one, of two rectangles (4, 2); None if not on one line."""
    if _aspect(one) < _aspect(other):  # the longer one gives the direction of the line
        one, other = other, one
    axis = max((one[1] - one[0], one[2] - one[1]), key=lambda side: float(np.linalg.norm(side)))
    axis = axis / np.linalg.norm(axis)
    normal = np.array([-axis[1], axis[0]], np.float32)
    along, across = np.stack([one @ axis, other @ axis]), np.stack([one @ normal, other @ normal])
    low, high = across.min(axis=1), across.max(axis=1)
    heights = high - low
    if min(high) - max(low) < SAME_BAND * heights.max():
        return None
    start, end = along.min(axis=1), along.max(axis=1)
    gap = float(max(start) - min(end))
    overlap = max(0.0, -gap) / max(float((end - start).min()), 1e-6)
    gap /= float(heights.mean())
    return (gap, min(1.0, overlap)) if gap <= WORD_GAP else None


def _aspect(corners: NDArray[np.float32]) -> float:
    sides = [float(np.linalg.norm(corners[i + 1] - corners[i])) for i in (0, 1)]
    return max(sides) / max(min(sides), 1e-6)
