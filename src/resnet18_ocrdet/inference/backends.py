"""Exported networks in the place of ours: ONNX Runtime and OpenVINO, on the CPU.

Both are extras, imported when a file asks for them. Legend: N images, H W pixels.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import UserError
from ..model.metadata import check_metadata
from ..runtime.messages import one_line
from ..runtime.time_limit import within
from ..structures import Maps

T = TypeVar("T")

KEY = "resnet18_ocrdet"  # of the metadata: what ocrdet-export wrote about the network, as JSON
EXTRAS = {"onnxruntime": "export", "openvino": "openvino"}  # by which each is installed, the preferred one first
PRECISIONS = {"onnxruntime": ("fp32",), "openvino": ("fp32", "bf16")}

FORMAT = 1  # of the card, and of the sidecar beside an exported file
OPENING_SECONDS = 60.0  # for a file to open, and then for it to be compiled and look at one image
PASS_SECONDS = 600.0  # for every later one, the largest on the slowest machine
SMALL = 64  # px, both sides of that image where any size is taken
TOLERANCE = 1e-3  # that a probability may lie outside of 0..1 by: whole-number arithmetic rounds

Run = Callable[[NDArray[Any]], Any]  # (N, 3, H, W) as the file takes it -> its output, which should be (N, 1, H, W)


class Exported(NamedTuple):
    """A file that was opened."""

    path: Path
    runtime: str  # a key of EXTRAS, or "torch"
    card: dict[str, Any]  # what it says about itself, see `export.card.make_card`
    start: Callable[[str], Run]  # in the precision named
    stop: Callable[[], None] = lambda: None  # asks a pass to end


class ExportedModel(nn.Module):
    """An exported network, called as a DBNet is."""

    def __init__(self, file: Exported, precision: str = "fp32") -> None:
        """precision: one that the runtime has. Raises UserError for a file whose first pass does not give a map."""
        super().__init__()
        self.path, self.runtime, self.stop = file.path, file.runtime, file.stop
        self.dtype = np.uint8 if file.card["input"]["dtype"] == "uint8" else np.float32
        self.sides: list[int | str] = file.card["input"]["shape"]
        self.run: Run
        self.hung = ""  # why no other image is run

        def begin() -> None:
            self.run = file.start(precision)
            height, width = (side if isinstance(side, int) else SMALL for side in self.sides[2:])
            self._map(np.zeros((1, 3, height, width), self.dtype))

        _in_time(file.path, begin, file.stop)

    def check(self, height: int, width: int, resize: str) -> None:
        """Raises UserError where images prepared like this would not fit: a file may take one size only."""
        taken = tuple(self.sides[2:])
        if isinstance(taken[0], int) and ((height, width) != taken or resize not in ("fit", "stretch")):
            raise UserError(
                f"{self.path}: takes images of {taken[0]}x{taken[1]} only: leave input_size and decode.resize as the "
                f"file says, or export it with dynamic_shapes=true"
            )

    def forward(self, image: Tensor, with_thresh: bool = False) -> Maps:
        """image: (N, 3, H, W) uint8 RGB. Returns logits at full size; there is no threshold map in a file.

        Raises UserError for what is no map of probabilities."""
        pixels = np.ascontiguousarray(image.cpu().numpy().astype(self.dtype, copy=False))
        parts = np.split(pixels, len(pixels)) if self.sides[0] == 1 else [pixels]
        return Maps(torch.logit(torch.from_numpy(np.concatenate([self._map(part) for part in parts]))), None)

    def _map(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """(N, 3, H, W) -> probabilities (N, 1, H, W), 0..1. Raises UserError where the file gives anything else."""
        if self.hung:  # the pass still runs, or was asked to end, and so would be every other one
            raise UserError(self.hung)
        count, _, height, width = pixels.shape
        try:
            given = within(PASS_SECONDS, lambda: self.run(pixels), self.stop)
        except TimeoutError:
            self.hung = f"{self.path}: {self.runtime} has not ended after {PASS_SECONDS:g} s on an image"
            raise UserError(self.hung) from None
        except Exception as error:  # each library has types of its own for each reason
            raise UserError(
                f"{self.path}: {self.runtime} fails on an image of {height}x{width} ({_told(error)})"
            ) from None
        if not isinstance(given, np.ndarray) or given.dtype.kind not in "fiu":
            kind = f"an array of {given.dtype}" if isinstance(given, np.ndarray) else type(given).__name__
            raise UserError(f"{self.path}: gives no map of probabilities but {kind}")
        if given.shape != (count, 1, height, width):
            raise UserError(f"{self.path}: gives {given.shape} instead of a map of {(count, 1, height, width)}")
        low, high = float(given.min()), float(given.max())
        if not (low >= -TOLERANCE and high <= 1.0 + TOLERANCE):  # NaN is neither
            raise UserError(f"{self.path}: gives values from {low:g} to {high:g} instead of probabilities, 0 to 1")
        prob_map = np.asarray(given, np.float32)
        return prob_map if low >= 0.0 and high <= 1.0 else prob_map.clip(0.0, 1.0)


def open_exported(path: Path, runtime: str = "auto") -> Exported:
    """A file of ocrdet-export.

    runtime: "onnxruntime", "openvino", or "auto" for the first of them that is installed.
    Raises UserError for a file that is not of ocrdet-export, and where the runtime is not installed."""
    there = [name for name in EXTRAS if find_spec(name) is not None]
    if runtime == "auto":
        if not there:
            raise UserError(f"{path}: needs ONNX Runtime: pip install 'resnet18-ocrdet[{EXTRAS['onnxruntime']}]'")
        runtime = there[0]
    if runtime not in there:
        raise UserError(f"runtime={runtime}: not installed: pip install 'resnet18-ocrdet[{EXTRAS[runtime]}]'")
    opener = {"onnxruntime": _onnxruntime, "openvino": _openvino}[runtime]
    metadata, start, stop = _in_time(path, lambda: opener(path))
    return Exported(path, runtime, read_card(path, metadata), start, stop)


Opened = tuple[Mapping[str, str], Callable[[str], Run], Callable[[], None]]  # metadata, and of Exported: start, stop


def _onnxruntime(path: Path) -> Opened:
    import onnxruntime

    options, passes = onnxruntime.SessionOptions(), onnxruntime.RunOptions()
    options.log_severity_level = passes.log_severity_level = 4  # what goes wrong is raised, too
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has a type of its own for each reason
        raise UserError(f"{path}: ONNX Runtime cannot open it ({_told(error)})") from None
    _demand_one(path, len(session.get_inputs()), len(session.get_outputs()))
    name = session.get_inputs()[0].name

    def run(images: NDArray[Any]) -> Any:
        return session.run(None, {name: images}, passes)[0]

    def stop() -> None:
        passes.terminate = True

    return session.get_modelmeta().custom_metadata_map, lambda precision: run, stop


def _openvino(path: Path) -> Opened:
    import openvino

    try:
        core = openvino.Core()
        model = core.read_model(path)
        framework = ["framework", KEY]  # where it puts the metadata of ONNX
        metadata = {KEY: model.get_rt_info(framework).astype(str)} if model.has_rt_info(framework) else {}
    except Exception as error:
        raise UserError(f"{path}: OpenVINO cannot open it ({_told(error)})") from None
    _demand_one(path, len(model.inputs), len(model.outputs))

    def start(precision: str) -> Run:
        hints = {"INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32", "PERFORMANCE_HINT": "LATENCY"}
        try:
            request = core.compile_model(model, "CPU", hints).create_infer_request()
        except Exception as error:
            raise UserError(f"{path}: OpenVINO cannot compile it ({_told(error)})") from None
        alone = Lock()  # a request holds one image at a time, and it takes all cores

        def run(images: NDArray[Any]) -> Any:
            with alone:
                return request.infer({0: images})[0]

        return run

    return metadata, start, lambda: None  # a loop that it has begun cannot be stopped


def _in_time(path: Path, work: Callable[[], T], stop: Callable[[], None] = lambda: None) -> T:
    """What `work` returns. Raises UserError where it takes too long: a file may hold a loop without an end."""
    try:
        return within(OPENING_SECONDS, work, stop)
    except TimeoutError:
        raise UserError(f"{path}: not opened and run on a first image within {OPENING_SECONDS:g} s") from None


def _demand_one(path: Path, inputs: int, outputs: int) -> None:
    if (inputs, outputs) != (1, 1):
        raise UserError(f"{path}: not written by ocrdet-export: {inputs} inputs and {outputs} outputs, not one of each")


def _told(error: Exception) -> str:
    return one_line(" ".join(str(error).split()), 200)


def read_card(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    """What ocrdet-export wrote into the metadata of `path`. Raises UserError where it did not."""
    try:
        card = json.loads(metadata[KEY])
    except (KeyError, ValueError, RecursionError):
        card = None
    if not isinstance(card, dict) or not {"contract", "input", "config", "about"} <= card.keys():
        raise UserError(f"{path}: not written by ocrdet-export: no contract in its metadata")
    try:
        return _checked(card)
    except UserError as error:
        raise UserError(f"{path}: {one_line(str(error), 1000)}") from None


def _checked(card: dict[str, Any]) -> dict[str, Any]:
    """The card with what it says checked. Raises UserError."""
    written = card.get("format")
    if not isinstance(written, int) or isinstance(written, bool) or written < 1:
        raise UserError("its card says no format")
    if written > FORMAT:
        raise UserError(f"its card has format {written}, newer than this version's {FORMAT}; upgrade")
    stated = check_metadata(card["contract"], card["config"], card["about"])
    given = card["input"]
    if not isinstance(given, dict) or given.get("dtype") not in ("uint8", "float"):
        raise UserError("its card: input.dtype is neither uint8 nor float")
    size, shape = [stated["contract"]["height"], stated["contract"]["width"]], given.get("shape")
    if shape not in (["batch", 3, "height", "width"], [1, 3, *size]):
        raise UserError(
            f"its card: input.shape is not that of one image of {size[0]}x{size[1]}, nor of any number and size"
        )
    return {**card, **stated}
