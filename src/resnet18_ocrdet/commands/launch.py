"""From a command line to the job: flags and help, composition and checks, one run or a sweep, and the exit code."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from .. import __version__
from ..config.compose import Request, checked, hydra_session, prepared_words
from ..config.library import Library
from ..errors import UserError
from ..runtime.atomic_write import remove_leftovers
from ..runtime.messages import printable
from ..runtime.run_folder import remove_unused, reserve_folder
from .job import FOLDER_KEY, Job, report, stamp

if TYPE_CHECKING:  # Hydra takes a quarter of a second to import: --help and --version do without
    from omegaconf import DictConfig

NAME_FAULTS = (errno.ENAMETOOLONG, errno.ELOOP)  # of a word that was typed
DISK_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
NO_TEMPORARY = "No usable temporary directory"  # of Python's tempfile, which libraries use
INTERRUPTED = 130  # Ctrl-C, as a shell reports it


def run_command(command: str, job: Job, argv: list[str] | None = None) -> int:
    """Run `ocrdet-<command>` and return its exit code. A user error prints one line and returns 2.

    job gets the checked config, with its output folder filled in, and the words of the command line; it returns an exit
    code. What it raises passes through, except UserError."""
    try:
        request = _parse(command, sys.argv[1:] if argv is None else argv)
        if request.show_help or request.version:
            from .help import help_text

            print(help_text(command) if request.show_help else f"ocrdet-{command} {__version__}")
            return 0
        return _compose_and_run(request, job)
    except UserError as error:
        return report(command, error)
    except OSError as error:
        if error.errno not in (*NAME_FAULTS, *DISK_FAULTS) and NO_TEMPORARY not in str(error):
            raise
        message = f"{error.filename or 'disk'}: {error.strerror or error}"
        print(f"ocrdet-{command}: {printable(message)}", file=sys.stderr)
        return UserError.exit_code if error.errno in NAME_FAULTS else 1
    except KeyboardInterrupt:
        print(f"ocrdet-{command}: interrupted", file=sys.stderr)
        return INTERRUPTED


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Report it in one line: the usage text would hide it."""
        raise UserError(message)


def _parse(command: str, argv: Sequence[str]) -> Request:
    """Hydra's flags that make sense here, in any order among the words. Raises UserError."""
    parser = _flags(command)
    found, words = parser.parse_known_intermixed_args(list(argv))
    for word in words:
        if word.startswith("-"):
            raise UserError(_unknown_flag(word, parser))
    request = Request(command, **vars(found))
    if request.cfg and request.multirun:
        raise UserError("--cfg shows one run: leave out -m")
    if (request.resolve or request.package) and not request.cfg:
        raise UserError("--resolve and --package go with --cfg job")
    if request.config_dir is not None and not request.config_dir.is_dir():
        raise UserError(f"--config-dir {request.config_dir}: no such folder")
    return request


def _flags(command: str) -> _Parser:
    parser = _Parser(prog=f"ocrdet-{command}", add_help=False, allow_abbrev=False)
    add: Any = parser.add_argument
    add("words", nargs="*")
    add("--help", "-h", action="store_true", dest="show_help")
    add("--version", action="store_true")
    add("--cfg", "-c", choices=["job", "hydra", "all"])
    add("--package", "-p")
    add("--resolve", action="store_true")
    add("--multirun", "-m", action="store_true")
    add("--info", "-i", nargs="?", const="all", choices=["all", "config", "defaults", "defaults-tree", "searchpath"])
    add("--shell-completion", "-sc", action="store_true", dest="completion")
    add("--config-dir", "-cd", type=Path)
    return parser


def _unknown_flag(word: str, parser: _Parser) -> str:
    flag, is_pair, value = word.partition("=")
    known = [text for action in parser._actions for text in action.option_strings if text.startswith("--")]
    if close := get_close_matches(flag, known, n=1, cutoff=0.7):
        return f"no flag {flag}: did you mean {close[0]}?"
    setting = f"{flag.lstrip('-')}={value}" if is_pair else "key=value"
    return f"no flag {flag}: settings are written without dashes, as {setting}"


def _compose_and_run(request: Request, job: Job) -> int:
    from .cross_checks import check_settings
    from .path_checks import check_disk
    from .resume_words import continues_saved

    library = Library(request.command, request.config_dir)
    with hydra_session(request.command) as hydra:
        if request.completion:
            hydra.shell_completion(config_name=request.command, overrides=request.words)
            return 0
        implied = [] if request.multirun else _implied(request, library)
        words = prepared_words(hydra, request, library, implied)
        if request.multirun:
            from .sweep import run_sweep

            return run_sweep(hydra, request, job, words, library)
        showing = bool(request.cfg or request.info)
        cfg = checked(hydra, request, words, complete=not showing)
        resumed = request.command == "train" and continues_saved(request.words)
        if not resumed:  # a resumed run has settings of its own: they are checked together when they are known
            check_settings(cfg, request.command, complete=not showing)
        if showing:
            return _show(hydra, request, words, cfg, resumed)
    check_disk(cfg, request.command)
    with _own_folder(cfg, request.command):
        return job(cfg, request.words)


def _implied(request: Request, library: Library) -> list[str]:
    """Words that follow from those that are typed. Raises UserError."""
    from .pick_words import picking_words
    from .resume_words import implied_words

    if request.command == "check":
        return picking_words(request.words)
    return implied_words(request.words, library) if request.command == "train" else []


def _show(hydra: Any, request: Request, words: list[str], cfg: DictConfig, resumed: bool) -> int:
    """What `hydra.main` prints for --cfg and --info."""
    if resumed:
        print("settings that are not typed come from the resumed run's config.yaml, not from here", file=sys.stderr)
    if request.command == "train" and cfg.train.auto_hparams:
        print(
            "train.auto_hparams: sizes, rate, epochs and freezing are chosen when the run begins, and thresholds when "
            "it ends; what is typed stays",
            file=sys.stderr,
        )
    if request.cfg:
        hydra.show_cfg(request.command, words, request.cfg, package=request.package, resolve=request.resolve)
    else:
        hydra.show_info(request.info, config_name=request.command, overrides=words)
    return 0


@contextmanager
def _own_folder(cfg: DictConfig, command: str) -> Iterator[None]:
    """Give the run a folder of its own where the user named none; one that stays empty is removed again."""
    key, wanted = FOLDER_KEY[command], Path("runs") / command / stamp()
    if cfg[key] is None and os.environ.get("RANK", "0") != "0":
        cfg[key] = wanted.as_posix()  # of the processes that torchrun started, rank 0 names the folder
    if cfg[key] is not None:
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
