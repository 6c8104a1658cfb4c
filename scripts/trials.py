"""Compare training settings: train each one, choose its thresholds and score it on the photos that serve every choice.

    python scripts/trials.py data.root=FOLDER init.backbone=FILE                    # all of scripts/trials.yaml, hours
    python scripts/trials.py data.root=FOLDER init.backbone=FILE --only base crop-512
    python scripts/trials.py --list mine.yaml data.root=FOLDER --output runs/mine

Overrides apply to every trial. The list names each trial with its own overrides; `common` holds those of all. Every
trial but the first is also compared with the first, image by image: the interval of a difference is much narrower than
those of two scores. Photos 801-900 of ICDAR2015 choose the epoch and the thresholds, and are scored.

Writes OUTPUT/trials.md. Finished trials are skipped and stopped ones resumed, so the same command goes on after a stop
and may be given more trials. A trial that fails is in the table with its exit code, and the next one begins; without
the first trial nothing can be compared, so its failure ends the call.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from installed import call, train_once
from lr_rows import read_lines
from resnet18_ocrdet.errors import UserError
from script_cli import Parser, refuse_overrides, run_script

LIST = Path(__file__).with_name("trials.yaml")
SIGNALLED = 128  # exit codes above it: Ctrl-C, SIGTERM
COMMON = "common"  # the entry of the list that is no trial
RESERVED = {"run_dir": "use --output", "resume": "run the same command again to resume"}
HEADER = "| trial | overrides | minutes | steps | hmean | 95 % interval | against {first} |", "|---" * 7 + "|"


class Trial(NamedTuple):
    """One entry of the list."""

    name: str
    overrides: tuple[str, ...]  # its own


class Row(NamedTuple):
    """A finished trial."""

    trial: Trial
    minutes: float  # of training and validation
    steps: int
    hmean: float
    interval: tuple[float, float]
    difference: tuple[float, float, float] | None  # hmean minus that of the first, with its interval


def main() -> int:
    """Returns the first exit code that is not 0. Raises UserError for wrong arguments and lists."""
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", type=Path, default=LIST, help="the trials (default: those of the repository)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these trials, compared with the first of the list")
    parser.add_argument("--output", type=Path, default=Path("runs/trials"))
    args, overrides = parser.parse_known_args()
    refuse_overrides(overrides, RESERVED)
    if not any(word.startswith("data.root=") for word in overrides):
        raise UserError("data.root=FOLDER is missing (the folder with ch4_training_images/)")
    common, trials = read_list(args.list)
    chosen = [trial for trial in trials if args.only is None or trial.name in args.only]
    if unknown := sorted(set(args.only or ()) - {trial.name for trial in trials}):
        raise UserError(f"--only {unknown[0]}: not in {args.list}: {', '.join(trial.name for trial in trials)}")
    if trials[0] not in chosen:
        chosen.insert(0, trials[0])
    table, failed = "", dict[Trial, int]()
    for trial in chosen:
        first = None if trial == trials[0] else args.output / trials[0].name
        if code := run(trial, args.output / trial.name, (*common, *overrides), first):
            if first is None or code > SIGNALLED:
                return code
            failed[trial] = code
        rows = [row for each in trials if (row := read_row(each, args.output / each.name))]
        table = as_table(rows, failed)
        (args.output / "trials.md").write_text(table, encoding="utf-8")
    print(f"\n{table}\n{args.output / 'trials.md'}")
    return next(iter(failed.values()), 0)


def read_list(path: Path) -> tuple[tuple[str, ...], list[Trial]]:
    """The overrides of all trials, and the trials. Raises UserError."""
    try:
        given = OmegaConf.to_container(OmegaConf.load(path))
    except (OSError, UnicodeDecodeError, YAMLError, OmegaConfBaseException) as error:
        raise UserError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(given, dict):
        raise UserError(f"{path}: must be a list of trials, NAME: [KEY=VALUE, …]")
    for name, words in given.items():
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise UserError(f"{path}: {name}: must be a list of overrides, such as [optimizer.lr=0.002]; got {words!r}")
        if not str(name).replace("-", "").replace("_", "").isalnum():
            raise UserError(f"{path}: {name}: the name of a trial has letters, digits, - and _")
    common = tuple(given.pop(COMMON, ()))
    if not given:
        raise UserError(f"{path}: has no trials")
    return common, [Trial(str(name), tuple(words)) for name, words in given.items()]


def run(trial: Trial, folder: Path, overrides: tuple[str, ...], first: Path | None) -> int:
    """Train, calibrate and score one trial. first: the folder of the one to compare with. Returns an exit code."""
    if code := train_once(folder / "run", *overrides, *trial.overrides):
        return code
    best = f"checkpoint={folder / 'run/checkpoints/best.pt'}"
    if not (folder / "calibrated/metrics.json").exists():
        code = call("ocrdet-eval", best, "calibrate=true", f"output={folder / 'calibrated'}")
        if code not in (0, 1):  # 1: no thresholds give any detection, so the score is 0
            return code
    if (folder / "score/metrics.json").exists():
        return 0
    against = [f"baseline={first / 'run/checkpoints/best.pt'}"] if first else []
    return call("ocrdet-eval", best, *against, f"output={folder / 'score'}")


def read_row(trial: Trial, folder: Path) -> Row | None:
    """The results of a trial; None if it is not finished."""
    score, epochs = folder / "score/metrics.json", read_lines(folder / "run/metrics.jsonl")
    if not score.exists() or not epochs:
        return None
    metrics = json.loads(score.read_text(encoding="utf-8"))
    minutes = sum(epoch["seconds"] for epoch in epochs) / 60
    low, high = metrics["interval_95"]["hmean"] or (0.0, 0.0)
    change = metrics["baseline"]["change"] if "baseline" in metrics else None
    ends = change["interval_95"]["hmean"] if change else None
    difference = (change["by"]["hmean"], *ends) if change and ends else None
    return Row(trial, minutes, epochs[-1]["step"], metrics["hmean"] or 0.0, (low, high), difference)


def as_table(rows: list[Row], failed: Mapping[Trial, int]) -> str:
    """In Markdown, in the order of the list. failed: exit codes."""
    lines = [HEADER[0].format(first=rows[0].trial.name), HEADER[1]]
    for row in rows:
        change = "" if row.difference is None else "{:+.3f} ({:+.3f} to {:+.3f})".format(*row.difference)
        low, high = row.interval
        lines.append(
            f"| {_shown(row.trial)} | {row.minutes:.0f} | {row.steps} "
            f"| **{row.hmean:.3f}** | {low:.3f} to {high:.3f} | {change} |"
        )
    lines += [f"| {_shown(trial)} | | | exit code {code} | | |" for trial, code in failed.items()]
    return "\n".join(lines) + "\n"


def _shown(trial: Trial) -> str:
    return f"{trial.name} | " + (f"`{shlex.join(trial.overrides)}`" if trial.overrides else "–")


if __name__ == "__main__":
    sys.exit(run_script("trials", main))
