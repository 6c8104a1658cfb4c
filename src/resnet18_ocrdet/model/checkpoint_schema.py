"""Types and ranges of the parts of a checkpoint from an untrusted source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from ..errors import UserError
from ..runtime.messages import one_line
from .plain_values import is_number

WEIGHTS = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64)  # int64: counters of batch norm
COUNTS = ("epoch", "step", "steps_per_epoch", "not_better")
SECTIONS = ("optimizer", "scaler", "mining", "sums")
OPTIONAL_SECTIONS = ("guard", "random")  # None in stripped checkpoints
MAX_COUNT = 2**63 - 1


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


def check_content(content: Mapping[str, Any]) -> None:
    """Raises UserError for a part with a wrong type or range, apart from contract, config and about.

    The state of a resume is checked when it is resumed."""
    if not is_state(content["model"]):
        raise UserError("not written by ocrdet-train (schema or weights have the wrong type)")
    for name in COUNTS:
        _demand(is_count(content[name]), name, "must be a whole number >= 0")
    _demand(is_count(content["world"], 1), "world", "must be a number of processes")
    _demand(
        content["images_per_step"] is None or is_count(content["images_per_step"], 1),
        "images_per_step",
        "must be a number of images",
    )
    _demand(content["best_hmean"] is None or is_number(content["best_hmean"], 0, 1), "best_hmean", "must be in 0..1")
    for name in (*SECTIONS, *OPTIONAL_SECTIONS):
        given = content[name]
        _demand(isinstance(given, dict) or (given is None and name in OPTIONAL_SECTIONS), name, "must be a section")
    average = content["average"]
    if average is not None:
        valid = isinstance(average, dict) and is_count(average.get("steps")) and is_state(average.get("model"))
        _demand(valid, "average", "must be averaged weights")


def is_count(value: object, low: int = 0, high: int = MAX_COUNT) -> bool:
    """Whether it is an int in low..high; bools are not."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


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


def is_state(state: object) -> bool:
    """Whether it is a state dict with the dtypes of weights."""
    return isinstance(state, dict) and all(
        isinstance(name, str) and isinstance(value, Tensor) and value.dtype in WEIGHTS for name, value in state.items()
    )


def _demand(holds: bool, name: str, problem: str) -> None:
    if not holds:
        raise UserError(one_line(f"its '{name}' {problem}"))
