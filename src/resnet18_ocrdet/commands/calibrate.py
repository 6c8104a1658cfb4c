"""ocrdet-eval calibrate=true: choose the best thresholds and write them into the checkpoint; its weights stay."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..evaluation.calibration import Thresholds, ThresholdSweep, best_of
from ..model.bundled import BUNDLED_PATH
from ..model.checkpoint import Checkpoint, save_checkpoint
from ..runtime.atomic_write import remove_leftovers
from ..runtime.distributed import World
from ..runtime.lock import locked, run_lock
from ..runtime.run_folder import RunFolder

FEW_IMAGES = 50  # to choose thresholds on: they determine hmean to about 0.06


@contextmanager
def checkpoint_locked(path: Path, world: World) -> Iterator[None]:
    """Raises UserError if the checkpoint cannot be written, its run is active, or several processes would write."""
    if world.size > 1:
        raise UserError("calibrate=true needs a single process: start ocrdet-eval without torchrun")
    file = path.resolve()
    remove_leftovers([file.parent])  # of a killed process
    if file == BUNDLED_PATH.resolve():
        raise UserError("calibrate=true writes into the checkpoint; the bundled one is not changed: copy it first")
    if not os.access(file.parent, os.W_OK):
        raise UserError(f"calibrate=true: {file.parent} is not writable")
    in_run = file.parent.name == "checkpoints" and RunFolder.of(file).config.exists()
    with run_lock(RunFolder.of(file).lock) if in_run else locked(file):
        yield


def write_best(
    sweep: ThresholdSweep, content: Checkpoint, path: Path, split: str, images: int
) -> dict[str, Any] | None:
    """Write the best thresholds into `path`, or the file that it links to. Returns the summary stored with them.

    split, images: name and size of what they were chosen on.
    None, and nothing is written, if no thresholds find a region. Raises UserError."""
    hmeans, before = sweep.hmeans(), sweep.current
    best = best_of(hmeans, before)
    if not hmeans[best]:
        return None
    summary = {
        "split": split,
        "images": images,
        "combinations": len(hmeans),
        "before": {**before._asdict(), "hmean": hmeans[before]},
        "after": {**best._asdict(), "hmean": hmeans[best]},
    }
    content["contract"] = {**content["contract"], **best._asdict()}
    content["about"] = {**content["about"], "calibration": summary}
    save_checkpoint(path.resolve(), content)
    return summary


def summary_lines(summary: dict[str, Any] | None, path: str) -> list[str]:
    """The result of `write_best`, one line each."""
    if summary is None:
        return [f"no thresholds find a region: {path} is unchanged"]
    before, after = (
        f"hmean {values['hmean']:.4f} with " + ", ".join(f"{key} {values[key]:g}" for key in Thresholds._fields)
        for values in (summary["before"], summary["after"])
    )
    lines = [
        f"with the previous thresholds: {before}",
        f"best of {summary['combinations']} combinations: {after}; written into {path}",
    ]
    if summary["images"] < FEW_IMAGES:
        lines.append(f"note: {summary['images']} images are few: the best of so many combinations is partly chance")
    if summary["split"] == "test":
        lines.append("note: calibrated on the test split: a score on it is no longer an independent test")
    return lines
