"""The metadata of a checkpoint or an exported file, from a source that is not trusted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, BinaryIO, TypedDict

from ..errors import UserError
from ..runtime.regular_file import open_regular
from .contract import Contract
from .plain_values import described, is_number, not_plain
from .recorded_config import recorded_config

MOST_VALUES = 1_000_000  # in about: a digest for each training image is the most of it
MOST_TEXT = 20_000_000  # characters: such a digest has sixteen


class Metadata(TypedDict):
    """Checked, as plain values."""

    contract: dict[str, Any]  # `Contract.to_dict`
    config: dict[str, Any]  # the composed run config, see `recorded_config`
    about: dict[str, Any]  # versions, git revision, hash of the data


def open_checkpoint(path: Path) -> BinaryIO:
    """Open the file of a checkpoint or an exported network. Raises UserError if it is not a regular file."""
    try:
        return open_regular(path)
    except FileNotFoundError:
        raise UserError(f"checkpoint {path}: no such file") from None
    except OSError as error:
        raise UserError(f"checkpoint {path}: cannot be read ({error.strerror})") from None


def check_metadata(contract: object, config: object, about: object) -> Metadata:
    """Raises UserError for the first problem, without the name of the file."""
    fields = Contract.from_dict(contract).to_dict()
    try:
        settings = recorded_config(config)
    except UserError as error:
        raise UserError(f"its recorded config: {error}") from None
    return Metadata(contract=fields, config=settings, about=check_about(about))


def check_about(about: object) -> dict[str, Any]:
    """Only texts, finite numbers, lists and sections; fields that are used have their type. Raises UserError."""
    if not isinstance(about, dict):
        raise UserError(f"its 'about' is {described(about)}, not a section")
    if (problem := not_plain(about, MOST_VALUES, MOST_TEXT)) is not None:
        raise UserError(f"its 'about' {problem}")
    if not isinstance(about.get("adopted", ""), str):
        raise UserError("its 'about': adopted is not a text")
    for name in ("taught", "initialised"):
        texts = about.get(name, [])
        if not isinstance(texts, list) or not all(isinstance(each, str) for each in texts):
            raise UserError(f"its 'about': {name} is not a list of texts")
    if "start" in about and not _is_start(about["start"]):
        raise UserError("its 'about': start does not describe starting weights")
    try:
        json.dumps({key: value for key, value in about.items() if key != "start"}, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise UserError("its 'about' holds a text that is not Unicode") from None
    return about


def _is_start(start: object) -> bool:
    """hmean: None or 0..1. weights: a file name. chosen: lines."""
    if not isinstance(start, dict) or not start.keys() >= {"hmean", "weights"}:
        return False
    hmean, chosen = start["hmean"], start.get("chosen", [])
    scored = hmean is None or is_number(hmean, 0, 1)
    lines = isinstance(chosen, list) and all(isinstance(line, str) for line in chosen)
    return scored and lines and isinstance(start["weights"], str)
