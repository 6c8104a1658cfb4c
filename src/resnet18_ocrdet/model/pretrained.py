"""ImageNet weights for the backbone, from torchvision's cache or a given file; never silently missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
import torchvision
from torch import nn

from ..errors import UserError
from ..runtime.messages import count, one_line
from ..runtime.regular_file import open_regular
from .checkpoint_schema import check_tensors, is_state
from .zip_check import refuse_packed


def load_imagenet(backbone: nn.Module, name: str, source: str) -> str:
    """Fill a ResNetFeatures with a torchvision state dict.

    source: "imagenet" (torchvision's default weights: its cache, else its download, which is
    hash-checked and renamed into place when complete) or the path of a torchvision ResNet state dict.
    Returns one line that says what was loaded. Raises UserError when it cannot be had or does not fit."""
    state = _default_weights(name) if source == "imagenet" else _weights_file(Path(source))
    state = {key: value for key, value in state.items() if not key.startswith("fc.")}
    wanted = backbone.state_dict()
    counters = {key for key in wanted if key.endswith("num_batches_tracked")}  # absent in older files
    missing = sorted(wanted.keys() - state.keys() - counters)
    foreign = sorted(state.keys() - wanted.keys())
    bent = sorted(key for key in wanted.keys() & state.keys() if wanted[key].shape != state[key].shape)
    if missing or foreign or bent:
        raise UserError(
            f"init.backbone={source}: not a torchvision {name}: {count(len(missing), 'tensor')} missing, "
            f"{len(foreign)} unknown, {len(bent)} of another shape (first: {one_line((missing + foreign + bent)[0])})"
        )
    rotten = [key for key, value in state.items() if value.is_floating_point() and not torch.isfinite(value).all()]
    if rotten:
        raise UserError(
            f"init.backbone={source}: {count(len(rotten), 'tensor')} with NaN or infinity (first: {rotten[0]})"
        )
    backbone.load_state_dict(state, strict=False)  # strict is checked above; only counters may lack
    loaded = len(wanted) - len(counters)
    return f"backbone: {loaded} of {loaded} tensors from {source}"


def _default_weights(name: str) -> dict[str, Any]:
    weights = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"]
    try:
        return dict(weights.get_state_dict(progress=False, check_hash=True))
    except (URLError, OSError, RuntimeError) as error:
        cached = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
        reason = getattr(error, "reason", error)
        raise UserError(
            f"init.backbone=imagenet: no ImageNet weights at {cached} and the download failed ({reason}). "
            f"Put the file there, give its path (init.backbone=FILE), or train without (init.backbone=null)"
        ) from None


def _weights_file(path: Path) -> dict[str, Any]:
    try:
        file = open_regular(path)
    except OSError as error:
        why = "no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise UserError(f"init.backbone={path}: {why} (a torchvision state dict, or 'imagenet', or null)") from None
    try:
        with file:
            refuse_packed(file)
            state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a foreign file fails in many ways, all of them the user's to fix
        raise UserError(f"init.backbone={path}: not a state dict ({type(error).__name__})") from None
    if not is_state(state):
        raise UserError(f"init.backbone={path}: not a state dict of tensors")
    try:
        check_tensors(state)
    except UserError as error:
        raise UserError(f"init.backbone={path}: {error}") from None
    return dict(state)
