"""What a run writes down: one JSON line per epoch and per bad step, and TensorBoard events.

Also the only place that knows the tags.
"""

from __future__ import annotations

import json
import math
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..runtime.atomic_write import atomic_write
from ..structures import Image
from .engine import StepRecord

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class RunLogger:
    """Appends to `metrics.jsonl` and TensorBoard's event file in a run folder."""

    def __init__(self, run_dir: Path, step: int) -> None:
        """step: finished steps; what TensorBoard holds beyond them is dropped."""
        self._lines = run_dir / "metrics.jsonl"
        self._faults = run_dir / "guard.jsonl"
        self._events, self._purge_step = run_dir / "tensorboard", step + 1 if step else None

    @cached_property
    def _board(self) -> SummaryWriter:
        """Opened for the first thing to write: its import does not hold up the first step."""
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(self._events, purge_step=self._purge_step)

    def step(self, record: StepRecord, memory: float | None = None) -> None:
        """Loss terms, rate and throughput of one step. memory: GiB taken at most so far."""
        for name, term in zip(record.loss._fields, record.loss, strict=True):
            self._board.add_scalar(f"train/loss_{name}", float(term), record.step)
        self._board.add_scalar("train/lr", record.lr, record.step)
        self._board.add_scalar("train/mining", record.mining, record.step)
        self._board.add_scalar("train/images_per_second", record.images / record.seconds, record.step)
        self._board.add_scalar("train/gradient_norm", record.gradient_norm, record.step)
        self._board.add_scalar("train/data_wait_share", record.data_seconds / record.seconds, record.step)
        if memory is not None:
            self._board.add_scalar("train/memory_gib", memory, record.step)

    def fault(self, record: StepRecord) -> None:
        """A step that was left out; see docs/train.md for the keys."""
        values = (float(record.loss.total), record.gradient_norm)
        loss, gradient = (value if math.isfinite(value) else None for value in values)
        finite = loss is not None and gradient is not None
        entry = {"step": record.step, "verdict": record.verdict.value, "finite": finite, "loss": loss}
        _append(self._faults, {**entry, "gradient_norm": gradient, "names": list(record.names)})

    def epoch(self, record: dict[str, Any]) -> None:
        """The epoch's line; see docs/train.md for its keys."""
        _append(self._lines, record)
        for name, value in (record["val_loss"] or {}).items():
            self._board.add_scalar(f"val/loss_{name}", value, record["step"])
        for name in ("precision", "recall", "hmean", "ap"):
            if record[name] is not None:
                self._board.add_scalar(f"val/{name}", record[name], record["step"])
        self._board.flush()

    def picture(self, tag: str, image: Image, step: int) -> None:
        """An overlay, (H, W, 3) uint8."""
        self._board.add_image(tag, image, step, dataformats="HWC")

    def records(self) -> list[dict[str, Any]]:
        """The lines of the epochs so far."""
        return _read(self._lines)

    def drop_after(self, epoch: int, step: int) -> None:
        """Forget epochs and steps beyond what was saved: a resumed run writes them again."""
        for path, key, last in ((self._lines, "epoch", epoch), (self._faults, "step", step)):
            if not path.is_file():
                continue
            kept = [record for record in _read(path) if record[key] <= last]
            with atomic_write(path) as written:
                written.write_text("".join(json.dumps(record) + "\n" for record in kept), encoding="utf-8")

    def close(self) -> None:
        """Flush everything."""
        if "_board" in vars(self):
            self._board.close()


class NullLogger:
    """For the processes that write nothing: takes everything, keeps the epochs."""

    def __init__(self) -> None:
        self._records: list[dict[str, Any]] = []

    def step(self, record: StepRecord, memory: float | None = None) -> None:
        """Nothing."""

    def fault(self, record: StepRecord) -> None:
        """Nothing."""

    def epoch(self, record: dict[str, Any]) -> None:
        """Keep it for `records`."""
        self._records.append(record)

    def picture(self, tag: str, image: Image, step: int) -> None:
        """Nothing."""

    def records(self) -> list[dict[str, Any]]:
        """What `epoch` got."""
        return self._records

    def drop_after(self, epoch: int, step: int) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def _append(path: Path, entry: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8", errors="surrogateescape") as file:
        file.write(json.dumps(entry) + "\n")


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [record for line in lines if (record := _parse(line)) is not None]


def _parse(line: str) -> dict[str, Any] | None:
    """None for a line that was cut off when the run was killed."""
    try:
        record: dict[str, Any] = json.loads(line)
    except json.JSONDecodeError:
        return None
    return record
