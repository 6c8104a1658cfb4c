"""What a training run says of a step and of an epoch, as text."""

from __future__ import annotations

from typing import Any

from ..runtime.console import duration
from ..train.engine import StepRecord
from ..train.guard import Guard, Verdict


def fault_line(record: StepRecord, guard: Guard) -> str:
    """What the guard did about a bad step."""
    names = ", ".join(record.names)
    values = f"loss {float(record.loss.total):.4g}, gradient norm {record.gradient_norm:.4g}"
    if record.verdict is Verdict.OVERFLOW:
        return f"step {record.step}: fp16 gradients overflowed; the loss scale is halved"
    if record.verdict is Verdict.SKIP:
        return f"step {record.step} left out ({values}; {guard.skipped} so far) on {names}"
    return (
        f"step {record.step}: went wrong repeatedly ({values}) on {names}; back to the last good weights, "
        f"learning rate halved ({guard.rollbacks} of {guard.allowed} times)"
    )


def step_note(record: StepRecord) -> str:
    """Beside the progress bar."""
    loss = record.loss
    wait = record.data_seconds / record.seconds
    mining = f", mining {record.mining:.0%}" if record.mining < 1.0 else ""
    return (
        f"loss {float(loss.total):.3f} (prob {float(loss.prob):.3f} thresh {float(loss.thresh):.3f} binary "
        f"{float(loss.binary):.3f}{mining})  lr {record.lr:.2g}  "
        f"{record.images / record.seconds:.1f} img/s  wait {wait:.0%}"
    )


def epoch_line(record: dict[str, Any], epochs: int, best: bool) -> str:
    """One line of results. record: a line of metrics.jsonl. best: it has the highest hmean so far; 0 is not told."""
    line = f"epoch {record['epoch']}/{epochs}  lr {record['lr']:.2g}  train loss {record['train_loss']['total']:.3f}"
    if record["val_loss"] is not None:
        scores = "  ".join(
            f"{name} {'-' if record[name] is None else format(record[name], '.4f')}"
            for name in ("precision", "recall", "hmean", "ap")
        )
        line += f"  val loss {record['val_loss']['total']:.3f}  {scores}{'  best' if best and record['hmean'] else ''}"
    return f"{line}  {duration(record['seconds'])}"
