"""Whatever `checkpoint=` names: the checkpoint of a run, weights of another program, or a network that was exported."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch

from ..config.bundled import EXPORTED
from ..errors import UserError
from ..model.checkpoint import Checkpoint, load_checkpoint, weights_only
from ..model.metadata import open_checkpoint
from ..runtime.device import choose_device
from .backends import PRECISIONS, Exported, open_exported


class LoadedModel(NamedTuple):
    """A trained network that was read."""

    path: Path
    content: Checkpoint  # of an exported one, what it says about itself, without weights
    exported: Exported | None  # then another library than torch runs it: no weights to fine-tune or calibrate

    @property
    def runtime(self) -> str:
        """What runs it: "torch", or a library that exported files are run by."""
        return "torch" if self.exported is None else self.exported.runtime

    @property
    def adopted(self) -> str | None:
        """Of another program's weights, a line to print: its name, and how many tensors were taken."""
        adopted = self.content["about"].get("adopted")
        return None if adopted is None else f"{self.path}: {adopted}"


def load_model(path: Path, runtime: str = "auto") -> LoadedModel:
    """Read what `path` holds. runtime: of an exported file, as `open_exported` takes it.

    Raises UserError as `load_checkpoint` and `open_exported` do."""
    if path.suffix != EXPORTED:
        return LoadedModel(path, load_checkpoint(path), None)
    open_checkpoint(path).close()
    file = open_exported(path, runtime)
    return LoadedModel(path, weights_only(file.card["contract"], file.card["config"], file.card["about"], {}), file)


def where_to_run(
    trained: LoadedModel, device: str, precision: str, local_rank: int | None = None
) -> tuple[torch.device, str]:
    """The device and the precision asked for, as `choose_device` and `choose_precision` take them.

    Raises UserError for a device that is not there, and for what an exported file is not run with."""
    if trained.exported is None:
        return choose_device(device, local_rank), precision
    runtime = trained.exported.runtime
    if device not in ("auto", "cpu"):
        raise UserError(f"device={device}: {trained.path} is run by {runtime}, on the CPU; device=cpu, or a .pt")
    if trained.content["contract"].get("precision") == "int8":
        if precision != "auto":
            raise UserError(f"precision={precision}: {trained.path} computes in int8; precision=auto")
        return torch.device("cpu"), "int8"
    able = PRECISIONS[runtime]
    if precision not in ("auto", *able):
        instead = "runtime=openvino, or a .pt" if precision == "bf16" else "or a .pt"
        raise UserError(f"precision={precision}: {trained.path} is run by {runtime}, in {' or '.join(able)}; {instead}")
    return torch.device("cpu"), "fp32" if len(able) == 1 else precision
