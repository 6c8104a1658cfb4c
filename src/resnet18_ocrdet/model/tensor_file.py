"""Reads what torch.save wrote, from a source that is not trusted, and explains why its tensors do not fit a network.

torch.save writes zips without compression. A compressed one could expand to a thousand times its size.
"""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import BinaryIO, TypeGuard
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import torch
from torch import Tensor
from torch.nn import Parameter

from ..errors import UserError
from ..runtime.messages import count, one_line

LOCAL, END, LOCATOR, END64 = b"PK\3\4", b"PK\5\6", b"PK\6\7", b"PK\6\6"  # signatures of zip records
COUNTER = "num_batches_tracked"  # of batch norm: absent in old files, not used in inference
DEFORMABLE = "conv2_offset"  # the layer that computes the offsets, in MhLiao/DB and its descendants
LONGEST_LINE = 1000  # characters of an error message
MOST_PARTS = 8  # of a tensor's name in this network, at least
WRAPPERS = {  # first part of a tensor's name -> where it comes from
    "module": " (of DistributedDataParallel: save the state dict of its .module)",
    "_orig_mod": " (of torch.compile: save the state dict of its ._orig_mod)",
}
WEIGHTS = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64)  # int64: counters of batch norm


def read_tensors(file: BinaryIO) -> object:
    """Tensors, on the CPU, and plain values; no code is executed.

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


def mismatch(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor], optional: Collection[str] = ()) -> str | None:
    """Why a network cannot load a state dict, in one line; None if it can. optional: names that may be missing."""
    missing = sorted(wanted.keys() - given.keys() - set(optional))
    unknown = sorted(given.keys() - wanted.keys())
    reshaped = sorted(key for key in wanted.keys() & given.keys() if wanted[key].shape != given[key].shape)
    if first := (reshaped + missing + unknown)[:1]:
        total = len(wanted) - len(optional)
        return one_line(
            f"{total - len(missing) - len(reshaped)} of {total} tensors fit; {len(missing)} missing, {len(unknown)} "
            f"unknown, {len(reshaped)} of another shape (first: {first[0]}){_explain(wanted, unknown)}",
            LONGEST_LINE,
        )
    bad = [key for key, value in given.items() if value.is_floating_point() and not torch.isfinite(value).all()]
    return f"{count(len(bad), 'tensor')} with NaN or infinity (first: {bad[0]})" if bad else None


def state_in(content: object) -> dict[str, Tensor] | None:
    """Tensors by name in a file: at the top level, or under one of its keys."""
    for node in (content, *(content.values() if isinstance(content, dict) else [])):
        if isinstance(node, dict) and node and all(isinstance(value, Tensor) for value in node.values()):
            return {str(name): value for name, value in node.items()}
    return None


def _explain(wanted: Collection[str], unknown: Sequence[str]) -> str:
    """The likely reason for unknown names: a prefix, or another architecture; empty if there is none."""
    longer = Counter(name.removesuffix(tail) for name in unknown if (tail := _tail(name, wanted)))
    if longer:
        prefix, found = longer.most_common(1)[0]
        return f"; {found} names fit without the prefix '{prefix}'{WRAPPERS.get(prefix.split('.')[0], '')}"
    if any(DEFORMABLE in name for name in unknown):
        return "; it has deformable convolutions, and this network has none"
    return ""


def describe_tensors(content: object, needed: frozenset[str]) -> str:
    """The tensors in a file of another program; empty without any, or for an incomplete file of ours."""
    if isinstance(content, dict) and len(needed & content.keys()) > len(needed) / 2:
        return ""
    state = state_in(content)
    if state is None:
        return ""
    first = next(iter(state))
    deformable = "; it has deformable convolutions" if any(DEFORMABLE in name for name in state) else ""
    return f": it holds {len(state)} tensors, first '{first}'{WRAPPERS.get(first.split('.')[0], '')}{deformable}"


def _tail(name: str, wanted: Collection[str]) -> str | None:
    """The wanted name that `name` ends with, after at least one more part."""
    parts = name.split(".")
    cuts = range(max(1, len(parts) - MOST_PARTS), len(parts))
    return next((tail for cut in cuts if (tail := ".".join(parts[cut:])) in wanted), None)


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
