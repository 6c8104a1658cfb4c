"""Find an image by its name alone, in the whole data set: labels made on another machine name other folders."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path

from ...errors import UserError
from ...runtime.messages import count
from ..findings import Report
from ..image_io import list_images
from ..record import LabelRecord
from ..text_file import quoted_name
from .split_names import ListedImage, group_by_split, splits_of_files, splits_of_folders

FindByName = Callable[[str], Path | None]


def read_label_files(
    root: Path,
    files: Iterable[Path],
    report: Report,
    read_file: Callable[[Path, str | None, ImageIndex], list[ListedImage]],
) -> dict[str, list[LabelRecord]]:
    """Read files that each list images, and group the images by split.

    read_file: reads one; its arguments are the file, its split by its name or folder, and all images."""
    splits = splits_of_files(root, files)
    index = ImageIndex(root)
    listed = [entry for path, split in splits.items() for entry in read_file(path, split, index)]
    report.notes += index.notes()
    return group_by_split(splits.values(), listed, report, root)


class ImageIndex:
    """The images below a folder by their names. The folder is listed when a name is looked up for the first time."""

    def __init__(self, root: Path, spelling: Callable[[str], str] = str) -> None:
        """root: of the data set. spelling: how the labels write the name of a file."""
        self.root = root
        self._spelling = spelling
        self._by_name: dict[str, list[Path]] | None = None
        self._folders: set[str] = set()  # names of the folders with images
        self._splits: dict[Path, str | None] = {}  # of these folders
        self._found: list[tuple[str, Path]] = []  # names, and the images that were found for them

    def of(self, split: str | None) -> FindByName:
        """`find` for the labels of one split."""
        return lambda name: self.find(name, split)

    def find(self, name: str, split: str | None = None) -> Path | None:
        """The only image with this file name, with or without its suffix; None for none, and for several.

        split: of the labels, None if unknown. An image in the folder of another split is not used. None too if the
        data set has the folder of the name: the image is missing there, and one of another folder is another image."""
        folder = name.replace("\\", "/").rpartition("/")[0]
        candidates = self.named(name)
        if len(candidates) != 1 or self._has_folder(folder):
            return None
        beside, named = candidates[0].parent, self.root / (split or folder).lstrip("/")
        splits = splits_of_folders(self.root, (beside, named))
        if (own := self._splits[beside] or splits[beside]) and splits[named] and own != splits[named]:
            return None
        self._found.append((name, candidates[0]))
        return candidates[0]

    def named(self, name: str) -> list[Path]:
        """All images with a file name, with or without its suffix, in any folder."""
        return self._images().get(self._key(name.replace("\\", "/").rpartition("/")[2]), [])

    def notes(self) -> list[str]:
        """What was found, in one line; none if nothing was."""
        if not self._found:
            return []
        name, path = self._found[0]
        where = path.relative_to(self.root).as_posix()
        images = count(len(self._found), "image")
        return [f"{images} found by the file name alone, in another folder: first {quoted_name(name)} in {where}"]

    def _has_folder(self, folder: str) -> bool:
        """Whether images of the data set, or the root, lie in the folder that a name ends with."""
        last = folder.rpartition("/")[2]
        if not last or last == "..":
            return False
        in_root = ".." not in folder and os.path.isdir(os.path.join(self.root, folder))  # noqa: PTH112, PTH118
        return in_root or last in self._folders

    def _images(self) -> dict[str, list[Path]]:
        if self._by_name is None:
            self._by_name = {}
            try:
                images = list_images(self.root)
            except UserError:  # a folder without permission
                images = []
            images = [path for path in images if os.path.isfile(path)]  # noqa: PTH113  Path's own raises
            self._splits = splits_of_folders(self.root, (path.parent for path in images))
            self._folders = {folder.name for folder in self._splits}
            for path in images:
                for name in (path.name, path.stem):
                    self._by_name.setdefault(self._key(name), []).append(path)
        return self._by_name

    def _key(self, name: str) -> str:
        return self._spelling(unicodedata.normalize("NFC", name.strip()))
