"""The batch at which a run gave up, kept so that it can be looked at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..runtime.messages import count
from ..structures import Batch
from ..viz import draw

FLAT = 2.0  # grey levels: an image whose values vary less than this is called constant
SATURATED = 0.9  # a target that covers more of its image than this is called extreme


def write_evidence(folder: Path, batches: Sequence[Batch]) -> list[str]:
    """Write the images as the network got them, their labels and report.json; returns lines for the user.

    report.json: per image its name, the spread of its values, the share of text and of taught pixels, and findings."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("[0-9][0-9].*"):  # of an earlier stop of this run
        old.unlink()
    images = [(batch, n) for batch in batches for n in range(len(batch.names))]
    report = [_describe(batch, n) for batch, n in images]
    lines = [f"  {entry['name']}: {finding}" for entry in report for finding in entry["findings"]]
    for number, (batch, n) in enumerate(images):
        draw.write(folder / f"{number:02d}.png", batch.image[n].permute(1, 2, 0).contiguous().numpy())
        (folder / f"{number:02d}.txt").write_text(_labels(batch, n), encoding="utf-8")
    (folder / "report.json").write_text(
        json.dumps(report, ensure_ascii=False, indent=1), encoding="utf-8", errors="backslashreplace"
    )
    if not lines:
        lines = [
            "  none of its images is constant and none has extreme targets: the learning rate is the first suspect"
        ]
    return [*lines, f"  its {count(len(report), 'image')}, as given to the network: {folder}"]


def _describe(batch: Batch, n: int) -> dict[str, Any]:
    spread = float(batch.image[n].float().std())
    text = float(batch.targets.prob_map[n].float().mean())
    taught = float(batch.targets.prob_mask[n].float().mean())
    findings = []
    if spread < FLAT:
        findings.append(f"constant image (its values vary by {spread:.1f} of 255)")
    if text > SATURATED:
        findings.append(f"{text:.0%} of it is labelled as text")
    if taught < 1.0 - SATURATED:
        findings.append(f"{1.0 - taught:.0%} of it is don't-care: it teaches next to nothing")
    return {"name": batch.names[n], "spread": spread, "text_share": text, "taught_share": taught, "findings": findings}


def _labels(batch: Batch, n: int) -> str:
    """ICDAR lines in pixels of the written image; `###` is don't-care."""
    place = batch.placements[n]
    lines = []
    for polygon, ignore in zip(batch.polygons[n], batch.ignore[n], strict=True):
        points = ",".join(f"{value:.1f}" for value in place.to_canvas(polygon).ravel())
        lines.append(f"{points},{'###' if ignore else 'text'}\n")
    return "".join(lines)
