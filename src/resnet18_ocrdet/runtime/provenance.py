"""Where a run comes from: versions, machine, revision of the code, and which data it saw. Plain values only."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from .. import __version__
from ..structures import Source

LIBRARIES = {  # name -> the distributions it may come from; these change numbers, or what a config means
    "torch": ("torch",),
    "torchvision": ("torchvision",),
    "opencv": ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"),
    "numpy": ("numpy",),
    "shapely": ("shapely",),
    "pyclipper": ("pyclipper",),
    "hydra": ("hydra-core",),
}
GIT_SECONDS = 5.0  # git on a slow network disk must not hold up a run
REDIRECTS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")  # set in git's hooks; they may mean another repository


def provenance(device: torch.device) -> dict[str, Any]:
    """What a run is saved with, for JSON and for checkpoints: texts, numbers, None, and dicts of them.

    version: of this package. git: see `git_state`. libraries: versions by name, None where one is not installed.
    cpus: cores this process may use. gpu: name of `device` where it is a CUDA device; no other one is looked at."""
    return {
        "version": __version__,
        "git": git_state(Path(__file__).parent),
        "python": platform.python_version(),
        "libraries": {name: _version(distributions) for name, distributions in LIBRARIES.items()},
        "platform": platform.platform(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
    }


def git_state(folder: Path) -> dict[str, Any] | None:
    """Ask git for the revision of the code in a package's folder.

    revision: 40 hex digits (64 in a SHA-256 repository). dirty: whether anything in the folder, new files included,
    differs from that revision; None where git did not say. The whole is None without git, without a repository, and
    where `__init__.py` is not tracked: an installed package may lie inside somebody else's repository."""
    revision = _git(folder, "rev-parse", "HEAD")
    if revision is None or _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=normal", "--", ".")
    return {"revision": revision, "dirty": None if changes is None else bool(changes)}


def data_hash(source: Source) -> str:
    """SHA-256, 64 hex digits, over what a split is: each chunk of `source.fingerprint()` after its length.

    The order of the images counts, since it decides which random numbers an image gets. Where the data lie does not.
    Neither do the pixels of photos: an image changed without changing its size in bytes goes unseen."""
    digest = hashlib.sha256()
    for chunk in source.fingerprint():
        digest.update(len(chunk).to_bytes(8, "little"))
        digest.update(chunk)
    return digest.hexdigest()


def _git(folder: Path, *words: str) -> str | None:
    """What git prints in a folder, without the white space around; None where it fails, is absent or too slow."""
    environment = {name: value for name, value in os.environ.items() if name not in REDIRECTS}
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", *words],  # no lock: a commit at the same moment must not fail
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
    """Version of the first of them that is installed."""
    for name in distributions:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None
