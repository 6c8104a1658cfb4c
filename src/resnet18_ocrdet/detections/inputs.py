"""The images of a call, and the names of their results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from ..data.image_io import IMAGE_SUFFIXES, UNREAD_SUFFIXES, has_image_suffix, list_images
from ..errors import UserError
from .files import CROPS, LABEL_FILES, PICTURES, SETTINGS, Item

PICTURE_FOLDERS = (PICTURES, CROPS, LABEL_FILES)  # of an output


class Found(NamedTuple):
    """The images of an input."""

    items: list[Item]  # in natural order
    left_out: int  # pictures that earlier calls wrote
    unread: str  # a line about pictures of other formats, "" if there are none


def find_items(source: Path, output: Path, crops: bool) -> Found:
    """The images of a file or folder.

    crops: whether this call writes regions. Raises UserError if there are no images, or if this call would overwrite
    its input."""
    own = {(output / name).resolve() for name in PICTURE_FOLDERS if crops or name != CROPS}
    if source.is_file():
        if own & set(source.resolve().parents):
            raise UserError(f"input={source}: is among the pictures that this call replaces; choose another output=")
        return Found(_items([source], source.parent), 0, "")
    if not source.is_dir():
        raise UserError(f"input={source}: no such file or folder")
    pictures = list_images(source, IMAGE_SUFFIXES | UNREAD_SUFFIXES)
    readable = [path for path in pictures if has_image_suffix(path.name)]
    images = [path for path in readable if not any(_is_output(folder, own) for folder in path.parents)]
    suffixes = Counter(path.suffix.lower() for path in pictures if not has_image_suffix(path.name))
    unread = ", ".join(f"{number} {suffix}" for suffix, number in sorted(suffixes.items()))
    unread += ": not read, convert to JPEG or PNG" if unread else ""
    if readable and not images:
        raise UserError(f"input={source}: contains only pictures that a detection wrote; copy them to another folder")
    if not images:
        more = unread and f"; {unread}"
        raise UserError(f"input={source}: 0 images found (searched for .jpg, .png etc., also in subfolders{more})")
    return Found(_items(images, source), len(readable) - len(images), unread)


def _items(paths: Sequence[Path], root: Path) -> list[Item]:
    relative = [path.relative_to(root) for path in paths]
    names = name_results(relative)
    return [Item(path, below.as_posix(), name) for path, below, name in zip(paths, relative, names, strict=True)]


def name_results(images: Sequence[Path]) -> list[Path]:
    """Result name of each image: its path without suffix, or with it if two would be the same."""
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


def _is_output(folder: Path, own: Collection[Path]) -> bool:
    """Whether a folder holds pictures of detections: of an earlier call, or those that this call will write."""
    return folder.name in PICTURE_FOLDERS and ((folder.parent / SETTINGS).is_file() or folder.resolve() in own)
