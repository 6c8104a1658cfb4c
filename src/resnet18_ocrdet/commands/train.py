"""ocrdet-train: compose the parts, then one loop over epochs.

The step loop is engine.train_one_epoch; this file says what happens around it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from .. import build, draw
from ..config.crossfield import suspicions
from ..contract import Contract
from ..data.loader import ScoreLoader, TrainLoader
from ..data.splits import Splits, overlap
from ..data.views import ScoreViews, TrainViews
from ..device import choose_device
from ..display import Display, duration
from ..engine import LossSums, StepRecord, TrainState, Validation, evaluate, train_one_epoch
from ..errors import TrainingStopped, UserError
from ..evidence import write_evidence
from ..guard import Verdict
from ..interrupt import Interrupt
from ..journal import Journal
from ..lock import RunLock
from ..loss import DBLoss
from ..metrics import IcdarMetric
from ..pictures import Overlays, preview
from ..run_folder import RunFolder, find_resume, make_folder
from ..schedule import Schedule
from ..structures import Batch, Detection, Maps
from .resume import newest_whole, resumed_config
from .saves import Saves
from .train_lines import epoch_line, fault_line, step_note

LONG_CPU_RUN_SECONDS = 3600.0  # beyond it a CPU run says so, and names the preset made for CPUs
STEPS_TO_JUDGE_BY = 5  # the first ones are slower


def run(cfg: DictConfig, overrides: list[str]) -> int:
    """Train as `cfg` says. overrides: the words of the command line. Returns the exit code."""
    display = Display()
    content, folder = None, RunFolder(Path(cfg.run_dir))
    with ExitStack() as held:
        if cfg.resume is not None:
            candidates = find_resume(cfg.resume, folder.root)
            folder = RunFolder.of(candidates[0])
            held.enter_context(RunLock(folder.lock))  # before the file is read: another run may be saving its last step
            path, content = newest_whole(candidates, display)
            cfg = resumed_config(cfg, content["config"], overrides, display)
        for line in suspicions(cfg):
            display.line(f"note: {line}")
        training = Training(cfg, folder, display, resuming=content is not None)
        if cfg.train.preview:
            return training.write_preview()
        if content is None:
            folder.create()
            held.enter_context(RunLock(folder.lock))
        else:
            training.saves.restore(content, path)
        training.interrupt = held.enter_context(Interrupt())
        OmegaConf.save(training.cfg, folder.config)
        display.log_file = folder.log
        return training.fit()


class Training:
    """The parts of one run, built, and the loop over its epochs."""

    def __init__(self, cfg: DictConfig, folder: RunFolder, display: Display, resuming: bool) -> None:
        self.cfg, self.folder, self.display = cfg, folder, display
        self.interrupt = Interrupt()
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
        self.state = TrainState(
            net, build.build_optimizer(cfg.optimizer, net), build.build_mining(cfg), build.build_guard(cfg.train)
        )
        self.schedule: Schedule = build.build_schedule(cfg)
        self.criterion: DBLoss = build.build_criterion(cfg.train.loss)
        self.decode = build.build_decoder(self.contract)
        self.loader, self.val_loader = self._loaders(splits)
        self.saves = Saves(self.state, cfg, self.contract, folder, display, len(self.loader))
        self.train_images, self.val_images = len(splits.train), len(splits.val)

    def fit(self) -> int:
        """Train until the last epoch is done. Returns the exit code."""
        state, epochs = self.state, int(self.cfg.train.epochs)
        journal = Journal(self.folder.root, state.step)
        journal.drop_after(state.epoch)
        self._announce()
        began, self._first_step = time.perf_counter(), state.step
        try:
            for epoch in range(state.epoch, epochs):
                self._train_epoch(epoch, journal)
                self.saves.last()  # before the validation: whatever fails there, the steps are kept
                due = (epoch + 1) % self.cfg.train.val_every == 0 or epoch + 1 == epochs
                validation = self._validate(journal) if due else None
                line = self._finish_epoch(journal, validation)
                self.display.line(line)
        except TrainingStopped as stop:
            return self._give_up(stop)
        except (UserError, OSError) as error:  # a photo that cannot be read, a full disk: what was learnt is kept
            self.display.line(f"stopped: {error}")
            self.saves.last()
            self.display.line(self.saves.farewell("stopped"))
            return 1
        except KeyboardInterrupt:
            self.display.line(self.saves.farewell("interrupted"))
            return self.interrupt.exit_code
        finally:
            journal.close()
        self._finish(time.perf_counter() - began)
        return 0 if self.saves.complete else 1

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

    def _train_epoch(self, epoch: int, journal: Journal) -> None:
        """The steps of an epoch that are not done yet."""
        state, steps = self.state, len(self.loader)
        done = state.step - epoch * steps
        with self.display.progress(f"epoch {epoch + 1}/{self.cfg.train.epochs}", steps, done) as advance:
            batches = self.loader.epoch(epoch, done)
            for record in train_one_epoch(state, batches, steps, self.schedule, self.criterion, self.compute):
                state.sums.add(record)
                if record.verdict is not Verdict.GOOD:
                    self.display.line(fault_line(record, state.guard))
                elif record.step % self.cfg.train.log_every == 0:
                    journal.step(record)
                if state.step == self._first_step + STEPS_TO_JUDGE_BY:
                    self._warn_if_long(record)
                advance(1, step_note(record))
                if self.interrupt.signal is not None:
                    self.saves.last()
                    raise KeyboardInterrupt
                self.saves.last_if_due()

    def _validate(self, journal: Journal) -> Validation:
        overlays = Overlays(limit=4)
        with self.display.progress("validation", self.val_images) as advance:

            def watch(batch: Batch, maps: Maps, found: list[list[Detection]]) -> None:
                overlays.add(batch, maps, found)
                advance(len(batch.names))
                if self.interrupt.signal is not None:
                    raise KeyboardInterrupt  # saved before the validation began

            result = evaluate(
                self.state.model, self.val_loader, self.criterion, self.decode, IcdarMetric(), self.compute, watch
            )
        for number, picture in enumerate(overlays.pictures):
            journal.picture(f"val/image_{number}", picture, self.state.step)
        return result

    def _finish_epoch(self, journal: Journal, validation: Validation | None) -> str:
        """Write down what the epoch gave, keep it when it is the best; returns its line for the display."""
        state, sums = self.state, self.state.sums
        record = self._epoch_record(sums, validation)
        hmean = record["hmean"]
        before = state.best_hmean
        best = hmean is not None and (before is None or hmean > before)
        state.best_hmean = hmean if best else before
        state.epoch, state.sums = state.epoch + 1, LossSums()
        journal.epoch(record)  # before the save: a resumed run drops lines of epochs it has not finished
        # best.pt first: killed in between, the resumed run validates again and finds the same
        if best and not self.saves.best():
            state.best_hmean = before
        self.saves.last()
        return epoch_line(record, int(self.cfg.train.epochs), best)

    def _epoch_record(self, sums: LossSums, validation: Validation | None) -> dict[str, Any]:
        score = validation.score if validation else None
        return {
            "epoch": self.state.epoch + 1,
            "step": self.state.step,
            "lr": sums.lr,
            "train_loss": sums.means(),
            "val_loss": validation.loss if validation else None,
            "precision": score.precision if score else None,
            "recall": score.recall if score else None,
            "hmean": score.hmean if score else None,
            "ap": score.ap if score else None,
            "seconds": sums.seconds + (validation.seconds if validation else 0.0),
            "images_per_second": len(self.loader) * self.loader.batch_size / sums.seconds,
        }

    def _give_up(self, stop: TrainingStopped) -> int:
        """Keep the last good weights and what made the run stop."""
        self.display.line(f"stopped: {stop}")
        self.saves.last()
        assert isinstance(stop.batch, Batch)
        for line in write_evidence(self.folder.evidence, stop.batch):
            self.display.line(line)
        return stop.exit_code

    def _announce(self) -> None:
        cfg, steps = self.cfg, len(self.loader)
        self.display.line(
            f"run {self.folder.root}: {cfg.model.backbone}, {self.contract.height}x{self.contract.width}, batch "
            f"{self.loader.batch_size}, {cfg.train.epochs} epochs of {steps} steps on {self.train_images} images, "
            f"{self.val_images} for validation, "
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


def _refuse_empty(splits: Splits, cfg: DictConfig) -> None:
    for name, source in (("training", splits.train), ("validation", splits.val)):
        if len(source) == 0:
            where = cfg.data.get("root") or cfg.data._target_
            asked = f"data.train={cfg.data.get('train')} data.val={cfg.data.get('val')}"
            raise UserError(f"data: no {name} images in {where} with {asked}")
