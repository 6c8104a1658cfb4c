"""The log of a run: one JSON line per epoch and per bad step, and TensorBoard events. Defines the tags.

What cannot be written, on a full disk say, is reported once and never ends the run.
"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..evaluation.metrics import SCORES
from ..runtime.atomic_write import atomic_write
from ..structures import Image
from .engine import StepRecord

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class RunLogger:
    """Writes `metrics.jsonl`, `guard.jsonl` and TensorBoard's event file in a run folder."""

    def __init__(self, run_dir: Path | None, epoch: int, step: int, warn: Callable[[str], None]) -> None:
        """run_dir: None for a process that writes nothing. epoch, step: finished ones; later lines are dropped, as a
        resumed run writes them again. warn: called once, with a line, when something cannot be written."""
        self._warn: Callable[[str], None] | None = warn
        self._epochs = JsonLines(run_dir and run_dir / "metrics.jsonl")
        self._faults = JsonLines(run_dir and run_dir / "guard.jsonl")
        self._events, self._purge_step = run_dir and run_dir / "tensorboard", step + 1 if step else None
        with self._tolerant():
            self._epochs.keep(lambda record: record["epoch"] <= epoch)
            self._faults.keep(lambda record: record["step"] <= step)

    @cached_property
    def _board(self) -> SummaryWriter | None:
        """Opened when first written to: its import must not delay the first step. None if it cannot be opened."""
        if self._events is None:
            return None
        from torch.utils.tensorboard import SummaryWriter

        _silence_writer_thread()
        with self._tolerant():
            return SummaryWriter(self._events, purge_step=self._purge_step)
        return None

    def step(self, record: StepRecord, memory: float | None = None) -> None:
        """Loss terms, rate and throughput of one step. memory: peak so far, GiB."""
        values = {f"loss_{name}": term for name, term in record.loss.items()}
        values |= {
            "lr": record.lr,
            "mining": record.mining,
            "images_per_second": record.images / record.seconds,
            "gradient_norm": record.gradient_norm,
            "data_wait_share": record.data_seconds / record.seconds,
        }
        if memory is not None:
            values["memory_gib"] = memory
        self._scalars("train", values, record.step)

    def fault(self, record: StepRecord) -> None:
        """A bad step; see docs/train.md for the keys."""
        values = {"loss": record.loss["total"], "gradient_norm": record.gradient_norm}
        finite = {name: value if math.isfinite(value) else None for name, value in values.items()}
        entry = {"step": record.step, "verdict": record.verdict.value, "finite": None not in finite.values()}
        with self._tolerant():
            self._faults.append(entry | finite | {"names": list(record.names)})

    def epoch(self, record: dict[str, Any]) -> None:
        """The epoch's line; see docs/train.md for its keys."""
        with self._tolerant():
            self._epochs.append(record)
        values = {f"loss_{name}": value for name, value in (record["val_loss"] or {}).items()}
        values |= {name: record[name] for name in SCORES if record[name] is not None}
        self._scalars("val", values, record["step"], flush=True)

    def picture(self, tag: str, image: Image, step: int) -> None:
        """An overlay, (H, W, 3) uint8."""
        if self._board is not None:
            with self._tolerant():
                self._board.add_image(tag, image, step, dataformats="HWC")

    def records(self) -> list[dict[str, Any]]:
        """The lines of the epochs so far."""
        return self._epochs.records

    def close(self) -> None:
        """Flush everything."""
        if (board := vars(self).get("_board")) is not None:
            with self._tolerant():
                board.close()

    def _scalars(self, group: str, values: dict[str, float], step: int, flush: bool = False) -> None:
        if self._board is None:
            return
        with self._tolerant():
            for name, value in values.items():
                self._board.add_scalar(f"{group}/{name}", value, step)
            if flush:
                self._board.flush()

    @contextmanager
    def _tolerant(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if self._warn is not None:
                self._warn(f"warning: the log of this run is incomplete, as it cannot be written: {error}")
            self._warn = None


class JsonLines:
    """A file of one JSON object per line, with all of its records in memory."""

    def __init__(self, path: Path | None) -> None:
        """Read what exists; a line that a kill cut off is dropped. path: None keeps in memory only. Raises OSError."""
        self._path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path is not None and path.is_file() else []
        self.records: list[dict[str, Any]] = []
        for line in lines:
            with suppress(json.JSONDecodeError):
                self.records.append(json.loads(line))
        self._complete = True  # whether the file holds all records

    def append(self, record: dict[str, Any]) -> None:
        """Add one record. After a failure the next call writes the whole file. Raises OSError."""
        self.records.append(record)
        if self._path is not None and not self._complete:
            self._rewrite(self._path)
        elif self._path is not None:
            self._complete = False
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
            self._complete = True

    def keep(self, wanted: Callable[[dict[str, Any]], bool]) -> None:
        """Drop all other records. Raises OSError."""
        self.records = [record for record in self.records if wanted(record)]
        if self._path is not None and self._path.is_file():
            self._rewrite(self._path)

    def _rewrite(self, path: Path) -> None:
        self._complete = False
        with atomic_write(path) as hidden:
            hidden.write_text("".join(json.dumps(record) + "\n" for record in self.records), encoding="utf-8")
        self._complete = True


def _silence_writer_thread() -> None:
    """TensorBoard writes in a thread. Its OSError is raised again where events are added; do not print it as well."""
    hook = threading.excepthook

    def excepthook(args: threading.ExceptHookArgs) -> None:
        if not (issubclass(args.exc_type, OSError) and type(args.thread).__module__.startswith("tensorboard.")):
            hook(args)

    threading.excepthook = excepthook
