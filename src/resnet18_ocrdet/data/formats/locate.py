"""Finding the image that a label names."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from resnet18_ocrdet.data.file_names import is_file, no_name
from resnet18_ocrdet.data.formats.json_file import word
from resnet18_ocrdet.data.formats.parts import PARTS, part_of
from resnet18_ocrdet.data.formats.points import Place
from resnet18_ocrdet.data.text_file import shown
from resnet18_ocrdet.errors import UserError

IMAGE_FOLDERS = ("images", "imgs", "image", "img", "JPEGImages", "data")
MAX_CLIMB = 1  # folders up from the label file: ../images/1.jpg is usual, ../../../etc is not meant
MAX_FOLDERS_NAMED = 3  # in one message
_DRIVE = re.compile(r"[A-Za-z]:/|//")  # C:\ or \\server of another machine
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def locate(
    name: Any, folders: Sequence[Path], place: Place, key: str = "image", shortened: Sequence[Path] = ()
) -> Path | None:
    """Find an image by the name that labels give, see `find_image`; None where it is not there, which is reported."""
    if not isinstance(name, str) or not name.strip():
        place.add("GT022", f"needs the file name of an image as {key}, got {word(name)}")
        return None
    found = find_image(name, folders, shortened)
    if found is None:
        where = no_name(name) or f"not found in {_names(folders)}"
        where = "a web address, not a file" if _ADDRESS.match(name) else where
        place.add("FS079", f"{shown(name)}: {where}")
    return found


def find_image(name: str, folders: Sequence[Path], shortened: Sequence[Path] = ()) -> Path | None:
    """Find a file below one of the folders, or where an absolute name says; None where it is not there.

    A \\ parts folders as / does. An absolute name that leads nowhere was written on another machine: it is looked for
    with its first folders left out, one after the other. So is a relative one, but only in the folders `shortened`."""
    if _ADDRESS.match(name) or no_name(name):
        return None
    for spelled in dict.fromkeys((name, name.replace("\\", "/"))):
        for form in dict.fromkeys((spelled, *(unicodedata.normalize(form, spelled) for form in ("NFC", "NFD")))):
            is_absolute = form.startswith("/") or _DRIVE.match(form)
            places = [(form, folders)]
            places += [(rest, shortened or folders) for rest in _rests(form) if shortened or is_absolute]
            for relative, where in places:
                for folder in where:
                    if (path := _file_at(folder, relative)) is not None:
                        return path
    return None


def image_folders(root: Path, label: Path, parts: Collection[str] = PARTS) -> list[Path]:
    """List where the images of a label file may lie: beside it, in root, and in folders named for images or a part."""
    found = [label.parent, root]
    for folder in (root, *(root / name for name in IMAGE_FOLDERS)):
        below = folders_in(folder)
        found += [path for path in below if path.name in IMAGE_FOLDERS]
        found += [path for path in below if part_of(path.name) in parts]
    return list(dict.fromkeys(found))


def folders_in(folder: Path) -> list[Path]:
    """List the folders directly in a folder, by name; none where it cannot be listed. Hidden ones are left out."""
    return [folder / name for name, is_folder in _listing(folder) if is_folder]


def files_in(folder: Path, suffix: str) -> list[Path]:
    """List the files of a suffix, in lower case, directly in a folder, by name; none where it cannot be listed."""
    return [folder / name for name, is_folder in _listing(folder) if not is_folder and name.lower().endswith(suffix)]


def check_root(root: Path) -> None:
    """Raise UserError where `root` is no folder that can be listed."""
    try:
        with os.scandir(root):
            pass
    except OSError as error:
        raise UserError(f"{root}: cannot be listed as a folder: {error.strerror or error}") from None


def _listing(folder: Path) -> list[tuple[str, bool]]:
    """Names in a folder, sorted, hidden ones left out, and whether each is a folder."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry.name, _is_folder(entry)) for entry in entries if not entry.name.startswith("."))
    except OSError:
        return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _rests(name: str) -> Iterator[str]:
    """Give a name without its first folder, its first two, and so on; ".." counts as a folder."""
    parts = PurePosixPath(name).parts
    for first in range(1, len(parts)):
        if ".." not in parts[first:]:
            yield "/".join(parts[first:])


def _file_at(folder: Path, name: str) -> Path | None:
    """Give the path of a file below a folder, or of an absolute name; None where there is none."""
    if PurePosixPath(os.path.normpath(name)).parts[: MAX_CLIMB + 1] == ("..",) * (MAX_CLIMB + 1):
        return None
    path = Path(os.path.normpath(folder / name))
    return path if is_file(path) else None


def _names(folders: Sequence[Path]) -> str:
    """Word where was looked."""
    more = ", ..." if len(folders) > MAX_FOLDERS_NAMED else ""
    return ", ".join(f"{folder}/" for folder in folders[:MAX_FOLDERS_NAMED]) + more
