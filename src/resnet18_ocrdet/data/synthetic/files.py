"""Files of the folders that scenes are made from."""

from __future__ import annotations

from pathlib import Path

from ...errors import UserError

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


def find_files(folder: Path | None, suffixes: tuple[str, ...], kind: str) -> tuple[Path, ...]:
    """The files below a folder with one of the suffixes, sorted; none for None. kind: the key, for messages.

    Raises UserError if there are none."""
    if folder is None:
        return ()
    if not folder.is_dir():
        raise UserError(f"{kind}: {folder} is not a folder")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in suffixes)
    if not files:
        raise UserError(f"{kind}: no {', '.join('*' + suffix for suffix in suffixes)} file below {folder}")
    return tuple(files)
