"""ocrdet-train: the loop over epochs.

The loop over steps is `engine.train_one_epoch`; train_parts.py makes the parts of both, train_report.py all lines.
"""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ..config.interpolation import escape_interpolation
from ..data.loader_processes import LoaderDied
from ..errors import TrainingStopped
from ..evaluation.evaluator import Validation, evaluate, explain_zero
from ..inference.postprocess import Decoder
from ..model.checkpoint import Checkpoint
from ..runtime.console import Display
from ..runtime.distributed import join_world
from ..runtime.machine import peak_memory
from ..runtime.run_folder import RunFolder
from ..runtime.signals import Interrupt
from ..structures import Batch, Detection, Maps
from ..train.bad_batch import write_bad_batch
from ..train.diagnosis import Diagnosis, Displacement, standing_still, waiting
from ..train.engine import LossSums, StepRecord, train_one_epoch
from ..train.guard import Verdict
from ..train.logger import RunLogger
from ..viz.overlays import Overlays
from . import train_report
from .checkpointer import Checkpointer, claim_checkpoint, claim_folder
from .cross_checks import suspicions
from .resume import resumed_config
from .train_calibrate import calibrate_best, keep_typed_thresholds
from .train_faults import explain
from .train_parts import Parts, assemble, freeze_for

STEPS_TO_JUDGE_BY = 5  # the first steps are slower
STEPS_TO_JUDGE_WAITING = 20  # of an epoch; in a shorter one most of the waiting is the start of the loader processes
SIGNALS_APART = 0.5  # seconds between the signals that a service manager sends to the processes of a run


def run(cfg: DictConfig, overrides: list[str]) -> int:
    """Train as `cfg` says. overrides: as typed on the command line. Returns the exit code."""
    with ExitStack() as held:
        world = held.enter_context(join_world(cfg.device))
        display = Display(quiet=not world.first)
        folder = RunFolder(Path(world.from_first(lambda: str(cfg.run_dir))))
        cfg.run_dir = escape_interpolation(str(folder.root))
        content: Checkpoint | None = None
        if cfg.resume is not None:
            path, content = claim_checkpoint(cfg, folder, held, display, world)
            folder = RunFolder.of(path)
            done = content["step"] / max(content["steps_per_epoch"], 1)
            cfg = resumed_config(cfg, content["config"], overrides, display, done)
        elif cfg.train.preview:
            world.from_first(lambda: train_report.refuse_preview(folder, cfg.overwrite))
        else:  # before the data are read and measured
            world.from_first(lambda: folder.refuse_used(cfg.overwrite))
        display.lines(keep_typed_thresholds(cfg, overrides))
        parts = assemble(cfg, display, world, content and content["about"], overrides)
        display.lines(suspicions(cfg), "note: ")  # after assemble: also about the values that train.auto_hparams chose
        if cfg.train.preview:
            if world.first:
                train_report.write_preview(parts, folder)
            return 0
        checkpointer = Checkpointer(parts, folder)
        if content is None:
            world.from_first(lambda: claim_folder(folder, held, cfg.overwrite))
        else:
            checkpointer.restore(content, path)
            if "start" in content["about"]:
                parts.about["start"] = content["about"]["start"]
            content = None  # frees its memory
        interrupt = held.enter_context(Interrupt())
        if world.first:
            OmegaConf.save(cfg, folder.config)
            folder.about.write_text(json.dumps(parts.about, indent=1) + "\n", encoding="utf-8")
            display.log_to(folder.log)
        return Training(parts, checkpointer, folder, interrupt).fit()


