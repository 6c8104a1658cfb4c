"""The settings that all results of an output folder share."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ..runtime.atomic_write import staging_folder
from ..runtime.output_folder import MAX_SETTINGS_BYTES, differences
from ..runtime.regular_file import read_json_object
from .names import SETTINGS, TEXT_MODE

INPUT = "input"  # the key of the input folder
NOT_COMPARED = ("checkpoint", INPUT)  # the hash identifies the network, the stamps in the records the images


def read_settings(root: Path) -> dict[str, Any] | None:
    """Those of the results in a folder; None if there are none that can be read."""
    return read_json_object(root / SETTINGS, MAX_SETTINGS_BYTES)


def changed_settings(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """`bin_thresh 0.3 → 0.2` for each setting that changes results."""
    old, new = (
        {key: value for key, value in settings.items() if key not in NOT_COMPARED} for settings in (before, now)
    )
    return differences(old, new)


def create_settings(root: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Write the settings unless the file exists; returns its content. Other shards may do the same at this moment."""
    path = root / SETTINGS
    with staging_folder(root) as folder:
        hidden = folder / path.name
        hidden.write_text(json.dumps(settings, ensure_ascii=False, indent=1) + "\n", **TEXT_MODE)
        try:
            os.link(hidden, path)
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            if not path.exists():
                hidden.replace(path)
    return read_settings(root) or settings
