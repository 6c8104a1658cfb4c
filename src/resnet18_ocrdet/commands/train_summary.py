"""What a finished run leaves to read: its best epoch, the curves, and the commands that go on from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..evaluation.metrics import IcdarMetric
from ..runtime.console import Display, duration
from ..runtime.messages import count
from ..runtime.run_folder import RunFolder
from ..train.logger import NullLogger, RunLogger
from ..viz.curves import INSTALL, draw_curves, draw_precision_recall, precision_recall_image


def write_about(folder: RunFolder, about: Mapping[str, Any]) -> None:
    """Where the code and the data of a run come from, as JSON."""
    folder.about.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def show_precision_recall(
    metric: IcdarMetric, ap: float | None, journal: RunLogger | NullLogger, step: int, path: Path | None
) -> None:
    """The curve of one validation into TensorBoard, and into `path` where one is given."""
    points = metric.curve()
    if points is None or isinstance(journal, NullLogger):
        return
    picture = precision_recall_image(*points, ap)
    if picture is not None:
        journal.picture("val/precision_recall", picture, step)
    if path is not None:
        _try(lambda: draw_precision_recall(*points, ap, path))  # a full disk ends no run


def write_summary(
    folder: RunFolder,
    records: Sequence[Mapping[str, Any]],
    seconds: float,
    display: Display,
    start: Mapping[str, Any] | None = None,
) -> None:
    """Print the end of a run, and write it and the curves. A full disk is told and ends nothing.

    start: what start_values.choose_values kept of the starting weights, where it was asked."""
    kept = folder.best if folder.best.is_file() else folder.last
    drawn = _try(lambda: draw_curves(records, folder.curves))
    lines = [
        f"done in {duration(seconds)}; {_best(records)}",
        *_gain(records, start),
        *_left_out(records),
        f"curves:   {folder.curves}" if drawn is True else f"curves:   not drawn: {drawn or INSTALL}",
        f"evaluate: ocrdet-eval checkpoint={kept}",
        f"detect:   ocrdet-detect input=FOLDER checkpoint={kept}",
    ]
    for line in lines:
        display.line(line)
    unwritten = _try(lambda: bool(folder.finished.write_text("\n".join(lines) + "\n", encoding="utf-8")))
    if unwritten is not True:
        display.line(f"{folder.finished}: not written: {unwritten}")


def _left_out(records: Sequence[Mapping[str, Any]]) -> list[str]:
    skipped, steps = sum(record.get("skipped", 0) for record in records), records[-1].get("step", 0) if records else 0
    if not skipped:
        return []
    return [f"warning: {skipped} of {count(steps, 'step')} were left out, see guard.jsonl: a lower optimizer.lr"]


def _best(records: Sequence[Mapping[str, Any]]) -> str:
    best = _best_record(records)
    return "best hmean none" if best is None else f"best hmean {best['hmean']:.4f} in epoch {best['epoch']}"


def _gain(records: Sequence[Mapping[str, Any]], start: Mapping[str, Any] | None) -> list[str]:
    """Before and after, one line; none where one of them is not known."""
    best = _best_record(records)
    if best is None or start is None or start["hmean"] is None:
        return []
    line = f"hmean {start['hmean']:.3f} (starting weights) → {best['hmean']:.3f} (epoch {best['epoch']})"
    worse = best["hmean"] <= start["hmean"] > 0
    return [f"{line}; no epoch was better than the start: keep {start['weights']}" if worse else line]


def _best_record(records: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    scored = [record for record in records if record["hmean"] is not None]
    return max(scored, key=lambda record: float(record["hmean"]), default=None)


def _try(write: Callable[[], bool]) -> bool | str:
    """What `write` returns, or why the disk did not take it."""
    try:
        return write()
    except OSError as error:
        return error.strerror or str(error)
