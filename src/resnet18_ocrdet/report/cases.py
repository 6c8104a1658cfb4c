"""The cases behind each number of a report: which regions and detections of which image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from .evidence import Evidence
from .mistakes import Kind
from .sizes import Share, sizes_of


class Case(NamedTuple):
    """Something to look at in one image."""

    image: int  # place in the set
    regions: tuple[int, ...]
    detections: tuple[int, ...]
    told: str


def of_kind(evidence: Evidence, kind: Kind) -> list[Case]:
    """The mistakes of one kind."""
    return [
        Case(image, regions, detections, f"best IoU {iou:.2f}")
        for image, its, regions, detections, iou in evidence.mistakes
        if its == kind
    ]


def worst(evidence: Evidence, most: int) -> list[Case]:
    """The images where most regions were not found and most detections found nothing, all of them together."""
    cases = []
    for image, (answer, row) in enumerate(zip(evidence.answers, evidence.rows, strict=True)):
        used = {detection for _, detection in row.pairs} | set(row.dont_care_detections)
        free = tuple(m for m in range(len(answer.detections)) if m not in used)
        regions = tuple(_lost(evidence, image))
        if regions or free:
            cases.append(
                Case(image, regions, free, f"{len(regions)} of {row.care_regions} not found, {len(free)} false")
            )
    return sorted(cases, key=lambda case: -len(case.regions) - len(case.detections))[:most]


def not_found(evidence: Evidence, share: Share, by_height: bool) -> list[Case]:
    """Regions of these heights, or of these lengths over height, that were not found."""
    cases = []
    for image, answer in enumerate(evidence.answers):
        lost = _lost(evidence, image)
        heights, aspects = sizes_of([answer.polygons[region] for region in lost])
        for region, height, aspect in zip(lost, heights, aspects, strict=True):
            if share.holds(height if by_height else aspect):
                cases.append(Case(image, (region,), (), f"{height * aspect:.0f} by {height:.0f} px"))
    return cases


def gained(before: Evidence, now: Evidence) -> list[Case]:
    """Regions that only `now` found, with its detections."""
    return _changed(before, now, lambda region, its: Case(0, (region,), (its[region],), f"region {region}"))


def lost(before: Evidence, now: Evidence) -> list[Case]:
    """Regions that only `before` found."""
    return _changed(now, before, lambda region, its: Case(0, (region,), (), f"region {region}"))


def spread(cases: Sequence[Case], most: int) -> list[Case]:
    """Some of them, of as many images as possible."""
    first: dict[int, Case] = {}
    for case in cases:
        first.setdefault(case.image, case)
    chosen = list(first.values())[:most]
    return chosen + [case for case in cases if case not in chosen][: most - len(chosen)]


def _changed(without: Evidence, having: Evidence, case: Callable[[int, dict[int, int]], Case]) -> list[Case]:
    cases = []
    for image, (its, others) in enumerate(zip(having.rows, without.rows, strict=True)):
        pairs = dict(its.pairs)
        cases += [case(region, pairs)._replace(image=image) for region in sorted(set(pairs) - set(dict(others.pairs)))]
    return cases


def _lost(evidence: Evidence, image: int) -> list[int]:
    """Care regions of an image that were not found."""
    found = {region for region, _ in evidence.rows[image].pairs}
    return [region for region in np.flatnonzero(~evidence.answers[image].ignore).tolist() if region not in found]
