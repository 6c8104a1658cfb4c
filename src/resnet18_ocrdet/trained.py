"""Whatever `checkpoint=` names: the checkpoint of a run, or a network that was exported."""

from __future__ import annotations

from pathlib import Path

import torch

from .bundled import EXPORTED
from .checkpoint import Checkpoint, load_checkpoint, weights_only
from .device import choose_device
from .errors import UserError
from .runtimes import open_onnx


def is_exported(path: Path) -> bool:
    """Whether it is run by another library than torch: there are no weights to fine-tune or calibrate."""
    return path.suffix == EXPORTED


def load_trained(path: Path) -> Checkpoint:
    """Read a checkpoint; of an exported file, what it says about itself, in the form of one without weights.

    Raises UserError as `load_checkpoint` and `open_onnx` do."""
    if not is_exported(path):
        return load_checkpoint(path)
    if not path.is_file():
        raise UserError(f"checkpoint {path}: no such file")
    card = open_onnx(path)[1]
    return weights_only(card["contract"], card["config"], card["about"], {})


def where_to_run(path: Path, device: str, precision: str, local_rank: int | None = None) -> tuple[torch.device, str]:
    """The device and the precision asked for, as `choose_device` and `choose_precision` take them.

    Raises UserError for a device that is not there, and for one that an exported file is not run on."""
    if not is_exported(path):
        return choose_device(device, local_rank), precision
    if device not in ("auto", "cpu"):
        raise UserError(f"device={device}: {path} is run by ONNX Runtime, on the CPU; device=cpu, or a .pt")
    if precision not in ("auto", "fp32"):
        raise UserError(f"precision={precision}: {path} is run by ONNX Runtime, in fp32; precision=fp32, or a .pt")
    return torch.device("cpu"), "fp32"
