"""ImageNet weights for the backbone, from torchvision's cache or a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch

from ..errors import UserError
from ..runtime.regular_file import open_regular
from .backbone import Backbone
from .tensor_file import COUNTER, is_state, mismatch, read_tensors


def load_imagenet(backbone: Backbone, source: str) -> str:
    """Fill a backbone with the state dict of a classifier.

    source: "imagenet" (torchvision's default weights from its cache, else its download, which is hash-checked and
    renamed into place when complete) or the path of a torchvision state dict.
    Returns one line that says what was loaded. Raises UserError if it is not available or does not fit."""
    state = _default_weights(backbone) if source == "imagenet" else _weights_file(Path(source))
    if backbone.classifier:
        state = {key: value for key, value in state.items() if not key.startswith(backbone.classifier)}
    wanted = backbone.state_dict()
    counters = {key for key in wanted if key.endswith(COUNTER)}  # absent in older files
    if (problem := mismatch(wanted, state, counters)) is not None:
        raise UserError(f"init.backbone={source}: not weights of {backbone.name}: {problem}")
    backbone.load_state_dict(state, strict=False)  # checked above; only counters may be missing
    loaded = len(wanted) - len(counters)
    return f"backbone: {loaded} of {loaded} tensors from {source}"


def _default_weights(backbone: Backbone) -> dict[str, Any]:
    weights = backbone.imagenet
    if weights is None:
        raise UserError(f"init.backbone=imagenet: no ImageNet weights are known for {backbone.name}; give their path")
    try:
        return dict(weights.get_state_dict(progress=False, check_hash=True))
    except (URLError, OSError, RuntimeError) as error:
        cached = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
        reason = getattr(error, "reason", error)
        raise UserError(
            f"init.backbone=imagenet: not found at {cached}, and the download failed ({reason}). "
            f"Put the file there, give its path (init.backbone=FILE), or train without it (init.backbone=null)"
        ) from None


def _weights_file(path: Path) -> dict[str, Any]:
    try:
        file = open_regular(path)
    except OSError as error:
        why = "no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise UserError(f"init.backbone={path}: {why} (a torchvision state dict, or 'imagenet', or null)") from None
    try:
        with file:
            state = read_tensors(file)
    except UserError as error:
        raise UserError(f"init.backbone={path}: {error}") from None
    except Exception as error:  # files of other programs fail in many ways
        raise UserError(f"init.backbone={path}: not a state dict ({type(error).__name__})") from None
    if not is_state(state):
        raise UserError(f"init.backbone={path}: not a state dict of tensors")
    return state
