"""What a checkpoint must hold, whoever wrote it: types, ranges, and tensors that are plain numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from ..errors import UserError
from ..runtime.messages import one_line

WEIGHTS = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64)  # the last one counts batches
COUNTS = ("epoch", "step", "steps_per_epoch", "not_better")
PARTS = ("optimizer", "scaler", "mining", "sums")  # of a resume: sections
OPEN_PARTS = ("guard", "random")  # sections, or None in weights to give away
LARGEST = 2**63


def check_tensors(content: object) -> None:
    """Raises UserError for a tensor anywhere in it that is not dense, in memory, and as large as it claims.

    Others may claim any size in a file of a few bytes, or crash whoever reads their values."""
    left, seen = [content], set[int]()
    while left:
        node = left.pop()
        if isinstance(node, Tensor):
            if (problem := _unusual(node)) is not None:
                raise UserError(f"holds a tensor that {problem}: weights are dense numbers in memory")
        elif isinstance(node, dict | list | tuple | set) and id(node) not in seen:
            seen.add(id(node))
            left += [*node, *node.values()] if isinstance(node, dict) else node


def check_content(content: Mapping[str, Any]) -> None:
    """Raises UserError for a part, besides contract, config and about, that has another type or range than a run's.

    What the parts of a resume hold is the affair of `resumable`."""
    if not is_state(content["model"]):
        raise UserError("not written by ocrdet-train (schema or weights of a wrong type)")
    for name in COUNTS:
        _demand(is_count(content[name]), name, "is no whole number from 0 up")
    _demand(is_count(content["world"], 1), "world", "is no number of processes")
    _demand(
        content["images_per_step"] is None or is_count(content["images_per_step"], 1),
        "images_per_step",
        "is no number of images",
    )
    _demand(content["best_hmean"] is None or is_number(content["best_hmean"], 0, 1), "best_hmean", "is not in 0..1")
    for name in (*PARTS, *OPEN_PARTS):
        given = content[name]
        _demand(isinstance(given, dict) or (given is None and name in OPEN_PARTS), name, "is no section")
    average = content["average"]
    if average is not None:
        whole = isinstance(average, dict) and is_count(average.get("steps")) and is_state(average.get("model"))
        _demand(whole, "average", "is no average of weights")


def is_count(value: object, low: int = 0) -> bool:
    """A whole number from `low` up; True is none."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value < LARGEST


def is_number(value: object, low: float = -math.inf, high: float = math.inf) -> bool:
    """A finite number within both ends; True is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < LARGEST:
        return False
    return low <= value <= high


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
        return f"claims {tensor.numel()} values and brings fewer"
    return None


def is_state(state: object) -> bool:
    """Whether it is tensors by name, of types that weights have."""
    return isinstance(state, dict) and all(
        isinstance(name, str) and isinstance(value, Tensor) and value.dtype in WEIGHTS for name, value in state.items()
    )


def _demand(holds: bool, name: str, problem: str) -> None:
    if not holds:
        raise UserError(one_line(f"its '{name}' {problem}"))
