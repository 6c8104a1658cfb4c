"""The files of each image's results: its text, its picture, its regions."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..evaluation.icdar_files import format_detections
from ..runtime.atomic_write import HIDDEN
from ..runtime.manifest import Manifest
from ..structures import Detection, Image
from ..viz import draw
from .item import Item
from .upright import upright

SETTINGS = "detections.settings.json"
TEXTS, PICTURES, CROPS, SHEETS = "txt", "vis", "crops", "labelme"  # folders of the output
OF_IMAGE = {  # names of its files, with the image's in them
    TEXTS: re.compile(r"res_(.+)\.txt", re.DOTALL),
    PICTURES: re.compile(r"(.+)\.jpg", re.DOTALL),
    CROPS: re.compile(r"(.+)_\d{4,}\.jpg", re.DOTALL),
    SHEETS: re.compile(r"(.+)\.json", re.DOTALL),
}


def tag_of(shard: str | None) -> str:
    """What the names of a call's own files bear: ".1-of-2", or nothing for a call for all images."""
    return "" if shard is None else "." + shard.replace("/", "-of-")


def manifest_file(root: Path, shard: str | None) -> Path:
    """Where a call lists the files that it writes."""
    return root / f".detections{tag_of(shard)}.files.jsonl"


class ImageFiles:
    """Names, and what is written under them. An image's files are named by `Item.result`."""

    def __init__(self, manifest: Manifest, vis: bool, crops: bool) -> None:
        """manifest: lists what is written. vis, crops: whether pictures and regions are; texts always are."""
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

    def sheet(self, name: Path) -> Path:
        """Its labels for LabelMe."""
        return self.root / SHEETS / name.parent / f"{name.name}.json"

    def write(self, item: Item, image: Image, detections: list[Detection]) -> None:
        """All files of one image, or none. Raises UserError where its name is too long for them; OSError: the disk."""
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

    def complete(self, item: Item, record: dict[str, Any]) -> bool:
        """Whether everything that a record speaks of is there."""
        files = [self.text(item.result)]
        if self.vis:
            files.append(self.picture(item.result))
        if self.crops:
            files += [self.crop(item.result, number) for number in range(1, len(record["polygons"]) + 1)]
        return all(map(os.path.isfile, files))  # False where Path.is_file raises

    def present(self) -> dict[Path, list[Path]]:
        """Every file that is there, by the name of its image. Of the sheets those that were written here: others may
        have been drawn by hand, of any image. Raises UserError for a link to a folder, which would lead elsewhere."""
        found: dict[Path, list[Path]] = {}
        for folder in OF_IMAGE:
            if (self.root / folder).is_symlink():
                raise UserError(f"output={self.root}: {folder} is a link to another folder")
        for folder, pattern in OF_IMAGE.items():
            for place, folders, names in os.walk(self.root / folder):
                if link := next((each for each in map(Path(place).joinpath, folders) if each.is_symlink()), None):
                    raise UserError(f"output={self.root}: {link.relative_to(self.root)} is a link to another folder")
                for name in names:
                    if (match := pattern.fullmatch(name)) and not HIDDEN.fullmatch(name):
                        image = Path(place).relative_to(self.root / folder) / match[1]
                        path = Path(place, name)
                        if folder != SHEETS or self.manifest.lists(path):
                            found.setdefault(image, []).append(path)
        return found


def remove(paths: Iterable[Path]) -> None:
    """Those of them that are there."""
    for path in paths:
        with suppress(OSError):
            path.unlink(missing_ok=True)
