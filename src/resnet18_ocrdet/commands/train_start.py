"""How ocrdet-train starts: the run folder that it claims, the checkpoint that it resumes from, the preview."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from omegaconf import DictConfig

from ..data.loader_processes import LoaderDied
from ..errors import UserError
from ..model.checkpoint import SCHEMA, Checkpoint, load_checkpoint
from ..model.release import is_stripped
from ..runtime.atomic_write import remove_leftovers
from ..runtime.console import Display
from ..runtime.distributed import World
from ..runtime.lock import run_lock
from ..runtime.manifest import Manifest
from ..runtime.run_folder import REMEDY, RunFolder, find_resume, make_folder, passed_over
from ..viz import draw
from ..viz.overlays import preview
from .train_parts import Parts


def refuse_preview(folder: RunFolder, overwrite: bool) -> None:
    """Raises UserError where the preview would replace a file that this command did not write."""
    manifest = Manifest(folder.previewed)
    manifest.load()
    if not overwrite and (foreign := manifest.first_foreign([folder.preview])) is not None:
        raise UserError(f"run_dir={folder.root}: {manifest.reason(foreign)}: {REMEDY}")


def write_preview(parts: Parts, folder: RunFolder, display: Display) -> None:
    """Draw one augmented batch with its targets. Raises UserError."""
    make_folder("run_dir", folder.root)
    try:
        batch = next(parts.loader.epoch(0))[0]
    except LoaderDied as error:
        raise UserError(error.advice("train.workers")) from None
    Manifest(folder.previewed).put(folder.preview, draw.encode(".jpg", preview(batch)))
    display.line(f"wrote {folder.preview}: image with labels, probability target, threshold target, mask")


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
