"""A sweep: every job checked before the first one starts, run by Hydra's launcher, and compared at the end."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from ..config.check import check_run
from ..config.compose import Request, checked
from ..config.interpolation import escape_interpolation
from ..config.library import Library
from ..config.override_check import each_value_once, single_settings
from ..config.override_grammar import quote
from ..errors import UserError
from ..runtime.run_folder import reserve_folder
from .cross_checks import check_settings
from .job import FOLDER_KEY, Job, report, stamp
from .path_checks import check_disk

STOPPED = (130, 143, 129)  # exit codes after Ctrl-C, SIGTERM and SIGHUP: of the sweep, not of one job


def run_sweep(hydra: Any, request: Request, job: Job, words: list[str], library: Library) -> int:
    """Check every job of the sweep, then let Hydra's launcher run them. Returns the worst exit code."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserError("-m: a sweep cannot run under torchrun; start one torchrun for each job")
    folder = _check_jobs(hydra, request, words, library)
    if not any(word.startswith("hydra.sweep.dir=") for word in words):
        folder = folder or reserve_folder(Path("runs/sweep") / stamp()).as_posix()
        words = [*words, f"hydra.sweep.dir={quote(folder)}"]
    results = hydra.multirun(request.command, partial(_run_job, request, job), words)
    named = [word.partition("=")[2].strip("'\"") for word in words if word.startswith("hydra.sweep.dir=")]
    jobs = [ret for batch in results or [] for ret in batch]
    if request.command == "train" and len(jobs) > 1:
        print("\n".join(_comparison(Path(named[-1]), [list(each.overrides) for each in jobs])))
    return max((each.return_value for each in jobs if isinstance(each.return_value, int)), default=0)


def _check_jobs(hydra: Any, request: Request, words: list[str], library: Library) -> str | None:
    """Returns the folder that the user gave for the sweep. Raises UserError with every mistake of every job."""
    searched = any(word.startswith("hydra/sweeper=") for word in words)  # it draws its own combinations
    combinations = product(*(single_settings(word, library) for word in words))
    jobs: list[Sequence[str]] = [*each_value_once(words, library)] if searched else [*combinations]
    named = None
    problems: dict[str, list[str]] = {}  # line -> the jobs that have it
    for settings in jobs:
        try:
            cfg = checked(hydra, request, settings)
            check_settings(cfg, request.command)
            check_disk(cfg, request.command)
        except UserError as error:
            swept = ", ".join(text.lstrip("+") for text in settings if text not in words)
            for line in str(error).splitlines():
                problems.setdefault(line, []).append(f"{swept}: " if swept else "")
            continue
        named = named or cfg[FOLDER_KEY[request.command]]
    if problems:
        raise UserError("\n".join(line if len(of) == len(jobs) else of[0] + line for line, of in problems.items()))
    return None if searched else named


def _run_job(request: Request, job: Job, cfg: DictConfig) -> int:
    """One job of a sweep: a folder of its own below the sweep's, and an exit code instead of a UserError."""
    hydra = HydraConfig.get()
    key = FOLDER_KEY[request.command]
    try:
        run = check_run(cfg, request.command)
        check_settings(run, request.command)
        check_disk(run, request.command)
        run[key] = escape_interpolation((Path(run[key] or hydra.sweep.dir) / str(hydra.sweep.subdir)).as_posix())
        code = job(run, [word.lstrip("+") for word in hydra.overrides.task])
    except UserError as error:
        return report(request.command, error)
    if code in STOPPED:
        raise SystemExit(code)
    return code


def _comparison(folder: Path, jobs: Sequence[Sequence[str]]) -> list[str]:
    """One line for each job of a training sweep: its number, its words, its best hmean; the highest is marked.

    folder: of the sweep. jobs: the words that make each job, in the order of their numbers."""
    swept = [[word.lstrip("+") for word in words if any(word not in other for other in jobs)] for words in jobs]
    scores = [_best_hmean(folder / str(number) / "metrics.jsonl") for number in range(len(jobs))]
    known = [score for score in scores if score is not None]
    highest = max(known) if len(set(known)) > 1 else None
    lines = []
    for number, (words, score) in enumerate(zip(swept, scores, strict=True)):
        shown = "none" if score is None else f"{score:.4f}"
        mark = "  highest" if highest is not None and score == highest else ""
        lines.append(f"job {number}  {' '.join(words)}  best hmean {shown}{mark}")
    return lines


def _best_hmean(file: Path) -> float | None:
    try:
        records = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    except (OSError, json.JSONDecodeError):
        return None
    return max((record["hmean"] for record in records if record["hmean"] is not None), default=None)
