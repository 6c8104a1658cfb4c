"""Checkpoints: written whole or not at all, read without executing anything.

A file holds tensors and plain values only: `schema`, `contract`, `config`, the weights in `model` (and their running
mean in `average`), `about` the code and data they come from, and what a resume needs.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import warnings
from pathlib import Path
from typing import Any, BinaryIO, TypedDict, cast

import torch
from torch import Tensor, nn

from ..config.bundled import EXPORTED
from ..errors import UserError
from ..runtime.atomic_write import atomic_write, link_or_copy, staging_folder
from ..runtime.messages import one_line
from ..runtime.regular_file import open_regular
from .checkpoint_schema import check_content, check_tensors, is_count
from .convert import convert_weights
from .metadata import check_stated
from .tensor_names import compare_tensors, describe_tensors, explain_names, not_finite
from .zip_check import refuse_packed

SCHEMA = 3
NOT_LOADED = {
    EXPORTED: "an exported network, which can only be run; the .pt it was made of is needed",
    ".pt2": "a torch.export file, for programs of your own (torch.export.load); an .onnx, or the .pt it was made of, "
    "is needed",
}
LONGEST_LINE = 1000  # characters of what is wrong with a file
WRITER = "inline_container"  # of torch, named in the RuntimeError it makes of a full disk
FOREIGN_CODE = re.compile(
    r"GLOBAL ([\w.]+) (?:was not an allowed|whose module)"
)  # of torch, where weights_only stops it
ADDED_IN_3: dict[str, Any] = {
    "average": None,
    "scaler": {},
    "not_better": 0,
    "images_per_step": None,
    "world": 1,
    "about": {},
}


class Checkpoint(TypedDict):
    """The content of a file."""

    schema: int
    contract: dict[str, Any]
    config: dict[str, Any]  # the composed run config
    about: dict[str, Any]  # versions, git revision, hash of the data
    model: dict[str, Tensor]
    average: dict[str, Any] | None  # average.ModelEma: its "model" is what evaluation and detection use
    optimizer: dict[str, Any]
    scaler: dict[str, Any]
    mining: dict[str, Any]
    guard: Any  # guard.GuardState
    random: Any  # random_state.RandomState
    epoch: int  # finished epochs, validation included
    step: int  # finished optimizer steps
    steps_per_epoch: int
    images_per_step: int | None  # in all processes together; None in files of schema 2
    world: int  # processes of the run
    sums: dict[str, Any]  # engine.LossSums of the epoch so far
    best_hmean: float | None
    not_better: int  # validations since


def sha256(path: Path) -> str:
    """Of a file's bytes, 64 hex digits. Raises OSError as `open_regular` does."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def shipped_weights(content: Checkpoint) -> dict[str, Tensor]:
    """What evaluation, detection and a new run use: the averaged weights where there are some."""
    return content["model"] if content["average"] is None else content["average"]["model"]


