"""Find images by their names without suffix, as some labels give them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..image_io import has_image_suffix
from ..text_file import quoted
from .image_index import FindByName
from .json_file import describe
from .locate import files_in, named_folders
from .location import LabelError


class ImagesByStem:
    """The images in some folders. If several have an image of the same name, it is the one in the first."""

    def __init__(self, folders: Sequence[Path], find: FindByName | None = None) -> None:
        """Sub-folders are not looked in. find: searches the whole data set, for a name that no folder has."""
        self._folders, self._find = folders, find
        self._found: dict[str, list[Path]] = {}
        for folder in folders:
            inside: dict[str, list[Path]] = {}
            for path in files_in(folder, ""):
                if has_image_suffix(path.name):
                    for name in (path.stem, path.name):
                        inside.setdefault(_spelling(name), []).append(path)
            self._found = inside | self._found

    def locate(self, name: Any, key: str) -> Path:
        """Find an image by its name with or without suffix. key: of the name, in messages.

        Raises LabelError if it does not exist, and if the folder has several, such as 1.jpg and 1.png."""
        if not isinstance(name, str) or not name.strip():
            raise LabelError("GT022", f"needs the name of an image as {key}, got {describe(name)}")
        found = self._found.get(_spelling(name), [])
        if not found and self._find is not None and (elsewhere := self._find(name)):
            return elsewhere
        if not found:
            raise LabelError("FS079", f"{quoted(name)}: no image of this name in {named_folders(self._folders)}")
        if len(found) > 1:
            raise LabelError("FS076", f"{quoted(name)} is the name of {' and '.join(path.name for path in found)}")
        return found[0]


def _spelling(name: str) -> str:
    return unicodedata.normalize("NFC", name)
