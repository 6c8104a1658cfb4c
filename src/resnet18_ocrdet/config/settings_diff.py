"""The jobs of a finished sweep, side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path


def comparison(folder: Path, jobs: Sequence[Sequence[str]]) -> list[str]:
    """One line for each job of a training sweep: its number, its words, its best hmean; the highest is marked.

    folder: of the sweep. jobs: the words that make each job, in the order of their numbers."""
    swept = [[word for word in words if any(word not in other for other in jobs)] for words in jobs]
    scores = [_best_hmean(folder / str(number) / "metrics.jsonl") for number in range(len(jobs))]
    known = [score for score in scores if score is not None]
    highest = max(known) if len(set(known)) > 1 else None
    lines = []
    for number, (words, score) in enumerate(zip(swept, scores, strict=True)):
        shown = "none" if score is None else f"{score:.4f}"
        mark = "  highest" if highest is not None and score == highest else ""
        lines.append(f"job {number}  {' '.join(words)}  best hmean {shown}{mark}")
    return lines


def _best_hmean(file: Path) -> float | None:
    try:
        records = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    except (OSError, json.JSONDecodeError):
        return None
    return max((record["hmean"] for record in records if record["hmean"] is not None), default=None)
