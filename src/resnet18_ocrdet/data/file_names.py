"""Which strings are valid file names, what a path points to, and the files in the fingerprint of a data set.

Lists and labels name files. `Path.is_file` raises for names that are too long and for folders without permission; here
such files do not exist.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

MAX_NAME = 4096  # bytes of a whole name (PATH_MAX of Linux)
MAX_PART = 255  # bytes between two slashes (NAME_MAX)
MAX_PARTS = 64  # folders in a name
ABSENT = -1  # size of a file without access; reported when it is read


def invalid_name(text: str) -> str:
    """Why a string cannot be a file name, in a few words; "" if it can."""
    if len(text) > MAX_NAME or len(encoded := text.encode("utf-8", "surrogatepass")) > MAX_NAME:
        return f"longer than {MAX_NAME} bytes, not a file name"
    if b"\0" in encoded:
        return "holds a NUL, not a file name"
    parts = re.split(r"[/\\]", text)
    if len(parts) > MAX_PARTS:
        return f"more than {MAX_PARTS} folders deep"
    if max(len(part.encode("utf-8", "surrogatepass")) for part in parts) > MAX_PART:
        return f"a part is longer than {MAX_PART} bytes, not a file name"
    return ""


def is_broken_link(path: Path) -> bool:
    """Whether a path is a link whose target does not exist."""
    return os.path.islink(path) and not os.path.exists(path)  # noqa: PTH110, PTH114  Path's own raise


def is_file(path: Path) -> bool:
    """Whether a path is a regular file, or a link to one."""
    return os.path.isfile(path)  # noqa: PTH113  Path's own raises


def is_folder(path: Path) -> bool:
    """Whether a path is a folder, or a link to one."""
    return os.path.isdir(path)  # noqa: PTH112  Path's own raises


def is_folder_entry(entry: os.DirEntry[str]) -> bool:
    """`is_folder` for an entry of `os.scandir`; False for a link to itself, for which `is_dir` raises."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def file_size(path: Path) -> int:
    """Bytes in a file; ABSENT without access."""
    try:
        return path.stat().st_size
    except OSError:
        return ABSENT


def file_chunks(paths: Iterable[Path]) -> Iterator[bytes]:
    """One chunk per file, in order: its name without folders, and its size in bytes. Files are not opened."""
    for path in paths:
        yield f"{path.name}\0{file_size(path)}".encode("utf-8", "surrogateescape")
