"""What the names of tensors tell about a file that does not fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from torch import Tensor

DEFORMABLE = "conv2_offset"  # as MhLiao/DB and its descendants name the layer that makes the offsets
MOST_PARTS = 8  # of a name of this network, at least
WRAPPERS = {  # first part of a tensor's name -> who puts it there
    "module": " (of DistributedDataParallel: save the state dict of its .module)",
    "_orig_mod": " (of torch.compile: save the state dict of its ._orig_mod)",
}


def _holds_tensors(state: object) -> bool:
    return isinstance(state, dict) and all(isinstance(value, Tensor) for value in state.values())


def explain_names(wanted: Collection[str], foreign: Sequence[str]) -> str:
    """Why names are foreign, where the tensors of this network stand under longer or shorter ones; else nothing."""
    longer = Counter(name.removesuffix(ours) for name in foreign for ours in [_tail(name, wanted)] if ours)
    if longer:
        prefix, found = longer.most_common(1)[0]
        return f"; {found} names fit without the prefix '{prefix}'{WRAPPERS.get(prefix.split('.')[0], '')}"
    if any(DEFORMABLE in name for name in foreign):
        return "; it has deformable convolutions, and this network has none"
    return ""


def _tail(name: str, wanted: Collection[str]) -> str | None:
    """The wanted name that `name` ends with, behind at least one more part."""
    parts = name.split(".")
    cuts = range(max(1, len(parts) - MOST_PARTS), len(parts))
    return next((tail for cut in cuts if (tail := ".".join(parts[cut:])) in wanted), None)


def foreign_names(content: object, needed: frozenset[str]) -> str:
    """What a file of another program holds instead, as far as it is tensors by name."""
    if isinstance(content, dict) and len(needed & content.keys()) > len(needed) / 2:
        return ""  # ours, and incomplete
    nodes = [content, *(content.values() if isinstance(content, dict) else [])]
    state = next((node for node in nodes if isinstance(node, dict) and node and _holds_tensors(node)), None)
    if state is None:
        return ""
    first = str(next(iter(state)))
    deformable = "; it has deformable convolutions" if any(DEFORMABLE in str(name) for name in state) else ""
    return f": it holds {len(state)} tensors, first '{first}'{WRAPPERS.get(first.split('.')[0], '')}{deformable}"


def first_missing(content: object, needed: frozenset[str]) -> str:
    """The first part that a checkpoint lacks, in quotes."""
    keys = set(content) if isinstance(content, dict) else set()
    return f"'{sorted(needed - keys)[0]}'"
