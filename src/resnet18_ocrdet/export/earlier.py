"""An existing exported file is replaced only if this command wrote it, from the same network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..runtime.atomic_write import orphans
from ..runtime.output_folder import differences
from ..runtime.regular_file import read_json_object, sha256
from .card import make_sidecar
from .parity import Parity

SHOWN = 3  # settings in one message
MAX_SIDECAR_BYTES = 2**24
REMEDY = "choose another output=, or add overwrite=true"


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
    expected = make_sidecar(card, output.name, sha256(output), source, Parity(0, 0.0, 0, 1.0))
    if before.get("sha256") != expected["sha256"]:
        raise UserError(f"{output}: was changed since it was exported: {REMEDY}")
    expected["parity"] = before.get("parity")  # measured again for each export
    if changed := differences(before, json.loads(json.dumps(expected))):
        raise UserError(f"{output}: was exported with other settings ({', '.join(changed[:SHOWN])}): {REMEDY}")
