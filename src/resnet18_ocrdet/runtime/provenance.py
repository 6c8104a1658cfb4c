"""Where a run comes from: versions, machine, revision of the code, and the data. Plain values only."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from .. import __version__
from ..structures import Source
from .machine import available_cores

LIBRARIES = {  # name -> distributions that provide it; these affect numbers, or the meaning of a config
    "torch": ("torch",),
    "torchvision": ("torchvision",),
    "opencv": ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"),
    "numpy": ("numpy",),
    "shapely": ("shapely",),
    "pyclipper": ("pyclipper",),
    "hydra": ("hydra-core",),
}
GIT_SECONDS = 5.0  # git on a slow network disk must not delay a run
REDIRECTS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")  # set in git's hooks, maybe for another repository


def provenance(device: torch.device) -> dict[str, Any]:
    """For JSON and checkpoints: strings, numbers, None, and dicts of them.

    version: of this package. git: see `git_state`. libraries: versions by name, None for one that is not installed.
    cpus: cores this process may use. gpu: name of `device` if it is a CUDA device."""
    return {
        "version": __version__,
        "git": git_state(Path(__file__).parent),
        "python": platform.python_version(),
        "libraries": {name: _version(distributions) for name, distributions in LIBRARIES.items()},
        "platform": platform.platform(),
        "cpus": available_cores(),
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
    }


def git_state(folder: Path) -> dict[str, Any] | None:
    """Ask git for the revision of the code in a package's folder.

    revision: 40 hex digits (64 in a SHA-256 repository). dirty: whether anything in the folder, new files included,
    differs from that revision; None if unknown. Returns None without git, without a repository, and if `__init__.py` is
    not tracked: an installed package may be inside an unrelated repository."""
    revision = _git(folder, "rev-parse", "HEAD")
    if revision is None or _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=normal", "--", ".")
    return {"revision": revision, "dirty": None if changes is None else bool(changes)}


def data_hash(source: Source) -> str:
    """SHA-256, 64 hex digits, of a split: over each chunk of `source.fingerprint()`, preceded by its length.

    It depends on the order of the images, which decides the random numbers of each image, but not on their folder.
    Pixels of photos are not read: a change that keeps an image's size in bytes is not noticed."""
    digest = hashlib.sha256()
    for chunk in source.fingerprint():
        digest.update(len(chunk).to_bytes(8, "little"))
        digest.update(chunk)
    return digest.hexdigest()


def _git(folder: Path, *words: str) -> str | None:
    """Output of git in a folder, stripped; None if it fails, is missing or takes too long."""
    environment = {name: value for name, value in os.environ.items() if name not in REDIRECTS}
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", *words],  # without locks: a simultaneous commit must not fail
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _version(distributions: tuple[str, ...]) -> str | None:
    """Version of the first one that is installed."""
    for name in distributions:
        with suppress(PackageNotFoundError):
            return version(name)
    return None
