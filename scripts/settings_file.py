"""The settings of an experiment, kept in its output folder: a later call with others must not mix with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from resnet18_ocrdet.errors import UserError


def claim(folder: Path, wanted: dict[str, Any], begun: bool) -> None:
    """Write `wanted`, plain values, to settings.json. begun: whether `folder` holds results already.

    Raises UserError that names the first difference where they were made with other settings."""
    path = folder / "settings.json"
    wanted = json.loads(json.dumps(wanted))  # as it will be read: tuples become lists
    if begun and path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))
        for key in wanted | before:
            if before.get(key) != wanted.get(key):
                raise UserError(
                    f"--output {folder}: its results have {key} {before.get(key)}, this call has {wanted.get(key)}; "
                    "give another --output, or delete the folder"
                )
    beside = path.with_suffix(".tmp")
    beside.write_text(json.dumps(wanted, indent=1) + "\n", encoding="utf-8")
    beside.replace(path)
