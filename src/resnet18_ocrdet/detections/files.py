"""The files of each image's results: its text, its picture, its regions."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import draw
from ..errors import UserError
from ..results import format_detections
from ..structures import Detection, Image
from .upright import upright

if TYPE_CHECKING:
    from .inputs import Item

TEXTS, PICTURES, CROPS = "txt", "vis", "crops"  # folders of the output
OF_IMAGE = {  # names of its files, with the image's in them
    TEXTS: re.compile(r"res_(.+)\.txt", re.DOTALL),
    PICTURES: re.compile(r"(.+)\.jpg", re.DOTALL),
    CROPS: re.compile(r"(.+)_\d{4,}\.jpg", re.DOTALL),
}


class ImageFiles:
    """Names, and what is written under them. An image's files are named by `Item.result`."""

    def __init__(self, root: Path, vis: bool, crops: bool) -> None:
        """vis, crops: whether pictures and regions are written; texts always are."""
        self.root, self.vis, self.crops = root, vis, crops

    def text(self, name: Path) -> Path:
        """ICDAR lines."""
        return self.root / TEXTS / name.parent / f"res_{name.name}.txt"

    def picture(self, name: Path) -> Path:
        """The image with its boxes."""
        return self.root / PICTURES / name.parent / f"{name.name}.jpg"

    def crop(self, name: Path, number: int) -> Path:
        """A region, counted from 1."""
        return self.root / CROPS / name.parent / f"{name.name}_{number:04}.jpg"

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
        text = self.text(name)
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text(format_detections(detections, with_scores=True), encoding="utf-8")
        if self.vis:
            _draw(self.picture(name), draw.outline(image, [each.polygon for each in detections]))
        if self.crops:
            for number, each in enumerate(detections, start=1):
                _draw(self.crop(name, number), upright(image, each.polygon))

    def complete(self, item: Item, record: dict[str, Any]) -> bool:
        """Whether everything that a record speaks of is there. Raises OSError."""
        regions = len(record["polygons"])
        return (
            self.text(item.result).is_file()
            and (not self.vis or self.picture(item.result).is_file())
            and (not self.crops or all(self.crop(item.result, n).is_file() for n in range(1, regions + 1)))
        )

    def present(self) -> dict[Path, list[Path]]:
        """Every file that is there, by the name of its image."""
        found: dict[Path, list[Path]] = {}
        for folder, pattern in OF_IMAGE.items():
            for place, _, names in os.walk(self.root / folder):
                for name in names:
                    if match := pattern.fullmatch(name):
                        image = Path(place).relative_to(self.root / folder) / match[1]
                        found.setdefault(image, []).append(Path(place, name))
        return found


def remove(paths: Iterable[Path]) -> None:
    """Those of them that are there."""
    for path in paths:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _draw(path: Path, image: Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draw.write(path, image)
