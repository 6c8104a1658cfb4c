"""ocrdet-eval calibrate=true: the thresholds that fit best, written into the checkpoint; its weights stay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..calibrate import Sweep, Thresholds, best_of
from ..checkpoint import Checkpoint, save_checkpoint
from ..errors import UserError
from ..lock import RunLock
from ..postprocess import Decoder
from ..run_folder import RunFolder
from ..structures import Batch, Detection, Maps
from ..world import World


@contextmanager
def held(path: Path, world: World) -> Iterator[None]:
    """The checkpoint is ours to change. Raises UserError where its run is live, or several processes would write."""
    if world.size > 1:
        raise UserError("calibrate=true: thresholds are found by one process; start ocrdet-eval without torchrun")
    if path.resolve().parent.name != "checkpoints":  # moved out of its run: nobody else writes there
        yield
        return
    with RunLock(RunFolder.of(path).lock):
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

    def finish(self, content: Checkpoint, path: Path, split: str, images: int) -> dict[str, Any]:
        """Choose and write into `path`. Returns what is kept of it, in the checkpoint too. Raises UserError."""
        hmeans = self.sweep.hmeans()
        now = self.sweep.now
        best = best_of(hmeans, now)
        if not hmeans[best]:
            raise UserError(f"calibrate=true: no thresholds find a region; {path} stays as it is")
        kept = {
            "split": split,
            "images": images,
            "combinations": len(hmeans),
            "before": {**now._asdict(), "hmean": hmeans[now]},
            "after": {**best._asdict(), "hmean": hmeans[best]},
        }
        content["contract"] = {**content["contract"], **best._asdict()}
        content["about"] = {**content["about"], "calibration": kept}
        save_checkpoint(path, content)
        return kept


def lines_of(kept: dict[str, Any], path: Path) -> list[str]:
    """What `finish` did, a line each."""
    before, after = (
        f"hmean {values['hmean']:.4f} with " + ", ".join(f"{key} {values[key]:g}" for key in Thresholds._fields)
        for values in (kept["before"], kept["after"])
    )
    lines = [
        f"that was with the thresholds before: {before}",
        f"best of {kept['combinations']}: {after}; written into {path}",
    ]
    if kept["split"] == "test":
        lines.append("note: calibrated on a test split: a score on it is no measurement any more")
    return lines
