"""Compare the tensors of a file with those of a network, and explain by their names why they do not fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor

from ..runtime.messages import count, one_line

COUNTER = "num_batches_tracked"  # of batch norm: absent in old files, not used in inference
DEFORMABLE = "conv2_offset"  # the layer that computes the offsets, in MhLiao/DB and its descendants
LONGEST_LINE = 1000  # characters of an error message
MOST_PARTS = 8  # of a tensor's name in this network, at least
WRAPPERS = {  # first part of a tensor's name -> where it comes from
    "module": " (of DistributedDataParallel: save the state dict of its .module)",
    "_orig_mod": " (of torch.compile: save the state dict of its ._orig_mod)",
}


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
