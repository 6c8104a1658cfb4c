"""What becomes of images with findings: the one place that decides it, for training and evaluation.

What is lost is never taught as background. A region without a known place turns its whole image, other text apart,
into don't-care; a region without area is masked along its corners; an image that cannot be read is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from resnet18_ocrdet.data.findings import CODES, Finding, Report
from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.runtime.messages import count

OnError = Literal["fail", "skip", "fix"]
MissingGt = Literal["fail", "negative", "skip"]

MAX_AFFECTED = 0.05  # share of the images that may have errors, one may in any case; with more a set is not used
MAX_OUTSIDE = 0.01  # share of the regions outside of their images
NAMED = 10  # findings that a refusal lists
QUIET = (
    "GT003",
    "GT002",
    "GT009",
    "GT010",
    "PG030",
    "PG034",
    "PG039",
    "IM054",
)  # codes that a training does not mention
GENTLE = "GT001"  # has a policy of its own
Parts = dict[str, list[LabelRecord]]


class Settled(NamedTuple):
    """What is used, and what is to be told of the rest."""

    parts: Parts
    told: tuple[str, ...]  # one line for each kind of finding


def settle(
    parts: Parts,
    report: Report,
    on_error: OnError = "fix",
    missing_gt: MissingGt = "fail",
    limit: float | None = MAX_AFFECTED,
) -> Settled:
    """Apply the policy to a set that was read and surveyed.

    fail: any error stops. skip: images with an error are left out. fix: what is lost is masked, and more than `limit`
    of the images affected stops. Raises UserError, which lists the first findings."""
    missing = report.of(GENTLE) if missing_gt == "fail" else []
    errors = [finding for finding in report.at("error") if finding.code != GENTLE]
    hint = "data.missing_gt=skip leaves them out, =negative takes them as images without text"
    problems = [_refusal(missing, hint)] if missing else []
    if on_error == "fail" and errors:
        problems.append(_refusal(errors, "data.on_error=fail; data.on_error=fix masks what is lost"))
    if on_error == "fix" and limit is not None:
        problems += _ruins(parts, report, errors, limit)
    if problems:
        raise UserError("\n".join(problems))
    parts, unlabelled = _without_labels(parts, report, missing_gt)
    used = {finding.image for finding in errors}
    left = {
        part: [record for record in records if on_error != "skip" or record.image_path not in used]
        for part, records in parts.items()
    }
    if on_error == "fix":
        left = {part: [mask_lost(record) for record in records] for part, records in left.items()}
    return Settled(left, (*unlabelled, *told(report, on_error)))


def mask_lost(record: LabelRecord) -> LabelRecord:
    """Lay a don't-care region over the whole image where text lies at an unknown place; other text stays text."""
    if not record.lost or record.size is None:
        return record
    bottom, right = record.size[0] - 1, record.size[1] - 1
    everything = np.array([[0, 0], [right, 0], [right, bottom], [0, bottom]], np.float32)
    return replace(
        record,
        polygons=(*record.polygons, everything),
        ignore=np.append(record.ignore, True),
        texts=(*record.texts, "###"),
        lines=np.array([*(record.line(region) for region in range(len(record.polygons))), 0], np.int32),
        lost=0,
    )


def told(report: Report, on_error: OnError) -> list[str]:
    """One line for each kind of finding that a user should know of, with its first example."""
    done = {"skip": "left out", "fix": "masked or left out", "fail": ""}[on_error]
    lines = []
    for code, number in sorted(report.counts().items()):
        level = CODES[code].level
        if level == "info" or code in QUIET or code == GENTLE:
            continue
        first = report.of(code)[0]
        what = f" ({done})" if level == "error" else " (repaired)" if level == "repair" else ""
        times = f"{number} times" if number > 1 else "once"
        lines.append(f"{code} {CODES[code].title}, {times}{what}: {first.text}")
    return lines


def _without_labels(parts: Parts, report: Report, missing_gt: MissingGt) -> tuple[Parts, list[str]]:
    """Apply `data.missing_gt` to images that have no label file."""
    missing = report.of(GENTLE)
    if not missing:
        return parts, []
    if missing_gt == "negative":
        return parts, [f"{count(len(missing), 'image')} without labels, taken as images without text"]
    out = {finding.image for finding in missing}
    left = {part: [record for record in records if record.image_path not in out] for part, records in parts.items()}
    return left, [f"{count(len(missing), 'image')} without labels, left out"]


def _ruins(parts: Parts, report: Report, errors: Sequence[Finding], limit: float) -> list[str]:
    """Why a set is not used: so much is wrong that masking would hide a mistake made once for all of it."""
    regions = sum(len(record.polygons) + record.lost for records in parts.values() for record in records)
    outside = report.of("PG040")
    if len(outside) > max(1, MAX_OUTSIDE * (regions + len(outside))):
        share = len(outside) / (regions + len(outside))
        hint = f"{share:.1%} of all regions: were the labels made for these images, at this size, turned like this?"
        return [_refusal(outside, hint)]
    affected = _images(errors)
    images = {record.image_path for records in parts.values() for record in records} | affected
    if len(affected) > max(1, limit * len(images)) or (affected and len(affected) == len(images)):
        hint = (  # one alone is no habit
            f"{len(affected)} of {len(images)} images, {limit:.0%} at most are masked: data.on_error=skip leaves them "
            f"out, ocrdet-check shows everything"
        )
        return [_refusal(errors, hint)]
    return []


def _images(findings: Sequence[Finding]) -> set[Path]:
    return {finding.image or finding.path for finding in findings}


def _refusal(findings: Sequence[Finding], hint: str) -> str:
    """The first findings, a line each, and what to do."""
    kinds = Counter(finding.code for finding in findings)
    what = ", ".join(f"{number} x {code} {CODES[code].title}" for code, number in kinds.most_common())
    lines = [f"data: {what}; {hint}", *(f"  {finding.code} {finding.text}" for finding in findings[:NAMED])]
    if len(findings) > NAMED:
        lines.append(f"  ... and {len(findings) - NAMED} more; ocrdet-check lists all of them")
    return "\n".join(lines)
