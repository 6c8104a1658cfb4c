"""What happens to images with findings, in training and evaluation.

Lost regions are never trained on as background. A region at an unknown position makes its whole image don't-care,
except for other text; a region without area is don't-care along its corners; unreadable images are skipped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from ..errors import UserError
from ..runtime.messages import count
from .findings import CODES, Finding, Report
from .record import LabelRecord

OnError = Literal["fail", "skip", "fix"]
MissingGt = Literal["fail", "negative", "skip"]

MAX_AFFECTED = 0.05  # share of the images that may have errors (one always may); above it the data set is refused
MAX_OUTSIDE = 0.01  # share of the regions outside their images
MAX_LISTED = 10  # findings in an error message
NOT_LISTED = ("PG034", "PG039")  # repairs that are too common to mention
NO_LABELS = "GT001"  # decided by `data.missing_gt`
MISSING_IMAGE = "FS079"
NO_IMAGE = "GT030"  # of annotations, which do not count as images
RecordsBySplit = dict[str, list[LabelRecord]]


class PolicyResult(NamedTuple):
    """The records to use, and notes about the others."""

    splits: RecordsBySplit
    notes: tuple[str, ...]  # one line for each kind of finding


def apply_error_policy(
    splits: RecordsBySplit,
    report: Report,
    on_error: OnError = "fix",
    missing_gt: MissingGt = "fail",
    limit: float | None = MAX_AFFECTED,
) -> PolicyResult:
    """Apply the policy to a data set whose images were checked.

    fail: any error raises. skip: images with an error are skipped. fix: lost regions become don't-care, and errors in
    more than `limit` of the images raise. Raises UserError, which lists the first findings."""
    unlabelled = report.of(NO_LABELS)
    errors = [finding for finding in report.at("error") if finding.code != NO_LABELS]
    problems = []
    if missing_gt == "fail" and unlabelled:
        hint = "data.missing_gt=skip skips them, =negative uses them as images without text"
        problems.append(_refusal(unlabelled, hint))
    if on_error == "fail" and errors:
        hint = "data.on_error=fail; data.on_error=fix makes lost regions don't-care"
        problems.append(_refusal(errors, hint, splits))
    if on_error == "fix" and limit is not None:
        problems += _too_many_errors(splits, report, errors, limit)
    if problems:
        raise UserError("\n".join(problems))
    out = {finding.image for finding in errors} if on_error == "skip" else set()
    use = "used as images without text"
    if missing_gt == "skip":
        out |= {finding.image for finding in unlabelled}
        use = "skipped"
    notes = [f"{count(len(unlabelled), 'image')} without labels, {use}"] if unlabelled else []
    kept = {split: [record for record in records if record.image_path not in out] for split, records in splits.items()}
    if on_error == "fix":
        kept = {split: [mask_lost(record) for record in records] for split, records in kept.items()}
    return PolicyResult(kept, (*notes, *_finding_notes(report, on_error)))


def mask_lost(record: LabelRecord) -> LabelRecord:
    """Add a don't-care region over the whole image if a region is lost; other text stays text."""
    if not record.lost or record.size is None:
        return record
    bottom, right = record.size[0] - 1, record.size[1] - 1
    whole_image = np.array([[0, 0], [right, 0], [right, bottom], [0, bottom]], np.float32)
    return replace(
        record,
        polygons=(*record.polygons, whole_image),
        ignore=np.append(record.ignore, True),
        texts=(*record.texts, "###"),
        lines=np.array([*(record.line(region) for region in range(len(record.polygons))), 0], np.int32),
        lost=0,
        categories=(*record.categories, "") if record.categories else (),
    )


def _finding_notes(report: Report, on_error: OnError) -> list[str]:
    """One line for each kind of finding that a user should know, with its first example."""
    done = {"skip": "skipped", "fix": "don't-care or skipped", "fail": ""}[on_error]
    lines = []
    for code, number in sorted(report.counts().items()):
        level = CODES[code].level
        if level == "info" or code in NOT_LISTED or code == NO_LABELS:
            continue
        first = report.of(code)[0]
        consequence = f" ({done})" if level == "error" else " (repaired)" if level == "repair" else ""
        times = f"{number} times" if number > 1 else "once"
        lines.append(f"{code} {CODES[code].title}, {times}{consequence}: {first.text}")
    return lines


def _too_many_errors(splits: RecordsBySplit, report: Report, errors: Sequence[Finding], limit: float) -> list[str]:
    """Why a data set is refused: so many errors suggest a systematic mistake, which masking would hide."""
    regions = sum(len(record.polygons) + record.lost for records in splits.values() for record in records)
    outside = report.of("PG040")
    if len(outside) > max(1, MAX_OUTSIDE * (regions + len(outside))):
        share = len(outside) / (regions + len(outside))
        hint = f"{share:.1%} of all regions: were the labels made for these images, at this size and orientation?"
        return [_refusal(outside, hint)]
    strays = [finding for finding in errors if finding.code == NO_IMAGE]
    affected = {finding.image or (finding.path, finding.line) for finding in errors if finding.code != NO_IMAGE}
    images = {record.image_path for records in splits.values() for record in records} | affected  # and entries of lists
    if len(affected) + len(strays) > max(1, limit * len(images)) or (affected and len(affected) == len(images)):
        beside = f" and annotations of {count(len(strays), 'image')} that the file does not list" if strays else ""
        hint = (
            f"{len(affected)} of {len(images)} images{beside}, at most {limit:.0%} may have errors: "
            f"data.on_error=skip skips them, ocrdet-check lists everything"
        )
        return [_refusal(errors, hint, splits)]
    return []


def _refusal(findings: Sequence[Finding], hint: str, splits: RecordsBySplit | None = None) -> str:
    """The first findings, one per line, and what to do. splits: with these records, a list of which no image exists is
    one line."""
    kinds = Counter(finding.code for finding in findings)
    kinds_text = ", ".join(f"{number} x {code} {CODES[code].title}" for code, number in kinds.most_common())
    lines = [f"  {found.code} {found.text}" for found in findings] if splits is None else _by_list(findings, splits)
    told = [f"data: {kinds_text}; {hint}", *lines[:MAX_LISTED]]
    if len(lines) > MAX_LISTED:
        told.append(f"  ... and {len(lines) - MAX_LISTED} more; ocrdet-check lists all of them")
    return "\n".join(told)


def _by_list(findings: Sequence[Finding], splits: RecordsBySplit) -> list[str]:
    """The findings, but one line for all missing images of a label file that has no other images."""
    used = {record.label_path for records in splits.values() for record in records}
    missing = Counter(found.path for found in findings if found.code == MISSING_IMAGE and found.path not in used)
    lines: dict[Path | Finding, str] = {}
    for found in findings:
        number = missing[found.path] if found.code == MISSING_IMAGE else 0
        if number > 1:
            why = f"none of its {number} images exists: {found.detail}"
            lines.setdefault(found.path, f"  {found.code} {found.path}: {why}")
        else:
            lines[found] = f"  {found.code} {found.text}"
    return list(lines.values())
