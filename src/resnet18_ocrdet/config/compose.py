"""From a command line to the job: help, both gates, Hydra's composition, one run or a sweep."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..runtime.atomic_write import remove_leftovers
from ..runtime.messages import printable
from ..runtime.run_folder import remove_unused, reserve_folder
from .argv import Request, parse_argv
from .library import Library
from .paths import conf_dir

if TYPE_CHECKING:  # Hydra takes a quarter of a second to import: --help and --version do without
    from omegaconf import DictConfig

Job = Callable[["DictConfig"], int]

FOLDER_KEY = {"train": "run_dir", "eval": "output", "detect": "output", "check": "output", "export": "output"}
SPEAKING_SECONDS = 5.0  # for the process that speaks, after the others are done
NAME_FAULTS = (errno.ENAMETOOLONG, errno.ELOOP)  # of a word that was typed
DISK_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
NO_TEMPORARY = "No usable temporary directory"  # of Python's tempfile, which libraries use
INTERRUPTED = (130, 143, 129)  # Ctrl-C, SIGTERM and SIGHUP, as a shell reports them


def run_command(command: str, job: Job, argv: list[str] | None = None) -> int:
    """Run `ocrdet-<command>` and return its exit code. Mistakes of the user end in one line and 2.

    job gets the checked config, with its output folder filled in, and returns an exit code. What it raises
    passes through, except UserError."""
    try:
        request = parse_argv(command, sys.argv[1:] if argv is None else argv)
        if request.show_help or request.version:
            from .help import help_text, version_text

            print(help_text(command) if request.show_help else version_text(command))
            return 0
        return _compose_and_run(request, job)
    except UserError as error:
        return _report(command, error)
    except OSError as error:
        if error.errno not in (*NAME_FAULTS, *DISK_FAULTS) and NO_TEMPORARY not in str(error):
            raise
        told = f"{error.filename or 'disk'}: {error.strerror or error}"
        print(f"ocrdet-{command}: {printable(told)}", file=sys.stderr)
        return UserError.exit_code if error.errno in NAME_FAULTS else 1
    except KeyboardInterrupt:
        print(f"ocrdet-{command}: interrupted", file=sys.stderr)
        return INTERRUPTED[0]


def _report(command: str, error: UserError) -> int:
    if os.environ.get("RANK", "0") != "0":  # of the processes that torchrun started, one speaks
        time.sleep(SPEAKING_SECONDS)  # torchrun ends all of them as soon as one has ended
        return error.exit_code
    for line in str(error).split("\n"):
        print(f"ocrdet-{command}: {printable(line)}", file=sys.stderr)
    return error.exit_code


def _compose_and_run(request: Request, job: Job) -> int:
    from .check import check_run
    from .disk import check_disk
    from .override_check import prepare
    from .resumed import goes_on, implied_words

    with _hydra(request) as hydra:
        if request.completion:
            hydra.shell_completion(config_name=request.command, overrides=request.words)
            return 0
        library = Library(request.command, request.config_dir)
        extra = _search_words(request)
        if request.command == "train" and not request.multirun:
            extra += implied_words(request.words, library)
        compose = partial(_compose, hydra, request.command)
        words = extra + prepare(request, library, lambda chosen: compose(extra + chosen))
        if request.multirun:
            if int(os.environ.get("WORLD_SIZE", "1")) > 1:
                raise UserError("-m: a sweep cannot run under torchrun; start one torchrun for each job")
            return _sweep(hydra, request.command, job, words, library)
        whole = not (request.cfg or request.info)
        # what is resumed has words of its own: they are judged together when they are known
        resumed = request.command == "train" and goes_on(request.words)
        cfg = check_run(compose(words), request.command, complete=whole, together=not resumed)
        if request.cfg or request.info:
            if resumed:
                print("what is not typed comes from the config.yaml of the resumed run, not from here", file=sys.stderr)
            if request.command == "train" and cfg.train.auto_hparams:
                print(
                    "train.auto_hparams: rate, epochs and freezing are chosen, and the thresholds taken from the "
                    "starting weights, when the run begins; what is typed stays",
                    file=sys.stderr,
                )
            _show(hydra, request, words)
            return 0
    check_disk(cfg, request.command)
    with _own_folder(cfg, request.command):
        return job(cfg)


@contextmanager
def _hydra(request: Request) -> Iterator[Any]:
    """Hydra's own object, which composes, shows and sweeps; forgotten afterwards."""
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    with initialize_config_dir(str(conf_dir()), job_name=f"ocrdet-{request.command}", version_base="1.3"):
        yield GlobalHydra.instance().hydra


def _search_words(request: Request) -> list[str]:
    """`--config-dir` as a word, which a sweep hands on to its jobs."""
    from .override_grammar import quote_grammar  # Hydra reads this one word without OmegaConf

    if request.config_dir is None:
        return []
    return [f"hydra.searchpath=[{quote_grammar(f'file://{request.config_dir.resolve()}')}]"]


