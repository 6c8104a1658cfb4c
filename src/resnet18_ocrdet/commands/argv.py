"""The flags of a command, told apart from its `key=value` words."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from ..config.compose import Request
from ..errors import UserError


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Report it in one line: the usage text would hide it."""
        raise UserError(message)


def parse_argv(command: str, argv: Sequence[str]) -> Request:
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
    close = get_close_matches(flag, known, n=1, cutoff=0.7)
    if close:
        return f"no flag {flag}: did you mean {close[0]}?"
    setting = f"{flag.lstrip('-')}={value}" if is_pair else "key=value"
    return f"no flag {flag}: settings are written without dashes, as {setting}"
