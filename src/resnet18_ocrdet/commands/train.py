"""ocrdet-train: compose the parts, then one loop over epochs.

The step loop is engine.train_one_epoch; this file says what happens around it.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf

from .. import build, draw
from ..checkpoint import SCHEMA, Checkpoint, load_checkpoint, load_weights, save_checkpoint
from ..config.crossfield import suspicions
from ..contract import Contract
from ..data.loader import ScoreLoader, TrainLoader
from ..data.splits import Splits, overlap
from ..data.views import ScoreViews, TrainViews
from ..device import choose_device
from ..display import Display, duration
from ..engine import StepRecord, TrainState, Validation, evaluate, train_one_epoch
from ..errors import TrainingStopped, UserError
from ..journal import Journal
from ..loss import DBLoss
from ..metrics import IcdarMetric
from ..pictures import Overlays, preview
from ..run_folder import RunFolder, find_resume, make_folder
from ..schedule import Schedule
from ..structures import Batch, Detection, LossParts, Maps
from .resume import resumed_config

LONG_CPU_RUN_SECONDS = 3600.0  # beyond it a CPU run says so, and names the preset made for CPUs
STEPS_TO_JUDGE_BY = 5  # the first ones are slower


def run(cfg: DictConfig, overrides: list[str]) -> int:
    """Train as `cfg` says. overrides: the words of the command line. Returns the exit code."""
    display = Display()
    content, folder = None, RunFolder(Path(cfg.run_dir))
    if cfg.resume is not None:
        path = find_resume(cfg.resume, folder.root)
        content, folder = load_checkpoint(path), RunFolder.of(path)
        cfg = resumed_config(cfg, content["config"], overrides, display)
    for line in suspicions(cfg):
        display.line(f"note: {line}")
    training = Training(cfg, folder, display, resuming=content is not None)
    if cfg.train.preview:
        return training.write_preview()
    if content is None:
        folder.create()
        OmegaConf.save(cfg, folder.config)
    else:
        training.restore(content, folder.last)
    display.log_file = folder.log
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return training.fit()
    except (KeyboardInterrupt, Terminated) as stop:
        saved = f"epoch {training.state.epoch} is saved; go on with: ocrdet-train resume={folder.root}"
        display.line(f"interrupted; {saved if folder.last.is_file() else 'no epoch was finished, nothing to resume'}")
        return 143 if isinstance(stop, Terminated) else 130


class Terminated(BaseException):
    """SIGTERM, as KeyboardInterrupt is SIGINT."""


class Training:
    """The parts of one run, built, and the loop over its epochs."""

    def __init__(self, cfg: DictConfig, folder: RunFolder, display: Display, resuming: bool) -> None:
        self.cfg, self.folder, self.display = cfg, folder, display
        torch.manual_seed(cfg.seed)
        self.compute, precision = build.build_compute(choose_device(cfg.device), cfg.precision)
        self.contract: Contract = build.build_contract(cfg, precision)
        splits = build.build_splits(cfg.data)
        _refuse_empty(splits, cfg)
        shared = overlap(splits)
        if shared:
            display.line(f"note: {len(shared)} images are in training and validation both (first: {shared[0]})")
        model, loaded = build.build_model(cfg.model, with_weights=not resuming)
        for line in loaded:
            display.line(line)
        net = build.place(model, self.compute.device)
        self.state = TrainState(net, build.build_optimizer(cfg.optimizer, net), build.build_mining(cfg))
        self.schedule: Schedule = build.build_schedule(cfg)
        self.criterion: DBLoss = build.build_criterion(cfg.train.loss)
        self.decode = build.build_decoder(self.contract)
        self.loader, self.val_loader = self._loaders(splits)
        self.val_images = len(splits.val)

    def fit(self) -> int:
        """Train until the last epoch is done. Returns the exit code."""
        state, epochs = self.state, int(self.cfg.train.epochs)
        journal = Journal(self.folder.root, state.step)
        journal.drop_after(state.epoch)
        self._announce()
        began, self._first_step = time.perf_counter(), state.step
        try:
            for epoch in range(state.epoch, epochs):
                means, train_seconds = self._train_epoch(epoch, journal)
                state.epoch = epoch + 1
                self._save(self.folder.last)  # before the validation: whatever fails there, the epoch is kept
                due = state.epoch % self.cfg.train.val_every == 0 or state.epoch == epochs
                validation = self._validate(journal) if due else None
                record = self._epoch_record(means, validation, train_seconds)
                journal.epoch(record)
                best = self._keep(record["hmean"])
                self.display.line(_epoch_line(record, epochs, best))
        except TrainingStopped as stop:
            self.display.line(f"stopped: {stop}")
            return stop.exit_code
        finally:
            journal.close()
        self._finish(time.perf_counter() - began)
        return 0

    def restore(self, content: Checkpoint, path: Path) -> None:
        """Continue from a checkpoint: weights, optimizer, mining warm-up, counters."""
        state = self.state
        line = load_weights(state.model, content["model"], path)
        build.restore_optimizer(state.optimizer, content, self.cfg.optimizer)
        state.mining.load_state_dict(content["mining"])
        state.epoch, state.step, state.best_hmean = content["epoch"], content["step"], content["best_hmean"]
        expected = state.epoch * len(self.loader)
        if state.step != expected:
            raise UserError(
                f"resume={path}: {state.step} steps were done in {state.epoch} epochs, but this data and batch size "
                f"make {expected}; keep train.batch_size and the data, or start a new run with model.weights={path}"
            )
        OmegaConf.save(self.cfg, self.folder.config)
        self.folder.finished.unlink(missing_ok=True)
        self.display.line(f"resumed after epoch {state.epoch}: {line}; optimizer, schedule, mining warm-up, best hmean")

    def write_preview(self) -> int:
        """One augmented batch with its targets as a picture, instead of training."""
        make_folder("run_dir", self.folder.root)
        batch = next(self.loader.epoch(0))
        draw.write(self.folder.preview, preview(batch))
        self.display.line(f"wrote {self.folder.preview}: image with labels, probability target, threshold target, mask")
        return 0

    def _loaders(self, splits: Splits) -> tuple[TrainLoader, Iterable[list[Batch]]]:
        cfg, (height, width) = self.cfg, (self.contract.height, self.contract.width)
        targets = build.build_target_maker(cfg.train)
        workers = build.count_workers(cfg.train.workers)
        pin = self.compute.device.type == "cuda"
        views = TrainViews(splits.train, build.build_augment(cfg), targets, height, width, cfg.seed)
        val_views = ScoreViews(splits.val, targets, height, width, self.contract.resize)
        return (
            TrainLoader(views, cfg.train.batch_size, cfg.seed, workers, pin),
            ScoreLoader(val_views, cfg.train.batch_size, workers, pin),
        )

    def _train_epoch(self, epoch: int, journal: Journal) -> tuple[dict[str, float], float]:
        """Returns the mean of each loss term and the seconds it took."""
        began, steps = time.perf_counter(), len(self.loader)
        sums = np.zeros(len(LossParts._fields))
        with self.display.progress(f"epoch {epoch + 1}/{self.cfg.train.epochs}", steps) as advance:
            batches = self.loader.epoch(epoch)
            for record in train_one_epoch(self.state, batches, steps, self.schedule, self.criterion, self.compute):
                sums += [float(term) for term in record.loss]
                if record.step % self.cfg.train.log_every == 0:
                    journal.step(record)
                if self.state.step == self._first_step + STEPS_TO_JUDGE_BY:
                    self._warn_if_long(record)
                advance(1, _step_note(record))
        return dict(zip(LossParts._fields, (sums / steps).tolist(), strict=True)), time.perf_counter() - began

    def _validate(self, journal: Journal) -> Validation:
        overlays = Overlays(limit=4)
        with self.display.progress("validation", self.val_images) as advance:

            def watch(batch: Batch, maps: Maps, found: list[list[Detection]]) -> None:
                overlays.add(batch, maps, found)
                advance(len(batch.names))

            result = evaluate(
                self.state.model, self.val_loader, self.criterion, self.decode, IcdarMetric(), self.compute, watch
            )
        for number, picture in enumerate(overlays.pictures):
            journal.picture(f"val/image_{number}", picture, self.state.step)
        return result

    def _epoch_record(self, means: dict[str, float], validation: Validation | None, seconds: float) -> dict[str, Any]:
        score = validation.score if validation else None
        return {
            "epoch": self.state.epoch,
            "step": self.state.step,
            "lr": self.state.optimizer.param_groups[0]["lr"],
            "train_loss": means,
            "val_loss": validation.loss if validation else None,
            "precision": score.precision if score else None,
            "recall": score.recall if score else None,
            "hmean": score.hmean if score else None,
            "ap": score.ap if score else None,
            "seconds": seconds + (validation.seconds if validation else 0.0),
            "images_per_second": len(self.loader) * self.loader.batch_size / seconds,
        }

    def _keep(self, hmean: float | None) -> bool:
        """Write best.pt when hmean is the best so far, then last.pt, which says so; returns whether it was."""
        if hmean is None or (self.state.best_hmean is not None and hmean <= self.state.best_hmean):
            return False
        self.state.best_hmean = hmean
        self._save(self.folder.best)
        self._save(self.folder.last)
        return True

    def _save(self, path: Path) -> None:
        state = self.state
        content = Checkpoint(
            schema=SCHEMA,
            contract=self.contract.to_dict(),
            config=build.plain(self.cfg),
            model=state.model.state_dict(),
            optimizer=state.optimizer.state_dict(),
            mining=dict(state.mining.state_dict()),
            epoch=state.epoch,
            step=state.step,
            best_hmean=state.best_hmean,
        )
        save_checkpoint(path, content)

    def _announce(self) -> None:
        cfg, steps = self.cfg, len(self.loader)
        self.display.line(
            f"run {self.folder.root}: {cfg.model.backbone}, {self.contract.height}x{self.contract.width}, batch "
            f"{self.loader.batch_size}, {cfg.train.epochs} epochs of {steps} steps, "
            f"{self.compute.device.type} {self.contract.precision}"
        )

    def _warn_if_long(self, record: StepRecord) -> None:
        left = int(self.cfg.train.epochs) * len(self.loader) - record.step
        if self.compute.device.type == "cpu" and left * record.seconds > LONG_CPU_RUN_SECONDS:
            self.display.line(
                f"this run needs about {duration(left * record.seconds)} on this CPU ({record.seconds:.1f} s a step); "
                f"a detector for rendered scenes in minutes: ocrdet-train experiment=quickstart"
            )

    def _finish(self, seconds: float) -> None:
        best = self.state.best_hmean
        shown = "none" if best is None else f"{best:.4f}"
        kept = self.folder.best if self.folder.best.is_file() else self.folder.last
        lines = [
            f"done in {duration(seconds)}; best hmean {shown}",
            f"evaluate: ocrdet-eval checkpoint={kept}",
            f"detect:   ocrdet-detect input=FOLDER checkpoint={kept}",
        ]
        for line in lines:
            self.display.line(line)
        self.folder.finished.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _terminate(*_: object) -> None:
    raise Terminated


def _refuse_empty(splits: Splits, cfg: DictConfig) -> None:
    for name, source in (("training", splits.train), ("validation", splits.val)):
        if len(source) == 0:
            where = cfg.data.get("root") or cfg.data._target_
            asked = f"data.train={cfg.data.get('train')} data.val={cfg.data.get('val')}"
            raise UserError(f"data: no {name} images in {where} with {asked}")


def _step_note(record: StepRecord) -> str:
    loss = record.loss
    wait = record.data_seconds / record.seconds
    mining = f", mining {record.mining:.0%}" if record.mining < 1.0 else ""
    return (
        f"loss {float(loss.total):.3f} (prob {float(loss.prob):.3f} thresh {float(loss.thresh):.3f} binary "
        f"{float(loss.binary):.3f}{mining})  lr {record.lr:.2g}  "
        f"{record.images / record.seconds:.1f} img/s  wait {wait:.0%}"
    )


def _epoch_line(record: dict[str, Any], epochs: int, best: bool) -> str:
    line = f"epoch {record['epoch']}/{epochs}  lr {record['lr']:.2g}  train loss {record['train_loss']['total']:.3f}"
    if record["val_loss"] is not None:
        scores = "  ".join(
            f"{name} {'-' if record[name] is None else format(record[name], '.4f')}"
            for name in ("precision", "recall", "hmean", "ap")
        )
        line += f"  val loss {record['val_loss']['total']:.3f}  {scores}{'  best' if best else ''}"
    return f"{line}  {duration(record['seconds'])}"
