"""Findings about neighboring regions on a line of text: lines in pieces, words mixed with lines.

Legend: E pairs of neighbors in one image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from ..data.findings import Report
from ..data.record import LabelRecord
from ..geometry.polygon import min_area_quad
from ..runtime.messages import share
from .sharpness import is_polygon

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


class Pairs(NamedTuple):
    """Neighbors on one line."""

    first: NDArray[np.int64]  # (E,) indices of regions
    second: NDArray[np.int64]  # (E,)
    gap: NDArray[np.float64]  # (E,) between their ends, in heights; negative if they overlap
    overlap: NDArray[np.float64]  # (E,) 0..1 of the shorter one's length


def check_lines(root: Path, parts: Mapping[str, Sequence[LabelRecord]], report: Report) -> None:
    """Add PG048 for lines in pieces, unless the whole set is labelled that way, and QA103 for mixed sets.

    root: path of findings about the whole set."""
    regions = words = lines = touching = 0
    splits: list[tuple[LabelRecord, int, int]] = []
    for records in parts.values():
        for record in records:
            pairs = neighbors(record)
            split = (pairs.gap < SPLIT_GAP) & (pairs.overlap <= SPLIT_OVERLAP)
            splits += [(record, int(a), int(b)) for a, b in zip(pairs.first[split], pairs.second[split], strict=True)]
            touching += len(np.union1d(pairs.first[split], pairs.second[split]))
            care = np.flatnonzero(~record.ignore)
            whole = np.array([is_line(record, int(region)) for region in care], bool)
            beside = np.isin(care, np.union1d(pairs.first[~split], pairs.second[~split]))
            regions += len(care)
            lines += int(whole.sum())
            words += int((beside & ~whole).sum())
    if touching <= max((USUAL_LINES if lines >= LINE_SET * regions else USUAL) * regions, 2):
        for record, one, other in splits:
            detail = f"continues the region of line {record.line(one)}" if record.line(one) else "continues another"
            report.add("PG048", record.label_path or record.image_path, record.line(other), detail, record.image_path)
    if regions >= MIN_REGIONS and min(words, lines) >= MIXED * regions:
        several = f"{share(lines, regions, 'region')} have several words"
        report.add("QA103", root, 0, f"{several}, {share(words, regions, 'region')} are single words of a line")


def is_line(record: LabelRecord, region: int) -> bool:
    """Whether a region has several words: by its text, or by its shape if it has no text."""
    text = record.texts[region].strip()
    if text:
        return len(text.split()) > 1
    if not is_polygon(record.polygons[region]):
        return False
    corners, height = min_area_quad(record.polygons[region])
    return height > 0 and _aspect(corners) >= LINE_ASPECT


def neighbors(record: LabelRecord) -> Pairs:
    """Pairs of care regions of one image that follow each other on a line, at most a word gap apart."""
    numbers = [int(region) for region in np.flatnonzero(~record.ignore) if is_polygon(record.polygons[region])]
    boxes = {number: min_area_quad(record.polygons[number]) for number in numbers}
    numbers = [number for number in numbers if boxes[number][1] >= 1]
    if len(numbers) < 2:
        return _packed([])
    quads = [shapely.Polygon(boxes[number][0]) for number in numbers]
    tree = shapely.STRtree(quads)
    reach = np.array([boxes[number][1] * WORD_GAP for number in numbers])
    near = tree.query(quads, predicate="dwithin", distance=reach)
    if near.shape[1] > MAX_NEIGHBORS * len(numbers):  # many overlapping regions are not lines
        return _packed([])
    found = []
    for one, other in near.T:
        if one < other and (beside := _beside(boxes[numbers[one]][0], boxes[numbers[other]][0])) is not None:
            found.append((numbers[one], numbers[other], *beside))
    return _packed(found)


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


def _packed(found: list[tuple[int, int, float, float]]) -> Pairs:
    columns = np.array(found, np.float64).reshape(-1, 4).T
    return Pairs(columns[0].astype(np.int64), columns[1].astype(np.int64), columns[2], columns[3])


def _aspect(corners: NDArray[np.float32]) -> float:
    sides = [float(np.linalg.norm(corners[i + 1] - corners[i])) for i in (0, 1)]
    return max(sides) / max(min(sides), 1e-6)
