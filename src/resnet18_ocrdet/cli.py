"""The entry points. Each checks its command line, then passes the checked config to the command.

What a command needs is imported when it runs, so that --help and a refused word answer at once.
"""

from __future__ import annotations

import logging
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from .commands.job import Job
from .commands.launch import run_command
from .runtime.streams import exit_code, protect_streams, set_notice

if TYPE_CHECKING:
    from omegaconf import DictConfig


def _job(module: str) -> Job:
    """`run` of a module of commands/, which is imported when it runs."""

    def job(cfg: DictConfig, words: list[str]) -> int:
        set_up_process(cfg)
        code: int = import_module(f"{__package__}.commands.{module}").run(cfg, words)
        return code

    return job


_train, _evaluate, _detect, _export, _check = map(_job, ("train", "evaluate", "detect", "export", "check"))


def train() -> None:
    """ocrdet-train."""
    _run("train", _train)


def evaluate() -> None:
    """ocrdet-eval."""
    _run("eval", _evaluate)


def detect() -> None:
    """ocrdet-detect."""
    _run("detect", _detect)


def export() -> None:
    """ocrdet-export."""
    _run("export", _export)


def check() -> None:
    """ocrdet-check."""
    _run("check", _check)


def _run(command: str, job: Job) -> None:
    protect_streams()
    sys.exit(exit_code(run_command(command, job)))


def set_up_process(cfg: DictConfig) -> None:
    """Limits and settings of libraries for this whole process. Raises UserError if OpenCV does not load."""
    from .runtime.allocator import keep_freed_memory
    from .runtime.opencv import require_opencv

    keep_freed_memory()
    set_notice("stdout is closed; continuing, results are in files")
    max_pixels = round(cfg.max_megapixels * 1e6)
    os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(max_pixels)  # read once, when OpenCV is loaded
    require_opencv()
    import cv2
    import PIL.Image

    PIL.Image.MAX_IMAGE_PIXELS = max_pixels // 2  # Pillow refuses above twice of it, and so does `read_image`
    logging.getLogger("PIL").setLevel(logging.CRITICAL)  # it would print what it also raises
    cv2.setNumThreads(1)  # a pool of OpenCV's own threads does not survive the fork of loader processes
