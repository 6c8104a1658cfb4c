"""Exported networks in the place of ours: ONNX Runtime and OpenVINO, on the CPU.

Both are extras, imported when a file asks for them. Legend: N images, H W pixels.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .errors import UserError
from .structures import Maps

KEY = "resnet18_ocrdet"  # of the metadata: what ocrdet-export wrote about the network, as JSON
EXTRAS = {"onnxruntime": "export", "openvino": "openvino"}  # by which each is installed, the preferred one first
PRECISIONS = {"onnxruntime": ("fp32",), "openvino": ("fp32", "bf16")}

Run = Callable[[NDArray[Any]], NDArray[np.float32]]  # (N, 3, H, W) as the file takes it -> (N, 1, H, W)


class Exported(NamedTuple):
    """A file that was opened."""

    path: Path
    runtime: str  # a key of EXTRAS, or "torch"
    card: dict[str, Any]  # what it says about itself, see `export.card.make_card`
    start: Callable[[str], Run]  # in the precision named


class FileNet(nn.Module):
    """An exported network, called as a DBNet is."""

    def __init__(self, file: Exported, precision: str = "fp32") -> None:
        """precision: one that the runtime has."""
        super().__init__()
        self.path, self.run = file.path, file.start(precision)
        self.dtype = np.uint8 if file.card["input"]["dtype"] == "uint8" else np.float32
        self.sides: list[int | str] = file.card["input"]["shape"]

    def check(self, height: int, width: int, resize: str) -> None:
        """Raises UserError where images prepared like this would not fit: a file may take one size only."""
        taken = tuple(self.sides[2:])
        if isinstance(taken[0], int) and ((height, width) != taken or resize not in ("fit", "stretch")):
            raise UserError(
                f"{self.path}: takes images of {taken[0]}x{taken[1]} only: leave input_size and decode.resize as the "
                f"file says, or export it with free=true"
            )

    def forward(self, image: Tensor, with_thresh: bool = False) -> Maps:
        """image: (N, 3, H, W) uint8 RGB. Returns logits at full size; there is no threshold map in a file."""
        pixels = np.ascontiguousarray(image.cpu().numpy().astype(self.dtype, copy=False))
        parts = np.split(pixels, len(pixels)) if self.sides[0] == 1 else [pixels]
        return Maps(torch.logit(torch.from_numpy(np.concatenate([self.run(part) for part in parts]))), None)


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
    metadata, start = {"onnxruntime": _onnxruntime, "openvino": _openvino}[runtime](path)
    return Exported(path, runtime, read_card(path, metadata), start)


def _onnxruntime(path: Path) -> tuple[Mapping[str, str], Callable[[str], Run]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has a type of its own for each reason
        raise _not_opened(path, "ONNX Runtime", error) from None
    name = session.get_inputs()[0].name

    def run(images: NDArray[Any]) -> NDArray[np.float32]:
        return np.asarray(session.run(None, {name: images})[0], np.float32)

    return session.get_modelmeta().custom_metadata_map, lambda precision: run


def _openvino(path: Path) -> tuple[Mapping[str, str], Callable[[str], Run]]:
    import openvino

    try:
        core = openvino.Core()
        model = core.read_model(path)
    except Exception as error:
        raise _not_opened(path, "OpenVINO", error) from None
    framework = ["framework", KEY]  # where it puts the metadata of ONNX
    metadata = {KEY: model.get_rt_info(framework).astype(str)} if model.has_rt_info(framework) else {}

    def start(precision: str) -> Run:
        hints = {"INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32", "PERFORMANCE_HINT": "LATENCY"}
        request = core.compile_model(model, "CPU", hints).create_infer_request()
        alone = Lock()  # a request holds one image at a time, and it takes all cores

        def run(images: NDArray[Any]) -> NDArray[np.float32]:
            with alone:
                return np.asarray(request.infer({0: images})[0], np.float32)

        return run

    return metadata, start


def _not_opened(path: Path, library: str, error: Exception) -> UserError:
    return UserError(f"{path}: {library} cannot open it ({' '.join(str(error).split())[:200]})")


def read_card(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    """What ocrdet-export wrote into the metadata of `path`. Raises UserError where it did not."""
    try:
        card = json.loads(metadata[KEY])
        if {"contract", "input", "config", "about"} <= card.keys():
            return dict(card)
    except (KeyError, ValueError, AttributeError):
        pass
    raise UserError(f"{path}: not written by ocrdet-export: no contract in its metadata")
