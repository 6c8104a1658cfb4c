"""The metadata that ocrdet-export writes into a file, read and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..model.metadata import check_metadata
from ..runtime.messages import one_line

KEY = "resnet18_ocrdet"  # of the metadata in the file: the card as JSON
FORMAT = 1  # of the card, and of the JSON file next to the exported one


def read_card(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    """The card in the metadata of `path`. Raises UserError if there is none, or it is not valid."""
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
    version = card.get("format")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise UserError("its card has no format")
    if version > FORMAT:
        raise UserError(f"its card has format {version}, newer than this version's {FORMAT}; upgrade")
    metadata = check_metadata(card["contract"], card["config"], card["about"])
    network_input = card["input"]
    if not isinstance(network_input, dict) or network_input.get("dtype") not in ("uint8", "float"):
        raise UserError("its card: input.dtype is neither uint8 nor float")
    height, width = metadata["contract"]["height"], metadata["contract"]["width"]
    if network_input.get("shape") not in (["batch", 3, "height", "width"], [1, 3, height, width]):
        raise UserError(f"its card: input.shape is neither one image of {height}x{width} nor any number of any size")
    return {**card, **metadata}
