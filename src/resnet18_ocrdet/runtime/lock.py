"""One running process per folder."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import UserError
from .atomic_write import lock_now
from .regular_file import read_regular

try:
    import fcntl
except ImportError:  # Windows: no locks, so two runs can share a folder
    fcntl = None  # type: ignore[assignment]

HOLDER = re.compile(r"process \d+ on .*")  # the content of a lock file
SHOWN = 200  # bytes of it
NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # opening a pipe must not block


@contextmanager
def run_lock(path: Path, key: str = "run_dir", doing: str = "is training in it") -> Iterator[None]:
    """Hold a lock file while the block runs. The system releases it when the process ends, also by a kill.

    key, doing: how an error names the folder, and what the other process does there. Raises UserError when another
    process holds it, or the folder cannot be written to. Links are refused.
    lockf, not flock: a flock is shared with the loader processes, which outlive a killed run by seconds."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | NO_LINKS, 0o644)
    except OSError as error:
        raise UserError(f"{path.parent}: cannot be written to ({error.strerror})") from None
    try:
        try:
            if fcntl is not None:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # POSIX allows either
            holder = os.read(file, SHOWN).decode("utf-8", "replace").strip() or "another process"
            raise UserError(f"{key}={path.parent}: {holder} {doing}; wait for it, or choose another folder") from None
        except OSError:  # a file system without locks
            pass
        before = os.read(file, SHOWN).decode("utf-8", "replace")
        if before and not HOLDER.match(before):
            raise UserError(f"{path}: was not written by this command; choose another folder")
        with suppress(OSError):  # a full disk: the lock holds, only the name of its holder is lost
            os.truncate(file, 0)
            os.lseek(file, 0, os.SEEK_SET)
            os.write(file, f"process {os.getpid()} on {socket.gethostname()}".encode())
        yield
    finally:
        os.close(file)  # the file stays: removing it could remove the lock of the next run


def begun(path: Path) -> bool:
    """Whether `path` is a lock file that `run_lock` wrote."""
    with suppress(OSError):
        content = read_regular(path, 10 * SHOWN).decode("utf-8", "replace")
        return not content or HOLDER.match(content) is not None
    return False


@contextmanager
def locked(path: Path, wait: bool = False) -> Iterator[None]:
    """Lock a file or a folder without a lock file, where the system supports locks.

    While another process holds it: waits, or without `wait` raises UserError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        if wait and fcntl is not None:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(handle, fcntl.LOCK_EX)
        elif not lock_now(handle):
            raise UserError(f"{path}: another process is changing it; wait for it")
        yield
    finally:
        os.close(handle)
