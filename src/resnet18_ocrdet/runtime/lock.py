"""One running process per folder."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from ..errors import UserError
from .regular_file import read_regular

try:
    import fcntl
except ImportError:  # Windows: no locks, so two runs can share a folder
    fcntl = None  # type: ignore[assignment]

HOLDER = re.compile(r"process \d+ on .*")  # the content of a lock file
SHOWN = 200  # bytes of it
NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # opening a pipe must not block


class RunLock:
    """Held while the block runs. The system releases it when the process ends, also by a kill. Links are refused.

    lockf, not flock: a flock is shared with the loader processes, which outlive a killed run by seconds."""

    def __init__(self, path: Path, key: str = "run_dir", doing: str = "is training in it") -> None:
        """key, doing: how an error names the folder, and what the other process does there."""
        self._path, self._key, self._doing = path, key, doing
        self._file: int | None = None

    def __enter__(self) -> RunLock:
        """Raises UserError when another process holds it, or the folder cannot be written to."""
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | NO_LINKS, 0o644)
        except OSError as error:
            raise UserError(f"{self._path.parent}: cannot be written to ({error.strerror})") from None
        try:
            if fcntl is not None:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # POSIX allows either
            holder = os.read(self._file, SHOWN).decode("utf-8", "replace").strip() or "another process"
            os.close(self._file)
            raise UserError(
                f"{self._key}={self._path.parent}: {holder} {self._doing}; wait for it, or choose another folder"
            ) from None
        except OSError:  # a file system without locks
            pass
        before = os.read(self._file, SHOWN).decode("utf-8", "replace")
        if before and not HOLDER.match(before):
            os.close(self._file)
            raise UserError(f"{self._path}: was not written by this command; choose another folder")
        with suppress(OSError):  # a full disk: the lock holds, only the name of its holder is lost
            os.truncate(self._file, 0)
            os.lseek(self._file, 0, os.SEEK_SET)
            os.write(self._file, f"process {os.getpid()} on {socket.gethostname()}".encode())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None:
            os.close(self._file)  # the file stays: removing it could remove the lock of the next run


def begun(path: Path) -> bool:
    """Whether `path` is a lock file that a `RunLock` wrote."""
    with suppress(OSError):
        content = read_regular(path, 10 * SHOWN).decode("utf-8", "replace")
        return not content or HOLDER.match(content) is not None
    return False


@contextmanager
def locked_file(path: Path) -> Iterator[None]:
    """Lock a file that will be replaced, without a lock file. Raises UserError when another process holds it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        try:
            if fcntl is not None:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{path}: another process is changing it; wait for it") from None
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(handle)
