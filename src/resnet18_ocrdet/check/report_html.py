"""report.html: everything a check found, for people. One file that needs no other, no script and no network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resnet18_ocrdet.check.checked import Checked
from resnet18_ocrdet.check.label_audit_html import doubts_part
from resnet18_ocrdet.check.pictures import picture
from resnet18_ocrdet.check.report_json import codes_found
from resnet18_ocrdet.data.findings import CODES, Finding
from resnet18_ocrdet.data.image_io import read_image
from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.runtime.messages import count
from resnet18_ocrdet.viz.html import figure, table, write_page

EXAMPLES = 6  # pictures of each code
PLACES = 20  # files that are named of each code; report.json has all
CHART_WIDTH, CHART_HEIGHT = 460, 130  # px


def write_report_html(path: Path, checked: Checked) -> None:
    """Write the report; the images of its examples are read again. Raises OSError."""
    write_page(path, f"Check of {checked.root}", _parts(checked))


def _parts(checked: Checked) -> Iterator[str]:
    yield f"<p>Read as {escape(checked.reading.dialect)}: {escape(checked.reading.why)}.</p>"
    if checked.advice:
        yield "<h2>What to try</h2>\n<ul>"
        for advice in checked.advice:
            typed = f": <code>{escape(advice.override)}</code>" if advice.override else ""
            yield f"<li><b>{escape(advice.what)}</b>: {escape(advice.reason)}{typed}</li>"
        yield "</ul>"
    yield from _summary(checked)
    yield from _charts(checked)
    if checked.labels is not None:
        yield from doubts_part(checked.labels, checked.root)
    records = {record.image_path: record for part in checked.reading.parts.values() for record in part}
    for code in codes_found(checked):
        yield from _section(code, checked.reading.report.of(code), records, checked.root)


def _summary(checked: Checked) -> Iterator[str]:
    yield "<h2>What is there</h2>"
    rows = []
    for part, facts in checked.facts.items():
        numbers = (facts.images, facts.regions, facts.dont_care, facts.usable, facts.lost)
        rows.append([escape(part), *(f"{number:,}" for number in numbers)])
    heads = ("part", "images", "regions", "don't-care", "can be learnt", "place unknown")
    yield table(heads, rows, numbers=range(1, len(heads)))
    codes = codes_found(checked)
    if not codes:
        yield "<p>Nothing was found.</p>"
        return
    counts = checked.reading.report.counts()
    rows = []
    for code in codes:
        level = f'<span class="{CODES[code].level}">{CODES[code].level}</span>'
        rows.append([f'<a href="#{code}">{code}</a>', level, f"{counts[code]:,}", escape(CODES[code].title)])
    yield table(("code", "level", "count", "what"), rows, numbers=[2])


def _charts(checked: Checked) -> Iterator[str]:
    heights = np.concatenate([np.zeros(0, np.float32), *(facts.heights for facts in checked.facts.values())])
    aspects = np.concatenate([np.zeros(0, np.float32), *(facts.aspects for facts in checked.facts.values())])
    if not len(heights):
        return
    yield "<h2>How large the text is</h2>"
    title = f"height of the text at {checked.height}x{checked.width}, px"
    yield chart(heights, 4.0, 80.0, title, checked.min_text_size)
    yield chart(aspects, 1.0, 20.0, "length over height of a region")


def chart(values: NDArray[np.floating], step: float, last: float, title: str, limit: float | None = None) -> str:
    """A histogram as inline SVG: bars of `step`, all from `last` on in one; a dashed line at `limit`."""
    bars = int(last / step) + 1
    counts = np.bincount(np.minimum(values / step, bars - 1).astype(int), minlength=bars)
    wide, high = CHART_WIDTH / bars, float(counts.max() or 1)
    parts = [
        f'<svg width="{CHART_WIDTH + 20}" height="{CHART_HEIGHT + 50}" role="img"><title>{escape(title)}</title>',
        f'<text x="0" y="12">{escape(title)}</text>',
    ]
    for bar, number in enumerate(counts):
        tall = CHART_HEIGHT * number / high
        text = f"{bar * step:g} and more" if bar == bars - 1 else f"{bar * step:g} to {(bar + 1) * step:g}"
        parts.append(
            f'<rect x="{bar * wide:.1f}" y="{20 + CHART_HEIGHT - tall:.1f}" width="{wide - 1:.1f}" '
            f'height="{tall:.1f}"><title>{text}: {number}</title></rect>'
        )
        if bar % 5 == 0:
            parts.append(f'<text x="{bar * wide:.1f}" y="{CHART_HEIGHT + 36}">{bar * step:g}</text>')
    floor = 20 + CHART_HEIGHT
    parts.append(f'<line x1="0" y1="{floor}" x2="{CHART_WIDTH}" y2="{floor}"/>')
    if limit is not None:
        x = limit / step * wide
        parts.append(f'<line class="limit" x1="{x:.1f}" y1="16" x2="{x:.1f}" y2="{floor}"/>')
    return "\n".join([*parts, "</svg>"])


def _section(code: str, findings: Sequence[Finding], records: dict[Path, LabelRecord], root: Path) -> Iterator[str]:
    kind = CODES[code]
    yield f'<h2 id="{code}"><span class="{kind.level}">{code}</span> {escape(kind.title)}</h2>'
    remedy = f" What to do: {escape(kind.remedy)}." if kind.remedy else ""
    yield f'<p><span class="{kind.level}">{kind.level}</span>, {count(len(findings), "time")}.{remedy}</p>'
    shown: list[str] = []
    for finding in _spread(findings):
        if len(shown) == EXAMPLES:
            break
        if drawn := _drawn(finding, records, root):
            shown.append(drawn)
    if shown:
        yield "\n".join(['<div class="pictures">', *shown, "</div>"])
    yield "<ul>"
    for finding in findings[:PLACES]:
        yield f"<li><code>{escape(_place(finding, root))}</code> {escape(finding.detail)}</li>"
    yield "</ul>"
    if len(findings) > PLACES:
        yield f"<p>and {len(findings) - PLACES} more in report.json.</p>"


def _spread(findings: Sequence[Finding]) -> list[Finding]:
    """Findings of as many images as possible first; no more of them than could be needed."""
    first: dict[Path | None, Finding] = {}
    for finding in findings:
        first.setdefault(finding.image, finding)
    chosen = list(first.values())[: 2 * EXAMPLES]
    rest = [finding for finding in findings[: 4 * EXAMPLES] if finding not in chosen]
    return chosen + rest


def _place(finding: Finding, root: Path) -> str:
    """File and line, seen from the root of the set where it lies below it."""
    return finding._replace(path=finding.path.relative_to(root)).place if _below(finding.path, root) else finding.place


def _below(path: Path, root: Path) -> bool:
    return path != root and path.is_relative_to(root)


def _drawn(finding: Finding, records: dict[Path, LabelRecord], root: Path) -> str:
    """A figure for a finding about an image that can be read; else empty."""
    record = records.get(finding.image) if finding.image else None
    if record is None:
        return ""
    try:
        image = read_image(record.image_path)
    except UserError:
        return ""
    about_label = record.label_path == finding.path and finding.line > 0
    regions = [r for r in range(len(record.polygons)) if about_label and record.line(r) == finding.line]
    place = _place(finding, root)
    texts = [record.texts[region] for region in regions if record.texts[region]]
    spoken = f" “{texts[0][:60]}”" if texts else ""
    return figure(picture(image, record, regions), f"{place}: {finding.detail}" if finding.detail else place, spoken)