def save_checkpoint(path: Path, content: Checkpoint, keep: int = 1) -> None:
    """Write beside, flush to disk, rename: a reader finds the old file or the new one, never half of one.

    keep: files to hold, this one counted; older ones move to `earlier(path, 1)`, `earlier(path, 2)` and so on.
    Raises UserError when the disk does not take it; the files before are then untouched."""
    try:
        with atomic_write(path) as hidden:
            with hidden.open("wb") as file:
                torch.save(dict(content), file)
                file.flush()
                os.fsync(file.fileno())
            for age in range(keep - 1, 0, -1):
                if earlier(path, age - 1).exists():
                    copy_whole(earlier(path, age - 1), earlier(path, age))
        _sync_folder(path.parent)
    except (OSError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and WRITER not in str(error):
            raise  # not about the disk
        raise UserError(
            f"{path}: cannot be written ({_reason(error, path.parent)}); the file before it is whole"
        ) from None


def copy_whole(source: Path, target: Path) -> None:
    """Give a finished file a second name; a copy where the file system has no links."""
    with staging_folder(target.parent) as folder:
        hidden = folder / target.name
        link_or_copy(source, hidden)
        hidden.replace(target)


def earlier(path: Path, age: int) -> Path:
    """The save `age` before the newest: last.pt, last-1.pt, last-2.pt."""
    return path if age == 0 else path.with_stem(f"{path.stem}-{age}")


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a file written by save_checkpoint, or one of another program that `foreign.adopt` knows, on the CPU.

    Raises UserError that names the file when it is absent, is no checkpoint, or comes from a newer version."""
    with opened(path) as file:
        try:
            if path.suffix in NOT_LOADED:
                raise UserError(NOT_LOADED[path.suffix])
            return _understood(_read(file))
        except UserError as error:
            raise UserError(f"checkpoint {path}: {one_line(str(error), LONGEST_LINE)}") from None


def opened(path: Path) -> BinaryIO:
    """The file of a checkpoint. Raises UserError where there is none, or it is a folder, a pipe or a device."""
    try:
        return open_regular(path)
    except FileNotFoundError:
        raise UserError(f"checkpoint {path}: no such file") from None
    except OSError as error:
        raise UserError(f"checkpoint {path}: cannot be read ({error.strerror})") from None


def _read(file: BinaryIO) -> object:
    """What the file holds, of tensors and plain values. Raises UserError."""
    try:
        refuse_packed(file)
        with warnings.catch_warnings():  # of torch, about foreign files: they are refused below
            warnings.simplefilter("ignore")
            return torch.load(file, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except Exception as error:  # torch raises many types for a broken or foreign file
        if (code := FOREIGN_CODE.search(str(error))) is not None:
            raise UserError(
                f"wants to call {code[1]} while it is read, which is refused: checkpoints are tensors and plain values"
            ) from None
        raise UserError(f"no checkpoint, or a damaged one ({type(error).__name__}; {_first_bytes(file)})") from None


def _understood(content: object) -> Checkpoint:
    """What a file holds, checked. Raises UserError without its name."""
    check_tensors(content)
    ours = isinstance(content, dict) and bool({"schema", "contract"} & content.keys())  # if only in part
    converted = None if ours else convert_weights(content)
    made = _parts(content) if converted is None else weights_only(**converted)
    check_content(made)
    made["contract"], made["config"], made["about"] = check_stated(made["contract"], made["config"], made["about"])
    return made


def _parts(content: object) -> Checkpoint:
    """The parts of a file of this or an earlier version, all of them."""
    needed = Checkpoint.__required_keys__
    if isinstance(content, dict) and is_count(content.get("schema")) and content["schema"] == 2:
        content = {**ADDED_IN_3, **content}
    if not isinstance(content, dict) or not needed <= content.keys():
        first = min(needed - (set(content) if isinstance(content, dict) else set()))
        raise UserError(f"not written by ocrdet-train ('{first}' is missing){describe_tensors(content, needed)}")
    if not is_count(content["schema"], 2):
        raise UserError("not written by ocrdet-train (schema or weights of a wrong type)")
    if content["schema"] > SCHEMA:
        raise UserError(f"schema {content['schema']} is newer than this version's {SCHEMA}; upgrade")
    return cast(Checkpoint, {key: content[key] for key in needed})


def weights_only(
    contract: dict[str, Any], config: dict[str, Any], about: dict[str, Any], model: dict[str, Tensor]
) -> Checkpoint:
    """A checkpoint that can be evaluated, run and fine-tuned, and holds nothing to resume."""
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
    """Fill the model, every tensor or none.

    Returns one line that counts them. Raises UserError with a summary when names or shapes differ, or a value is
    not finite."""
    wanted = model.state_dict()
    missing, unknown, reshaped = compare_tensors(wanted, state)
    if first := (reshaped + missing + unknown)[:1]:
        problem = (
            f"{len(wanted) - len(missing) - len(reshaped)} of {len(wanted)} tensors fit; {len(missing)} missing, "
            f"{len(unknown)} unknown, {len(reshaped)} of another shape (first: {first[0]})"
        )
        raise UserError(f"checkpoint {path}: {one_line(problem + explain_names(wanted, unknown), LONGEST_LINE)}")
    if bad := not_finite(state):
        raise UserError(f"checkpoint {path}: {len(bad)} tensors hold NaN or infinity (first: {bad[0]})")
    model.load_state_dict(state)
    return f"{len(wanted)} of {len(wanted)} tensors from {path}"


def _sync_folder(folder: Path) -> None:
    """Make the renaming itself last through a power cut, where the system can."""
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
    return f"the disk took only a part of it, {free // 2**20} MiB are free"


def _first_bytes(file: BinaryIO) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return f"{size} bytes, begins {file.read(8)!r}"
