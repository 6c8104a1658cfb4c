"""Checkpoints: written completely or not at all, and read without executing code.

A file holds tensors and plain values only: `schema`, `contract`, `config`, the weights in `model` (their running mean
in `average`), the origin of code and data in `about`, and the state that a resume needs.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

import torch
from torch import Tensor, nn

from ..errors import UserError
from ..runtime.atomic_write import atomic_write, link_or_copy, staging_folder
from ..runtime.messages import one_line
from .bundled import EXPORTED
from .convert import convert_weights
from .metadata import Metadata, check_metadata, open_checkpoint
from .plain_values import is_count, is_number
from .tensor_file import LONGEST_LINE, describe_tensors, is_state, mismatch, read_tensors

SCHEMA = 3
NOT_LOADED = {
    EXPORTED: "an exported network can only be run; use the .pt it was exported from",
    ".pt2": "a torch.export file is for your own programs (torch.export.load); use an .onnx, or the .pt it was "
    "exported from",
}
WRITER = "inline_container"  # torch names this file in the RuntimeError for a full disk
PICKLED_CODE = re.compile(r"GLOBAL ([\w.]+) (?:was not an allowed|whose module)")  # torch's message with weights_only
COUNTS = ("epoch", "step", "steps_per_epoch", "not_better")
SECTIONS = ("optimizer", "scaler", "mining", "sums")
OPTIONAL_SECTIONS = ("guard", "random")  # None in stripped checkpoints
ADDED_IN_3 = ("average", "scaler", "not_better", "images_per_step", "world", "about")


class Checkpoint(Metadata):
    """The content of a file."""

    schema: int
    model: dict[str, Tensor]
    average: dict[str, Any] | None  # train.optim.ModelEma: evaluation and detection use its "model"
    optimizer: dict[str, Any]
    scaler: dict[str, Any]
    mining: dict[str, Any]
    guard: Any  # train.guard.Guard.state_dict
    random: Any  # train.resume_state.random_states
    epoch: int  # finished epochs, validation included
    step: int  # finished optimizer steps
    steps_per_epoch: int
    images_per_step: int | None  # in all processes together; None in files of schema 2
    world: int  # processes of the run
    sums: dict[str, Any]  # train.engine.LossSums of the epoch so far
    best_hmean: float | None
    not_better: int  # validations since the best one


def shipped_weights(content: Checkpoint) -> dict[str, Tensor]:
    """The weights that evaluation, detection and a new run use: the averaged ones if there are any."""
    return content["model"] if content["average"] is None else content["average"]["model"]


def save_checkpoint(path: Path, content: Checkpoint, keep: int = 1) -> None:
    """Write to a temporary file, flush to disk, rename: a reader finds the old file or the new one, never half of one.

    keep: number of files to keep, including this one; older ones move to `earlier(path, 1)`, `earlier(path, 2)` …
    Raises UserError if it cannot be written; the older files are then unchanged."""
    try:
        with atomic_write(path) as hidden:
            with hidden.open("wb") as file:
                torch.save(dict(content), file)
                file.flush()
                os.fsync(file.fileno())
            for age in range(keep - 1, 0, -1):
                if earlier(path, age - 1).exists():
                    _give_name(earlier(path, age - 1), earlier(path, age))
        _sync_folder(path.parent)
    except (OSError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and WRITER not in str(error):
            raise  # not caused by the disk
        raise UserError(
            f"{path}: cannot be written ({_reason(error, path.parent)}); the previous file is unchanged"
        ) from None


def earlier(path: Path, age: int) -> Path:
    """The save `age` before the newest: last.pt, last-1.pt, last-2.pt."""
    return path if age == 0 else path.with_stem(f"{path.stem}-{age}")


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a file written by save_checkpoint, or by a program that `convert_weights` knows, on the CPU.

    Raises UserError with the file's name if it does not exist, is not a checkpoint, or comes from a newer version."""
    with open_checkpoint(path) as file:
        try:
            if path.suffix in NOT_LOADED:
                raise UserError(NOT_LOADED[path.suffix])
            return _validated(_read(file))
        except UserError as error:
            raise UserError(f"checkpoint {path}: {one_line(str(error), LONGEST_LINE)}") from None


def _read(file: BinaryIO) -> object:
    """Load tensors and plain values. Raises UserError."""
    try:
        return read_tensors(file)
    except UserError:
        raise
    except Exception as error:  # torch raises many types for a file that is damaged or not a checkpoint
        if (code := PICKLED_CODE.search(str(error))) is not None:
            raise UserError(
                f"contains pickled code ({code[1]}), which is refused: checkpoints hold tensors and plain values only"
            ) from None
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        start = f"{size} bytes, starts with {file.read(8)!r}"
        raise UserError(f"not a checkpoint, or damaged ({start})") from None


