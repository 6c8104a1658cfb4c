"""The files of each image's results: its text, its picture, its regions."""

from __future__ import annotations

import errno
import re
from collections.abc import Collection, Iterable
from contextlib import suppress
from itertools import chain
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
CROP = re.compile(r"(.+)_\d{4,}\.jpg", re.DOTALL)


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
            self.remove(item.result, [self.crop(item.result, n) for n in range(1, len(detections) + 1)])
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

    def remove(self, name: Path, regions: Iterable[Path]) -> None:
        """What is there of one image. regions: its own, as `regions` lists them."""
        for path in (self.text(name), self.picture(name), *regions):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def regions(self) -> dict[Path, list[Path]]:
        """The regions that are there, by the image's name."""
        found: dict[Path, list[Path]] = {}
        for path in (self.root / CROPS).rglob("*.jpg"):
            if match := CROP.fullmatch(path.name):
                found.setdefault(path.parent.relative_to(self.root / CROPS) / match[1], []).append(path)
        return found

    def present(self) -> list[Path]:
        """Everything that is there, of whichever images."""
        texts, pictures = (self.root / TEXTS).rglob("res_*.txt"), (self.root / PICTURES).rglob("*.jpg")
        return [*texts, *pictures, *chain.from_iterable(self.regions().values())]

    def others(self, names: Collection[Path]) -> list[Path]:
        """What is there of other images than these."""
        regions = {path for name, paths in self.regions().items() if name in names for path in paths}
        ours = {file for name in names for file in (self.text(name), self.picture(name))} | regions
        return sorted(set(self.present()) - ours)


def _draw(path: Path, image: Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draw.write(path, image)
