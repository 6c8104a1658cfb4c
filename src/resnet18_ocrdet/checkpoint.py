"""Checkpoints: written whole or not at all, read without executing anything.

A file holds tensors and plain values only: `schema`, `contract`, `config`, `model`, and for a resume
`optimizer`, `mining`, `epoch`, `step`, `best_hmean`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypedDict, cast

import torch
from torch import Tensor, nn

from .errors import UserError

SCHEMA = 1


class Checkpoint(TypedDict):
    """The content of a file."""

    schema: int
    contract: dict[str, Any]
    config: dict[str, Any]  # the composed run config
    model: dict[str, Tensor]
    optimizer: dict[str, Any]
    mining: dict[str, Any]
    epoch: int  # finished epochs
    step: int  # finished optimizer steps
    best_hmean: float | None


def save_checkpoint(path: Path, content: Checkpoint) -> None:
    """Write beside, flush to disk, rename: a reader finds the old file or the new one, never half of one."""
    beside = path.with_name(path.name + ".tmp")
    try:
        with beside.open("wb") as file:
            torch.save(dict(content), file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a file written by save_checkpoint, tensors on the CPU.

    Raises UserError that names the file when it is absent, is no checkpoint, or comes from a newer version."""
    if not path.is_file():
        raise UserError(f"checkpoint {path}: no such file")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types for a broken or foreign file
        raise UserError(f"checkpoint {path}: cannot be read ({type(error).__name__}; {_first_bytes(path)})") from None
    needed = Checkpoint.__required_keys__
    if not isinstance(content, dict) or not needed <= content.keys():
        raise UserError(f"checkpoint {path}: not written by ocrdet-train (no {_first_missing(content, needed)})")
    if not isinstance(content["schema"], int) or not _holds_tensors(content["model"]):
        raise UserError(f"checkpoint {path}: not written by ocrdet-train (schema or weights of a wrong type)")
    if content["schema"] > SCHEMA:
        raise UserError(f"checkpoint {path}: schema {content['schema']} is newer than this version's {SCHEMA}; upgrade")
    return cast(Checkpoint, {key: content[key] for key in needed})


def load_weights(model: nn.Module, state: dict[str, Tensor], path: Path) -> str:
    """Fill the model, every tensor or none.

    Returns one line that counts them. Raises UserError with a summary when names or shapes differ, or a value is
    not finite."""
    wanted = model.state_dict()
    missing, foreign = sorted(wanted.keys() - state.keys()), sorted(state.keys() - wanted.keys())
    bent = sorted(key for key in wanted.keys() & state.keys() if wanted[key].shape != state[key].shape)
    if missing or foreign or bent:
        fits = len(wanted) - len(missing) - len(bent)
        raise UserError(
            f"checkpoint {path}: {fits} of {len(wanted)} tensors fit; {len(missing)} missing, {len(foreign)} unknown, "
            f"{len(bent)} of another shape (first: {(bent + missing + foreign)[0]})"
        )
    rotten = [key for key, value in state.items() if value.is_floating_point() and not torch.isfinite(value).all()]
    if rotten:
        raise UserError(f"checkpoint {path}: {len(rotten)} tensors hold NaN or infinity (first: {rotten[0]})")
    model.load_state_dict(state)
    return f"{len(wanted)} of {len(wanted)} tensors from {path}"


def _first_bytes(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return f"{path.stat().st_size} bytes, begins {file.read(8)!r}"
    except OSError as error:
        return str(error.strerror)


def _holds_tensors(state: object) -> bool:
    return isinstance(state, dict) and all(isinstance(value, Tensor) for value in state.values())


def _first_missing(content: object, needed: frozenset[str]) -> str:
    keys = set(content) if isinstance(content, dict) else set()
    return f"'{sorted(needed - keys)[0]}'"
