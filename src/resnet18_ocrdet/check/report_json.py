"""report.json: everything that a check found, for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..data.findings import CODES, Finding, Level
from .dataset import CheckResult
from .label_audit import AuditedImage, LabelAudit, LabelIssue

SCHEMA = 1  # increased when a key is removed or changes its meaning
EXAMPLES = 10  # per code, in its group
LEVELS: tuple[Level, ...] = ("error", "warning", "repair", "info")


def write_report_json(path: Path, result: CheckResult) -> None:
    """Write the report. File names that are not valid UTF-8 are written with surrogate escapes. Raises OSError."""
    path.write_text(json.dumps(report_of(result), indent=1, allow_nan=False) + "\n", encoding="ascii")


def report_of(result: CheckResult) -> dict[str, Any]:
    """The report as plain values."""
    report = result.reading.report
    return {
        "schema": SCHEMA,
        "root": str(result.root),
        "dialect": result.reading.dialect,
        "why": result.reading.why,
        "input_size": [result.height, result.width],
        "min_text_size": result.min_text_size,
        "parts": {
            split: {key: getattr(stats, key) for key in ("images", "regions", "dont_care", "usable", "lost")}
            for split, stats in result.splits.items()
        },
        "levels": {level: len(report.at(level)) for level in LEVELS},
        "kinds": [
            {
                "code": code,
                **CODES[code]._asdict(),
                "count": len(report.of(code)),
                "examples": [_finding(finding) for finding in report.of(code)[:EXAMPLES]],
            }
            for code in codes_found(result)
        ],
        "findings": [{"code": finding.code, **_finding(finding)} for finding in report],
        "advice": [advice._asdict() for advice in result.advice],
        "labels": None if result.labels is None else _label_audit(result.labels),
        "seconds": round(result.seconds, 3),
    }


def codes_found(result: CheckResult) -> list[str]:
    """Codes with a finding, most severe level first, then in the order of the catalogue."""
    counts = result.reading.report.counts()
    return sorted((code for code in CODES if counts[code]), key=lambda code: LEVELS.index(CODES[code].level))


def _label_audit(labels: LabelAudit) -> dict[str, Any]:
    return {
        "network": labels.network,
        "taught": labels.train_overlap,
        "images": [
            {"image": str(image.record.image_path), "weight": round(image.suspicion, 4)} for image in labels.worst
        ],
        "doubts": [_issue(image, issue) for kind in labels.kinds for image, issue in labels.ranked(kind)],
    }


def _issue(image: AuditedImage, issue: LabelIssue) -> dict[str, Any]:
    """One place to review; `label`: index of a label in the image, from 0; `line`: where it is written."""
    return {
        "kind": issue.kind,
        "image": str(image.record.image_path),
        "labels": [{"label": region, "line": image.record.line(region) or None} for region in issue.regions],
        "seen": [np.round(image.predictions.quads[m].polygon.astype(float), 1).tolist() for m in issue.detections],
        "suspicion": round(issue.suspicion, 4),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "file": str(finding.path),
        "line": finding.line or None,
        "image": str(finding.image) if finding.image else None,
        "detail": finding.detail,
    }
