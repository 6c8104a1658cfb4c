"""Exported networks in the place of ours: ONNX Runtime and OpenVINO.

Both are extras, imported when a file asks for them. Legend: N images, H W pixels.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .errors import UserError
from .structures import Maps

SUFFIX = ".onnx"
KEY = "resnet18_ocrdet"  # of the metadata: what ocrdet-export wrote about the network, as JSON
Run = Callable[[NDArray[Any]], NDArray[np.float32]]  # (N, 3, H, W) as the file takes it -> (N, 1, H, W)


class FileNet(nn.Module):
    """An exported network, called as a DBNet is."""

    def __init__(self, path: Path, card: dict[str, Any], run: Run) -> None:
        super().__init__()
        self.path, self.run = path, run
        self.dtype = np.uint8 if card["input"]["dtype"] == "uint8" else np.float32
        self.sides: list[int | str] = card["input"]["shape"]

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


def open_onnx(path: Path) -> tuple[FileNet, dict[str, Any]]:
    """A file of ocrdet-export in ONNX Runtime, on the CPU in float32, and what the file says about itself.

    Raises UserError for a file that is not of ocrdet-export."""
    try:
        import onnxruntime
    except ImportError:
        raise UserError(f"{path}: needs ONNX Runtime: pip install 'resnet18-ocrdet[export]'") from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has a type of its own for each reason
        raise UserError(f"{path}: ONNX Runtime cannot open it ({' '.join(str(error).split())[:200]})") from None
    card = read_card(path, session.get_modelmeta().custom_metadata_map)
    name = session.get_inputs()[0].name

    def run(images: NDArray[Any]) -> NDArray[np.float32]:
        return np.asarray(session.run(None, {name: images})[0], np.float32)

    return FileNet(path, card, run), card


def read_card(path: Path, metadata: dict[str, str]) -> dict[str, Any]:
    """What ocrdet-export wrote into the metadata of `path`. Raises UserError where it did not."""
    try:
        card = json.loads(metadata[KEY])
        if {"contract", "input", "config", "about"} <= card.keys():
            return dict(card)
    except (KeyError, ValueError, AttributeError):
        pass
    raise UserError(f"{path}: not written by ocrdet-export: no contract in its metadata")
