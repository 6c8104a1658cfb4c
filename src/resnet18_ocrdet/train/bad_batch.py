"""The batch at which a run stopped, written to disk so that it can be looked at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..runtime.messages import count
from ..structures import Batch
from ..viz import draw

FLAT = 2.0  # grey levels of standard deviation; below it an image is called constant
SATURATED = 0.9  # share of an image; a target that covers more is called extreme


def write_bad_batch(folder: Path, batches: Sequence[Batch]) -> list[str]:
    """Write the images as the network got them, their labels and report.json; returns lines for the user.

    report.json: per image its name, the standard deviation of its values, the shares of text pixels and of pixels used
    in training, and findings. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("[0-9][0-9].*"):  # of an earlier stop
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
        lines = ["  none of its images is constant or has extreme targets: the learning rate is the likely cause"]
    return [*lines, f"  its {count(len(report), 'image')}, as given to the network: {folder}"]


def _describe(batch: Batch, n: int) -> dict[str, Any]:
    spread = float(batch.image[n].float().std())
    text = float(batch.targets.prob_map[n].float().mean())
    used = float(batch.targets.prob_mask[n].float().mean())
    findings = []
    if spread < FLAT:
        findings.append(f"constant image (standard deviation {spread:.1f} of 255)")
    if text > SATURATED:
        findings.append(f"{text:.0%} of it is labelled as text")
    if used < 1.0 - SATURATED:
        findings.append(f"{1.0 - used:.0%} of it is don't-care: almost all of it is ignored in training")
    return {"name": batch.names[n], "spread": spread, "text_share": text, "taught_share": used, "findings": findings}


def _labels(batch: Batch, n: int) -> str:
    """ICDAR lines in pixels of the written image; `###` is don't-care."""
    place = batch.transforms[n]
    lines = []
    for polygon, ignore in zip(batch.polygons[n], batch.ignore[n], strict=True):
        points = ",".join(f"{value:.1f}" for value in place.to_canvas(polygon).ravel())
        lines.append(f"{points},{'###' if ignore else 'text'}\n")
    return "".join(lines)
