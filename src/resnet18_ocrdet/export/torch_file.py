"""torch.export: the graph for programs that use torch without this package."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.export import ExportedProgram

from ..inference.exported import ExportedFile

TRACES = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn")  # source lines with paths of this machine
CARD = "card.json"  # in the archive


def write_torch(program: ExportedProgram, card: dict[str, Any], path: Path) -> None:
    """Write the graph and `card` to one archive, without paths of this machine."""
    for node in program.graph.nodes:
        for key in TRACES:
            node.meta.pop(key, None)
    with path.open("wb") as file, warnings.catch_warnings():  # of torch, about its own code
        warnings.simplefilter("ignore")
        torch.export.save(program, file, extra_files={CARD: json.dumps(card, ensure_ascii=False)})


def open_torch(path: Path, card: dict[str, Any]) -> ExportedFile:
    """Open a file that was just written."""
    with path.open("rb") as file:
        network = torch.export.load(file).module()

    @torch.inference_mode()
    def run(images: NDArray[Any]) -> NDArray[np.float32]:
        return np.asarray(network(torch.from_numpy(images)).numpy(), np.float32)

    return ExportedFile(path, "torch", card, lambda precision: run)
