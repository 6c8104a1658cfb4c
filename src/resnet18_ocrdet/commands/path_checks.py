"""Paths in the settings: checked before torch is loaded, and made absolute where a run records them."""

from __future__ import annotations

import errno
import os
import re
from difflib import get_close_matches
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from ..config.interpolation import escape_interpolation
from ..config.library import train_keys
from ..errors import UserError
from ..model.bundled import BUNDLED
from ..runtime.messages import looked_in

FOLDERS = ("data.root", "data.fonts", "data.backgrounds")
CHECKPOINTS = ("checkpoint", "init.weights")
WRITTEN = ("run_dir", "output")
BEST_FIRST = ("checkpoints/best.pt", "best.pt", "checkpoints/last.pt", "last.pt")  # what a folder may stand for
ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL)


def check_disk(cfg: DictConfig, command: str) -> None:
    """Refuse paths that cannot work; make those absolute that a training run records.

    Raises UserError with one line per mistake."""
    problems = misplaced(cfg, command)
    if problems:
        raise UserError("\n".join(problems))
    if command == "train":
        _make_absolute(cfg)


def misplaced(cfg: DictConfig, command: str) -> list[str]:
    """What is wrong with the paths of a checked config, one line each."""
    found = [_folder_problem(key, path) for key in FOLDERS if (path := _path(cfg, key))]
    found += [_checkpoint_problem(key, path) for key in CHECKPOINTS if (path := _path(cfg, key))]
    if path := _path(cfg, "input"):
        found.append(_absence("input=", path, "file or folder"))
    if path := _path(cfg, "predictions"):
        found.append(_absence("predictions=", path, "folder or zip of result files"))
    if path := _path(cfg, "baseline"):
        found.append(_absence("baseline=", path, "checkpoint, folder or zip of result files"))
    if (path := _path(cfg, "resume")) and str(path) != "auto":
        found.append(_absence("resume: checkpoint ", path, "file"))
    if (path := _path(cfg, "init.backbone")) and str(path) != "imagenet":
        found.append(_absence("init.backbone=", path, "file", " (a torchvision state dict, or 'imagenet', or null)"))
    found += [_loop(key, Path(path)) for key in WRITTEN if (path := OmegaConf.select(cfg, key))]
    if command == "train":
        found.append(_run_dir_problem(cfg))
    if command == "check":
        found.append(_output_problem(cfg))
    return [problem for problem in found if problem]


def _path(cfg: DictConfig, key: str) -> Path | None:
    """What a key names; None where it is not set, not there, or not used by this run."""
    if key.startswith("init.") and OmegaConf.select(cfg, "resume") is not None:
        return None  # resume brings the weights
    value = OmegaConf.select(cfg, key)
    return None if value is None or (value == BUNDLED and key in (*CHECKPOINTS, "baseline")) else Path(value)


def _absence(what: str, path: Path, kind: str, note: str = "") -> str:
    """`input=photos: no such file or folder (looked in /home/me)`; empty where something is there."""
    try:
        path.stat()
    except OSError as error:
        if error.errno in ABSENT:
            return f"{what}{path}: no such {kind}{note}{looked_in(path)}"
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


def _folder_problem(key: str, path: Path) -> str:
    problem = _absence(f"{key}=", path, "folder")
    return problem or ("" if path.is_dir() else f"{key}={path}: not a folder")


def _checkpoint_problem(key: str, path: Path) -> str:
    problem = _absence("checkpoint " if key == "checkpoint" else f"{key}: checkpoint ", path, "file")
    if problem:
        if get_close_matches(str(path), [BUNDLED]):
            return f"{problem}; did you mean {BUNDLED}?"
        near = path.parent / "checkpoints" / path.name
        return f"{problem}; did you mean {near}?" if near.is_file() else problem
    if not path.is_dir():
        return ""
    inside = next((path / name for name in BEST_FIRST if (path / name).is_file()), None)
    return f"{key}={path} is a folder: " + (f"type {key}={inside}" if inside else "a .pt file is needed, none is in it")


def _run_dir_problem(cfg: DictConfig) -> str:
    """A run among the images of a data set: images that it writes would be refused as images without labels."""
    root, run_dir = _path(cfg, "data.root"), Path(cfg.run_dir or "runs")
    if root is None or cfg.resume is not None or not _real(run_dir).is_relative_to(_real(root)):
        return ""
    between = _real(run_dir).relative_to(_real(root)).parts
    if not any(name == "images" or name.endswith("_images") for name in between):
        return ""
    return (
        f"run_dir={run_dir} is among the images of data.root={root}: images that the run writes would be taken "
        f"for images without labels; choose a folder outside"
    )


def _output_problem(cfg: DictConfig) -> str:
    """A report inside the data set, which a check never writes to."""
    root, output = _path(cfg, "data.root"), Path(cfg.output or "runs")
    if root is None or not _real(output).is_relative_to(_real(root)):
        return ""
    where = f"output={output}" if cfg.output else "the default output, runs/check,"
    return f"{where} is inside data.root={root}, which is never written to: choose an output=FOLDER outside"


def _real(path: Path) -> Path:
    """Where a path leads; `Path.resolve` raises for a link that points to itself."""
    return Path(os.path.realpath(path))


def _make_absolute(cfg: DictConfig) -> None:
    """config.yaml and checkpoint keep the paths of data and weights; a resume or ocrdet-eval may start elsewhere."""
    for name, key in train_keys().items():
        path = OmegaConf.select(cfg, name) if key.rule.path and "." in name else None
        if not isinstance(path, str) or re.fullmatch(key.rule.plain, path) or not Path(path).exists():
            continue
        OmegaConf.update(cfg, name, escape_interpolation(str(Path(path).absolute())))
