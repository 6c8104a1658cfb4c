"""What a run writes down: one JSON line per epoch, and TensorBoard events.

Also the only place that knows the tags.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from .engine import StepRecord
from .structures import Image


class Journal:
    """Appends to `metrics.jsonl` and TensorBoard's event file in a run folder."""

    def __init__(self, run_dir: Path, step: int) -> None:
        """step: finished steps; what TensorBoard holds beyond them is dropped."""
        self._lines = run_dir / "metrics.jsonl"
        self._board = SummaryWriter(run_dir / "tensorboard", purge_step=step + 1 if step else None)

    def step(self, record: StepRecord) -> None:
        """Loss terms, rate and throughput of one step."""
        for name, term in zip(record.loss._fields, record.loss, strict=True):
            self._board.add_scalar(f"train/loss_{name}", float(term), record.step)
        self._board.add_scalar("train/lr", record.lr, record.step)
        self._board.add_scalar("train/mining", record.mining, record.step)
        self._board.add_scalar("train/images_per_second", len(record.names) / record.seconds, record.step)
        self._board.add_scalar("train/gradient_norm", record.gradient_norm, record.step)
        self._board.add_scalar("train/data_wait_share", record.data_seconds / record.seconds, record.step)

    def epoch(self, record: dict[str, Any]) -> None:
        """The epoch's line; see docs/train.md for its keys."""
        with self._lines.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        for name, value in (record["val_loss"] or {}).items():
            self._board.add_scalar(f"val/loss_{name}", value, record["step"])
        for name in ("precision", "recall", "hmean", "ap"):
            if record[name] is not None:
                self._board.add_scalar(f"val/{name}", record[name], record["step"])
        self._board.flush()

    def picture(self, tag: str, image: Image, step: int) -> None:
        """An overlay, (H, W, 3) uint8."""
        self._board.add_image(tag, image, step, dataformats="HWC")

    def drop_after(self, epoch: int) -> None:
        """Forget lines of epochs beyond `epoch`: they were not saved, and a resumed run writes them again."""
        if not self._lines.is_file():
            return
        lines = self._lines.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if (record := _parse(line)) is not None and record["epoch"] <= epoch]
        beside = self._lines.with_suffix(".tmp")
        beside.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
        beside.replace(self._lines)

    def close(self) -> None:
        """Flush everything."""
        self._board.close()


def _parse(line: str) -> dict[str, Any] | None:
    """None for a line that was cut off when the run was killed."""
    try:
        record: dict[str, Any] = json.loads(line)
    except json.JSONDecodeError:
        return None
    return record
