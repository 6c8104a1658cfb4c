"""Weights to publish: without the state of a resume and without paths of this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from ..config.library import mixed_groups
from ..runtime.regular_file import blake2
from .metadata import Metadata

PATHS = ("run_dir", "resume", "init.weights", "init.backbone")
DIGEST_BYTES = 8  # of an image file: among a million images, a collision has a chance of 1 in 10 million


def without_paths(config: dict[str, Any]) -> dict[str, Any]:
    """A copy of a run's config without its data and file names."""
    config = deepcopy(config) | dict.fromkeys(["data", *mixed_groups()])
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
