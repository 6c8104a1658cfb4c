"""Command lines of the scripts: mistakes are one line without a traceback; the settings of an output folder."""

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
from resnet18_ocrdet.runtime.messages import printable


class Parser(argparse.ArgumentParser):
    """Raises UserError where argparse would print its usage and exit."""

    def error(self, message: str) -> NoReturn:
        """Raises UserError."""
        raise UserError(message)


def run_script(name: str, job: Callable[[], int]) -> int:
    """The exit code of `job`. A UserError becomes one line on stderr and code 2, Ctrl-C code 130."""
    try:
        return job()
    except UserError as error:
        for line in str(error).splitlines():
            print(f"{name}: {printable(line)}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return 130


def positive(key: str, text: str) -> float:
    """A learning rate from the command line. Raises UserError that names key, value and rule."""
    try:
        value = float(text)
    except ValueError:
        raise UserError(f"{key} {text}: must be a number above 0") from None
    if not (math.isfinite(value) and value > 0):
        raise UserError(f"{key} {text}: must be a number above 0")
    return value


def natural(text: str) -> int:
    """A number for argparse, from 1 on. Raises ValueError."""
    if int(text) < 1:
        raise ValueError
    return int(text)


def refuse_overrides(overrides: list[str], reserved: dict[str, str]) -> None:
    """Raises UserError for overrides of keys that the script sets itself. reserved: key -> what to use instead."""
    for override in overrides:
        key = override.partition("=")[0].lstrip("+")
        if key in reserved:
            raise UserError(f"{override}: this script sets {key} itself; {reserved[key]}")


def require_matplotlib() -> None:
    """Raises UserError if the plot at the end cannot be drawn."""
    if importlib.util.find_spec("matplotlib") is None:
        raise UserError("the plot needs matplotlib, which is not installed: install the package with its extra [plots]")


def keep_settings(folder: Path, settings: dict[str, Any], begun: bool) -> None:
    """Write `settings`, plain values, to settings.json. begun: whether `folder` contains results already.

    Raises UserError that names the first difference if the results were made with other settings."""
    path = folder / "settings.json"
    settings = json.loads(json.dumps(settings))  # as read back: tuples become lists
    if begun and path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))
        for key in settings | before:
            if before.get(key) != settings.get(key):
                raise UserError(
                    f"--output {folder}: its results have {key} {before.get(key)}, this call has {settings.get(key)}; "
                    "choose another --output, or delete the folder"
                )
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)
