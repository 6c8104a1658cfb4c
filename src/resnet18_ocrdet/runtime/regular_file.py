"""Reading files of unknown origin: regular files only, up to a limit."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import Any

CHUNK = 2**20  # bytes
NON_BLOCKING = getattr(os, "O_NONBLOCK", 0)  # a pipe without a writer would block the call that opens it


def open_regular(path: Path) -> BufferedReader:
    """Open a file for reading; links are followed.

    Raises OSError as `open` does, and for anything but a regular file: a pipe or a device may block, or never end."""
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(path, flags | NON_BLOCKING)
    except BlockingIOError:  # another process holds a lease on it, as file servers do: wait
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116
            raise
        handle = os.open(path, flags)
    try:
        mode = os.fstat(handle).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_regular(path: Path, max_bytes: int) -> bytes:
    """Read a file. Raises OSError as `open_regular` does, with errno EFBIG for more than `max_bytes`."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size  # memory is allocated for the requested size
        data = file.read(min(size, max_bytes) + 1)
        while size < len(data) <= max_bytes and (more := file.read(CHUNK)):  # it grows, or its size is unknown
            data += more
    if len(data) > max_bytes:
        raise OSError(errno.EFBIG, f"larger than {max_bytes} bytes", str(path))
    return data


def sha256(path: Path) -> str:
    """Hash of a file, 64 hex digits. Raises OSError as `open_regular` does."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def blake2(path: Path, size: int) -> str:
    """Short hash of a file, `size` bytes as hex digits (BLAKE2b). Raises OSError as `open_regular` does."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=size)).hexdigest()


def read_json_object(path: Path, max_bytes: int) -> dict[str, Any] | None:
    """Read a file that holds one JSON object; None if it does not exist or holds anything else."""
    with suppress(OSError, ValueError, RecursionError):
        value = json.loads(read_regular(path, max_bytes))
        return value if isinstance(value, dict) else None
    return None
