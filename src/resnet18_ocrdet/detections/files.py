"""The files of each image's results: its text, its picture, its regions."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import count
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
CROP = re.compile(r".+_\d{4,}\.jpg")


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
        """All files of one image. Raises UserError where its name is too long for them, OSError for the disk."""
        try:
            text = self.text(item.result)
            text.parent.mkdir(parents=True, exist_ok=True)
            text.write_text(format_detections(detections, with_scores=True), encoding="utf-8")
            if self.vis:
                _draw(self.picture(item.result), draw.outline(image, [each.polygon for each in detections]))
            if self.crops:
                for number, each in enumerate(detections, start=1):
                    _draw(self.crop(item.result, number), upright(image, each.polygon))
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            raise UserError(f"{item.path}: its name is too long for the names of its results") from None

    def complete(self, item: Item, record: dict[str, Any]) -> bool:
        """Whether everything that a record speaks of is there. Raises OSError."""
        regions = len(record["polygons"])
        return (
            self.text(item.result).is_file()
            and (not self.vis or self.picture(item.result).is_file())
            and (not self.crops or all(self.crop(item.result, n).is_file() for n in range(1, regions + 1)))
        )

    def remove(self, name: Path) -> None:
        """What is there of one image."""
        with suppress(OSError):
            self.text(name).unlink(missing_ok=True)
            self.picture(name).unlink(missing_ok=True)
            for number in count(1):
                self.crop(name, number).unlink()  # an OSError ends it: they are numbered without gaps

    def present(self) -> Iterator[Path]:
        """Texts and pictures, of whichever images."""
        yield from (self.root / TEXTS).rglob("res_*.txt")
        yield from (self.root / PICTURES).rglob("*.jpg")

    def regions(self) -> Iterator[Path]:
        """Regions, of whichever images."""
        return (path for path in (self.root / CROPS).rglob("*.jpg") if CROP.fullmatch(path.name))

    def others(self, names: Iterable[Path]) -> list[Path]:
        """Texts and pictures of other images than these."""
        ours = {file for name in names for file in (self.text(name), self.picture(name))}
        return sorted(set(self.present()) - ours)


def _draw(path: Path, image: Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draw.write(path, image)
