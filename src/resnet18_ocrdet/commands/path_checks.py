"""Paths in the settings: checked before torch is loaded, and made absolute where a run records them."""

from __future__ import annotations

import errno
import os
import re
from difflib import get_close_matches
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from ..config.interpolation import escape_interpolation
from ..config.library import mixed_groups, train_keys
from ..errors import UserError
from ..model.bundled import BUNDLED
from ..runtime.messages import looked_in
from .job import FOLDER_KEY

PATHS = {  # key -> how its message begins, what it leads to, and the word that is no path
    "data.root": ("data.root=", "folder", ""),
    "data.fonts": ("data.fonts=", "folder", ""),
    "data.backgrounds": ("data.backgrounds=", "folder", ""),
    "data.texts": ("data.texts=", "folder", ""),
    "checkpoint": ("checkpoint ", "file", BUNDLED),
    "init.weights": ("init.weights: checkpoint ", "file", BUNDLED),
    "input": ("input=", "file or folder", ""),
    "labelled": ("labelled=", "folder", ""),
    "predictions": ("predictions=", "folder or zip of result files", ""),
    "baseline": ("baseline=", "checkpoint, folder or zip of result files", BUNDLED),
    "resume": ("resume: checkpoint ", "file", "auto"),
    "init.backbone": ("init.backbone=", "file (a torchvision state dict, or 'imagenet', or null)", "imagenet"),
}
WRITTEN = ("run_dir", "output")
BEST_FIRST = ("checkpoints/best.pt", "best.pt", "checkpoints/last.pt", "last.pt")  # what a folder may stand for
ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL)


def check_disk(cfg: DictConfig, command: str) -> None:
    """Refuse paths that cannot work; make those absolute that a training run records.

    Raises UserError with one line per mistake."""
    if problems := misplaced(cfg, command):
        raise UserError("\n".join(problems))
    if command != "train":
        return
    for name, key in train_keys().items():  # a resume or ocrdet-eval may start in another folder
        path = OmegaConf.select(cfg, name) if key.rule.path and "." in name else None
        if isinstance(path, str) and not re.fullmatch(key.rule.plain, path) and Path(path).exists():
            OmegaConf.update(cfg, name, escape_interpolation(str(Path(path).absolute())))


def misplaced(cfg: DictConfig, command: str) -> list[str]:
    """What is wrong with the paths of a checked config, one line each."""
    resuming = OmegaConf.select(cfg, "resume") is not None  # which brings the weights
    picking = OmegaConf.select(cfg, "pick") is not None  # data.root is input=, which is named instead
    found = []
    data = [(key, row) for key, row in PATHS.items() if key.startswith("data.")]
    mixed = {
        key.replace("data", group, 1): (row[0].replace("data", group, 1), *row[1:])
        for group in mixed_groups()
        for key, row in data
    }
    for key, (begin, kind, keyword) in (PATHS | mixed).items():
        value = OmegaConf.select(cfg, key)
        if value is None or value == keyword or (resuming and key.startswith("init.")):
            continue
        if picking and key == "data.root":
            continue
        path = Path(value)
        problem = _absence(begin, path, kind)
        if key in ("checkpoint", "init.weights"):
            problem = _checkpoint_problem(key, path, problem)
        elif kind == "folder" and not problem and not path.is_dir():
            problem = f"{key}={path}: not a folder"
        found.append(problem)
    found += [_loop(key, Path(path)) for key in WRITTEN if (path := OmegaConf.select(cfg, key))]
    for group in ("data", *mixed_groups()) if command in ("train", "check") else ():
        if (value := OmegaConf.select(cfg, f"{group}.root")) is None:
            continue
        root, written = Path(value), Path(cfg[FOLDER_KEY[command]] or "runs")
        if command == "train" and not resuming:
            found.append(_run_dir_problem(group, root, written))
        if command == "check" and _real(written).is_relative_to(_real(root)):
            where = f"output={written}" if cfg.output else "the default output, runs/check,"
            remedy = "choose an output=FOLDER outside"
            named = "input" if picking else f"{group}.root"
            found.append(f"{where} is inside {named}={root}, which is never written to: {remedy}")
    return [problem for problem in found if problem]


def _absence(what: str, path: Path, kind: str) -> str:
    """`input=photos: no such file or folder (looked in /home/me)`; empty where something is there."""
    try:
        path.stat()
    except OSError as error:
        if error.errno in ABSENT:
            return f"{what}{path}: no such {kind}{looked_in(path)}"
        return f"{what}{path}: cannot be opened ({error.strerror})"
    except ValueError:  # a zero byte
        return f"{what}{path}: no such {kind}"
    return ""


def _loop(key: str, path: Path) -> str:
    """A link that points to itself: nothing can be written there."""
    try:
        path.stat()
    except OSError as error:
        return f"{key}={path}: {error.strerror}" if error.errno == errno.ELOOP else ""
    except ValueError:  # a zero byte
        return f"{key}={path}: not a valid folder name"
    return ""


def _checkpoint_problem(key: str, path: Path, absence: str) -> str:
    """absence: empty where something is there."""
    if absence:
        if get_close_matches(str(path), [BUNDLED]):
            return f"{absence}; did you mean {BUNDLED}?"
        near = path.parent / "checkpoints" / path.name
        return f"{absence}; did you mean {near}?" if near.is_file() else absence
    if not path.is_dir():
        return ""
    inside = next((path / name for name in BEST_FIRST if (path / name).is_file()), None)
    return f"{key}={path} is a folder: " + (f"type {key}={inside}" if inside else "a .pt file is needed, none is in it")


def _run_dir_problem(group: str, root: Path, run_dir: Path) -> str:
    """A run among the images of a data set: images that it writes would be refused as images without labels."""
    if not _real(run_dir).is_relative_to(_real(root)):
        return ""
    between = _real(run_dir).relative_to(_real(root)).parts
    if not any(name == "images" or name.endswith("_images") for name in between):
        return ""
    return (
        f"run_dir={run_dir} is among the images of {group}.root={root}: images that the run writes would be taken "
        f"for images without labels; choose a folder outside"
    )


def _real(path: Path) -> Path:
    """Where a path leads; `Path.resolve` raises for a link that points to itself."""
    return Path(os.path.realpath(path))
