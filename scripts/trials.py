"""Compare training settings: train each one, choose its thresholds and score it on the photos that serve every choice.

    python scripts/trials.py data.root=FOLDER init.weights=PATH                     # all of scripts/trials.yaml, hours
    python scripts/trials.py data.root=FOLDER init.weights=PATH --only base sgd
    python scripts/trials.py --list mine.yaml data.root=FOLDER --output runs/mine

Overrides apply to every trial. The list names each trial with its own overrides; `common` holds those of all. Every
trial but the first is also compared with the first, image by image: the interval of a difference is much narrower than
those of two scores. Photos 801-900 of ICDAR2015 choose the epoch and the thresholds, and are scored.

`factors` are settings that are tried together: twelve trainings, the first trial among them, of which each has about
half of the settings. Every setting is in six of the twelve, and any two are in three: what a setting is worth is the
mean hmean of the six with it minus that of the six without it, as if each had been trained six times (Plackett and
Burman, 1946). This assumes that what settings are worth adds up.

Writes OUTPUT/trials.md. Finished trials are skipped and stopped ones resumed, so the same command goes on after a stop
and may be given more trials. A trial that fails is in the table with its exit code, and the next one begins; without
the first trial nothing can be compared, so its failure ends the call.
"""

from __future__ import annotations

import csv
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from installed import call, train_once
from lr_rows import read_lines
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.evaluation.bootstrap import Draws, draw_scores, interval
from resnet18_ocrdet.evaluation.metrics import ImageScore
from script_cli import Parser, refuse_overrides, run_script

LIST = Path(__file__).with_name("trials.yaml")
SIGNALLED = 128  # exit codes above it: Ctrl-C, SIGTERM
COMMON, FACTORS = "common", "factors"  # the entries of the list that are no trials
RESERVED = {"run_dir": "use --output", "resume": "run the same command again to resume"}
HEADER = "| trial | overrides | minutes | steps | hmean | 95 % interval | against {first} |", "|---" * 7 + "|"
WORTH = "| setting | overrides | hmean with it minus without |", "|---" * 3 + "|"

FIRST_ROW = (1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0)  # Plackett and Burman (1946) for 12 runs; the others are its rotations


class Trial(NamedTuple):
    """One training."""

    name: str
    overrides: tuple[str, ...]  # its own
    factors: frozenset[str] | None = None  # the settings that it has; None: it is not one of the twelve


class Plan(NamedTuple):
    """A list of trials."""

    common: tuple[str, ...]
    trials: list[Trial]  # with settings, the first and the next eleven are the twelve
    factors: dict[str, tuple[str, ...]]  # overrides of each setting


@dataclass(frozen=True, eq=False)  # hashed by identity
class Row:
    """A finished trial."""

    trial: Trial
    minutes: float  # of training and validation
    steps: int
    scores: Draws


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
    plan = read_list(args.list)
    trials = plan.trials
    chosen = [trial for trial in trials if args.only is None or trial.name in args.only]
    if unknown := sorted(set(args.only or ()) - {trial.name for trial in trials}):
        raise UserError(f"--only {unknown[0]}: not in {args.list}: {', '.join(trial.name for trial in trials)}")
    if trials[0] not in chosen:
        chosen.insert(0, trials[0])
    table, failed = "", dict[Trial, int]()
    for trial in chosen:
        if code := run(trial, args.output / trial.name, (*plan.common, *overrides)):
            if trial == trials[0] or code > SIGNALLED:
                return code
            failed[trial] = code
        rows = [row for each in trials if (row := read_row(each, args.output / each.name))]
        table = as_table(rows, failed)
        designed = [row for row in rows if row.trial.factors is not None]
        if len(designed) == len(FIRST_ROW) + 1:
            table += "\n" + worth_table(plan.factors, designed)
        (args.output / "trials.md").write_text(table, encoding="utf-8")
    print(f"\n{table}\n{args.output / 'trials.md'}")
    return next(iter(failed.values()), 0)


def read_list(path: Path) -> Plan:
    """Raises UserError."""
    try:
        given = OmegaConf.to_container(OmegaConf.load(path))
    except (OSError, UnicodeDecodeError, YAMLError, OmegaConfBaseException) as error:
        raise UserError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(given, dict):
        raise UserError(f"{path}: must be a list of trials, NAME: [KEY=VALUE, …]")
    factors = given.pop(FACTORS, {})
    if not isinstance(factors, dict) or len(factors) > len(FIRST_ROW):
        raise UserError(f"{path}: {FACTORS}: must be at most {len(FIRST_ROW)} settings, NAME: [KEY=VALUE, …]")
    words = {str(name): _words(path, name, value) for name, value in given.items()}
    settings = {str(name): _words(path, name, value) for name, value in factors.items()}
    common = words.pop(COMMON, ())
    if not words:
        raise UserError(f"{path}: has no trials")
    trials = [Trial(name, own) for name, own in words.items()]
    if settings:
        trials[:1] = [trials[0]._replace(factors=frozenset()), *design(settings)]
    return Plan(common, trials, settings)