class Training:
    """The loop over the epochs of one run."""

    def __init__(self, parts: Parts, checkpointer: Checkpointer, folder: RunFolder, interrupt: Interrupt) -> None:
        self.parts, self.checkpointer, self.folder, self.interrupt = parts, checkpointer, folder, interrupt
        self.cfg, self.display, self.world = parts.cfg, parts.display, parts.compute.world
        self.state, self.loader = parts.state, parts.loader
        self.diagnosis = Diagnosis(parts.criterion, bool(self.cfg.train.mining_warmup))
        written = folder.root if self.world.first else None
        self.logger = RunLogger(written, self.state.epoch, self.state.step, self.display.line)

    def fit(self) -> int:
        """Train until the last epoch is done. Returns the exit code."""
        state, epochs = self.state, int(self.cfg.train.epochs)
        self.display.line(train_report.run_line(self.parts, self.folder))
        began, self._first_step = time.perf_counter(), state.step
        try:
            for epoch in range(state.epoch, epochs):
                if self._stops_early():
                    break
                self._train_epoch(epoch)
                self.checkpointer.last()  # before the validation: if that fails, the steps are not lost
                due = (epoch + 1) % self.cfg.train.val_every == 0 or epoch + 1 == epochs
                self._finish_epoch(self._validate() if due else None)
            calibrated = None
            if self.cfg.train.calibrate:
                calibrated = calibrate_best(self.parts, self.checkpointer, self.interrupt)
        except TrainingStopped as stop:
            return self._give_up(stop)
        except KeyboardInterrupt:
            self.display.line(self.checkpointer.farewell("interrupted"))
            return self.interrupt.exit_code
        except Exception as error:
            return self._break_off(error)
        finally:
            self.logger.close()
            self.loader.close()
            self.parts.val_loader.close()
        if self.world.first:
            seconds, start = time.perf_counter() - began, self.parts.about.get("start")
            train_report.write_summary(self.folder, self.logger.records(), seconds, self.display, start, calibrated)
        return 1 if self.checkpointer.failed else 0

    def _train_epoch(self, epoch: int) -> None:
        """The steps of an epoch that are not done yet."""
        state, steps, parts = self.state, len(self.loader), self.parts
        done = state.step - epoch * steps
        freeze_for(epoch, parts)
        before = Displacement(state.model) if epoch == 0 else None
        with self.display.progress(f"epoch {epoch + 1}/{self.cfg.train.epochs}", steps, done) as advance:
            rounds = self.loader.epoch(epoch, done)
            for record in train_one_epoch(
                state, rounds, steps, parts.schedule, parts.criterion, parts.compute, self.cfg.train.clip_norm
            ):
                state.sums.add(record)
                self._report(record)
                advance(1, train_report.step_note(record))
                if self.world.any(self.interrupt.signal is not None):
                    self.checkpointer.last()
                    raise KeyboardInterrupt
                self.checkpointer.last_if_due()
        if before is not None:
            taken = min(steps - done, state.sums.steps)
            still = standing_still(before.share(state.model), taken, self.cfg.optimizer.lr)
            self.display.lines([still], "warning: ")

    def _report(self, record: StepRecord) -> None:
        """Log one step, and print what is unusual about it."""
        if record.verdict is not Verdict.GOOD:
            self.display.line(train_report.fault_line(record, self.state.guard))
            if record.verdict is not Verdict.OVERFLOW:
                self.logger.fault(record)
        elif record.step % self.cfg.train.log_every == 0:
            self.logger.step(record, peak_memory(self.parts.compute.device))
        self.display.lines([self.diagnosis.step(record)], "warning: ")
        if record.step == self._first_step + STEPS_TO_JUDGE_BY:
            self.display.lines([train_report.long_run_line(record, self.parts)])

    def _validate(self) -> Validation:
        parts, overlays = self.parts, Overlays(limit=4)
        with self.display.progress("validation", parts.val_loader.images) as advance:

            def watch(batch: Batch, maps: Maps, found: list[list[Detection]]) -> None:
                overlays.add(batch, maps, found)
                advance(len(batch.names))
                if self.interrupt.signal is not None:
                    raise KeyboardInterrupt  # saved before the validation began

            model, decode = self.state.eval_model, Decoder.of(parts.contract).trace
            result = evaluate(model, parts.val_loader, parts.criterion, decode, parts.compute, watch)
        for number, picture in enumerate(overlays.pictures):
            self.logger.picture(f"val/image_{number}", picture, self.state.step)
        return result

    def _finish_epoch(self, validation: Validation | None) -> None:
        """Log the epoch, save it, and print what it shows."""
        state = self.state
        record = train_report.epoch_record(self.parts, validation)
        hmean, before = record["hmean"], state.best_hmean
        best = hmean is not None and (before is None or hmean > before)
        state.best_hmean = hmean if best else before
        patient = best or not state.best_hmean or state.mining.share < 1.0  # early stopping has not begun
        state.not_better = 0 if patient else state.not_better + (validation is not None)
        state.epoch, state.sums = state.epoch + 1, LossSums([0.0] * len(self.parts.criterion.terms))
        self.logger.epoch(record)  # before the save: a resumed run drops lines of epochs that it has not finished
        # best.pt first: if killed in between, the resumed run validates again and finds the same
        if best and not self.checkpointer.best():
            state.best_hmean = before
        if validation is not None and self.world.first:
            path = self.folder.precision_recall if best else None
            train_report.show_precision_recall(validation, self.logger, state.step, path)
        self.checkpointer.last()
        self.display.line(train_report.epoch_line(record, int(self.cfg.train.epochs), best))
        self.display.lines(self._signs(record, validation), "warning: ")

    def _signs(self, record: dict[str, Any], validation: Validation | None) -> list[str]:
        """Lines on what goes wrong in this run."""
        signs = self.diagnosis.epoch(self.logger.records())
        cores = max(self.loader.cores // self.world.local_size, 1)
        if len(self.loader) >= STEPS_TO_JUDGE_WAITING:
            signs += filter(None, [waiting(record["data_wait"], self.loader.workers, cores)])
        if validation is not None and record["hmean"] == 0:
            growing = self.state.mining.share < 1.0
            stats, best_iou = validation.decode_stats, validation.metric.best_iou
            signs += explain_zero(validation.score, stats, best_iou, self.parts.contract, growing)
        return signs

    def _stops_early(self) -> bool:
        """Whether train.early_stop validations have passed without a better one."""
        limit = self.cfg.train.early_stop
        if limit is None or not self.world.from_first(lambda: self.state.not_better >= limit):
            return False
        self.display.line(
            f"stopped early: {self.state.not_better} validations without a better hmean (train.early_stop={limit})"
        )
        return True

    def _give_up(self, stop: TrainingStopped) -> int:
        """Save the last good weights and the batch at which the run stopped."""
        self.display.line(f"stopped: {stop}")
        self.checkpointer.last()
        folder = self.folder.stopped
        try:
            lines = write_bad_batch(folder if self.world.first else folder / f"rank_{self.world.rank}", stop.batches)
        except OSError as error:
            lines = [f"  its images could not be written: {error}"]
        self.display.lines(lines)
        return stop.exit_code

    def _break_off(self, error: Exception) -> int:
        """Save what can be saved and say what happened; an unexpected error is raised again."""
        if isinstance(error, LoaderDied):
            time.sleep(SIGNALS_APART)  # the signal that ended the loader may be on its way to this process
        ended_with_the_run = self.interrupt.signal is not None and isinstance(error, LoaderDied)
        reason = explain(error, self.cfg, self.world)
        self.display.line("stopping" if ended_with_the_run else f"stopped: {reason or repr(error)}")
        if not self.world.lost_peer(error):
            self.world.report_error(reason or repr(error))
        if self.state.undo():  # otherwise the save before it is the last exact one
            self.checkpointer.last()
        self.display.line(self.checkpointer.farewell("interrupted" if ended_with_the_run else "stopped"))
        if ended_with_the_run:  # the signal went to the whole process group and ended the loader processes
            return self.interrupt.exit_code
        if reason is None:
            raise error
        return 1
