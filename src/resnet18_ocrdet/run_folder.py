"""The folder of a training run: where its files are, and which run a `resume` means."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import UserError

RUNS = Path("runs/train")
LAST, BEST = "last.pt", "best.pt"
FINISHED = "summary.txt"  # written when the last epoch is done


class RunFolder:
    """Names the files of one run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.checkpoints = root / "checkpoints"
        self.last = self.checkpoints / LAST
        self.best = self.checkpoints / BEST
        self.lock = root / "run.lock"
        self.config = root / "config.yaml"
        self.log = root / "train.log"
        self.evidence = root / "stopped"
        self.preview = root / "preview.jpg"
        self.finished = root / FINISHED

    def create(self) -> None:
        """Make it. Raises UserError when it already holds a run, or cannot be written."""
        if _saves(self.root):
            raise UserError(
                f"run_dir={self.root} holds a run already: add resume=auto to go on, or choose another folder"
            )
        make_folder("run_dir", self.checkpoints)

    @classmethod
    def of(cls, checkpoint: Path) -> RunFolder:
        """The run that a checkpoint lies in. Raises UserError when it was moved out of one."""
        path = checkpoint.resolve()
        if path.parent.name != "checkpoints":
            raise UserError(
                f"resume={checkpoint}: not inside a run folder (…/checkpoints/); to start a new run from its weights: "
                f"model.weights={checkpoint}"
            )
        return cls(path.parents[1])


def make_folder(key: str, folder: Path) -> None:
    """Make a folder that the user named with `key`. Raises UserError when it cannot be made or written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{key}={folder}: cannot be made ({error.strerror})") from None
    if not os.access(folder, os.W_OK):
        raise UserError(f"{key}={folder}: cannot be written to")


def find_resume(wanted: str, run_dir: Path) -> list[Path]:
    """The checkpoints that `resume=wanted` may go on from, best first: the newest save, then those before it.

    wanted: a checkpoint (then it alone), a run folder, or "auto": `run_dir` if it holds a run, else the newest
    unfinished run in runs/train. Raises UserError when there is none."""
    if wanted != "auto":
        path = Path(wanted)
        if not path.exists():
            raise UserError(f"checkpoint {path}: no such file")
        return (_saves(path) or [RunFolder(path).last]) if path.is_dir() else [path]
    if saves := _saves(run_dir):
        return saves
    runs = {path.parents[1] for path in RUNS.glob("*/checkpoints/last*.pt")}
    unfinished = [run for run in runs if not (run / FINISHED).exists()]
    if not unfinished:
        raise UserError(f"resume=auto: no checkpoint in {run_dir} and no unfinished run in {RUNS}/")
    return max((_saves(run) for run in unfinished), key=lambda saves: saves[0].stat().st_mtime)


def _saves(run: Path) -> list[Path]:
    """last.pt, last-1.pt, … as far as they are there."""
    return sorted(
        (run / "checkpoints").glob("last*.pt"), key=lambda path: (path.name != LAST, len(path.name), path.name)
    )
