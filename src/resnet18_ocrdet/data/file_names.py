"""Which texts can be names of files, and what lies under a name.

Lists and labels name files. `Path.is_file` raises for a name that is too long and for a folder that may not be looked
into; here both are only files that are not there.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

MAX_NAME = 4096  # bytes of a whole name (PATH_MAX of Linux)
MAX_PART = 255  # bytes between two slashes (NAME_MAX)
MAX_PARTS = 64  # folders of a name that are looked for

_SLASH = re.compile(r"[/\\]")


def no_name(text: str) -> str:
    """Why a text can be the name of no file, in a few words; "" where it can."""
    if len(text) > MAX_NAME or len(encoded := text.encode("utf-8", "surrogatepass")) > MAX_NAME:
        return f"longer than {MAX_NAME} bytes, no name of a file"
    if b"\0" in encoded:
        return "holds a NUL, no name of a file"
    parts = _SLASH.split(text)
    if len(parts) > MAX_PARTS:
        return f"more than {MAX_PARTS} folders deep"
    if max(len(part.encode("utf-8", "surrogatepass")) for part in parts) > MAX_PART:
        return f"a part is longer than {MAX_PART} bytes, no name of a file"
    return ""


def leads_nowhere(path: Path) -> bool:
    """Whether a path is a link whose target is not there."""
    return os.path.islink(path) and not os.path.exists(path)  # noqa: PTH110, PTH114  Path's own raise


def is_file(path: Path) -> bool:
    """Whether a file is there, or a link to one; no pipe or device, and nothing that cannot be asked for."""
    return os.path.isfile(path)  # noqa: PTH113  Path's own raises


def is_folder(path: Path) -> bool:
    """Whether a folder is there, or a link to one, that can be asked for."""
    return os.path.isdir(path)  # noqa: PTH112  Path's own raises
