"""torch.save writes zips without compression. A compressed one could expand to a thousand times its size."""

from __future__ import annotations

import os
from typing import BinaryIO
from zipfile import ZIP_STORED, BadZipFile, ZipFile

from ..errors import UserError

LOCAL, END, LOCATOR, END64 = b"PK\3\4", b"PK\5\6", b"PK\6\7", b"PK\6\6"  # signatures of zip records


def refuse_compressed(file: BinaryIO) -> None:
    """Check the central directory of a zip; other files pass. Leaves the file at its beginning.

    Raises UserError for entries that are compressed, or together larger than the file, and what `zipfile` raises for
    a damaged file."""
    file.seek(0)
    if file.read(len(LOCAL)) == LOCAL:  # as torch distinguishes a zip from a pickle
        size = file.seek(0, os.SEEK_END)
        with ZipFile(file) as archive:
            if archive.start_dir != _directory_start(file, size):
                raise BadZipFile("two central directories: torch would read the other one")
            entries = archive.infolist()
        compressed = any(entry.compress_type != ZIP_STORED for entry in entries)
        if compressed or sum(entry.file_size for entry in entries) > size:
            raise UserError("not a checkpoint: zip entries are compressed or overlap, which torch.save never writes")
    file.seek(0)


def _directory_start(file: BinaryIO, size: int) -> int:
    """Offset of the central directory according to the last record, as torch reads it; `zipfile` may find another one.

    Raises BadZipFile if the records are not where torch.save writes them."""
    file.seek(max(0, size - 98))
    end64, locator, end = (part := file.read().rjust(98, b"\0"))[:56], part[56:76], part[76:]
    if end[:4] == END and locator[:4] != LOCATOR:
        return int.from_bytes(end[16:20], "little")
    if end[:4] == END and end64[:4] == END64 and int.from_bytes(locator[8:16], "little") == size - 98:
        return int.from_bytes(end64[48:56], "little")
    raise BadZipFile("the end record is missing")
