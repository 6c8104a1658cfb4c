"""Files that exist completely or not at all, also after a kill and with several writers at once.

A file is written under a hidden name in the folder of its target and then renamed. The hidden file is locked while its
writer lives, which distinguishes what a killed process left behind from what another process is writing.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: without locks, leftovers are not removed
    fcntl = None  # type: ignore[assignment]

HIDDEN = re.compile(r"\.ocrdet-tmp-[0-9a-f]{12}(\.[^/]{1,15})?")
MAX_SUFFIX = 15  # characters; a longer one is omitted, as names are limited to 255 bytes
MAX_TRIES = 100


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a hidden, empty file in the folder of `path`; it replaces `path` when the block ends.

    It has the suffix of `path`. A link at `path` is replaced, not followed. When the block raises, `path` does not
    change and the hidden file is removed. Raises OSError."""
    with _hidden(path.parent, path.suffix if len(path.suffix) <= MAX_SUFFIX else "") as hidden:
        yield hidden
        hidden.replace(path)


def staging_folder(parent: Path) -> AbstractContextManager[Path]:
    """Yield a hidden, empty folder in `parent`, on the same file system, that is removed when the block ends.

    Raises OSError."""
    return _hidden(parent, "", folder=True)


def orphans(folder: Path) -> Iterator[Path]:
    """Yield each file in the hidden folders that killed processes left here. Raises OSError."""
    for hidden in sorted(folder.iterdir()):
        if HIDDEN.fullmatch(hidden.name) and hidden.is_dir() and not hidden.is_symlink():
            yield from sorted(path for path in hidden.iterdir() if path.is_file() and not path.is_symlink())


def replace_pair(main: tuple[Path, Path], aside: tuple[Path, Path]) -> None:
    """Replace a pair of files by two finished ones, each given as (hidden, target), together or not at all.

    aside: the file that describes the main one. It is removed before the main one changes, so that a kill in between
    leaves a main file without description, never one with another's. Raises OSError; then the old pair is unchanged."""
    with staging_folder(main[1].parent) as backup:
        saved: dict[Path, Path | None] = {main[1]: None, aside[1]: None}
        for number, target in enumerate(saved):
            if os.path.lexists(target):
                saved[target] = backup / str(number)
                link_or_copy(target, backup / str(number))
        try:
            aside[1].unlink(missing_ok=True)
            for hidden, target in (main, aside):
                hidden.replace(target)
        except OSError:
            for target, copy in saved.items():
                if copy is None:
                    target.unlink(missing_ok=True)
                else:
                    copy.replace(target)
            raise


def link_or_copy(path: Path, name: Path) -> None:
    """Link a file under a second name; copy it where the file system has no links. Raises OSError."""
    try:
        os.link(path, name, follow_symlinks=False)
    except OSError:
        shutil.copy2(path, name, follow_symlinks=False)


def remove_leftovers(folders: Iterable[Path]) -> None:
    """Remove the unfinished files of killed processes from these folders; files that are being written stay."""
    for folder in folders:
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if HIDDEN.fullmatch(entry.name):
                    _remove_if_orphaned(Path(entry.path))


@contextmanager
def _hidden(parent: Path, suffix: str, folder: bool = False) -> Iterator[Path]:
    """Yield a hidden, locked file or folder; what is left of it is removed when the block ends."""
    for _ in range(MAX_TRIES):
        hidden = parent / f".ocrdet-tmp-{secrets.token_hex(6)}{suffix}"
        if folder:
            hidden.mkdir()
            handle = os.open(hidden, os.O_RDONLY)
        else:
            handle = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        if lock_now(handle) and _is_at(handle, hidden):  # otherwise it was removed as a leftover before it was locked
            break
        os.close(handle)
    else:
        raise OSError(f"{parent}: no name for a temporary file")
    try:
        yield hidden
    finally:
        _remove(hidden)
        os.close(handle)


def _remove_if_orphaned(hidden: Path) -> None:
    with suppress(OSError):
        handle = os.open(hidden, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        try:
            if fcntl is not None and lock_now(handle, sure=True) and _is_at(handle, hidden):
                _remove(hidden)
        finally:
            os.close(handle)


def _remove(hidden: Path) -> None:
    with suppress(OSError):
        if hidden.is_dir():
            shutil.rmtree(hidden, ignore_errors=True)
        else:
            hidden.unlink(missing_ok=True)


def lock_now(handle: int, sure: bool = False) -> bool:
    """Lock an open file until it is closed. sure: False counts a file system without locks as success.

    flock, unlike lockf, is kept when the process opens and closes the file a second time."""
    if fcntl is None:
        return not sure
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return not sure
    return True


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.lstat())
    except OSError:
        return False
