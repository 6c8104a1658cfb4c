"""The regions and detections behind each number of the report."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .analysis import ErrorAnalysis, SizeBin, sizes_of
from .mistakes import MistakeKind


class Case(NamedTuple):
    """Regions and detections of one image that the report shows together."""

    image: int  # index in the set
    regions: tuple[int, ...]
    detections: tuple[int, ...]
    note: str  # for the caption


def mistakes_of_kind(analysis: ErrorAnalysis, kind: MistakeKind) -> list[Case]:
    """All mistakes of one kind."""
    return [
        Case(each.image, each.regions, each.detections, f"best IoU {each.iou:.2f}")
        for each in analysis.mistakes
        if each.kind == kind
    ]


def worst_images(analysis: ErrorAnalysis, most: int) -> list[Case]:
    """The images with the most missed regions and false detections."""
    cases = []
    for image, (sample, row) in enumerate(zip(analysis.samples, analysis.rows, strict=True)):
        used = {detection for _, detection in row.pairs} | set(row.dont_care_detections)
        false = tuple(m for m in range(len(sample.detections)) if m not in used)
        regions = tuple(_missed(analysis, image))
        if regions or false:
            note = f"{len(regions)} of {row.care_regions} not found, {len(false)} false"
            cases.append(Case(image, regions, false, note))
    return sorted(cases, key=lambda case: -len(case.regions) - len(case.detections))[:most]


def missed_of_size(analysis: ErrorAnalysis, size: SizeBin, by_height: bool) -> list[Case]:
    """Missed regions whose height (or aspect ratio) lies in this bin."""
    cases = []
    for image, sample in enumerate(analysis.samples):
        missed = _missed(analysis, image)
        heights, aspects = sizes_of([sample.polygons[region] for region in missed])
        for region, height, aspect in zip(missed, heights, aspects, strict=True):
            if size.contains(height if by_height else aspect):
                cases.append(Case(image, (region,), (), f"{height * aspect:.0f} by {height:.0f} px"))
    return cases


def gained(before: ErrorAnalysis, now: ErrorAnalysis) -> list[Case]:
    """Regions found only by `now`, with its detections."""
    cases = []
    for image, (old, new) in enumerate(zip(before.rows, now.rows, strict=True)):
        found = dict(old.pairs)
        pairs = [pair for pair in sorted(new.pairs) if pair[0] not in found]
        cases += [Case(image, (region,), (detection,), f"region {region}") for region, detection in pairs]
    return cases


def lost(before: ErrorAnalysis, now: ErrorAnalysis) -> list[Case]:
    """Regions found only by `before`."""
    return [case._replace(detections=()) for case in gained(now, before)]


def _missed(analysis: ErrorAnalysis, image: int) -> list[int]:
    """Care regions of an image that were not found."""
    found = {region for region, _ in analysis.rows[image].pairs}
    return [region for region in np.flatnonzero(~analysis.samples[image].ignore).tolist() if region not in found]
