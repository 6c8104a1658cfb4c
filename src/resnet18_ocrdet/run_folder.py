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
        self.config = root / "config.yaml"
        self.log = root / "train.log"
        self.preview = root / "preview.jpg"
        self.finished = root / FINISHED

    def create(self) -> None:
        """Make it. Raises UserError when it already holds a run, or cannot be written."""
        if self.last.exists():
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


def find_resume(wanted: str, run_dir: Path) -> Path:
    """The checkpoint that `resume=wanted` means.

    wanted: a checkpoint, a run folder, or "auto": `run_dir` if it holds a run, else the newest unfinished
    run in runs/train. Raises UserError when there is none."""
    if wanted != "auto":
        path = Path(wanted)
        return RunFolder(path).last if path.is_dir() else path
    if RunFolder(run_dir).last.is_file():
        return RunFolder(run_dir).last
    unfinished = [last for last in RUNS.glob(f"*/checkpoints/{LAST}") if not (last.parents[1] / FINISHED).exists()]
    if not unfinished:
        raise UserError(f"resume=auto: no checkpoint in {run_dir} and no unfinished run in {RUNS}/")
    return max(unfinished, key=lambda last: last.stat().st_mtime)
