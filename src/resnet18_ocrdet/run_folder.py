"""The folder of a training run: where its files are, and which run a `resume` means."""

from __future__ import annotations

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
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"run_dir={self.root}: cannot be made ({error.strerror})") from None


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
