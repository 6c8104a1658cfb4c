"""What a training run prints of its steps and epochs; its pictures, and the files that it leaves at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from .. import build
from ..data.loader_processes import LoaderDied
from ..errors import UserError
from ..evaluation.evaluator import Validation
from ..evaluation.metrics import SCORES, score_text
from ..runtime.console import Display, duration
from ..runtime.machine import peak_memory
from ..runtime.manifest import Manifest
from ..runtime.messages import count
from ..runtime.run_folder import REMEDY, RunFolder, make_folder
from ..train.engine import StepRecord
from ..train.guard import Guard, Verdict
from ..train.logger import RunLogger
from ..viz import draw
from ..viz.charts import INSTALL, draw_curves, precision_recall_image, write_png
from ..viz.overlays import preview
from .train_parts import Parts

LONG_CPU_RUN_SECONDS = 3600.0
Record: TypeAlias = Mapping[str, Any]


def run_line(parts: Parts, folder: RunFolder) -> str:
    """What is going to be trained, on what."""
    cfg, loader, contract, world = parts.cfg, parts.loader, parts.contract, parts.compute.world
    times = f" x {cfg.train.accumulate}" if cfg.train.accumulate > 1 else ""
    processes = f" in each of {world.size} processes" if world.size > 1 else ""
    mixed = "".join(f", {each.share:.0%} from {each.group}" for each in parts.mixed)
    images = f"{count(len(parts.splits.train), 'image')}{mixed}, {len(parts.splits.val)} for validation"
    at = f"{contract.height}x{contract.width}"
    if (view := "x".join(map(str, build.view_size(cfg)))) != at:
        at = f"crops of {view} of images at {at}"
    return (
        f"run {folder.root}: {cfg.model.backbone}, {at}, batch {loader.batch_size}{times}{processes}, "
        f"{count(cfg.train.epochs, 'epoch')} of {count(len(loader), 'step')} on {images}, "
        f"{parts.compute.device.type} {contract.precision}"
    )


def long_run_line(record: StepRecord, parts: Parts) -> str | None:
    """For a run on a CPU that will take long: how long, and what makes it shorter."""
    left = (int(parts.cfg.train.epochs) * len(parts.loader) - record.step) * record.seconds
    if parts.compute.device.type != "cpu" or left <= LONG_CPU_RUN_SECONDS:
        return None
    needs = f"this run needs about {duration(left)} on this CPU ({record.seconds:.1f} s a step)"
    if parts.cfg.train.epochs == 1:
        return needs
    shorter = "less with a smaller input_size or fewer train.epochs"
    return f"{needs}, {shorter}; the shortest useful run: experiment=quickstart"


def fault_line(record: StepRecord, guard: Guard) -> str:
    """What was done about a step that was not good."""
    names = ", ".join(record.names)
    values = f"loss {record.loss['total']:.4g}, gradient norm {record.gradient_norm:.4g}"
    if record.verdict is Verdict.OVERFLOW:
        return f"step {record.step}: fp16 gradients overflowed; the loss scale is halved"
    if record.verdict is Verdict.SKIP:
        return f"step {record.step} skipped ({values}; {guard.skipped} so far) on {names}"
    return (
        f"step {record.step}: too many bad steps in a row ({values}) on {names}; back to the last good weights, "
        f"learning rate halved ({guard.rollbacks} of {guard.allowed} times)"
    )


def step_note(record: StepRecord) -> str:
    """Beside the progress bar."""
    terms = [f"{name} {term:.3f}" for name, term in record.loss.items()][1:]
    mining = f", mining {record.mining:.0%}" if record.mining < 1.0 else ""
    return (
        f"loss {record.loss['total']:.3f} ({' '.join(terms)}{mining})  lr {record.lr:.2g}  "
        f"{record.images / record.seconds:.1f} img/s  wait {record.data_seconds / record.seconds:.0%}"
    )


def epoch_record(parts: Parts, validation: Validation | None) -> dict[str, Any]:
    """The line of metrics.jsonl for the epoch that has just been trained; see docs/train.md for its keys."""
    state, loader = parts.state, parts.loader
    sums, score = state.sums, validation.score if validation else None
    return {
        "epoch": state.epoch + 1,
        "step": state.step,
        "lr": sums.lr,
        "train_loss": sums.means(parts.criterion.terms),
        "val_loss": validation.loss if validation else None,
        **{name: getattr(score, name, None) for name in SCORES},
        "center_shift": validation.metric.center_shift() if validation else None,
        "skipped": sums.skipped,
        "data_wait": sums.data_seconds / sums.seconds,
        "seconds": sums.seconds + (validation.seconds if validation else 0.0),
        "images_per_second": len(loader) * loader.images_per_step / sums.seconds,
        "memory_gib": peak_memory(parts.compute.device),
    }


def epoch_line(record: Record, epochs: int, best: bool) -> str:
    """One line of results. record: a line of metrics.jsonl. best: it has the highest hmean so far."""
    line = f"epoch {record['epoch']}/{epochs}  lr {record['lr']:.2g}  train loss {record['train_loss']['total']:.3f}"
    if record["val_loss"] is not None:
        mark = "  best" if best and record["hmean"] else ""
        line += f"  val loss {record['val_loss']['total']:.3f}  {score_text(record)}{mark}"
    return f"{line}  {duration(record['seconds'])}"


def refuse_preview(folder: RunFolder, overwrite: bool) -> None:
    """Raises UserError where the preview would replace a file that this command did not write."""
    manifest = Manifest(folder.previewed)
    manifest.load()
    if not overwrite and (foreign := manifest.first_foreign([folder.preview])) is not None:
        raise UserError(f"run_dir={folder.root}: {manifest.reason(foreign)}: {REMEDY}")


def write_preview(parts: Parts, folder: RunFolder) -> None:
    """Draw one augmented batch with its targets. Raises UserError."""
    make_folder("run_dir", folder.root)
    try:
        batch = next(parts.loader.epoch(0))[0]
    except LoaderDied as error:
        raise UserError(error.advice("train.workers")) from None
    Manifest(folder.previewed).put(folder.preview, draw.encode(".jpg", preview(batch)))
    parts.display.line(f"wrote {folder.preview}: image with labels, probability target, threshold target, mask")


def show_precision_recall(validation: Validation, logger: RunLogger, step: int, path: Path | None) -> None:
    """The curve of one validation into TensorBoard, and into `path` if one is given."""
    curve = validation.metric.curve()
    if curve is None or (picture := precision_recall_image(curve, validation.score.ap)) is None:
        return
    logger.picture("val/precision_recall", picture, step)
    if path is not None:
        with suppress(OSError):  # a full disk does not end a run
            write_png(path, picture)


def write_summary(
    folder: RunFolder,
    records: Sequence[Record],
    seconds: float,
    display: Display,
    start: Record | None = None,
    calibrated: float | None = None,
) -> None:
    """Print the end of a run, and write it and the curves. A full disk is reported and does not end the run.

    start: what `auto_hparams.choose_values` recorded of the starting weights, if it was used. calibrated: hmean of
    the best epoch with the thresholds that were chosen at the end."""
    kept = folder.best if folder.best.is_file() else folder.last
    try:
        curves = folder.curves if draw_curves(records, folder.curves) else f"not drawn: {INSTALL}"
    except OSError as error:
        curves = f"not drawn: {error.strerror or error}"
    best = max((r for r in records if r["hmean"] is not None), key=lambda r: float(r["hmean"]), default=None)
    skipped = sum(record.get("skipped", 0) for record in records)
    steps = count(records[-1].get("step", 0) if records else 0, "step")
    warnings = [f"warning: {skipped} of {steps} were skipped, see guard.jsonl: try a lower optimizer.lr"]
    lines = [
        f"done in {duration(seconds)}; best hmean "
        + ("none" if best is None else f"{best['hmean']:.4f} in epoch {best['epoch']}"),
        *_gain(best, start, calibrated),
        *(warnings if skipped else []),
        f"curves:   {curves}",
        f"evaluate: ocrdet-eval checkpoint={kept}",
        f"detect:   ocrdet-detect input=FOLDER checkpoint={kept}",
    ]
    display.lines(lines)
    try:
        folder.finished.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        display.line(f"{folder.finished}: not written: {error.strerror or error}")


def _gain(best: Record | None, start: Record | None, calibrated: float | None) -> list[str]:
    """Before and after, one line; none where one of them is not known."""
    if best is None or start is None or start["hmean"] is None:
        return []
    reached, how = (best["hmean"], "") if calibrated is None else (calibrated, ", with its best thresholds")
    line = f"hmean {start['hmean']:.3f} (starting weights) → {reached:.3f} (epoch {best['epoch']}{how})"
    worse = reached <= start["hmean"] > 0
    return [f"{line}; no epoch was better than the start: keep {start['weights']}" if worse else line]
