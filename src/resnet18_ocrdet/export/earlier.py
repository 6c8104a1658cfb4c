"""An exported file that is there already: replaced only where this command wrote it, of the same network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..model.checkpoint import sha256
from ..runtime.atomic_write import orphans
from ..runtime.output_folder import differences
from ..runtime.regular_file import read_json_object
from .card import make_sidecar
from .parity import Parity

SHOWN = 3  # settings that one message names
MAX_SIDECAR_BYTES = 2**24
REMEDY = "choose another output=, or add overwrite=true"


def sidecar_of(output: Path) -> Path:
    """The JSON file beside an exported one."""
    return output.with_name(output.name + ".json")


def restore_sidecar(output: Path) -> None:
    """Put back the sidecar that a killed export had taken away, or had not yet put in place. Raises OSError."""
    sidecar = sidecar_of(output)
    if sidecar.exists() or not output.is_file():
        return
    for left in orphans(output.parent):
        said = read_json_object(left, MAX_SIDECAR_BYTES) if left.stat().st_size <= MAX_SIDECAR_BYTES else None
        if said is not None and said.get("file") == output.name and said.get("sha256") == sha256(output):
            left.replace(sidecar)
            return


def refuse_foreign(output: Path, card: dict[str, Any], source: dict[str, str]) -> None:
    """Raise UserError where the export would replace a file that it did not write like this, or that was changed.

    card, source: of the file that is about to be written; an earlier one with the same ones may be replaced."""
    there = [file for file in (output, sidecar_of(output)) if file.is_symlink() or file.exists()]
    if not there:
        return
    sidecar = sidecar_of(output)
    if there == [output]:
        raise UserError(f"{output}: is there without its {sidecar.name}: {REMEDY}")
    before = read_json_object(sidecar, MAX_SIDECAR_BYTES)
    if len(there) < 2 or before is None or any(file.is_symlink() or not file.is_file() for file in there):
        raise UserError(f"{there[0]}: was not written by this command: {REMEDY}")
    expected = make_sidecar(card, output.name, sha256(output), source, Parity(0, 0.0, 0, 1.0))
    if before.get("sha256") != expected["sha256"]:
        raise UserError(f"{output}: was changed since it was exported: {REMEDY}")
    expected["parity"] = before.get("parity")  # measured anew
    if changed := differences(before, json.loads(json.dumps(expected))):
        raise UserError(f"{output}: was exported with other settings ({', '.join(changed[:SHOWN])}): {REMEDY}")
