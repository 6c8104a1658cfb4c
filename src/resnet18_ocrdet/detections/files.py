"""The files of an output folder: their names, and those of each image."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from glob import escape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import UserError
from ..evaluation.icdar_files import format_detections
from ..runtime.atomic_write import HIDDEN
from ..runtime.manifest import Manifest
from ..structures import Detection, Image
from ..viz import draw
from ..viz.texts import text_page
from .upright import upright

SETTINGS = "detections.settings.json"
TEXTS, PICTURES, CROPS, LABEL_FILES = "txt", "vis", "crops", "labelme"
OF_IMAGE = {  # folder -> names of its files, with the image's in group 1
    TEXTS: re.compile(r"res_(.+)\.txt", re.DOTALL),
    PICTURES: re.compile(r"(.+)\.jpg", re.DOTALL),
    CROPS: re.compile(r"(.+)_\d{4,}\.jpg", re.DOTALL),
    LABEL_FILES: re.compile(r"(.+)\.(?:json|png)", re.DOTALL),  # a page has a picture, other images a link
}
RECORD_FILE = re.compile(r"detections(\.\d+-of-\d+)?\.jsonl?")
ERROR_FILE = re.compile(r"errors(\.\d+-of-\d+)?\.json")
COCO_FILE = re.compile(r"coco(\.\d+-of-\d+)?\.json")
LOCK_FILE = re.compile(r"\.detections(\.\d+-of-\d+)?\.lock")
MANIFEST_FILE = re.compile(r"\.detections(\.\d+-of-\d+)?\.files\.jsonl")
TEXT_MODE: Any = {"encoding": "utf-8", "errors": "backslashreplace"}  # names that are not UTF-8 stay readable JSON


class Item(NamedTuple):
    """An input image of a call: a file, or a page of one."""

    path: Path
    relative: str  # below the input folder, with "/"; with the page, see `numbered`
    result: Path  # name of its results, below txt/ and vis/
    page: int | None = None  # from 1 on; None: the file has one page
    fault: str = ""  # why the file cannot be read, if that is known

    def older_names(self) -> set[Path]:
        """Names that its results had, or may have had, when the input held other files, or the file other pages."""
        names = {self.result.with_name(self.path.stem)}
        if self.page is not None:
            names |= {self.result.with_name(name) for name in (self.path.name, numbered(self.path.stem, self.page))}
        return names

    def document(self) -> Path | None:
        """The part of `result` that all pages of its file share. None if the file cannot be read: pages of it that were
        done before stay."""
        if self.fault:
            return None
        return self.result if self.page is None else self.result.with_name(self.result.name.rpartition("#")[0])


def numbered(name: str, page: int) -> str:
    """The name of a page: scan#2."""
    return f"{name}#{page}"


class ImageFiles:
    """Names and writes the files of an image. `name` is `Item.result`."""

    def __init__(self, manifest: Manifest, vis: bool, crops: bool) -> None:
        """manifest: lists the written files. vis, crops: whether images with boxes, and regions, are written."""
        self.root, self.manifest, self.vis, self.crops = manifest.root, manifest, vis, crops

    def paths(self, name: Path, regions: int) -> list[Path]:
        """Text file, image with boxes, and each region: those that are written."""
        paths = [self.root / TEXTS / name.parent / f"res_{name.name}.txt"]
        if self.vis:
            paths.append(self.root / PICTURES / name.parent / f"{name.name}.jpg")
        if self.crops:
            folder = self.root / CROPS / name.parent
            paths += [folder / f"{name.name}_{number:04}.jpg" for number in range(1, regions + 1)]
        return paths

    def label_file(self, name: Path) -> Path:
        """Its label file for LabelMe."""
        return self.root / LABEL_FILES / name.parent / f"{name.name}.json"

    def page_picture(self, item: Item) -> Path:
        """The picture of a page, beside its label file."""
        return self.label_file(item.result).with_name(f"{item.result.name}.png")

    def write(self, item: Item, image: Image, detections: list[Detection]) -> None:
        """All files of one image, or none. Raises UserError if its name is too long for them, OSError for the disk."""
        text, *pictures = self.paths(item.result, len(detections))
        try:
            self.manifest.put(text, format_detections(detections, with_scores=True).encode("utf-8"))
            for path, picture in zip(pictures, self._pictures(image, detections), strict=True):
                self.manifest.put(path, draw.encode(".jpg", picture))
        except Exception as error:
            remove((text, *pictures))
            if not isinstance(error, OSError) or error.errno != errno.ENAMETOOLONG:
                raise
            raise UserError(f"{item.path}: its name is too long for the names of its results") from None

    def _pictures(self, image: Image, detections: list[Detection]) -> Iterator[Image]:
        if self.vis:
            texts = [(each.quad, each.text, each.confidence or 0.0) for each in detections if each.text is not None]
            grounds = [image, text_page(image.shape[0], image.shape[1], texts)] if texts else [image]
            polygons = [each.polygon for each in detections]
            yield np.hstack([draw.outline(ground, polygons) for ground in grounds])
        if self.crops:
            yield from (upright(image, each.quad) for each in detections)

    def existing(self) -> dict[Path, list[Path]]:
        """Every existing file, by the name of its image. LabelMe files only if they were written here: others may have
        been drawn by hand, for any image. Raises UserError for a link to a folder: its files are somewhere else."""
        found: dict[Path, list[Path]] = {}
        for folder, pattern in OF_IMAGE.items():
            self._refuse_link(self.root / folder)  # also one to nothing, which has no entries
            for place, folders, names in os.walk(self.root / folder):
                here = Path(place)
                for name in folders:
                    self._refuse_link(here / name)
                for name in names:
                    match = None if HIDDEN.fullmatch(name) else pattern.fullmatch(name)
                    if match and (folder != LABEL_FILES or self.manifest.lists(here / name)):
                        image = here.relative_to(self.root / folder) / match[1]
                        found.setdefault(image, []).append(here / name)
        return found

    def _refuse_link(self, folder: Path) -> None:
        if folder.is_symlink():
            raise UserError(f"output={self.root}: {folder.relative_to(self.root)} is a link to another folder")


def remove(paths: Iterable[Path]) -> None:
    """Remove files that may not exist."""
    for path in paths:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def own_files(root: Path, name: re.Pattern[str]) -> list[Path]:
    """Files of one kind in the output folder itself."""
    return [path for path in root.iterdir() if name.fullmatch(path.name)]


def is_own(root: Path, path: Path) -> bool:
    """Whether ocrdet-detect writes files of this name."""
    folder, *below = path.relative_to(root).parts
    if below:
        return folder in OF_IMAGE and OF_IMAGE[folder].fullmatch(path.name) is not None
    return any(pattern.fullmatch(folder) for pattern in (RECORD_FILE, ERROR_FILE, COCO_FILE, MANIFEST_FILE))


def is_shard_file(path: Path) -> bool:
    """Whether a file of the output folder belongs to a shard."""
    return "-of-" in path.name


def is_label_file(root: Path, path: Path) -> bool:
    """Whether it is a label file for LabelMe."""
    return path.relative_to(root).parts[0] == LABEL_FILES


def image_links(label_file: Path) -> list[Path]:
    """The links to its image next to a label file."""
    names = (label_file.parent / label_file.stem, *label_file.parent.glob(f"{escape(label_file.stem)}.*"))
    return [path for path in names if path.is_symlink()]
