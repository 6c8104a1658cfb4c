"""report.html: everything that a check found, on one page."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ..data.findings import CODES, Finding
from ..data.image_io import read_image
from ..data.record import LabelRecord
from ..errors import UserError
from ..structures import Image, Polygon
from ..viz.charts import BarChart, histogram
from ..viz.crops import GREEN, ORANGE, RED, Layer, draw_crop
from ..viz.draw import DONT_CARE
from ..viz.html import Figure, spread_over_images, write_page
from .dataset import CheckResult
from .label_audit import MEANING, IssueKind, LabelAudit
from .report_json import codes_found

EXAMPLES = 6  # pictures per code
TRIED = 24  # findings per code that may be drawn
PLACES = 20  # files listed per code; report.json has all
LABEL_EXAMPLES = 12  # pictures per kind of label issue
WORST_IMAGES = 20  # images listed by label issues


def write_report_html(path: Path, result: CheckResult) -> None:
    """Write the report; the images of its examples are read again. Raises OSError."""
    records = {record.image_path: record for records in result.reading.splits.values() for record in records}
    report, labels = result.reading.report, result.labels
    write_page(
        path,
        "check.html",
        title=f"Check of {result.root}",
        reading=result.reading,
        advice=result.advice,
        splits=[
            [split, *(f"{n:,}" for n in (stats.images, stats.regions, stats.dont_care, stats.usable, stats.lost))]
            for split, stats in result.splits.items()
        ],
        sections=[_section(code, report.of(code), records, result.root) for code in codes_found(result)],
        charts=_charts(result),
        labels=labels,
        label_sections=[_label_section(kind, labels, result.root) for kind in labels.kinds] if labels else [],
        worst=[
            [image.name(result.root), len(image.issues), f"{image.suspicion:.2f}"]
            for image in (labels.worst[:WORST_IMAGES] if labels else ())
        ],
    )


def draw_finding(image: Image, record: LabelRecord, regions: Sequence[int], predicted: Sequence[Polygon] = ()) -> bytes:
    """Draw the labels of an image as JPEG: those of a finding in red, don't-care in grey, others in green.

    regions: the labels of the finding; without any, and without `predicted`, the whole image is shown. predicted:
    polygons that are drawn in orange."""
    polygons = [np.nan_to_num(polygon, posinf=0, neginf=0) for polygon in record.polygons]
    others = [region for region in range(len(polygons)) if region not in regions]
    about = [polygons[region] for region in regions]
    layers = [
        Layer([polygons[r] for r in others if record.ignore[r]], DONT_CARE),
        Layer([polygons[r] for r in others if not record.ignore[r]], GREEN),
        Layer(about, RED, 2),
        Layer(predicted, ORANGE, 2),
    ]
    return draw_crop(image, [*about, *predicted], layers)


def _charts(result: CheckResult) -> list[BarChart]:
    stats = list(result.splits.values())
    heights = np.concatenate([np.zeros(0, np.float32), *(each.heights for each in stats)])
    aspects = np.concatenate([np.zeros(0, np.float32), *(each.aspects for each in stats)])
    if not len(heights):
        return []
    title = f"text height at {result.height}x{result.width}, px"
    return [
        histogram(heights, 4.0, 80.0, title, result.min_text_size),
        histogram(aspects, 1.0, 20.0, "length / height of a region"),
    ]


def _section(code: str, findings: Sequence[Finding], records: dict[Path, LabelRecord], root: Path) -> dict[str, Any]:
    tried = islice(spread_over_images(findings, lambda finding: finding.image), TRIED)
    drawn = (_figure(finding, records, root) for finding in tried)
    return {
        "code": code,
        "kind": CODES[code],
        "number": len(findings),
        "figures": list(islice((figure for figure in drawn if figure), EXAMPLES)),
        "places": [(_place(finding, root), finding.detail) for finding in findings[:PLACES]],
    }


def _place(finding: Finding, root: Path) -> str:
    """File and line, relative to the root of the set."""
    inside = finding.path != root and finding.path.is_relative_to(root)
    return finding._replace(path=finding.path.relative_to(root)).place if inside else finding.place


def _figure(finding: Finding, records: dict[Path, LabelRecord], root: Path) -> Figure | None:
    """None if the finding has no image that can be read."""
    record = records.get(finding.image) if finding.image else None
    if record is None:
        return None
    in_label_file = record.label_path == finding.path and finding.line > 0
    regions = [r for r in range(len(record.polygons)) if in_label_file and record.line(r) == finding.line]
    place = _place(finding, root)
    texts = [record.texts[region] for region in regions if record.texts[region]]
    note = f" “{texts[0][:60]}”" if texts else ""
    return _picture(record, regions, (), f"{place}: {finding.detail}" if finding.detail else place, note)


def _label_section(kind: IssueKind, labels: LabelAudit, root: Path) -> dict[str, Any]:
    ranked = labels.ranked(kind)
    figures = []
    for image, issue in ranked[:LABEL_EXAMPLES]:
        predicted = [image.predictions.quads[m].polygon for m in issue.detections]
        caption = f"{image.place(issue, root)}: {issue.suspicion:.2f}"
        if figure := _picture(image.record, issue.regions, predicted, caption):
            figures.append(figure)
    return {"kind": kind, "meaning": MEANING[kind], "number": len(ranked), "figures": figures}


def _picture(
    record: LabelRecord, regions: Sequence[int], predicted: Sequence[Polygon], caption: str, note: str = ""
) -> Figure | None:
    """See `draw_finding`; None if the image cannot be read."""
    try:
        image = read_image(record.image_path)
    except UserError:
        return None
    return Figure(draw_finding(image, record, regions, predicted), caption, note)
