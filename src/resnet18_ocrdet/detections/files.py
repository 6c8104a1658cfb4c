"""The result files of each image."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ..data.file_names import is_file
from ..errors import UserError
from ..evaluation.icdar_files import format_detections
from ..runtime.atomic_write import HIDDEN
from ..runtime.manifest import Manifest
from ..structures import Detection, Image
from ..viz import draw
from .item import Item
from .names import CROPS, LABEL_FILES, OF_IMAGE, PICTURES, TEXTS
from .records import ImageRecord
from .upright import upright


class ImageFiles:
    """Names and writes the files of an image. `name` is `Item.result`."""

    def __init__(self, manifest: Manifest, vis: bool, crops: bool) -> None:
        """manifest: lists the written files. vis, crops: whether images with boxes, and regions, are written."""
        self.root, self.manifest, self.vis, self.crops = manifest.root, manifest, vis, crops

    def text(self, name: Path) -> Path:
        """ICDAR lines."""
        return self.root / TEXTS / name.parent / f"res_{name.name}.txt"

    def picture(self, name: Path) -> Path:
        """The image with its boxes."""
        return self.root / PICTURES / name.parent / f"{name.name}.jpg"

    def crop(self, name: Path, number: int) -> Path:
        """A region, counted from 1."""
        return self.root / CROPS / name.parent / f"{name.name}_{number:04}.jpg"

    def label_file(self, name: Path) -> Path:
        """Its label file for LabelMe."""
        return self.root / LABEL_FILES / name.parent / f"{name.name}.json"

    def write(self, item: Item, image: Image, detections: list[Detection]) -> None:
        """All files of one image, or none. Raises UserError if its name is too long for them, OSError for the disk."""
        try:
            self._write(item.result, image, detections)
        except Exception as error:
            crops = (self.crop(item.result, number) for number in range(1, len(detections) + 1))
            remove((self.text(item.result), self.picture(item.result), *crops))
            if not isinstance(error, OSError) or error.errno != errno.ENAMETOOLONG:
                raise
            raise UserError(f"{item.path}: its name is too long for the names of its results") from None

    def _write(self, name: Path, image: Image, detections: list[Detection]) -> None:
        text = format_detections(detections, with_scores=True)
        self.manifest.put(self.text(name), text.encode("utf-8"))
        if self.vis:
            drawn = draw.outline(image, [each.polygon for each in detections])
            self.manifest.put(self.picture(name), draw.encode(".jpg", drawn))
        if self.crops:
            for number, each in enumerate(detections, start=1):
                self.manifest.put(self.crop(name, number), draw.encode(".jpg", upright(image, each.polygon)))

    def complete(self, item: Item, record: ImageRecord) -> bool:
        """Whether all files of a record exist."""
        files = [self.text(item.result)]
        if self.vis:
            files.append(self.picture(item.result))
        if self.crops:
            files += [self.crop(item.result, number) for number in range(1, len(record.polygons) + 1)]
        return all(map(is_file, files))

    def existing(self) -> dict[Path, list[Path]]:
        """Every existing file, by the name of its image. LabelMe files only if they were written here: others may have
        been drawn by hand, for any image. Raises UserError for a link to a folder: its files are somewhere else."""
        found: dict[Path, list[Path]] = {}
        for folder in OF_IMAGE:
            if (self.root / folder).is_symlink():
                raise UserError(f"output={self.root}: {folder} is a link to another folder")
        for folder, pattern in OF_IMAGE.items():
            for place, folders, names in os.walk(self.root / folder):
                if link := next((each for each in map(Path(place).joinpath, folders) if each.is_symlink()), None):
                    raise UserError(f"output={self.root}: {link.relative_to(self.root)} is a link to another folder")
                matches = [(name, pattern.fullmatch(name)) for name in names if not HIDDEN.fullmatch(name)]
                for path, match in ((Path(place, name), match) for name, match in matches if match):
                    image = Path(place).relative_to(self.root / folder) / match[1]
                    if folder != LABEL_FILES or self.manifest.lists(path):
                        found.setdefault(image, []).append(path)
        return found


def remove(paths: Iterable[Path]) -> None:
    """Remove files that may not exist."""
    for path in paths:
        with suppress(OSError):
            path.unlink(missing_ok=True)