def design(factors: Mapping[str, tuple[str, ...]]) -> list[Trial]:
    """The trainings that are added to one without settings."""
    trials = []
    for number in range(len(FIRST_ROW)):
        row = FIRST_ROW[-number:] + FIRST_ROW[:-number]
        names = [name for name, has in zip(factors, row, strict=False) if has]
        words = tuple(word for name in names for word in factors[name])
        trials.append(Trial(f"design-{number + 1:02}", words, frozenset(names)))
    return trials


def run(trial: Trial, folder: Path, overrides: tuple[str, ...]) -> int:
    """Train and score one trial. Returns an exit code."""
    if code := train_once(folder / "run", *last_of_each((*overrides, *trial.overrides))):
        return code
    if (folder / "score/metrics.json").exists():
        return 0
    return call("ocrdet-eval", f"checkpoint={folder / 'run/checkpoints/best.pt'}", f"output={folder / 'score'}")


def last_of_each(overrides: Sequence[str]) -> list[str]:
    """Only the last override of each key: those of a trial replace those of all."""
    return list({word.partition("=")[0].lstrip("+"): word for word in overrides}.values())


def read_row(trial: Trial, folder: Path) -> Row | None:
    """The results of a trial; None if it is not finished."""
    scores, epochs = folder / "score/per_image.csv", read_lines(folder / "run/metrics.jsonl")
    if not scores.exists() or not epochs:
        return None
    minutes = sum(epoch["seconds"] for epoch in epochs) / 60
    return Row(trial, minutes, epochs[-1]["step"], draw_scores(read_images(scores)))


def read_images(path: Path) -> list[ImageScore]:
    """The counts of each image, from per_image.csv of an evaluation; without the matches."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        ImageScore(row["image"], *(int(row[key]) for key in ("matched", "care_regions", "care_detections")), (), (), ())
        for row in rows
    ]


def as_table(rows: list[Row], failed: Mapping[Trial, int]) -> str:
    """In Markdown, in the order of the list; the first row is the one to compare with. failed: exit codes."""
    first = rows[0]
    lines = [HEADER[0].format(first=first.trial.name), HEADER[1]]
    for row in rows:
        change = "" if row is first else with_interval({first: -1.0, row: 1.0})
        low, high = interval(row.scores.drawn["hmean"]) or (0.0, 0.0)
        lines.append(
            f"| {_shown(row.trial)} | {row.minutes:.0f} | {row.steps} "
            f"| **{row.scores.whole['hmean']:.3f}** | {low:.3f} to {high:.3f} | {change} |"
        )
    lines += [f"| {_shown(trial)} | | | exit code {code} | | |" for trial, code in failed.items()]
    return "\n".join(lines) + "\n"


def worth_table(factors: Mapping[str, tuple[str, ...]], rows: Sequence[Row]) -> str:
    """What each setting is worth, in Markdown. rows: the twelve trainings."""
    lines = list(WORTH)
    for name, words in factors.items():
        worth = with_interval({row: (2 if name in (row.trial.factors or ()) else -2) / len(rows) for row in rows})
        lines.append(f"| {name} | `{shlex.join(words)}` | {worth} |")
    return "\n".join(lines) + "\n"


def with_interval(weights: Mapping[Row, float]) -> str:
    """The weighted sum of the hmeans of trainings, with its 95 % interval over images, which are the same for all.

    What trainings with other seeds differ by is not in the interval."""
    value = sum(weight * row.scores.whole["hmean"] for row, weight in weights.items())
    low, high = interval(sum(weight * row.scores.drawn["hmean"] for row, weight in weights.items())) or (0.0, 0.0)
    value, low, high = (round(each, 3) + 0.0 for each in (value, low, high))  # no -0.000
    return f"{value:+.3f} ({low:+.3f} to {high:+.3f})"


def _shown(trial: Trial) -> str:
    if trial.factors:
        return f"{trial.name} | {', '.join(sorted(trial.factors))}"
    return f"{trial.name} | " + (f"`{shlex.join(trial.overrides)}`" if trial.overrides else "–")


def _words(path: Path, name: object, words: Any) -> tuple[str, ...]:
    """The overrides of an entry. Raises UserError."""
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise UserError(f"{path}: {name}: must be a list of overrides, such as [optimizer.lr=0.002]; got {words!r}")
    if not str(name).replace("-", "").replace("_", "").isalnum():
        raise UserError(f"{path}: {name}: the name of a trial has letters, digits, - and _")
    return tuple(words)


if __name__ == "__main__":
    sys.exit(run_script("trials", main))
