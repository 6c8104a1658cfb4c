"""Weights to give away: in half precision, without what only a resume needs and without paths of this machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import UserError
from ..runtime.regular_file import open_regular
from .checkpoint import Checkpoint, shipped_weights, weights_only

STATISTICS = ("running_mean", "running_var")  # of batch norm: few, and a variance may be too small for half precision
PATHS = ("run_dir", "resume", "init.weights", "init.backbone")
DIGEST_BYTES = 8  # of an image file: among a million images, a chance of 1 in 10 million that two are taken for one


def slim(content: Checkpoint, taught: Iterable[str]) -> Checkpoint:
    """A checkpoint that can be evaluated, run and fine-tuned, but not resumed: half as large as the weights alone.

    The averaged weights where there are some. taught: digests of the images it learnt from (`digest`).
    Raises UserError where a weight is too large for half precision."""
    about = _about(content["about"]) | {"taught": sorted(taught)}
    model = {name: _halved(name, value) for name, value in shipped_weights(content).items()}
    made = weights_only(content["contract"], without_paths(content["config"]), about, model)
    for key in ("schema", "epoch", "step", "steps_per_epoch", "images_per_step", "world", "best_hmean"):
        made[key] = content[key]
    return made


def without_paths(config: dict[str, Any]) -> dict[str, Any]:
    """A copy of a run's config that names neither its data nor any file."""
    made = deepcopy(config) | {"data": None}
    for path in PATHS:
        section, _, key = path.rpartition(".")
        node = made.get(section) if section else made  # absent in weights of another program
        if node is not None:
            node[key] = None
    return made


def is_stripped(content: Checkpoint) -> bool:
    """Whether `slim` made it: there is nothing to resume."""
    return not content["optimizer"]


def digest(path: Path) -> str:
    """Of a file's bytes, 16 hex digits (BLAKE2b). Raises OSError."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=DIGEST_BYTES)).hexdigest()


def count_train_overlap(content: Checkpoint, images: Sequence[Path]) -> int:
    """How many of the image files a slim checkpoint learnt from; 0 for one that does not say."""
    taught = set(content["about"].get("taught", ()))
    return sum(digest(path) in taught for path in images) if taught else 0


def _about(about: dict[str, Any]) -> dict[str, Any]:
    """Without what was measured of starting weights, which names their file."""
    return {key: value for key, value in about.items() if key != "start"}


def _halved(name: str, value: Tensor) -> Tensor:
    if not value.is_floating_point() or name.endswith(STATISTICS):
        return value.clone()
    half = value.to(torch.float16)
    if torch.isinf(half).any() and torch.isfinite(value).all():
        raise UserError(f"{name}: a weight of {float(value.abs().max()):g} is too large for half precision")
    return half
