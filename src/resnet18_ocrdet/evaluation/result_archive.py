"""The files of a folder or a zip of results: listed with their names, read one by one, nothing is unpacked."""

from __future__ import annotations

import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ..data.file_names import is_folder
from ..errors import UserError
from ..runtime.messages import printable
from ..runtime.regular_file import open_regular, read_regular

SUFFIX = ".txt"  # in any case
MAX_FILE_BYTES = 2**26  # 64 MiB: 670 bytes for each of MAX_REGIONS
MAX_EXPANSION = 20  # total size of the files in a zip / size of the zip; numbers as text compress to a third
MIN_EXPANDED = 2**21  # bytes that any zip may expand to: 100,000 of the shortest lines
ZIP_ERRORS = (  # RuntimeError: a password; the last ones were found by fuzzing
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    OSError,
    RuntimeError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    OverflowError,
    MemoryError,
    struct.error,
)


class ResultFile(NamedTuple):
    """A file of a folder or a zip, not read yet."""

    where: str  # its path, for messages
    name: str  # without folders
    read: Callable[[], bytes]  # raises UserError if it cannot be read, or is larger than MAX_FILE_BYTES


@contextmanager
def opened(path: Path) -> Iterator[list[ResultFile]]:
    """The files of a folder or a zip, sub-folders included, while it is open.

    Raises UserError if it is neither, or a zip that is damaged, has a password, or expands to more than
    MAX_EXPANSION."""
    if is_folder(path):
        files = sorted(file for file in path.rglob("*") if not is_folder(file))
        yield [ResultFile(printable(str(file)), file.name, partial(_read, file)) for file in files]
        return
    with _zip_faults(path):
        file = open_regular(path)
    with file:
        with _zip_faults(path):
            archive = zipfile.ZipFile(file)
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            limit = max(MIN_EXPANDED, MAX_EXPANSION * os.fstat(file.fileno()).st_size)
        if sum(entry.file_size for entry in entries if is_text(_name_in_zip(entry))) > limit:
            raise UserError(f"{path}: its files are more than {MAX_EXPANSION} times as large as the zip")
        places = [printable(f"{path}/{entry.filename}") for entry in entries]
        yield [
            ResultFile(where, _name_in_zip(entry), partial(_unpack, archive, entry, path))
            for where, entry in zip(places, entries, strict=True)
        ]


def holds_results(path: Path) -> bool:
    """Whether a path is a folder, or a zip with a text file in it: a checkpoint is a zip too."""
    if is_folder(path):
        return True
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            return any(is_text(_name_in_zip(entry)) for entry in archive.infolist())
    except ZIP_ERRORS:
        return path.suffix.lower() == ".zip"  # damaged: reported when it is read


def is_text(name: str) -> bool:
    """Whether a file may hold results: a text file that is not hidden, as the extra files of macOS are."""
    return name.lower().endswith(SUFFIX) and not name.startswith(".")


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, MAX_FILE_BYTES)
    except OSError as error:
        raise UserError(f"{printable(str(path))}: cannot be read: {error.strerror or error}") from None


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> bytes:
    with _zip_faults(path), archive.open(entry) as packed:
        data = packed.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        where = printable(f"{path}/{entry.filename}")
        raise UserError(f"{where}: a result file must not be larger than {MAX_FILE_BYTES} bytes")
    return data


@contextmanager
def _zip_faults(path: Path) -> Iterator[None]:
    """Raises UserError, in one line, for what reading a zip raises."""
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path}: no such folder or zip of result files") from None
    except ZIP_ERRORS as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        reason = " ".join(reason.split()) or type(error).__name__
        raise UserError(f"{path}: cannot be read as a zip: {reason}") from None


def _name_in_zip(entry: zipfile.ZipInfo) -> str:
    """The name without folders, which some programs separate with backslashes."""
    return PurePosixPath(entry.filename.replace("\\", "/")).name
