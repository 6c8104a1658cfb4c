"""Regions that stand beside one another on a line of text: lines in pieces, and words mixed with lines.

Legend: K regions of one image, E pairs of neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from resnet18_ocrdet.check.measure import drawable
from resnet18_ocrdet.check.wording import share
from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.geometry.polygon import min_area_quad

SPLIT_GAP = 0.1  # of the height: nearer ends leave no room for the space between two words
SPLIT_OVERLAP = 0.5  # of the shorter region: what overlaps more is not its continuation
WORD_GAP = 0.8  # of the height: the next word of a line stands no farther off
SAME_BAND = 0.8  # of the higher region: what the other one shares of its band across the line
USUAL = 0.02  # of the care regions: above that share, words that touch are how the set is labelled (ICDAR 2015: 0.2)
USUAL_LINES = 0.2  # the same where lines are labelled, which have no next word
LINE_SET = 0.3  # of the care regions hold several words: a set of lines, some of which are one word long
MIXED = 0.1  # of the care regions, of words and of lines each
LEAST_REGIONS = 20  # fewer tell no manner of labelling
MOST_NEAR = 50  # regions beside each one, in the middle of an image; on a page of text it is some ten
LINE_ASPECT = 8.0  # length over height from which a region without transcription is no single word


class Pairs(NamedTuple):
    """Neighbours on one line."""

    first: NDArray[np.int64]  # (E,) numbers of regions
    second: NDArray[np.int64]  # (E,)
    gap: NDArray[np.float64]  # (E,) between their ends, in heights; negative where they overlap
    overlap: NDArray[np.float64]  # (E,) 0..1: of the shorter one's length


def check_lines(root: Path, parts: Mapping[str, Sequence[LabelRecord]], report: Report) -> None:
    """Add PG048 for lines in pieces, where that is not the manner of the whole set, and QA103 for mixed sets.

    root: what a finding about the whole set names."""
    regions = words = lines = touching = 0
    splits: list[tuple[LabelRecord, int, int]] = []
    for records in parts.values():
        for record in records:
            pairs = neighbours(record)
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
    if regions >= LEAST_REGIONS and min(words, lines) >= MIXED * regions:
        detail = (
            f"{share(lines, regions, 'region')} hold several words, {share(words, regions, 'region')} are one word "
            f"with the next one beside it"
        )
        report.add("QA103", root, 0, detail)


def is_line(record: LabelRecord, region: int) -> bool:
    """Whether a region holds several words: by its text, by its shape where it has none."""
    text = record.texts[region].strip()
    if text:
        return len(text.split()) > 1
    if not drawable(record.polygons[region]):
        return False
    corners, height = min_area_quad(record.polygons[region])
    return height > 0 and _aspect(corners) >= LINE_ASPECT


def neighbours(record: LabelRecord) -> Pairs:
    """Care regions of one image that follow one another on a line, no farther apart than words."""
    numbers = [int(region) for region in np.flatnonzero(~record.ignore) if drawable(record.polygons[region])]
    boxes = {number: min_area_quad(record.polygons[number]) for number in numbers}
    numbers = [number for number in numbers if boxes[number][1] >= 1]
    if len(numbers) < 2:
        return _packed([])
    quads = [shapely.Polygon(boxes[number][0]) for number in numbers]
    tree = shapely.STRtree(quads)
    reach = np.array([boxes[number][1] * WORD_GAP for number in numbers])
    near = tree.query(quads, predicate="dwithin", distance=reach)
    if near.shape[1] > MOST_NEAR * len(numbers):  # regions in a heap, which make millions of pairs and are no lines
        return _packed([])
    found = []
    for one, other in near.T:
        if one < other and (beside := _beside(boxes[numbers[one]][0], boxes[numbers[other]][0])) is not None:
            found.append((numbers[one], numbers[other], *beside))
    return _packed(found)


def _beside(one: NDArray[np.float32], other: NDArray[np.float32]) -> tuple[float, float] | None:
    """Gap in heights, and overlap of the shorter one, of two rectangles (4, 2); None if they are not on one line."""
    if _aspect(one) < _aspect(other):  # the longer one knows where the line goes
        one, other = other, one
    axis = max((one[1] - one[0], one[2] - one[1]), key=lambda side: float(np.linalg.norm(side)))
    axis = axis / np.linalg.norm(axis)
    along, across = np.stack([one @ axis, other @ axis]), np.stack([one @ _turned(axis), other @ _turned(axis)])
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


def _turned(axis: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.array([-axis[1], axis[0]], np.float32)


def _aspect(corners: NDArray[np.float32]) -> float:
    sides = [float(np.linalg.norm(corners[i + 1] - corners[i])) for i in (0, 1)]
    return max(sides) / max(min(sides), 1e-6)
