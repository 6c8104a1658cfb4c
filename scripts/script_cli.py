"""What lr_table.py and lr_find.py share: mistakes on the command line are told in one line, without a traceback."""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from resnet18_ocrdet.errors import UserError


class Parser(argparse.ArgumentParser):
    """Raises UserError where argparse would print its usage and leave."""

    def error(self, message: str) -> NoReturn:
        """Hand the one line on."""
        raise UserError(message)


def run_script(name: str, job: Callable[[], int]) -> int:
    """The exit code of `job`; a UserError becomes one line on stderr and 2, Ctrl-C becomes 130."""
    try:
        return job()
    except UserError as error:
        for line in str(error).splitlines():
            print(f"{name}: {line}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return 130


def positive(key: str, text: str) -> float:
    """A learning rate from the command line. Raises UserError that names key, value and rule."""
    try:
        value = float(text)
    except ValueError:
        raise UserError(f"{key} {text}: needs a number above 0") from None
    if not (math.isfinite(value) and value > 0):
        raise UserError(f"{key} {text}: needs a number above 0")
    return value


def refuse_words(words: list[str], reserved: dict[str, str]) -> None:
    """Refuse overrides of keys that the script sets itself. reserved: key -> what to use instead. Raises UserError."""
    for word in words:
        key = word.partition("=")[0].lstrip("+")
        if key in reserved:
            raise UserError(f"{word}: this script sets {key} itself; {reserved[key]}")


def require_matplotlib() -> None:
    """Raises UserError before any work where the picture at its end could not be drawn."""
    if importlib.util.find_spec("matplotlib") is None:
        raise UserError("matplotlib is missing, the picture needs it: install the package with its extra [plots]")


def claim(folder: Path, wanted: dict[str, Any], begun: bool) -> None:
    """Write `wanted`, plain values, to settings.json. begun: whether `folder` holds results already.

    Raises UserError that names the first difference where they were made with other settings."""
    path = folder / "settings.json"
    wanted = json.loads(json.dumps(wanted))  # as it will be read: tuples become lists
    if begun and path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))
        for key in wanted | before:
            if before.get(key) != wanted.get(key):
                raise UserError(
                    f"--output {folder}: its results have {key} {before.get(key)}, this call has {wanted.get(key)}; "
                    "give another --output, or delete the folder"
                )
    beside = path.with_suffix(".tmp")
    beside.write_text(json.dumps(wanted, indent=1) + "\n", encoding="utf-8")
    beside.replace(path)