def _compose(hydra: Any, command: str, words: list[str]) -> DictConfig:
    """One composed config, Hydra's node included; what Hydra objects to becomes a UserError."""
    from hydra.types import RunMode
    from omegaconf import DictConfig

    try:
        cfg = hydra.compose_config(config_name=command, overrides=list(words), run_mode=RunMode.RUN)
    except Exception as error:  # only config files are read here, and Hydra and YAML have no common error for a bad one
        text = f"{error} {error.__cause__ or ''}".partition("Config search path")[0]
        raise UserError(" ".join(text.split())) from error
    assert isinstance(cfg, DictConfig)
    return cfg


def _show(hydra: Any, request: Request, words: list[str]) -> None:
    """What `hydra.main` prints for --cfg and --info."""
    if request.cfg:
        hydra.show_cfg(request.command, words, request.cfg, package=request.package, resolve=request.resolve)
    else:
        hydra.show_info(request.info, config_name=request.command, overrides=words)


def _stamp() -> str:
    return datetime.now().strftime("%Y-%m-%d_%H-%M-%S")


@contextmanager
def _own_folder(cfg: DictConfig, command: str) -> Iterator[None]:
    """Give the run a folder of its own where the user named none; what stays empty is removed again."""
    key = FOLDER_KEY[command]
    if cfg[key] is not None:
        yield
        return
    wanted = Path("runs") / command / _stamp()
    if os.environ.get("RANK", "0") != "0":  # of the processes that torchrun started, the first one's folder is used
        cfg[key] = wanted.as_posix()
        yield
        return
    new = [folder for folder in (wanted.parent, wanted.parents[1]) if not folder.exists()]
    folder = reserve_folder(wanted)
    cfg[key] = folder.as_posix()
    remove_leftovers(wanted.parent.iterdir())  # of killed calls, whose folders are not used again
    try:
        yield
    finally:
        remove_unused(folder)
        for parent in new:
            with suppress(OSError):  # others are in it
                parent.rmdir()


def _sweep(hydra: Any, command: str, job: Job, words: list[str], library: Library) -> int:
    """Check every job of the sweep, then let Hydra's launcher run them. Returns the worst exit code."""
    from .override_grammar import quote
    from .settings_diff import comparison

    folder = _check_jobs(hydra, command, words, library)
    if not any(word.startswith("hydra.sweep.dir=") for word in words):
        folder = folder or reserve_folder(Path("runs/sweep") / _stamp()).as_posix()
        words = [*words, f"hydra.sweep.dir={quote(folder)}"]
    results = hydra.multirun(command, partial(_sweep_job, command, job), words)
    named = [word.partition("=")[2].strip("'\"") for word in words if word.startswith("hydra.sweep.dir=")]
    jobs = [ret for batch in results or [] for ret in batch]
    if command == "train" and len(jobs) > 1:
        print("\n".join(comparison(Path(named[-1]), [list(job.overrides) for job in jobs])))
    returned = [job.return_value for job in jobs]
    return max((code for code in returned if isinstance(code, int)), default=0)


def _check_jobs(hydra: Any, command: str, words: list[str], library: Library) -> str | None:
    """Gate 2 for all jobs before the first one starts. Returns the folder that the user gave for the sweep."""
    from .check import check_run
    from .disk import check_disk
    from .override_check import single_settings

    if any(word.startswith("hydra/sweeper=") for word in words):
        return None  # a search draws its own values; each job is checked when it starts
    named = None
    for settings in product(*(single_settings(word, library) for word in words)):
        try:
            cfg = check_run(_compose(hydra, command, list(settings)), command)
            check_disk(cfg, command)
        except UserError as error:
            swept = [text for text in settings if text not in words]
            place = f"{', '.join(swept)}: " if swept else ""
            raise UserError("\n".join(place + line for line in str(error).splitlines())) from None
        named = named or cfg[FOLDER_KEY[command]]
    return named


def _sweep_job(command: str, job: Job, cfg: DictConfig) -> int:
    """One job of a sweep: a folder of its own below the sweep's, and an exit code instead of a UserError."""
    from hydra.core.hydra_config import HydraConfig

    from .check import check_run
    from .disk import check_disk
    from .interpolation import escape_interpolation

    sweep = HydraConfig.get().sweep
    key = FOLDER_KEY[command]
    try:
        run = check_run(cfg, command)
        check_disk(run, command)
        run[key] = escape_interpolation((Path(run[key] or sweep.dir) / str(sweep.subdir)).as_posix())
        code = job(run)
    except UserError as error:
        return _report(command, error)
    if code in INTERRUPTED:
        raise SystemExit(code)  # the user stopped the sweep, not one job of it
    return code
