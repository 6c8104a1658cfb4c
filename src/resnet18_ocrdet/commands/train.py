"""ocrdet-train: one loop over epochs, and what happens around it.

The step loop is engine.train_one_epoch; train_parts.py makes what it works with.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from .. import build
from ..config.crossfield import suspicions
from ..config.interpolation import escape_interpolation
from ..data.loader_processes import LoaderDied
from ..errors import TrainingStopped, UserError
from ..evaluation.evaluator import Validation, evaluate
from ..evaluation.metrics import IcdarMetric
from ..evaluation.zero_score import explain_zero
from ..model.checkpoint import SCHEMA, Checkpoint, load_checkpoint
from ..model.release import is_stripped
from ..runtime.atomic_write import remove_leftovers
from ..runtime.console import Display, duration
from ..runtime.distributed import World, join_world
from ..runtime.lock import RunLock
from ..runtime.manifest import Manifest
from ..runtime.memory import peak_memory
from ..runtime.messages import count
from ..runtime.run_folder import REMEDY, RunFolder, find_resume, make_folder, passed_over
from ..runtime.signals import Interrupt
from ..structures import Batch, Detection, Maps
from ..train.bad_batch import write_evidence
from ..train.diagnosis import Diagnosis, Displacement, standing_still, waiting
from ..train.engine import LossSums, StepRecord, train_one_epoch
from ..train.guard import Verdict
from ..train.logger import NullLogger, RunLogger
from ..viz import draw
from ..viz.overlays import Overlays, preview
from .checkpointer import Checkpointer
from .resume import newest_whole, resumed_config
from .train_faults import explain
from .train_lines import epoch_line, fault_line, step_note
from .train_parts import Parts, assemble
from .train_summary import show_precision_recall, write_about, write_summary

LONG_CPU_RUN_SECONDS = 3600.0  # beyond it a CPU run says so, and names the preset made for CPUs
STEPS_TO_JUDGE_BY = 5  # the first ones are slower
STEPS_TO_JUDGE_WAITING = 20  # of an epoch; in shorter ones the start of the loaders is most of it
SIGNALS_APART = 0.5  # seconds between those that a service manager sends to the processes of a run


def run(cfg: DictConfig, overrides: list[str]) -> int:
    """Train as `cfg` says. overrides: the words of the command line. Returns the exit code."""
    with ExitStack() as held:
        world = held.enter_context(join_world(cfg.device))
        display = Display(quiet=not world.first)
        folder = RunFolder(Path(world.from_first(lambda: str(cfg.run_dir))))
        cfg.run_dir = escape_interpolation(str(folder.root))
        content: Checkpoint | None = None
        if cfg.resume is not None:
            path = world.from_first(lambda: _claim_save(cfg, folder, held, display))
            folder, content = RunFolder.of(path), load_checkpoint(path)
            _refuse_less(content, path)
            cfg = resumed_config(cfg, content["config"], overrides, display)
        elif cfg.train.preview:
            world.from_first(lambda: _refuse_preview(folder, cfg.overwrite))
        else:  # before the data are read and measured
            world.from_first(lambda: folder.refuse_used(cfg.overwrite))
        parts = assemble(cfg, display, world, content is not None, overrides)
        for line in suspicions(cfg):  # of the values that train.auto_hparams has found, too
            display.line(f"note: {line}")
        training = Training(cfg, parts, folder, display)
        if cfg.train.preview:
            return training.write_preview() if world.first else 0
        if content is None:
            world.from_first(lambda: _claim_folder(folder, held, cfg.overwrite))
        else:
            training.saves.restore(content, path)
            parts.about.update({name: content["about"][name] for name in ("start",) if name in content["about"]})
        training.interrupt = held.enter_context(Interrupt())
        if world.first:
            OmegaConf.save(cfg, folder.config)
            write_about(folder, parts.about)
            display.log_to(folder.log)
        return training.fit()


def _refuse_preview(folder: RunFolder, overwrite: bool) -> None:
    manifest = Manifest(folder.previewed)
    manifest.load()
    if not overwrite and (foreign := manifest.first_foreign([folder.preview])) is not None:
        raise UserError(f"run_dir={folder.root}: {manifest.reason(foreign)}: {REMEDY}")


def _claim_folder(folder: RunFolder, held: ExitStack, overwrite: bool) -> None:
    folder.create(overwrite)
    held.enter_context(RunLock(folder.lock))
    remove_leftovers([folder.root, folder.checkpoints])


def _claim_save(cfg: DictConfig, folder: RunFolder, held: ExitStack, display: Display) -> Path:
    """The save to go on from, its run locked first: another process may be writing its last step."""
    candidates = find_resume(cfg.resume, folder.root)
    if cfg.resume == "auto":
        for newer in passed_over(candidates[0]):
            display.line(f"note: {newer} is newer but has no checkpoint yet; going on from {candidates[0]}")
    run = RunFolder.of(candidates[0])
    run.refuse_links()
    held.enter_context(RunLock(run.lock))
    remove_leftovers([run.root, run.checkpoints])
    return newest_whole(candidates, display)[0]


def _refuse_less(content: Checkpoint, path: Path) -> None:
    if is_stripped(content):
        raise UserError(f"resume={path}: holds weights only; a new run from them: init.weights={path}")
    if content["schema"] < SCHEMA:
        raise UserError(
            f"resume={path}: written by an earlier version (schema {content['schema']}, now {SCHEMA}), which saved "
            f"less than a resume needs; a new run from its weights: init.weights={path}"
        )


class Training:
    """The loop over the epochs of one run."""

    def __init__(self, cfg: DictConfig, parts: Parts, folder: RunFolder, display: Display) -> None:
        self.cfg, self.parts, self.folder, self.display = cfg, parts, folder, display
        self.world: World = parts.compute.world
        self.state, self.loader = parts.state, parts.loader
        self.interrupt = Interrupt()
        self.saves = Checkpointer(
            parts.state, cfg, parts.contract, folder, display, parts.loader, self.world, parts.about
        )
        self.diagnosis = Diagnosis(cfg.loss.negative_ratio, bool(cfg.train.mining_warmup))

    def fit(self) -> int:
        """Train until the last epoch is done. Returns the exit code."""
        state, epochs = self.state, int(self.cfg.train.epochs)
        journal = RunLogger(self.folder.root, state.step) if self.world.first else NullLogger()
        journal.drop_after(state.epoch, state.step)
        self._announce()
        began, self._first_step = time.perf_counter(), state.step
        try:
            for epoch in range(state.epoch, epochs):
                if self._gave_up_hope():
                    break
                self._train_epoch(epoch, journal)
                self.saves.last()  # before the validation: whatever fails there, the steps are kept
                due = (epoch + 1) % self.cfg.train.val_every == 0 or epoch + 1 == epochs
                self._finish_epoch(journal, *(self._validate(journal) if due else (None, None)))
        except TrainingStopped as stop:
            return self._give_up(stop)
        except KeyboardInterrupt:
            self.display.line(self.saves.farewell("interrupted"))
            return self.interrupt.exit_code
        except (Exception, MemoryError) as error:
            return self._break_off(error)
        finally:
            journal.close()
            self.loader.close()
            self.parts.val_loader.close()
        if self.world.first:
            seconds, start = time.perf_counter() - began, self.parts.about.get("start")
            write_summary(self.folder, journal.records(), seconds, self.display, start)
        return 0 if self.saves.complete else 1

    def write_preview(self) -> int:
        """One augmented batch with its targets as a picture, instead of training."""
        make_folder("run_dir", self.folder.root)
        try:
            batch = next(self.loader.epoch(0))[0]
        except LoaderDied as error:
            raise UserError(error.told("train.workers")) from None
        Manifest(self.folder.previewed).put(self.folder.preview, draw.encode(".jpg", preview(batch)))
        self.display.line(f"wrote {self.folder.preview}: image with labels, probability target, threshold target, mask")
        return 0

    def _train_epoch(self, epoch: int, journal: RunLogger | NullLogger) -> None:
        """The steps of an epoch that are not done yet."""
        state, steps, parts = self.state, len(self.loader), self.parts
        done = state.step - epoch * steps
        before = Displacement(state.model) if epoch == 0 else None
        with self.display.progress(f"epoch {epoch + 1}/{self.cfg.train.epochs}", steps, done) as advance:
            rounds = self.loader.epoch(epoch, done)
            for record in train_one_epoch(
                state, rounds, steps, parts.schedule, parts.criterion, parts.compute, self.cfg.train.clip_norm
            ):
                state.sums.add(record)
                self._report(record, journal)
                advance(1, step_note(record))
                if self.world.any(self.interrupt.signal is not None):
                    self.saves.last()
                    raise KeyboardInterrupt
                self.saves.last_if_due()
        if before is not None:
            taken = min(steps - done, state.sums.steps)
            if line := standing_still(before.share(state.model), taken, self.cfg.optimizer.lr):
                self.display.line(f"warning: {line}")

    def _report(self, record: StepRecord, journal: RunLogger | NullLogger) -> None:
        """What one step gives to tell."""
        if record.verdict is not Verdict.GOOD:
            self.display.line(fault_line(record, self.state.guard))
            journal.fault(record)
        elif record.step % self.cfg.train.log_every == 0:
            journal.step(record, peak_memory(self.parts.compute.device))
        if line := self.diagnosis.step(record):
            self.display.line(f"warning: {line}")
        if record.step == self._first_step + STEPS_TO_JUDGE_BY:
            self._warn_if_long(record)

    def _validate(self, journal: RunLogger | NullLogger) -> tuple[Validation, IcdarMetric]:
        parts, metric, overlays = self.parts, IcdarMetric(), Overlays(limit=4)
        with self.display.progress("validation", parts.val_loader.images) as advance:

            def watch(batch: Batch, maps: Maps, found: list[list[Detection]]) -> None:
                overlays.add(batch, maps, found)
                advance(len(batch.names))
                if self.interrupt.signal is not None:
                    raise KeyboardInterrupt  # saved before the validation began

            result = evaluate(
                self.state.judged, parts.val_loader, parts.criterion, parts.decoder.trace, metric, parts.compute, watch
            )
        for number, picture in enumerate(overlays.pictures):
            journal.picture(f"val/image_{number}", picture, self.state.step)
        return result, metric

    def _finish_epoch(
        self, journal: RunLogger | NullLogger, validation: Validation | None, metric: IcdarMetric | None
    ) -> None:
        """Write down what the epoch gave, keep it when it is the best, and say what it tells."""
        state = self.state
        record = self._epoch_record(state.sums, validation, metric)
        hmean = record["hmean"]
        before = state.best_hmean
        best = hmean is not None and (before is None or hmean > before)
        state.best_hmean = hmean if best else before
        hopeful = best or not state.best_hmean or state.mining.share < 1.0  # not yet at the real task
        state.not_better = 0 if hopeful else state.not_better + (validation is not None)
        state.epoch, state.sums = state.epoch + 1, LossSums()
        journal.epoch(record)  # before the save: a resumed run drops lines of epochs it has not finished
        # best.pt first: killed in between, the resumed run validates again and finds the same
        if best and not self.saves.best():
            state.best_hmean = before
        if metric is not None:
            path = self.folder.precision_recall if best else None
            show_precision_recall(metric, record["ap"], journal, state.step, path)
        self.saves.last()
        self.display.line(epoch_line(record, int(self.cfg.train.epochs), best))
        signs = self.diagnosis.epoch(journal.records())
        cores = max(self.loader.cores // self.world.local_size, 1)
        long_enough = len(self.loader) >= STEPS_TO_JUDGE_WAITING
        if long_enough and (advice := waiting(record["data_wait"], self.loader.workers, cores)):
            signs.append(advice)
        if validation is not None and metric is not None and hmean == 0:
            signs += explain_zero(
                validation.score, validation.stages, metric.best_iou, self.parts.contract, self.state.mining.share < 1.0
            )
        for line in signs:
            self.display.line(f"warning: {line}")

    def _epoch_record(
        self, sums: LossSums, validation: Validation | None, metric: IcdarMetric | None
    ) -> dict[str, Any]:
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
            "center_shift": metric.center_shift() if metric else None,
            "skipped": sums.skipped,
            "data_wait": sums.data_seconds / sums.seconds,
            "seconds": sums.seconds + (validation.seconds if validation else 0.0),
            "images_per_second": len(self.loader) * self.loader.images_per_step / sums.seconds,
            "memory_gib": peak_memory(self.parts.compute.device),
        }

    def _gave_up_hope(self) -> bool:
        """Whether train.early_stop validations have passed without a better one."""
        limit = self.cfg.train.early_stop
        if limit is None or not self.world.from_first(lambda: self.state.not_better >= limit):
            return False
        self.display.line(
            f"stopped early: {self.state.not_better} validations without a better hmean (train.early_stop={limit})"
        )
        return True

    def _give_up(self, stop: TrainingStopped) -> int:
        """Keep the last good weights and what made the run stop."""
        self.display.line(f"stopped: {stop}")
        self.saves.last()
        folder = self.folder.evidence
        try:
            lines = write_evidence(folder if self.world.first else folder / f"rank_{self.world.rank}", stop.batches)
        except OSError as error:
            lines = [f"  its images could not be written: {error}"]
        for line in lines:
            self.display.line(line)
        return stop.exit_code

    def _break_off(self, error: Exception) -> int:
        """Keep what was learnt, say what happened; what nobody can explain is raised again."""
        if isinstance(error, LoaderDied):
            time.sleep(SIGNALS_APART)  # the signal that ended the loader may be on its way to this process
        ended_with_the_run = self.interrupt.signal is not None and isinstance(error, LoaderDied)
        reason = explain(error, self.cfg, self.world)
        self.display.line("stopping" if ended_with_the_run else f"stopped: {reason or repr(error)}")
        if not self.world.was_left(error):
            self.world.tell(reason or repr(error))
        if self.state.undo():  # else the file before it is the last exact one
            self.saves.last()
        self.display.line(self.saves.farewell("interrupted" if ended_with_the_run else "stopped"))
        if ended_with_the_run:  # the signal went to the whole group: the loader processes died of it
            return self.interrupt.exit_code
        if reason is None:
            raise error
        return 1

    def _announce(self) -> None:
        cfg, parts, steps = self.cfg, self.parts, len(self.loader)
        times = f" x {cfg.train.accumulate}" if cfg.train.accumulate > 1 else ""
        processes = f" in each of {self.world.size} processes" if self.world.size > 1 else ""
        images = f"{count(len(parts.splits.train), 'image')}, {len(parts.splits.val)} for validation"
        at = f"{parts.contract.height}x{parts.contract.width}"
        if (view := "x".join(map(str, build.view_size(cfg)))) != at:
            at = f"crops of {view} of images at {at}"
        self.display.line(
            f"run {self.folder.root}: {cfg.model.backbone}, {at}, batch "
            f"{self.loader.batch_size}{times}{processes}, {count(cfg.train.epochs, 'epoch')} of "
            f"{count(steps, 'step')} on {images}, {parts.compute.device.type} {parts.contract.precision}"
        )

    def _warn_if_long(self, record: StepRecord) -> None:
        left = int(self.cfg.train.epochs) * len(self.loader) - record.step
        if self.parts.compute.device.type == "cpu" and left * record.seconds > LONG_CPU_RUN_SECONDS:
            self.display.line(
                f"this run needs about {duration(left * record.seconds)} on this CPU ({record.seconds:.1f} s a step), "
                f"less with a smaller input_size or fewer train.epochs; the shortest that is useful: "
                f"experiment=quickstart"
            )
