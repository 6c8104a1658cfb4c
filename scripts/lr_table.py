"""The experiment of the article: several learning rates with the same seed and data, in one table.

    python scripts/lr_table.py                                                # rendered scenes, CPU
    python scripts/lr_table.py --epochs 30 data=custom data.root=FOLDER       # your data, default settings

Each rate is one job of `ocrdet-train -m optimizer.lr=…`. Overrides apply to every job. Without any, the jobs are short
enough for a 2-core CPU: 500 steps of batch 8 on rendered scenes of 256x256. They use SGD, as in the article, but a
cosine schedule instead of the default StepLR: StepLR first decays after ten epochs, so in such a short run the rate
would be constant and the result depend on the scatter of the last steps. The two thresholds are those of
experiment=quickstart, because a short training gives lower probabilities.

Writes OUTPUT/lr_table.md and lr_table.png; the jobs are in OUTPUT/sweep/0, 1, …

After a stop (Ctrl-C, SIGTERM, kill -9) run the same command again: finished jobs, with a summary.txt, are kept; jobs
with a checkpoint are resumed with `ocrdet-train resume=…`; the others start in OUTPUT/sweep-2. The rate of a job is
read from its config.yaml, not from the number of its folder. Rates may be added later; other overrides are refused in
the same folder.

Exit code: 0 when every rate finished; 2 when something was refused; 3 when the guard stopped a rate (the table is
written and says so); else that of ocrdet-train.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

from omegaconf import OmegaConf

import lr_rows
from installed import call
from lr_rows import FINISHED, NOT_STARTED, STOPPED, UNFINISHED
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.runtime.console import Display
from resnet18_ocrdet.runtime.lock import run_lock
from resnet18_ocrdet.runtime.run_folder import RunFolder, make_folder
from script_cli import Parser, keep_settings, positive, refuse_overrides, require_matplotlib, run_script

RATES = "0.003,0.005,0.007,0.009,0.01"  # of the community article
SHORT_EPOCHS = 5  # of 100 steps
SHORT_RUN = (
    "optimizer=sgd",
    "scheduler=cosine",
    "data=synthetic",
    "data.train_size=800",
    "data.val_size=200",  # about 700 words
    "input_size=256x256",
    "augment=none",  # not needed for five epochs of rendered scenes
    "train.batch_size=8",
    "decode.bin_thresh=0.4",  # docs/adr/003
    "decode.box_thresh=0.5",
)
RESERVED = {
    "optimizer.lr": "use --rates",
    "run_dir": "use --output",
    "resume": "run the same command again to resume",
    "hydra.sweep.dir": "use --output",
    "hydra.sweep.subdir": "the jobs are numbered",
}
INTERRUPTED = (130, 143)  # Ctrl-C and SIGTERM


class Options(NamedTuple):
    """The command line."""

    rates: list[float]
    output: Path
    overrides: list[str]  # of every job


class Job(NamedTuple):
    """The state of a rate. folder: None before the job starts."""

    state: str
    folder: Path | None


def parse(argv: list[str]) -> Options:
    """Raises UserError that names key, value and rule."""
    parser = Parser(prog="lr_table.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", default=RATES, help="comma-separated (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("runs/lr_table"), help="folder (default: %(default)s)")
    parser.add_argument("--epochs", help=f"per rate (default: {SHORT_EPOCHS}; with overrides: that of ocrdet-train)")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="overrides of ocrdet-train for every rate")
    found = parser.parse_intermixed_args(argv)
    rates = [positive("--rates", text) for text in found.rates.split(",")]
    if twice := [rate for rate in rates if rates.count(rate) > 1]:
        raise UserError(f"--rates {found.rates}: {twice[0]:g} appears twice")
    refuse_overrides(found.overrides, RESERVED)
    overrides = list(found.overrides) or [*SHORT_RUN, f"train.epochs={SHORT_EPOCHS}"]
    if found.epochs is not None:
        if not (found.epochs.isascii() and found.epochs.isdigit() and int(found.epochs) >= 1):
            raise UserError(f"--epochs {found.epochs}: must be a whole number, 1 or more")
        refuse_overrides(found.overrides, {"train.epochs": "give it once"})
        kept = [override for override in overrides if not override.startswith("train.epochs=")]
        overrides = [*kept, f"train.epochs={found.epochs}"]
    return Options(rates, found.output, overrides)


def find_jobs(output: Path) -> dict[float, Job]:
    """The job of each rate that has started; if a rate has several, the one that came furthest."""
    order = (NOT_STARTED, UNFINISHED, STOPPED, FINISHED)
    jobs: dict[float, Job] = {}
    for config in sorted(output.glob("sweep*/*/config.yaml")):
        rate = _rate_of(config)
        job = Job(_state_of(config.parent), config.parent)
        if rate is not None and order.index(job.state) >= order.index(jobs.get(rate, job).state):
            jobs[rate] = job
    return {rate: job for rate, job in jobs.items() if job.state != NOT_STARTED}


def _rate_of(config: Path) -> float | None:
    """None for a file cut off by a kill; its job then starts again."""
    try:
        return float(OmegaConf.load(config).optimizer.lr)
    except Exception:  # half a YAML file fails in many ways
        return None


def _state_of(folder: Path) -> str:
    """A folder without checkpoint and summary counts as not started, because it cannot be resumed."""
    run = RunFolder(folder)
    if run.finished.is_file():
        return FINISHED
    if run.stopped.is_dir():
        return STOPPED
    return UNFINISHED if any(run.checkpoints.glob("last*.pt")) else NOT_STARTED


def refuse_live_jobs(output: Path) -> None:
    """Raises UserError if an ocrdet-train of a killed script still runs; names the process."""
    for path in output.glob("sweep*/*/run.lock"):
        with run_lock(path):
            pass


def run_missing(options: Options, display: Display) -> int:
    """Resume what was stopped, then start the rest as one sweep. Returns the highest exit code."""
    jobs, worst = find_jobs(options.output), 0
    new = [rate for rate in options.rates if rate not in jobs]
    halted = {rate: jobs[rate].folder for rate in options.rates if rate in jobs and jobs[rate].state == UNFINISHED}
    done = len(options.rates) - len(new) - len(halted)
    display.line(f"{len(options.rates)} rates: {done} done, {len(halted)} to resume, {len(new)} to start")
    for folder in halted.values():
        code = call("ocrdet-train", f"resume={folder}")
        if code in INTERRUPTED:
            return code
        worst = max(worst, code)
    if new:
        worst = max(worst, call(*_sweep(new, _next_folder(options.output), options.overrides)))
    return worst


def _sweep(rates: list[float], folder: Path, overrides: list[str]) -> list[str]:
    """The command that runs these rates."""
    return ["ocrdet-train", "-m", f"optimizer.lr={','.join(map(repr, rates))}", f"run_dir={folder}", *overrides]


def _next_folder(output: Path) -> Path:
    """sweep, sweep-2, …: each call numbers its jobs from 0, so each needs its own folder."""
    folder, count = output / "sweep", 1
    while folder.exists():
        count += 1
        folder = output / f"sweep-{count}"
    return folder


def write_results(options: Options, command: str, display: Display) -> list[Job]:
    """Write the table and the plot; returns the job of each rate."""
    found = find_jobs(options.output)
    jobs = [found.get(rate, Job(NOT_STARTED, None)) for rate in options.rates]
    rows = [lr_rows.read_row(rate, *job) for rate, job in zip(options.rates, jobs, strict=True)]
    commands = (command, f"# runs: {shlex.join(_sweep(options.rates, options.output / 'sweep', options.overrides))}")
    page, picture = options.output / "lr_table.md", options.output / "lr_table.png"
    page.write_text(lr_rows.table(rows, commands), encoding="utf-8")
    lr_rows.draw(picture, [(rate, job.folder) for rate, job in zip(options.rates, jobs, strict=True)])
    display.line("\n" + "\n".join([*page.read_text(encoding="utf-8").splitlines()[: len(rows) + 4]]))
    display.line(f"wrote {page} and {picture}")
    return jobs


def main(argv: list[str]) -> int:
    """Returns the exit code. Raises UserError."""
    options = parse(argv)
    require_matplotlib()
    make_folder("--output", options.output)
    display = Display()
    with run_lock(options.output / "lr_table.lock"):
        refuse_live_jobs(options.output)
        keep_settings(
            options.output, {"overrides": shlex.join(options.overrides)}, begun=bool(find_jobs(options.output))
        )
        code = run_missing(options, display)
        if not find_jobs(options.output):
            return code or 1  # refused before the first job, with a message of ocrdet-train
        jobs = write_results(options, shlex.join(["python", "scripts/lr_table.py", *argv]), display)
    for rate, job in zip(options.rates, jobs, strict=True):
        if job.state != FINISHED:
            display.line(f"{rate:g}: {job.state}{f', see {job.folder}/train.log' if job.folder else ''}")
    if any(job.state in (UNFINISHED, NOT_STARTED) for job in jobs):
        display.line("run the same command again for what is missing")
        return code or 1
    return 3 if any(job.state == STOPPED for job in jobs) else code


if __name__ == "__main__":
    sys.exit(run_script("lr_table", lambda: main(sys.argv[1:])))
