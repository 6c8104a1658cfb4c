"""report.json: everything a check found, for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from resnet18_ocrdet.check.checked import Checked
from resnet18_ocrdet.check.doubted import Doubted, LabelCheck
from resnet18_ocrdet.check.label_audit import Doubt
from resnet18_ocrdet.check.regions import Facts
from resnet18_ocrdet.data.findings import CODES, Finding, Level

SCHEMA = 1  # raised when a key changes its meaning or goes
EXAMPLES = 10  # of each code, in its group
LEVELS: tuple[Level, ...] = ("error", "warning", "repair", "info")


def write_report_json(path: Path, checked: Checked) -> None:
    """Write the report. File names that are no valid UTF-8 come as Python's surrogate escapes. Raises OSError."""
    path.write_text(json.dumps(report_of(checked), indent=1, allow_nan=False) + "\n", encoding="ascii")


def report_of(checked: Checked) -> dict[str, Any]:
    """The report as plain values."""
    report = checked.reading.report
    return {
        "schema": SCHEMA,
        "root": str(checked.root),
        "dialect": checked.reading.dialect,
        "why": checked.reading.why,
        "input_size": [checked.height, checked.width],
        "min_text_size": checked.min_text_size,
        "parts": {part: _part(facts) for part, facts in checked.facts.items()},
        "levels": {level: len(report.at(level)) for level in LEVELS},
        "kinds": [_kind(code, report.of(code)) for code in codes_found(checked)],
        "findings": [{"code": finding.code, **_finding(finding)} for finding in report],
        "advice": [advice._asdict() for advice in checked.advice],
        "labels": None if checked.labels is None else _doubts(checked.labels),
        "seconds": round(checked.seconds, 3),
    }


def codes_found(checked: Checked) -> list[str]:
    """Codes with a finding, gravest level first, in the order of the catalogue within one."""
    counts = checked.reading.report.counts()
    return sorted((code for code in CODES if counts[code]), key=lambda code: LEVELS.index(CODES[code].level))


def _part(facts: Facts) -> dict[str, int]:
    return {
        "images": facts.images,
        "regions": facts.regions,
        "dont_care": facts.dont_care,
        "usable": facts.usable,
        "lost": facts.lost,
    }


def _kind(code: str, findings: list[Finding]) -> dict[str, Any]:
    return {
        "code": code,
        **CODES[code]._asdict(),
        "count": len(findings),
        "examples": [_finding(finding) for finding in findings[:EXAMPLES]],
    }


def _doubts(labels: LabelCheck) -> dict[str, Any]:
    return {
        "network": labels.network,
        "taught": labels.taught,
        "images": [{"image": str(image.record.image_path), "weight": round(image.weight, 4)} for image in labels.worst],
        "doubts": [_doubt(image, doubt) for kind in labels.kinds for image, doubt in labels.ranked(kind)],
    }


def _doubt(image: Doubted, doubt: Doubt) -> dict[str, Any]:
    """One place to look at; `label`: number of a label in the image, from 0, and the line that it is written in."""
    return {
        "kind": doubt.kind,
        "image": str(image.record.image_path),
        "labels": [{"label": region, "line": image.record.line(region) or None} for region in doubt.regions],
        "seen": [np.round(image.seen.found[m].polygon.astype(float), 1).tolist() for m in doubt.detections],
        "suspicion": round(doubt.suspicion, 4),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "file": str(finding.path),
        "line": finding.line or None,
        "image": str(finding.image) if finding.image else None,
        "detail": finding.detail,
    }
