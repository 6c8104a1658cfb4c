"""The images of a call, and the names of their results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..data.image_guard import ImageFault
from ..data.image_io import UNREAD_SUFFIXES, has_image_suffix, list_images
from ..data.pages import PAGE_SUFFIXES, page_count
from ..errors import UserError
from .files import CROPS, LABEL_FILES, PICTURES, SETTINGS, Item, numbered

PICTURE_FOLDERS = (PICTURES, CROPS, LABEL_FILES)  # of an output


class Found(NamedTuple):
    """The images of an input."""

    items: list[Item]  # in natural order, the pages of a file one after the other
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
        return Found(items_of([source], source.parent), 0, "")
    if not source.is_dir():
        raise UserError(f"input={source}: no such file or folder")
    pictures = list_images(source, PAGE_SUFFIXES | UNREAD_SUFFIXES)
    readable = [path for path in pictures if has_image_suffix(path.name, PAGE_SUFFIXES)]
    images = [path for path in readable if not any(_is_output(folder, own) for folder in path.parents)]
    suffixes = Counter(path.suffix.lower() for path in pictures if not has_image_suffix(path.name, PAGE_SUFFIXES))
    unread = ", ".join(f"{number} {suffix}" for suffix, number in sorted(suffixes.items()))
    unread += ": not read, convert to JPEG or PNG" if unread else ""
    if readable and not images:
        raise UserError(f"input={source}: contains only pictures that a detection wrote; copy them to another folder")
    if not images:
        more = unread and f"; {unread}"
        raise UserError(f"input={source}: 0 images found (searched for .jpg, .png etc., also in subfolders{more})")
    return Found(items_of(images, source), len(readable) - len(images), unread)


def items_of(paths: Sequence[Path], root: Path) -> list[Item]:
    """The pages of each file, in order. A file that cannot be read is one item, with the reason."""
    pages, faults = dict[Path, int](), dict[Path, str]()
    for path in paths:
        try:
            pages[path.relative_to(root)] = page_count(path)
        except ImageFault as fault:
            pages[path.relative_to(root)], faults[path] = 1, str(fault)
    names = name_results(pages)
    items: list[Item] = []
    for path, (below, number) in zip(paths, pages.items(), strict=True):
        relative, name = below.as_posix(), names[below]
        if number == 1:
            items.append(Item(path, relative, name, fault=faults.get(path, "")))
        else:
            items += [Item(path, numbered(relative, n), _page_of(name, n), n) for n in range(1, number + 1)]
    return items


def name_results(pages: Mapping[Path, int]) -> dict[Path, Path]:
    """Result name of each file: its path without suffix, or with it if two would be the same.

    pages: their number in each file. Several have the results NAME#1, NAME#2 …; if one of these is the path or stem of
    a file of one page, which keeps its name, NAME is the path with suffix, and if need be further signs "#"."""
    taken = {name for path, number in pages.items() if number == 1 for name in (path, path.with_suffix(""))}
    names = {path: path.with_suffix("") for path in pages}
    while True:
        times = Counter((name, pages[path] > 1) for path, name in names.items())
        longer = [
            path
            for path, number in pages.items()
            if (names[path] != path and times[names[path], number > 1] > 1)
            or (number > 1 and any(_page_of(names[path], n) in taken for n in range(1, number + 1)))
        ]
        if not longer:
            return names
        for path in longer:
            is_short = names[path] == path.with_suffix("") != path
            names[path] = path if is_short else path.with_name(names[path].name + "#")


def _page_of(name: Path, page: int) -> Path:
    return name.with_name(numbered(name.name, page))


def shard_of(items: Sequence[Item], shard: str | None) -> list[Item]:
    """Every n-th image from the i-th on, for shard "i/n", 1 <= i <= n; all for None."""
    if shard is None:
        return list(items)
    index, parts = map(int, shard.split("/"))
    return list(items[index - 1 :: parts])


def _is_output(folder: Path, own: Collection[Path]) -> bool:
    """Whether a folder holds pictures of detections: of an earlier call, or those that this call will write."""
    return folder.name in PICTURE_FOLDERS and ((folder.parent / SETTINGS).is_file() or folder.resolve() in own)
