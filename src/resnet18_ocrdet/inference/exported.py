"""Networks in exported files, run by ONNX Runtime or OpenVINO on the CPU. Torch is not imported.

Legend: N images, H W pixels.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from functools import partial
from pathlib import Path
from threading import Lock, Thread
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..data.letterbox import EXACT
from ..errors import UserError
from ..runtime.messages import one_line
from ..structures import Image
from .postprocess import ProbMap

T = TypeVar("T")

OPENING_SECONDS = 60.0  # to open a file, and then to compile it and run it on one image
PASS_SECONDS = 600.0  # for every later image, the largest on the slowest machine
GRACE_SECONDS = 1.0  # for a pass that was asked to end
SMALL = 64  # px, both sides of the first image if any size is allowed
TOLERANCE = 1e-3  # a probability may be outside of 0..1 by this much: int8 arithmetic rounds

Run = Callable[[NDArray[Any]], Any]  # (N, 3, H, W) in the file's dtype -> its output: (N, 1, H, W), or (H, W) for N=1


class ExportedFile(NamedTuple):
    """An opened file."""

    path: Path
    runtime: str  # "onnxruntime", "openvino" or "torch"
    card: dict[str, Any]  # its metadata, see `export.card.make_card`
    start: Callable[[str], Run]  # with a precision
    stop: Callable[[], None] = lambda: None  # asks a running pass to end


class ExportedNetwork:
    """Canvases to probability maps. Threads may share it."""

    batch_size = 1  # a CPU is not faster with more images at a time
    note: str | None = None  # see `Compute.note`; a runtime computes what it does not have in fp32

    def __init__(self, file: ExportedFile, precision: str = "fp32") -> None:
        """precision: one that the runtime supports. Raises UserError for a file whose first output is not a map."""
        self.path, self.runtime, self.stop = file.path, file.runtime, file.stop
        self.dtype = np.uint8 if file.card["input"]["dtype"] == "uint8" else np.float32
        self.sides: list[int | str] = file.card["input"]["shape"]
        self.run: Run
        self.hung = ""  # the message, once a pass did not end
        self._start, self._process, self._restarting = partial(file.start, precision), os.getpid(), Lock()

        def begin() -> None:
            self.run = self._start()
            height, width = (side if isinstance(side, int) else SMALL for side in self.sides[2:])
            self._map(np.zeros((1, 3, height, width), self.dtype))

        limit_opening(file.path, begin, file.stop)

    def check_size(self, height: int, width: int, resize: str) -> None:
        """Raises UserError if images prepared like this do not fit: a file may take one size only."""
        only = tuple(self.sides[2:])
        if isinstance(only[0], int) and ((height, width) != only or resize not in EXACT):
            raise UserError(
                f"{self.path}: takes images of {only[0]}x{only[1]} only: leave out input_size and decode.resize, or "
                f"export it with dynamic_shapes=true"
            )

    def __call__(self, canvases: Sequence[Image]) -> list[ProbMap]:
        """Canvases of one size, (H, W, 3) uint8 RGB -> their probability maps, (H, W) float32 0..1.

        Raises UserError if the output is not a map of probabilities."""
        return list(self.prob_maps(np.stack(canvases).transpose(0, 3, 1, 2))[:, 0])

    def prob_maps(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, 3, H, W) uint8 RGB -> (N, 1, H, W) float32 0..1. Raises UserError as a call does."""
        pixels = np.ascontiguousarray(images, self.dtype)
        parts = np.split(pixels, len(pixels)) if self.sides[0] == 1 else [pixels]
        return np.concatenate([self._map(part) for part in parts])

    def _map(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        if self.hung:  # that pass still runs, or is ending; a further one would wait for it
            raise UserError(self.hung)
        count, _, height, width = pixels.shape
        try:
            self._restart_after_fork()
            output = within(PASS_SECONDS, lambda: self.run(pixels), self.stop)
        except TimeoutError:
            self.hung = f"{self.path}: {self.runtime} has not ended after {PASS_SECONDS:g} s on an image"
            raise UserError(self.hung) from None
        except UserError:
            raise
        except Exception as error:  # each library has its own types
            reason = short_reason(error)
            raise UserError(f"{self.path}: {self.runtime} fails on an image of {height}x{width} ({reason})") from None
        if not isinstance(output, np.ndarray) or output.dtype.kind not in "fiu":
            kind = f"an array of {output.dtype}" if isinstance(output, np.ndarray) else type(output).__name__
            raise UserError(f"{self.path}: the output is not a map of probabilities but {kind}")
        whole = (count, 1, height, width)
        if output.shape != whole and (count, output.shape) != (1, (height, width)):
            raise UserError(f"{self.path}: gives {output.shape} instead of a map of {whole}")
        low, high = float(output.min()), float(output.max())
        if not (low >= -TOLERANCE and high <= 1.0 + TOLERANCE):  # also refuses NaN
            raise UserError(f"{self.path}: gives values from {low:g} to {high:g} instead of probabilities, 0 to 1")
        prob_map = np.asarray(output, np.float32).reshape(whole)
        return prob_map if low >= 0.0 and high <= 1.0 else prob_map.clip(0.0, 1.0)

    def _restart_after_fork(self) -> None:
        """In a forked process the threads of the runtime are missing. Raises UserError."""
        if os.getpid() == self._process:
            return
        with self._restarting:
            if os.getpid() != self._process:
                self.run, self._process = limit_opening(self.path, self._start, self.stop), os.getpid()


def limit_opening(path: Path, work: Callable[[], T], stop: Callable[[], None] = lambda: None) -> T:
    """The result of `work`. Raises UserError if it takes too long: a graph may contain an endless loop."""
    try:
        return within(OPENING_SECONDS, work, stop)
    except TimeoutError:
        raise UserError(f"{path}: not opened and run on a first image within {OPENING_SECONDS:g} s") from None


def within(seconds: float, work: Callable[[], T], stop: Callable[[], None] = lambda: None) -> T:
    """Call `work` in a separate thread; returns or raises what it does.

    stop: asks it to end. Raises TimeoutError after `seconds`; a thread that ignores `stop` keeps running, but does not
    prevent the process from ending."""
    future: Future[T] = Future()

    def call() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # raised again in the waiting thread
            future.set_exception(error)

    Thread(target=call, daemon=True).start()
    if not wait([future], seconds).done:
        stop()
        wait([future], GRACE_SECONDS)
        raise TimeoutError
    return future.result()


def short_reason(error: Exception) -> str:
    """A library's message in one short line."""
    return one_line(" ".join(str(error).split()), 200)
