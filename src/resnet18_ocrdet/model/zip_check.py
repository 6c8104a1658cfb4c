"""A checkpoint is a zip whose parts torch.save wrote as they are. A packed one could hold a thousand times its size."""

from __future__ import annotations

import os
from typing import BinaryIO
from zipfile import ZIP_STORED, BadZipFile, ZipFile

from ..errors import UserError

LOCAL, END, LOCATOR, END64 = b"PK\3\4", b"PK\5\6", b"PK\6\7", b"PK\6\6"  # what parts of a zip begin with


def refuse_packed(file: BinaryIO) -> None:
    """Go through the table of contents of a zip; other files pass. Leaves the file at its beginning.

    Raises UserError for parts that are compressed, or together larger than the file, and what `zipfile` raises for
    damage."""
    file.seek(0)
    if file.read(len(LOCAL)) == LOCAL:  # so torch tells a zip from a pickle
        size = file.seek(0, os.SEEK_END)
        with ZipFile(file) as archive:
            if archive.start_dir != _table(file, size):
                raise BadZipFile("two tables of contents: torch would read the other one")
            parts = archive.infolist()
        if any(part.compress_type != ZIP_STORED for part in parts) or sum(part.file_size for part in parts) > size:
            raise UserError("no checkpoint: its parts are packed, or share bytes, which torch.save never does")
    file.seek(0)


def _table(file: BinaryIO, size: int) -> int:
    """Where the table of contents begins, by the last record of the file; `zipfile` trusts other signs more.

    Raises BadZipFile where records stand in other places than those that torch.save gives them."""
    file.seek(max(0, size - 98))
    end64, locator, end = (part := file.read().rjust(98, b"\0"))[:56], part[56:76], part[76:]
    if end[:4] == END and locator[:4] != LOCATOR:
        return int.from_bytes(end[16:20], "little")
    if end[:4] == END and end64[:4] == END64 and int.from_bytes(locator[8:16], "little") == size - 98:
        return int.from_bytes(end64[48:56], "little")
    raise BadZipFile("its end is not that of a zip")
