"""The article's experiment: several learning rates, same seed, same data, one table.

    python scripts/lr_table.py                                                # rendered scenes, CPU
    python scripts/lr_table.py --epochs 30 data=custom data.root=FOLDER       # your data, the product's defaults

Each rate is one job of `ocrdet-train -m optimizer.lr=…`. Overrides after the flags go to every job. Without any, a
short run is made for a 2-core CPU: 500 steps of batch 8 on rendered scenes of 256x256. It is SGD, as in the article,
but with a cosine instead of the product's StepLR: StepLR first decays after ten epochs, so in a run this short every
rate would stay where it is and be judged by the scatter of its last steps. The cosine ends all of them at the same
small rate. The two thresholds are those of experiment=quickstart: a short training is right before it is sure.

Writes OUTPUT/lr_table.md and lr_table.png; the jobs lie in OUTPUT/sweep/0, 1, …

Stop it as you like (Ctrl-C, SIGTERM, kill -9) and type the same command again: finished jobs, those with a summary.txt,
stay as they are; those with a checkpoint go on with `ocrdet-train resume=…`; the others start, in OUTPUT/sweep-2. A job
belongs to the rate in its config.yaml, whatever the number of its folder. Rates may be added later; other overrides
are refused in the same folder.

Exit code: 0 when every rate finished; 2 when something was refused; 3 when the guard stopped a rate (its row says so,
the table is written all the same); else that of ocrdet-train.
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
from lr_rows import FINISHED, NOT_BEGUN, STOPPED, UNFINISHED
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.runtime.console import Display
from resnet18_ocrdet.runtime.lock import RunLock
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
    "augment=none",  # five passes over rendered scenes need no further variety
    "train.batch_size=8",
    "decode.bin_thresh=0.4",  # docs/adr/003
    "decode.box_thresh=0.5",
)
RESERVED = {
    "optimizer.lr": "use --rates",
    "run_dir": "use --output",
    "resume": "typing the same command again goes on",
    "hydra.sweep.dir": "use --output",
    "hydra.sweep.subdir": "the jobs are numbered",
}
INTERRUPTED = (130, 143)  # Ctrl-C and SIGTERM


class Asked(NamedTuple):
    """The command line."""

    rates: list[float]
    output: Path
    words: list[str]  # overrides of every job


class Job(NamedTuple):
    """How far a rate has come. folder: None while it has not begun."""

    state: str
    folder: Path | None


def parse(argv: list[str]) -> Asked:
    """Raises UserError that names key, value and rule."""
    parser = Parser(prog="lr_table.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", default=RATES, help="with commas between (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("runs/lr_table"), help="folder (default: %(default)s)")
    parser.add_argument("--epochs", help=f"of each rate (default: {SHORT_EPOCHS}; with overrides: the product's)")
    parser.add_argument("words", nargs="*", metavar="key=value", help="overrides of ocrdet-train, for every rate")
    found = parser.parse_intermixed_args(argv)
    rates = [positive("--rates", text) for text in found.rates.split(",")]
    if twice := [rate for rate in rates if rates.count(rate) > 1]:
        raise UserError(f"--rates {found.rates}: {twice[0]:g} is there twice")
    refuse_overrides(found.words, RESERVED)
    words = list(found.words) or [*SHORT_RUN, f"train.epochs={SHORT_EPOCHS}"]
    if found.epochs is not None:
        if not (found.epochs.isascii() and found.epochs.isdigit() and int(found.epochs) >= 1):
            raise UserError(f"--epochs {found.epochs}: needs a whole number, 1 or more")
        refuse_overrides(found.words, {"train.epochs": "give it once"})
        words = [word for word in words if not word.startswith("train.epochs=")] + [f"train.epochs={found.epochs}"]
    return Asked(rates, found.output, words)


def find_jobs(output: Path) -> dict[float, Job]:
    """The job of each rate that has begun; where a rate began more than once, the one that came furthest."""
    order = (NOT_BEGUN, UNFINISHED, STOPPED, FINISHED)
    jobs: dict[float, Job] = {}
    for config in sorted(output.glob("sweep*/*/config.yaml")):
        rate = _rate_of(config)
        job = Job(_state_of(config.parent), config.parent)
        if rate is not None and order.index(job.state) >= order.index(jobs.get(rate, job).state):
            jobs[rate] = job
    return {rate: job for rate, job in jobs.items() if job.state != NOT_BEGUN}


def _rate_of(config: Path) -> float | None:
    """None for a file that a kill cut off; its job then starts again."""
    try:
        return float(OmegaConf.load(config).optimizer.lr)
    except Exception:  # half a YAML file fails in many ways, and all of them mean the same
        return None


def _state_of(folder: Path) -> str:
    """A folder with neither a checkpoint nor an end counts as not begun: nothing in it can be gone on from."""
    run = RunFolder(folder)
    if run.finished.is_file():
        return FINISHED
    if run.evidence.is_dir() or any(fault["verdict"] == "stop" for fault in lr_rows.read_lines(folder / "guard.jsonl")):
        return STOPPED
    return UNFINISHED if any(run.checkpoints.glob("last*.pt")) else NOT_BEGUN


def refuse_live_jobs(output: Path) -> None:
    """A script that was killed may have left its ocrdet-train running. Raises UserError that names the process."""
    for path in output.glob("sweep*/*/run.lock"):
        with RunLock(path):
            pass


def run_missing(asked: Asked, display: Display) -> int:
    """Go on with what has begun, then start the rest as one sweep. Returns the worst exit code."""
    jobs, worst = find_jobs(asked.output), 0
    new = [rate for rate in asked.rates if rate not in jobs]
    halted = {rate: jobs[rate].folder for rate in asked.rates if rate in jobs and jobs[rate].state == UNFINISHED}
    done = len(asked.rates) - len(new) - len(halted)
    display.line(f"{len(asked.rates)} rates: {done} ended before, {len(halted)} to go on with, {len(new)} to start")
    for folder in halted.values():
        code = call("ocrdet-train", f"resume={folder}")
        if code in INTERRUPTED:
            return code
        worst = max(worst, code)
    if new:
        worst = max(worst, call(*_sweep(new, _next_folder(asked.output), asked.words)))
    return worst


def _sweep(rates: list[float], folder: Path, words: list[str]) -> list[str]:
    """The command that runs these rates."""
    return ["ocrdet-train", "-m", f"optimizer.lr={','.join(map(repr, rates))}", f"run_dir={folder}", *words]


def _next_folder(output: Path) -> Path:
    """sweep, sweep-2, …: each call numbers its jobs from 0, so it needs a folder of its own."""
    folder, count = output / "sweep", 1
    while folder.exists():
        count += 1
        folder = output / f"sweep-{count}"
    return folder


def write_results(asked: Asked, command: str, display: Display) -> list[Job]:
    """The table and the picture of all rates as they are now; returns the rates' jobs."""
    found = find_jobs(asked.output)
    jobs = [found.get(rate, Job(NOT_BEGUN, None)) for rate in asked.rates]
    rows = [lr_rows.read_row(rate, *job) for rate, job in zip(asked.rates, jobs, strict=True)]
    commands = (command, f"# runs: {shlex.join(_sweep(asked.rates, asked.output / 'sweep', asked.words))}")
    page, picture = asked.output / "lr_table.md", asked.output / "lr_table.png"
    page.write_text(lr_rows.table(rows, commands), encoding="utf-8")
    lr_rows.draw(picture, [(rate, job.folder) for rate, job in zip(asked.rates, jobs, strict=True)])
    display.line("\n" + "\n".join([*page.read_text(encoding="utf-8").splitlines()[: len(rows) + 4]]))
    display.line(f"wrote {page} and {picture}")
    return jobs


def main(argv: list[str]) -> int:
    """Returns the exit code. Raises UserError."""
    asked = parse(argv)
    require_matplotlib()
    make_folder("--output", asked.output)
    display = Display()
    with RunLock(asked.output / "lr_table.lock"):
        refuse_live_jobs(asked.output)
        keep_settings(asked.output, {"overrides": shlex.join(asked.words)}, begun=bool(find_jobs(asked.output)))
        code = run_missing(asked, display)
        if not find_jobs(asked.output):
            return code or 1  # refused before the first job; ocrdet-train has said why
        jobs = write_results(asked, shlex.join(["python", "scripts/lr_table.py", *argv]), display)
    for rate, job in zip(asked.rates, jobs, strict=True):
        if job.state != FINISHED:
            display.line(f"{rate:g}: {job.state}{f', see {job.folder}/train.log' if job.folder else ''}")
    if any(job.state in (UNFINISHED, NOT_BEGUN) for job in jobs):
        display.line("the same command goes on with what is missing")
        return code or 1
    return 3 if any(job.state == STOPPED for job in jobs) else code


if __name__ == "__main__":
    sys.exit(run_script("lr_table", lambda: main(sys.argv[1:])))
