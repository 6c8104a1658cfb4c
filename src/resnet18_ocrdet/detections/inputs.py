"""Which images a call is about, and what their results are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from ..data.image_io import IMAGE_SUFFIXES, UNREAD_SUFFIXES, has_image_suffix, list_images
from ..errors import UserError
from .files import CROPS, PICTURES, SETTINGS, SHEETS
from .item import Item

MADE = (PICTURES, CROPS, SHEETS)  # folders of an output that hold pictures


class Found(NamedTuple):
    """What an input holds."""

    items: list[Item]  # in natural order
    left_out: int  # pictures that earlier calls wrote
    unread: str  # pictures of kinds that are not read, as a line to print; "" where there are none


def find_items(source: Path, output: Path, crops: bool) -> Found:
    """The images of a file or folder.

    crops: whether this call writes regions. Raises UserError where there are no images, or where this call would write
    over what it reads."""
    own = {(output / name).resolve() for name in MADE if crops or name != CROPS}
    if source.is_file():
        if own & set(source.resolve().parents):
            raise UserError(f"input={source}: lies among the pictures that this call replaces; choose another output=")
        return Found(_items([source], source.parent), 0, "")
    if not source.is_dir():
        raise UserError(f"input={source}: no such file or folder")
    pictures = list_images(source, IMAGE_SUFFIXES | UNREAD_SUFFIXES)
    there = [path for path in pictures if has_image_suffix(path.name)]
    images = [path for path in there if not any(_written(folder, own) for folder in path.parents)]
    unread = _told(Counter(path.suffix.lower() for path in pictures if not has_image_suffix(path.name)))
    if there and not images:
        raise UserError(f"input={source}: holds only pictures that a detection wrote; copy them to another folder")
    if not images:
        more = unread and f"; {unread}"
        raise UserError(
            f"input={source}: 0 images found (looked for .jpg, .png and the like, in sub-folders too{more})"
        )
    return Found(_items(images, source), len(there) - len(images), unread)


def _items(paths: Sequence[Path], root: Path) -> list[Item]:
    relative = [path.relative_to(root) for path in paths]
    names = result_names(relative)
    return [Item(path, below.as_posix(), name) for path, below, name in zip(paths, relative, names, strict=True)]


def _told(kinds: Counter[str]) -> str:
    named = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
    return named and f"{named}: not read, convert to JPEG or PNG"


def result_names(images: Sequence[Path]) -> list[Path]:
    """Result name of each image: its path without suffix, with it where two would be the same."""
    names = [image.with_suffix("") for image in images]
    while True:
        times = Counter(names)
        longer = [n for n, image in enumerate(images) if times[names[n]] > 1 and names[n] != image]
        if not longer:
            return names
        for n in longer:
            names[n] = images[n]


def shard_of(items: Sequence[Item], shard: str | None) -> list[Item]:
    """Every n-th image from the i-th on, for shard "i/n", 1 <= i <= n; all for None."""
    if shard is None:
        return list(items)
    index, parts = map(int, shard.split("/"))
    return list(items[index - 1 :: parts])


def _written(folder: Path, own: Collection[Path]) -> bool:
    """Whether a folder holds pictures of detections: by an earlier call, or where this one writes its own."""
    return folder.name in MADE and ((folder.parent / SETTINGS).is_file() or folder.resolve() in own)
