"""What an exported file contains about itself: in its metadata, and in the JSON file next to it.

An existing file is replaced only if this command wrote it, from the same network.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import UserError
from ..inference.backends import FORMAT
from ..inference.postprocess import MIN_SIDE_PX, MIN_UNCLIPPED_SIDE_PX
from ..model.contract import Contract
from ..model.dbnet import STRIDE
from ..model.metadata import Metadata
from ..model.release import without_paths
from ..runtime.atomic_write import orphans
from ..runtime.output_folder import differences
from ..runtime.regular_file import read_json_object, sha256
from .graph import INPUT, OUTPUT, InputDtype, OutputShape

SHOWN = 3  # settings in one message
MAX_SIDECAR_BYTES = 2**24
REMEDY = "choose another output=, or add overwrite=true"


def make_card(
    content: Metadata,
    contract: Contract,
    input_dtype: InputDtype,
    dynamic_shapes: bool,
    output_shape: OutputShape = "n1hw",
) -> dict[str, Any]:
    """Everything that a program needs to run the network and to decode its output, and the network's origin."""
    sides: list[Any] = ["height", "width"] if dynamic_shapes else [contract.height, contract.width]
    batch: Any = "batch" if dynamic_shapes and output_shape == "n1hw" else 1
    output = sides if output_shape == "hw" else [batch, 1, *sides]
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
        "output": {"name": OUTPUT, "dtype": "float", "shape": output, "range": [0, 1]},
        "decode": {"min_side": MIN_SIDE_PX, "min_unclipped_side": MIN_UNCLIPPED_SIDE_PX},
        "contract": contract.to_dict(),
        "config": without_paths(content["config"]),
        "about": {key: value for key, value in content["about"].items() if key != "start"},
    }


def make_sidecar(
    card: dict[str, Any], file: str, sha256: str, source: dict[str, str], parity: dict[str, Any] | None
) -> dict[str, Any]:
    """The JSON next to the file: the card without what only ocrdet-eval needs, the file's name and hash, the name and
    hash of its checkpoint, and the comparison of both."""
    about = {key: value for key, value in card["about"].items() if key != "taught"}
    shown = {key: value for key, value in card.items() if key != "config"}
    return shown | {"about": about, "file": file, "sha256": sha256, "made_of": source, "parity": parity}


def sidecar_of(output: Path) -> Path:
    """The JSON file next to an exported one."""
    return output.with_name(output.name + ".json")


def restore_sidecar(output: Path) -> None:
    """Restore the sidecar that an interrupted export had removed, or not yet put in place. Raises OSError."""
    sidecar = sidecar_of(output)
    if sidecar.exists() or not output.is_file():
        return
    for left in orphans(output.parent):
        content = read_json_object(left, MAX_SIDECAR_BYTES) if left.stat().st_size <= MAX_SIDECAR_BYTES else None
        if content is not None and content.get("file") == output.name and content.get("sha256") == sha256(output):
            left.replace(sidecar)
            return


def refuse_foreign(output: Path, card: dict[str, Any], source: dict[str, str]) -> None:
    """Raises UserError if the export would replace a file that it did not write like this, or that was changed.

    card, source: of the new file; an existing one with the same ones may be replaced."""
    sidecar = sidecar_of(output)
    existing = [file for file in (output, sidecar) if file.is_symlink() or file.exists()]
    if not existing:
        return
    if existing == [output]:
        raise UserError(f"{output}: exists without its {sidecar.name}: {REMEDY}")
    before = read_json_object(sidecar, MAX_SIDECAR_BYTES)
    if len(existing) < 2 or before is None or any(file.is_symlink() or not file.is_file() for file in existing):
        raise UserError(f"{existing[0]}: was not written by this command: {REMEDY}")
    expected = make_sidecar(card, output.name, sha256(output), source, before.get("parity"))  # measured again
    if before.get("sha256") != expected["sha256"]:
        raise UserError(f"{output}: was changed since it was exported: {REMEDY}")
    if changed := differences(before, json.loads(json.dumps(expected))):
        raise UserError(f"{output}: was exported with other settings ({', '.join(changed[:SHOWN])}): {REMEDY}")
