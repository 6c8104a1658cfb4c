"""Reads what torch.save wrote, from a source that is not trusted: without executing code, and not larger than the file.

torch.save writes zips without compression. A compressed one could expand to a thousand times its size.
"""

from __future__ import annotations

import os
import warnings
from typing import BinaryIO, TypeGuard
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import torch
from torch import Tensor
from torch.nn import Parameter

from ..errors import UserError

LOCAL, END, LOCATOR, END64 = b"PK\3\4", b"PK\5\6", b"PK\6\7", b"PK\6\6"  # signatures of zip records
WEIGHTS = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64)  # int64: counters of batch norm


def read_tensors(file: BinaryIO) -> object:
    """Tensors, on the CPU, and plain values.

    Raises UserError for what torch.save never writes, and what torch and `zipfile` raise for a damaged file."""
    _refuse_compressed(file)
    with warnings.catch_warnings():  # torch warns about files of other programs, which callers refuse
        warnings.simplefilter("ignore")
        content = torch.load(file, map_location="cpu", weights_only=True)
    check_tensors(content)
    return content


def check_tensors(content: object) -> None:
    """Raises UserError for a tensor, at any depth, that is not dense, in memory, and as large as it claims.

    Other tensors can claim any size in a file of a few bytes, or crash the program when their values are read."""
    left, seen = [content], set[int]()
    while left:
        node = left.pop()
        if isinstance(node, Tensor):
            if (problem := _unusual(node)) is not None:
                raise UserError(f"a tensor {problem}: weights must be dense numbers in memory")
        elif isinstance(node, dict | list | tuple | set) and id(node) not in seen:
            seen.add(id(node))
            left += [*node, *node.values()] if isinstance(node, dict) else node


def is_state(state: object) -> TypeGuard[dict[str, Tensor]]:
    """Whether it is a state dict with the dtypes of weights."""
    return isinstance(state, dict) and all(
        isinstance(name, str) and isinstance(value, Tensor) and value.dtype in WEIGHTS for name, value in state.items()
    )


def _unusual(tensor: Tensor) -> str | None:
    if type(tensor) not in (Tensor, Parameter):
        return f"is a {type(tensor).__name__}"
    if tensor.is_nested or tensor.layout is not torch.strided:
        return "is sparse or nested"
    if tensor.is_quantized or tensor.is_complex():
        return f"holds {tensor.dtype}"
    if tensor.device.type != "cpu":
        return f"is on the device '{tensor.device.type}'"
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        return f"claims {tensor.numel()} values and holds fewer"
    return None


def _refuse_compressed(file: BinaryIO) -> None:
    """Check the central directory of a zip; other files pass. Leaves the file at its beginning.

    Raises UserError for entries that are compressed, or together larger than the file, and what `zipfile` raises for
    a damaged file."""
    file.seek(0)
    if file.read(len(LOCAL)) == LOCAL:  # as torch distinguishes a zip from a pickle
        size = file.seek(0, os.SEEK_END)
        with ZipFile(file) as archive:
            if archive.start_dir != _directory_start(file, size):
                raise BadZipFile("two central directories: torch would read the other one")
            entries = archive.infolist()
        compressed = any(entry.compress_type != ZIP_STORED for entry in entries)
        if compressed or sum(entry.file_size for entry in entries) > size:
            raise UserError("not a checkpoint: zip entries are compressed or overlap, which torch.save never writes")
    file.seek(0)


def _directory_start(file: BinaryIO, size: int) -> int:
    """Offset of the central directory according to the last record, as torch reads it; `zipfile` may find another one.

    Raises BadZipFile if the records are not where torch.save writes them."""
    file.seek(max(0, size - 98))
    end64, locator, end = (part := file.read().rjust(98, b"\0"))[:56], part[56:76], part[76:]
    if end[:4] == END and locator[:4] != LOCATOR:
        return int.from_bytes(end[16:20], "little")
    if end[:4] == END and end64[:4] == END64 and int.from_bytes(locator[8:16], "little") == size - 98:
        return int.from_bytes(end64[48:56], "little")
    raise BadZipFile("the end record is missing")
