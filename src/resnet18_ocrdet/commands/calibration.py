"""ocrdet-eval calibrate=true: the thresholds that fit best, written into the checkpoint; its weights stay."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..config.bundled import BUNDLED_PATH
from ..errors import UserError
from ..evaluation.calibration import Sweep, Thresholds, best_of
from ..inference.postprocess import Decoder
from ..model.checkpoint import Checkpoint, save_checkpoint
from ..runtime.atomic_write import remove_leftovers
from ..runtime.distributed import World
from ..runtime.lock import RunLock, locked_file
from ..runtime.run_folder import RunFolder
from ..structures import Batch, Detection, Maps

FEW_IMAGES = 50  # to choose thresholds on: hmean is known to about 0.06 on them


@contextmanager
def held(path: Path, world: World) -> Iterator[None]:
    """The checkpoint is ours to change. Raises UserError where its run is live, or several processes would write."""
    if world.size > 1:
        raise UserError("calibrate=true: thresholds are found by one process; start ocrdet-eval without torchrun")
    file = path.resolve()
    remove_leftovers([file.parent])  # of a killed call
    if file == BUNDLED_PATH.resolve():
        raise UserError("calibrate=true writes into the checkpoint, and the bundled one stays as it is: copy it first")
    if not os.access(file.parent, os.W_OK):
        raise UserError(f"calibrate=true: {file.parent} cannot be written to")
    if not (file.parent.name == "checkpoints" and RunFolder.of(file).config.exists()):
        with locked_file(file):  # moved out of its run
            yield
        return
    with RunLock(RunFolder.of(file).lock):
        yield


class Calibration:
    """Gathers what the network says of each image, then chooses and writes."""

    def __init__(self, decoder: Decoder) -> None:
        self.sweep = Sweep(decoder)

    def watch(self, batch: Batch, maps: Maps, found: Sequence[list[Detection]]) -> None:
        """Keep one batch; `found`, decoded with the thresholds in use, is not needed."""
        prob_maps = maps.prob_map[:, 0].cpu().numpy()
        for shown in zip(prob_maps, batch.placements, batch.polygons, batch.ignore, batch.names, strict=True):
            self.sweep.add(*shown)

    def finish(self, content: Checkpoint, path: Path, split: str, images: int) -> dict[str, Any] | None:
        """Choose and write into `path`, or into what it links to. Returns what is kept of it, in the checkpoint too.

        None, and nothing is written, where no thresholds find a region. Raises UserError."""
        hmeans = self.sweep.hmeans()
        now = self.sweep.now
        best = best_of(hmeans, now)
        if not hmeans[best]:
            return None
        kept = {
            "split": split,
            "images": images,
            "combinations": len(hmeans),
            "before": {**now._asdict(), "hmean": hmeans[now]},
            "after": {**best._asdict(), "hmean": hmeans[best]},
        }
        content["contract"] = {**content["contract"], **best._asdict()}
        content["about"] = {**content["about"], "calibration": kept}
        save_checkpoint(path.resolve(), content)
        return kept


def lines_of(kept: dict[str, Any] | None, path: str) -> list[str]:
    """What `finish` did, a line each."""
    if kept is None:
        return [f"no thresholds find a region: {path} stays as it is"]
    before, after = (
        f"hmean {values['hmean']:.4f} with " + ", ".join(f"{key} {values[key]:g}" for key in Thresholds._fields)
        for values in (kept["before"], kept["after"])
    )
    lines = [
        f"that was with the thresholds before: {before}",
        f"best of {kept['combinations']}: {after}; written into {path}",
    ]
    if kept["images"] < FEW_IMAGES:
        lines.append(
            f"note: {kept['images']} images are few: the best of so many combinations is partly chance on them"
        )
    if kept["split"] == "test":
        lines.append("note: calibrated on a test split: a score on it is no measurement any more")
    return lines
