"""Which files of an output folder a command wrote, so that it never replaces any other.

A manifest is a hidden file of JSON lines, `[name, digest of the content]`. A file is listed before it is put in place,
so that no file is missing from the list after a kill.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath

from .atomic_write import atomic_write
from .regular_file import blake2, open_regular

DIGEST_BYTES = 16


class Manifest:
    """The files below the folder of the manifest `path`. Empty until `load`."""

    def __init__(self, path: Path) -> None:
        self.path, self.root = path, path.parent
        self._digests: dict[str, dict[str, None]] = {}  # by name, those of each content that was written
        self._ends_well = False  # whether the file is known to end with a complete line

    def load(self, others: Iterable[Path] = ()) -> None:
        """Read the manifest, and those of other processes in the same folder.

        A missing one is empty; a damaged line is skipped."""
        for manifest in dict.fromkeys((self.path, *others)):
            with suppress(OSError), open_regular(manifest) as file:
                for line in file:
                    self._read(line)

    @property
    def files(self) -> list[Path]:
        """Everything that is listed, whether it exists or not."""
        return [self.root / name for name in self._digests]

    def lists(self, file: Path) -> bool:
        """Whether a file of this name was written."""
        return self._name(file) in self._digests

    def wrote(self, file: Path) -> bool:
        """Whether a file is unchanged since it was written. False for a link, a folder and an unreadable file."""
        digests = self._digests.get(self._name(file), ())
        try:
            return bool(digests) and not file.is_symlink() and digest_of(file) in digests
        except OSError:
            return False

    def first_foreign(self, files: Iterable[Path]) -> Path | None:
        """The first of them that exists and was not written by this command, or was changed since; None without one."""
        return next((file for file in files if os.path.lexists(file) and not self.wrote(file)), None)

    def reason(self, foreign: Path) -> str:
        """Why a file must not be replaced."""
        how = "was changed since it was written" if self.lists(foreign) else "was not written by this command"
        return f"{foreign.relative_to(self.root)} {how}"

    def add(self, file: Path, content: str) -> None:
        """List a file before it is put in place. content: its digest. Raises OSError."""
        name = self._name(file)
        with open(self.path, "ab+", opener=_without_links) as lines:
            if not self._ends_well and lines.tell():  # a full disk or a kill may have cut the last line
                lines.seek(-1, os.SEEK_END)
                lines.write(b"" if lines.read(1) == b"\n" else b"\n")
            self._ends_well = False
            lines.write(_line(name, content))
        self._ends_well = True
        self._digests.setdefault(name, {})[content] = None

    def put(self, file: Path, data: bytes) -> None:
        """Write and list a file, and create its folder. Raises OSError."""
        file.parent.mkdir(parents=True, exist_ok=True)
        self.add(file, digest(data))
        with atomic_write(file) as hidden:
            hidden.write_bytes(data)

    def restart(self, keep: Iterable[Path] = ()) -> None:
        """Restart the manifest with the listed files among `keep` only. Raises OSError."""
        names = [self._name(file) for file in keep]
        self._digests = {name: self._digests[name] for name in names if name in self._digests}
        lines = [_line(name, content) for name, contents in self._digests.items() for content in contents]
        with atomic_write(self.path) as hidden:
            hidden.write_bytes(b"".join(lines))

    def _read(self, line: bytes) -> None:
        with suppress(ValueError, RecursionError):
            match json.loads(line):
                case [str(name), str(content)] if _is_below(name):
                    self._digests.setdefault(name, {})[content] = None

    def _name(self, file: Path) -> str:
        return file.relative_to(self.root).as_posix()


def digest(data: bytes) -> str:
    """Of the content of a file, 32 hex digits (BLAKE2b)."""
    return hashlib.blake2b(data, digest_size=DIGEST_BYTES).hexdigest()


def digest_of(path: Path) -> str:
    """`digest` of an existing file. Raises OSError, also for anything but a regular file."""
    return blake2(path, DIGEST_BYTES)


def _is_below(name: str) -> bool:
    """Whether a name read from a manifest stays below its folder."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\0" not in name


def _without_links(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _line(name: str, content: str) -> bytes:
    return json.dumps([name, content]).encode("ascii") + b"\n"
