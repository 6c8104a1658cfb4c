"""The checkpoints of a training run: what is in them, when they are due, and how a run claims and resumes one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

from omegaconf import DictConfig

from .. import build
from ..config.check import plain
from ..errors import UserError
from ..model.checkpoint import SCHEMA, Checkpoint, load_checkpoint, load_weights, save_checkpoint
from ..model.release import is_stripped
from ..runtime.atomic_write import remove_leftovers
from ..runtime.console import Display
from ..runtime.distributed import World
from ..runtime.lock import run_lock
from ..runtime.run_folder import RunFolder, find_resume, passed_over
from ..train.engine import LossSums
from ..train.resume_state import check_parts, naming, random_states, restore_random_states
from .train_parts import Parts


def claim_folder(folder: RunFolder, held: ExitStack, overwrite: bool) -> None:
    """Create and lock the folder of a new run. Raises UserError."""
    folder.create(overwrite)
    held.enter_context(run_lock(folder.lock))
    remove_leftovers([folder.root, folder.checkpoints])


def claim_checkpoint(
    cfg: DictConfig, folder: RunFolder, held: ExitStack, display: Display, world: World
) -> tuple[Path, Checkpoint]:
    """The checkpoint to resume from, with its run locked. Raises UserError."""
    read: dict[Path, Checkpoint] = {}

    def claim() -> Path:
        candidates = find_resume(cfg.resume, folder.root)
        if cfg.resume == "auto":
            for newer in passed_over(candidates[0]):
                display.line(f"note: {newer} is newer but has no checkpoint yet; resuming {candidates[0]}")
        run = RunFolder.of(candidates[0])
        run.refuse_links()
        held.enter_context(run_lock(run.lock))  # before reading: another process may be writing its last step
        remove_leftovers([run.root, run.checkpoints])
        path, *older = candidates
        while path not in read:
            try:
                read[path] = load_checkpoint(path)
            except UserError as error:
                if not older:
                    raise
                display.line(f"note: {error}; continuing from the checkpoint before it, {older[0]}")
                path.replace(path.with_name(path.name + ".damaged"))  # out of the way of the next save's rotation
                path, *older = older
        return path

    path = world.from_first(claim)
    content = read[path] if path in read else load_checkpoint(path)
    if is_stripped(content):
        raise UserError(f"resume={path}: holds weights only; to start a new run from them: init.weights={path}")
    if content["schema"] < SCHEMA:
        raise UserError(
            f"resume={path}: written by an earlier version (schema {content['schema']}, now {SCHEMA}), which saved "
            f"less than a resume needs; to start a new run from its weights: init.weights={path}"
        )
    return path, content


class Checkpointer:
    """Writes last.pt and best.pt of one run. A failed write is reported and never ends the run."""

    def __init__(self, parts: Parts, folder: RunFolder) -> None:
        self.cfg, self.display, self.folder, self.world = parts.cfg, parts.display, folder, parts.compute.world
        self.state, self.contract, self.about = parts.state, parts.contract, parts.about
        self.steps, self.images_per_step = len(parts.loader), parts.loader.images_per_step
        self.failed: set[Path] = set()  # files whose newest save failed
        self._step: int | None = None  # of last.pt
        self._at = time.monotonic()

    def last(self) -> None:
        """Write last.pt, renaming the ones before it."""
        if self._write(self.folder.last, keep=self.cfg.train.keep_last):
            self._step = self.state.step

    def last_if_due(self) -> None:
        """Write last.pt when train.save_minutes have passed since the newest save."""
        if time.monotonic() - self._at > 60.0 * self.cfg.train.save_minutes:
            self.last()

    def best(self) -> bool:
        """Write best.pt; False when it cannot be written."""
        return self._write(self.folder.best, keep=1)

    def farewell(self, how: str) -> str:
        """The last line of a run that ends early. how: "stopped" or "interrupted"."""
        if self._step is None:
            return f"{how}; nothing was saved yet"
        several = f"torchrun --nproc-per-node={self.world.local_size} --no-python " if self.world.size > 1 else ""
        return f"{how}; step {self._step} is saved; resume with: {several}ocrdet-train resume={self.folder.root}"

    def restore(self, content: Checkpoint, path: Path) -> None:
        """Continue from a checkpoint, at its step. Raises UserError when config or data do not fit it, or a part of it
        is damaged; then the state must not be trained."""
        state = self.state
        check_parts(content, state.optimizer, len(state.sums.terms))
        line = load_weights(state.model, content["model"], path)
        self._check_steps(content, path)
        with naming("optimizer"):
            build.restore_optimizer(state.optimizer, content, self.cfg)
        with naming("scaler"):
            if content["scaler"]:  # empty unless it was fp16
                state.scaler.load_state_dict(content["scaler"])
        if state.ema is not None:  # if switched on by this resume, it begins with the weights
            average = content["average"] or {"steps": 0, "model": content["model"]}
            load_weights(state.ema.model, average["model"], path)
            state.ema.load_state_dict(average)
        state.mining.load_state_dict(content["mining"])
        state.guard.load_state_dict(content["guard"])
        state.epoch, state.step, state.best_hmean = content["epoch"], content["step"], content["best_hmean"]
        state.sums = LossSums(**content["sums"])
        state.not_better = content["not_better"]
        epochs = int(self.cfg.train.epochs)
        if state.epoch > epochs:
            raise UserError(f"train.epochs={epochs}: {state.epoch} epochs are already done; give a higher number")
        if state.epoch == epochs:
            self.display.line(f"all {epochs} epochs are already done; to train further, add a higher train.epochs")
        with naming("random"):
            restore_random_states(content["random"])
        if content["about"].get("data", self.about["data"]) != self.about["data"]:
            self.display.line("note: the images or labels have changed since this run was saved")
        self._step = state.step
        self.folder.finished.unlink(missing_ok=True)
        done = state.step - state.epoch * self.steps
        self.display.line(
            f"resumed at epoch {state.epoch + 1}, step {done} of {self.steps}: {line}; "
            f"optimizer, schedule, mining warm-up, guard, random states, best hmean"
            f"{', averaged weights' if state.ema is not None else ''}"
        )

    def _check_steps(self, content: Checkpoint, path: Path) -> None:
        """Raises UserError when the same position in the epoch would mean other images."""
        before, now = content["images_per_step"], self.images_per_step
        if before not in (None, now):
            raise UserError(
                f"resume={path}: a step took {before} images ({_processes(content['world'])}), now it would take {now} "
                f"({_processes(self.world.size)}); keep processes x train.batch_size x train.accumulate, or start a "
                f"new run with init.weights={path}"
            )
        if content["steps_per_epoch"] != self.steps:
            raise UserError(
                f"resume={path}: its epochs have {content['steps_per_epoch']} steps, but this data and batch size make "
                f"{self.steps}; keep train.batch_size and the data, or start a new run with init.weights={path}"
            )
        if content["world"] != self.world.size:
            self.display.line(
                f"note: saved by {_processes(content['world'])}, resumed in {self.world.size} with as many images "
                f"per step; batch-norm statistics and hard negatives are per process, so the numbers will differ"
            )

    @contextmanager
    def reporting(self, path: Path) -> Iterator[None]:
        """The block writes `path`: print a UserError, and remember it in `failed`."""
        try:
            yield
        except UserError as error:
            self.failed.add(path)
            self.display.line(f"not saved: {error}")
        else:
            self.failed.discard(path)

    def _write(self, path: Path, keep: int) -> bool:
        self._at = time.monotonic()
        if not self.world.first:
            return True
        with self.reporting(path):
            save_checkpoint(path, self._content(), keep)
        return path not in self.failed

    def _content(self) -> Checkpoint:
        state = self.state
        return Checkpoint(
            schema=SCHEMA,
            contract=self.contract.to_dict(),
            config=plain(self.cfg),
            about=self.about,
            model=state.model.state_dict(),
            average=state.ema.state_dict() if state.ema is not None else None,
            optimizer=state.optimizer.state_dict(),
            scaler=state.scaler.state_dict(),
            mining=state.mining.state_dict(),
            guard=state.guard.state_dict(),
            random=random_states(),
            epoch=state.epoch,
            step=state.step,
            steps_per_epoch=self.steps,
            images_per_step=self.images_per_step,
            world=self.world.size,
            sums=asdict(state.sums),
            best_hmean=state.best_hmean,
            not_better=state.not_better,
        )


def _processes(count: int) -> str:
    return f"{count} process{'' if count == 1 else 'es'}"