def _validated(content: object) -> Checkpoint:
    """Raises UserError without the file's name."""
    ours = isinstance(content, dict) and bool({"schema", "contract"} & content.keys())  # maybe incomplete
    converted = None if ours else convert_weights(content)
    checkpoint = _all_keys(content) if converted is None else weights_only(**converted)
    check_content(checkpoint)
    metadata = check_metadata(checkpoint["contract"], checkpoint["config"], checkpoint["about"])
    return cast(Checkpoint, {**checkpoint, **metadata})


def _all_keys(content: object) -> Checkpoint:
    """The content of a file of this or the previous schema."""
    needed = Checkpoint.__required_keys__
    if isinstance(content, dict) and is_count(content.get("schema")) and content["schema"] == 2:
        defaults: dict[str, Any] = {**weights_only({}, {}, {}, {})}
        content = {**{key: defaults[key] for key in ADDED_IN_3}, **content}
    if not isinstance(content, dict) or not needed <= content.keys():
        first = min(needed - (set(content) if isinstance(content, dict) else set()))
        raise UserError(f"not written by ocrdet-train ('{first}' is missing){describe_tensors(content, needed)}")
    if not is_count(content["schema"], 2):
        raise UserError("not written by ocrdet-train (schema or weights have the wrong type)")
    if content["schema"] > SCHEMA:
        raise UserError(f"schema {content['schema']} is newer than this version's {SCHEMA}; upgrade")
    return cast(Checkpoint, {key: content[key] for key in needed})


def check_content(content: Mapping[str, Any]) -> None:
    """Raises UserError for a part with a wrong type or range, apart from contract, config and about.

    The state of a resume is checked when it is resumed."""
    if not is_state(content["model"]):
        raise UserError("not written by ocrdet-train (schema or weights have the wrong type)")
    images, hmean, average = content["images_per_step"], content["best_hmean"], content["average"]
    averaged = isinstance(average, dict) and is_count(average.get("steps")) and is_state(average.get("model"))
    checks = [
        *((name, is_count(content[name]), "must be a whole number >= 0") for name in COUNTS),
        ("world", is_count(content["world"], 1), "must be a number of processes"),
        ("images_per_step", images is None or is_count(images, 1), "must be a number of images"),
        ("best_hmean", hmean is None or is_number(hmean, 0, 1), "must be in 0..1"),
        *((name, isinstance(content[name], dict), "must be a section") for name in SECTIONS),
        *((name, isinstance(content[name], dict | None), "must be a section") for name in OPTIONAL_SECTIONS),
        ("average", average is None or averaged, "must be averaged weights"),
    ]
    for name, holds, problem in checks:
        if not holds:
            raise UserError(f"its '{name}' {problem}")


def weights_only(
    contract: dict[str, Any], config: dict[str, Any], about: dict[str, Any], model: dict[str, Tensor]
) -> Checkpoint:
    """A checkpoint to evaluate, detect with and fine-tune, but not to resume."""
    return Checkpoint(
        schema=SCHEMA,
        contract=contract,
        config=config,
        about=about,
        model=model,
        average=None,
        optimizer={},
        scaler={},
        mining={},
        guard=None,
        random=None,
        epoch=0,
        step=0,
        steps_per_epoch=0,
        images_per_step=None,
        world=1,
        sums={},
        best_hmean=None,
        not_better=0,
    )


def load_weights(model: nn.Module, state: dict[str, Tensor], path: Path) -> str:
    """Fill the model: all tensors or none.

    Returns one line that counts them. Raises UserError if names or shapes differ, or a value is not finite."""
    wanted = model.state_dict()
    if (problem := mismatch(wanted, state)) is not None:
        raise UserError(f"checkpoint {path}: {problem}")
    model.load_state_dict(state)
    return f"{len(wanted)} of {len(wanted)} tensors from {path}"


def _give_name(source: Path, target: Path) -> None:
    """Give a finished file a second name, in place of another file."""
    with staging_folder(target.parent) as folder:
        link_or_copy(source, folder / target.name)
        (folder / target.name).replace(target)


def _sync_folder(folder: Path) -> None:
    """Flush a rename to disk, where the system supports it."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _reason(error: Exception, folder: Path) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    free = shutil.disk_usage(folder).free
    return f"only a part was written, {free // 2**20} MiB are free"
