"""What an exported file says about itself: in its metadata, and in the JSON beside it."""

from __future__ import annotations

from typing import Any

from .. import __version__
from ..inference.backends import FORMAT
from ..inference.postprocess import MIN_SIDE_PX, MIN_UNCLIPPED_SIDE_PX
from ..model.checkpoint import Checkpoint
from ..model.contract import Contract
from ..model.dbnet import STRIDE
from ..model.release import without_paths
from .graph import INPUT, OUTPUT, InputType
from .parity import Parity


def make_card(content: Checkpoint, contract: Contract, input_type: InputType, free: bool) -> dict[str, Any]:
    """Everything that a program needs to feed the network and to read what it says, and where the network is from."""
    sides: list[Any] = ["height", "width"] if free else [contract.height, contract.width]
    batch: Any = "batch" if free else 1
    return {
        "format": FORMAT,
        "exporter": __version__,
        "input": {
            "name": INPUT,
            "dtype": input_type,
            "shape": [batch, 3, *sides],
            "color_order": contract.color_order,
            "range": [0, 255],
            "normalization": "inside the graph",
            "sides_multiple_of": STRIDE,
        },
        "output": {"name": OUTPUT, "dtype": "float", "shape": [batch, 1, *sides], "range": [0, 1]},
        "decode": {"min_side": MIN_SIDE_PX, "min_unclipped_side": MIN_UNCLIPPED_SIDE_PX},
        "contract": contract.to_dict(),
        "config": without_paths(content["config"]),
        "about": {key: value for key, value in content["about"].items() if key != "start"},
    }


def make_sidecar(
    card: dict[str, Any], file: str, sha256: str, source: dict[str, str], parity: Parity
) -> dict[str, Any]:
    """The card without what only ocrdet-eval asks for, with the file it belongs to, what that was made of (its name and
    hash) and how well both agree."""
    about = {key: value for key, value in card["about"].items() if key != "taught"}
    shown = {key: value for key, value in card.items() if key != "config"}
    return shown | {"about": about, "file": file, "sha256": sha256, "made_of": source, "parity": parity._asdict()}
