"""What an exported file contains about itself: in its metadata, and in the JSON file next to it."""

from __future__ import annotations

from typing import Any

from .. import __version__
from ..inference.backends import FORMAT
from ..inference.postprocess import MIN_SIDE_PX, MIN_UNCLIPPED_SIDE_PX
from ..model.contract import Contract
from ..model.dbnet import STRIDE
from ..model.metadata import Metadata
from ..model.release import without_paths
from .graph import INPUT, OUTPUT, InputDtype
from .parity import Parity


def make_card(content: Metadata, contract: Contract, input_dtype: InputDtype, dynamic_shapes: bool) -> dict[str, Any]:
    """Everything that a program needs to run the network and to decode its output, and the network's origin."""
    sides: list[Any] = ["height", "width"] if dynamic_shapes else [contract.height, contract.width]
    batch: Any = "batch" if dynamic_shapes else 1
    return {
        "format": FORMAT,
        "exporter": __version__,
        "input": {
            "name": INPUT,
            "dtype": input_dtype,
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
    """The JSON next to the file: the card without what only ocrdet-eval needs, the file's name and hash, the name and
    hash of its checkpoint, and the comparison of both."""
    about = {key: value for key, value in card["about"].items() if key != "taught"}
    shown = {key: value for key, value in card.items() if key != "config"}
    return shown | {"about": about, "file": file, "sha256": sha256, "made_of": source, "parity": parity._asdict()}
