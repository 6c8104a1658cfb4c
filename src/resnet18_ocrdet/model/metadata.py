"""What a file says about itself beside its weights: contract, config and about, from a source that is not trusted."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from ..config.plain import described, not_plain
from ..config.recorded import recorded_config
from ..errors import UserError
from .checkpoint_schema import is_number
from .contract import Contract

MOST_VALUES = 1_000_000  # of about: a digest for each image that taught the network is the most of it
MOST_TEXT = 20_000_000  # characters: such a digest has sixteen


class Stated(NamedTuple):
    """Checked, as plain values."""

    contract: dict[str, Any]  # `Contract.to_dict`
    config: dict[str, Any]  # `config.recorded`
    about: dict[str, Any]


def check_stated(contract: object, config: object, about: object) -> Stated:
    """Raises UserError for the first thing that is wrong, without the name of the file."""
    fields = Contract.from_dict(contract).to_dict()
    try:
        settings = recorded_config(config)
    except UserError as error:
        raise UserError(f"its recorded config: {error}") from None
    return Stated(fields, settings, check_about(about))


def check_about(about: object) -> dict[str, Any]:
    """Texts, finite numbers, lists and sections only, and what is read of them in its type. Raises UserError."""
    if not isinstance(about, dict):
        raise UserError(f"its 'about' is {described(about)}, not a section")
    if (problem := not_plain(about, MOST_VALUES, MOST_TEXT)) is not None:
        raise UserError(f"its 'about' {problem}")
    if not isinstance(about.get("adopted", ""), str):
        raise UserError("its 'about': adopted is no text")
    taught = about.get("taught", [])
    if not isinstance(taught, list) or not all(isinstance(each, str) for each in taught):
        raise UserError("its 'about': taught is no list of texts")
    if "start" in about and not _is_start(about["start"]):
        raise UserError("its 'about': start is not what a run notes of its starting weights")
    try:
        json.dumps({key: value for key, value in about.items() if key != "start"}, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise UserError("its 'about' holds a text that is no Unicode") from None
    return about


def _is_start(start: object) -> bool:
    """hmean: None or 0..1. weights: a file name. chosen: lines."""
    if not isinstance(start, dict) or not start.keys() >= {"hmean", "weights"}:
        return False
    hmean, chosen = start["hmean"], start.get("chosen", [])
    scored = hmean is None or is_number(hmean, 0, 1)
    lines = isinstance(chosen, list) and all(isinstance(line, str) for line in chosen)
    return scored and lines and isinstance(start["weights"], str)
