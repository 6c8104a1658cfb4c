"""Find the image that a label names."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ...errors import UserError
from ..file_names import invalid_name, is_file, is_folder_entry
from ..text_file import quoted_name
from .json_file import describe
from .location import LabelError
from .split_names import SPLITS, split_of

IMAGE_FOLDERS = ("images", "imgs", "image", "img", "JPEGImages", "data")
MAX_CLIMB = 1  # folders up from the label file: ../images/1.jpg is common, ../../../etc is not meant
MAX_FOLDERS_NAMED = 3  # in one message
MAX_LOOKED = 32  # folders
_DRIVE = re.compile(r"[A-Za-z]:/|//")  # C:\ or \\server of another machine
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def locate(
    name: Any,
    folders: Sequence[Path],
    key: str = "image",
    shortened: Sequence[Path] = (),
    find: Callable[[str], Path | None] | None = None,
) -> Path:
    """Find an image by the name in the labels, see `find_image`, then with `find`, such as that of an `ImageIndex`.

    Raises LabelError if it does not exist."""
    if not isinstance(name, str) or not name.strip():
        raise LabelError("GT022", f"needs the file name of an image as {key}, got {describe(name)}")
    if found := find_image(name, folders, shortened):
        return found
    if _ADDRESS.match(name):
        raise LabelError("FS079", f"{quoted_name(name)}: a web address, not a file")
    if find is not None and not invalid_name(name) and (found := find(name)):
        return found
    where = named_folders(folders)
    raise LabelError("FS079", f"{quoted_name(name)}: {invalid_name(name) or f'not found in {where}'}")


def named_folders(folders: Sequence[Path]) -> str:
    """The first folders in a message."""
    more = ", ..." if len(folders) > MAX_FOLDERS_NAMED else ""
    return ", ".join(f"{folder}/" for folder in folders[:MAX_FOLDERS_NAMED]) + more


def find_image(name: str, folders: Sequence[Path], shortened: Sequence[Path] = ()) -> Path | None:
    """Find a file below one of the folders, or at an absolute path; None if it does not exist.

    A \\ separates folders as / does. An absolute path that does not exist was written on another machine: its leading
    folders are removed one after the other. The same is done for a relative name, but only in `shortened`."""
    if _ADDRESS.match(name) or invalid_name(name):
        return None
    for spelled in dict.fromkeys((name, name.replace("\\", "/"))):
        for form in dict.fromkeys((spelled, *(unicodedata.normalize(form, spelled) for form in ("NFC", "NFD")))):
            is_absolute = form.startswith("/") or _DRIVE.match(form)
            tries = [(form, folders)]
            tries += [(rest, shortened or folders) for rest in _shortened(form) if shortened or is_absolute]
            paths = (_file_at(folder, relative) for relative, where in tries for folder in where)
            if path := next(filter(None, paths), None):
                return path
    return None


def image_folders(root: Path, label: Path, splits: Collection[str] = SPLITS) -> list[Path]:
    """Folders that may hold the images of a label file: its own, root, and those named after images or a split."""
    found = [label.parent, root]
    for folder in (root, *(root / name for name in IMAGE_FOLDERS)):
        below = folders_in(folder)
        found += [path for path in below if path.name in IMAGE_FOLDERS]
        found += [path for path in below if split_of(path.name) in splits]
    return list(dict.fromkeys(found))


def folders_in(folder: Path) -> list[Path]:
    """List the folders in a folder, by name, without hidden ones; none if it cannot be listed."""
    return [folder / name for name, is_folder in _listing(folder) if is_folder]


def files_in(folder: Path, suffix: str) -> list[Path]:
    """List the files with a suffix (in lower case) in a folder, by name; none if it cannot be listed."""
    return [folder / name for name, is_folder in _listing(folder) if not is_folder and name.lower().endswith(suffix)]


def files_near(root: Path, suffix: str, most: int | None = None) -> list[Path]:
    """List the files with a suffix in a folder and in the folders in it.

    most: from each folder, for a first look, which is limited to MAX_LOOKED folders."""
    below = folders_in(root)[: None if most is None else MAX_LOOKED]
    return [path for folder in (root, *below) for path in files_in(folder, suffix)[:most]]


def check_root(root: Path) -> None:
    """Raise UserError if `root` cannot be listed as a folder."""
    try:
        with os.scandir(root):
            pass
    except OSError as error:
        raise UserError(f"{root}: cannot be listed as a folder: {error.strerror or error}") from None


def _listing(folder: Path) -> list[tuple[str, bool]]:
    """Names in a folder, sorted, without hidden ones, and whether each is a folder."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry.name, is_folder_entry(entry)) for entry in entries if not entry.name.startswith("."))
    except OSError:
        return []


def _shortened(name: str) -> Iterator[str]:
    """Yield a name without its first folder, its first two, and so on; ".." counts as a folder."""
    parts = PurePosixPath(name).parts
    for first in range(1, len(parts)):
        if ".." not in parts[first:]:
            yield "/".join(parts[first:])


def _file_at(folder: Path, name: str) -> Path | None:
    if PurePosixPath(os.path.normpath(name)).parts[: MAX_CLIMB + 1] == ("..",) * (MAX_CLIMB + 1):
        return None
    path = Path(os.path.normpath(folder / name))
    return path if is_file(path) else None
