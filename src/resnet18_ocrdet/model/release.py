"""Weights to publish: in half precision, without the state of a resume and without paths of this machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import UserError
from ..runtime.regular_file import blake2
from .checkpoint import Checkpoint, shipped_weights, weights_only
from .metadata import Metadata

STATISTICS = ("running_mean", "running_var")  # of batch norm: few, and a variance may be too small for half precision
PATHS = ("run_dir", "resume", "init.weights", "init.backbone")
PROGRESS = ("schema", "epoch", "step", "steps_per_epoch", "images_per_step", "world", "best_hmean")
DIGEST_BYTES = 8  # of an image file: among a million images, a collision has a chance of 1 in 10 million


def strip_checkpoint(content: Checkpoint, train_digests: Iterable[str]) -> Checkpoint:
    """A checkpoint to evaluate, detect with and fine-tune, but not to resume; a sixth of the size.

    It holds the averaged weights if there are any. train_digests: `digest` of each training image.
    Raises UserError if a weight is too large for half precision."""
    about = {key: value for key, value in content["about"].items() if key != "start"}  # it names a file
    about["taught"] = sorted(train_digests)
    model = {name: _halved(name, value) for name, value in shipped_weights(content).items()}
    stripped = weights_only(content["contract"], without_paths(content["config"]), about, model)
    for key in PROGRESS:
        stripped[key] = content[key]  # type: ignore[literal-required]
    return stripped


def without_paths(config: dict[str, Any]) -> dict[str, Any]:
    """A copy of a run's config without its data and file names."""
    config = deepcopy(config) | {"data": None}
    for path in PATHS:
        section, _, key = path.rpartition(".")
        node = config.get(section) if section else config  # None in converted weights
        if node is not None:
            node[key] = None
    return config


def is_stripped(content: Mapping[str, object]) -> bool:
    """Whether there is nothing to resume: also in the metadata of an exported network."""
    return not content.get("optimizer")


def digest(path: Path) -> str:
    """Hash of a file, 16 hex digits (BLAKE2b). Raises OSError."""
    return blake2(path, DIGEST_BYTES)


def count_train_overlap(content: Metadata, images: Sequence[Path]) -> int:
    """How many of the image files were in the training set of a stripped checkpoint; 0 if it has no digests."""
    train_digests = set(content["about"].get("taught", ()))
    return sum(digest(path) in train_digests for path in images) if train_digests else 0


def _halved(name: str, value: Tensor) -> Tensor:
    if not value.is_floating_point() or name.endswith(STATISTICS):
        return value.clone()
    half = value.to(torch.float16)
    if torch.isinf(half).any() and torch.isfinite(value).all():
        raise UserError(f"{name}: a weight of {float(value.abs().max()):g} is too large for half precision")
    return half
