"""Run folders made by hand, for the tests of the learning-rate table."""

from __future__ import annotations

import json
from pathlib import Path


def make_job(
    folder: Path,
    rate: float,
    hmeans: tuple[float | None, ...] = (),
    faults: tuple[tuple[int, str, bool], ...] = (),
    finished: bool = False,
    saved: bool = True,
) -> Path:
    """A run folder as ocrdet-train leaves it. AP is hmean / 2. faults: (step, verdict, finite)."""
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.yaml").write_text(f"optimizer:\n  lr: {rate}\n")
    lines = [
        {"epoch": n, "hmean": h, "ap": None if h is None else h / 2, "train_loss": {"total": 6.0 / n}}
        for n, h in enumerate(hmeans, 1)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if faults:
        bad = [{"step": step, "verdict": verdict, "finite": finite} for step, verdict, finite in faults]
        (folder / "guard.jsonl").write_text("".join(json.dumps(line) + "\n" for line in bad))
    if saved:
        (folder / "checkpoints/last.pt").touch()
    if finished:
        (folder / "summary.txt").touch()
    return folder
