"""The folder of a training run: its files, and which run a `resume` means."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ..errors import UserError
from .lock import begun
from .messages import looked_in

RUNS = Path("runs/train")
LAST = "last.pt"
LOCK_SUFFIX = ".lock"
REMEDY = "choose another folder, or add overwrite=true"
FINISHED = "summary.txt"  # written when the last epoch is done


class RunFolder:
    """Names the files of one run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.checkpoints = root / "checkpoints"
        self.last = self.checkpoints / LAST
        self.best = self.checkpoints / "best.pt"
        self.lock = root / "run.lock"
        self.config = root / "config.yaml"
        self.log = root / "train.log"
        self.stopped = root / "stopped"
        self.preview, self.previewed = root / "preview.jpg", root / ".ocrdet-preview.files.jsonl"
        self.about = root / "about.json"
        self.curves = root / "curves.png"
        self.precision_recall = root / "precision_recall.png"
        self.finished = root / FINISHED
        self.metrics, self.faults = root / "metrics.jsonl", root / "guard.jsonl"
        self.events = root / "tensorboard"

    def create(self, overwrite: bool) -> None:
        """Create it. overwrite: see `refuse_used`. Raises UserError."""
        self.refuse_used(overwrite)
        make_folder("run_dir", self.checkpoints)
        for path in self._written:
            if overwrite and path.is_symlink():  # never write through a link
                path.unlink()

    def refuse_used(self, overwrite: bool) -> None:
        """Raises UserError if it already holds a run or, unless `overwrite`, a file that no run in it has written."""
        if _saves(self.root):
            never = "; overwrite=true does not replace a run" if overwrite else ""
            raise UserError(
                f"run_dir={self.root} already holds a run: add resume=auto, or choose another folder{never}"
            )
        if overwrite:
            return
        self.refuse_links()
        foreign = next((path for path in self._written if os.path.lexists(path)), None)
        if foreign is not None and not begun(self.lock):
            raise UserError(f"run_dir={self.root}: {foreign.name} was not written by this command: {REMEDY}")
        if self.best.exists():  # without last.pt, which a run writes first
            raise UserError(f"run_dir={self.root}: holds {self.best.relative_to(self.root)}: {REMEDY}")

    def refuse_links(self) -> None:
        """Raises UserError where a file of the run is a link: the run would write to its target."""
        link = next((path for path in self._written if path.is_symlink()), None)
        if link is not None:
            raise UserError(f"run_dir={self.root}: {link.name} is a link: {REMEDY}")

    @property
    def _written(self) -> list[Path]:
        """What a run writes, except its checkpoints, which are replaced and never written through a link."""
        files = [self.config, self.log, self.about, self.curves, self.precision_recall, self.finished]
        return [*files, self.metrics, self.faults, self.events, self.stopped]

    @classmethod
    def of(cls, checkpoint: Path) -> RunFolder:
        """The run that a checkpoint belongs to. Raises UserError when it was moved out of its run."""
        path = checkpoint.resolve()
        if path.parent.name != "checkpoints":
            raise UserError(
                f"resume={checkpoint}: not inside a run folder (…/checkpoints/); to start a new run from its weights: "
                f"init.weights={checkpoint}"
            )
        return cls(path.parents[1])


def make_folder(key: str, folder: Path) -> bool:
    """Create a folder that the user named with `key`, or without one. Returns whether it is new.

    Raises UserError when it cannot be created or written to."""
    named = f"{key}={folder}" if key else str(folder)
    new = True
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        if not os.path.isdir(folder):  # noqa: PTH112  Path.is_dir raises for some names
            raise UserError(f"{named}: cannot be created ({error.strerror})") from None
        new = False
    if not os.access(folder, os.W_OK):
        raise UserError(f"{named}: cannot be written to")
    return new


def reserve_folder(folder: Path) -> Path:
    """Create a new folder: `folder`, or its name with a number, as two commands may start within the same second.

    Raises UserError."""
    make_folder("", folder.parent)
    candidate, number = folder, 1
    while True:
        try:
            candidate.mkdir()
        except FileExistsError:
            number += 1
            candidate = folder.with_name(f"{folder.name}-{number}")
        except OSError as error:
            raise UserError(f"{candidate}: cannot be created ({error.strerror})") from None
        else:
            return candidate


def remove_unused(folder: Path) -> None:
    """Remove a folder that holds only lock files."""
    with suppress(OSError):
        held = list(folder.iterdir())
        if all(path.suffix == LOCK_SUFFIX for path in held):
            for path in held:
                path.unlink()
            folder.rmdir()


def find_resume(wanted: str, run_dir: Path) -> list[Path]:
    """The checkpoints from which `resume=wanted` can continue, the newest first.

    wanted: a checkpoint (then only that one), a run folder, or "auto": `run_dir` if it holds a run, else the newest
    unfinished run in runs/train. Raises UserError, which says what was found instead, when there is none."""
    if wanted != "auto":
        path = Path(wanted)
        if not path.exists():
            raise UserError(f"checkpoint {path}: no such file")
        if not path.is_dir():
            return [path]
        if saves := _saves(path):
            return saves
        raise UserError(f"resume={path}: this folder holds no checkpoint (looked for {RunFolder(path).last})")
    if saves := _saves(run_dir):
        return saves
    unfinished = [run for run in _begun() if _saves(run) and not (run / FINISHED).exists()]
    if not unfinished:
        raise UserError(f"resume=auto: {_nothing_to_resume(run_dir)}")
    return max((_saves(run) for run in unfinished), key=lambda saves: saves[0].stat().st_mtime)


def passed_over(chosen: Path) -> list[Path]:
    """The runs in runs/train that began after the save `chosen` and have no checkpoint yet, newest first.

    `resume=auto` cannot continue them, and one of them may be what the user meant."""
    since = chosen.stat().st_mtime
    return [run for run in _begun() if not _saves(run) and _began(run) > since]


def _nothing_to_resume(run_dir: Path) -> str:
    """Why `resume=auto` finds nothing, and what to do."""
    typed = run_dir.exists() or not run_dir.is_relative_to(RUNS.parent)  # else it is the default name
    absence = f"no checkpoint in {run_dir} and " if typed else ""
    absence += f"no unfinished run in {RUNS}/{looked_in(RUNS)}"
    if not (runs := _begun()):
        return f"{absence}; to start a run, omit resume"
    if _saves(runs[0]):
        return f"{absence}; {runs[0]} is finished: to train it further, resume={runs[0]} and a higher train.epochs"
    return f"{absence}; {runs[0]} has no checkpoint yet: start a new run without resume"


def _begun() -> list[Path]:
    """The runs in runs/train, with checkpoints or not yet, newest first."""
    return sorted((folder.parent for folder in RUNS.glob("*/checkpoints")), key=_began, reverse=True)


def _began(run: Path) -> float:
    """When its folder was created, or a checkpoint was last saved in it."""
    return (run / "checkpoints").stat().st_mtime


def _saves(run: Path) -> list[Path]:
    """Those of last.pt, last-1.pt, … that exist."""
    return sorted(
        (run / "checkpoints").glob("last*.pt"), key=lambda path: (path.name != LAST, len(path.name), path.name)
    )
