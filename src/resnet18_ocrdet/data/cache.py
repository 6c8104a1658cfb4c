"""Decoded pixels of a set of images, kept for the next epoch and shared by all loader processes.

Whichever process needs an image first decodes it and writes it to its place; a byte says that it is there. Two that do
so at once write the same bytes. Legend: N images, H W pixels.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.structures import Image

Kind = Literal["none", "ram", "disk"]

CHANNELS = 3
RAM_RESERVE = 2 << 30  # bytes left to the network, its batches and the rest of the machine
DISK_RESERVE = 1 << 30  # bytes left on the disk: checkpoints go there too
GIB = 1 << 30
FORMAT = 1  # of the file; another number makes another file


class PixelCache:
    """Room for N images of known sizes. Make it before the loader processes are forked: they inherit the memory."""

    def __init__(self, sizes: NDArray[np.integer], memory: mmap.mmap) -> None:
        """sizes: (N, 2), height and width; memory: what `make_cache` reserved, zeros where nothing was written."""
        self._sizes = sizes
        self._first = _places(sizes)
        self._bytes = np.frombuffer(memory, np.uint8)
        self._filled = self._bytes[: len(sizes)]

    def get(self, index: int, decode: Callable[[], Image]) -> Image:
        """Image `index`, (H, W, 3), not to be written to; `decode` gives it where it is not there yet.

        An image that turns out to have another size than was said is handed on and not kept."""
        height, width = (int(side) for side in self._sizes[index])
        place = self._bytes[self._first[index] : self._first[index + 1]].reshape(height, width, CHANNELS)
        if not self._filled[index]:
            image = decode()
            if image.shape != place.shape:
                return image
            place[:] = image
            self._filled[index] = 1  # last: a process that sees it finds all pixels written
        place.flags.writeable = False
        return place

    @property
    def filled(self) -> int:
        """Images that are there."""
        return int(self._filled.sum())


def make_cache(kind: Kind, paths: Sequence[Path], sizes: NDArray[np.integer], where: Path | None = None) -> PixelCache:
    """Reserve the room that the images need, in memory ("ram") or in a file ("disk").

    sizes: (N, 2), height and width in px. where: folder of the file, `cache_folder()` by default. The file's name
    depends on the names, sizes and times of the image files: the next run finds it again, a changed set gets another.
    Raises UserError where there is not enough room."""
    total = int(_places(sizes)[-1])
    if kind == "ram":
        return PixelCache(sizes, _in_memory(total, len(sizes)))
    return PixelCache(sizes, _in_file(total, paths, sizes, where or cache_folder()))


def cache_folder() -> Path:
    """Where the files of the disk cache lie: $XDG_CACHE_HOME, or ~/.cache, and the name of this program.

    Raises UserError where neither is known."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "resnet18-ocrdet"
    except RuntimeError:  # HOME is not set, and the user has no entry that says it
        raise UserError("data.cache=disk: no home folder is known; XDG_CACHE_HOME=FOLDER says where to") from None


def free_memory() -> int | None:
    """Bytes that this process can still take, within the limit of its container; None where nobody says."""
    free = _number("/proc/meminfo", "MemAvailable:", 1024)
    limit = _number("/sys/fs/cgroup/memory.max")
    used = _number("/sys/fs/cgroup/memory.current")
    if limit is not None and used is not None:
        used -= _number("/sys/fs/cgroup/memory.stat", "inactive_file ") or 0  # given back when it is needed
        free = min(limit - used, free) if free is not None else limit - used
    return free


def _places(sizes: NDArray[np.integer]) -> NDArray[np.int64]:
    """Where each image begins, and where the last one ends, (N + 1,); N bytes lie before them."""
    lengths = sizes.astype(np.int64).prod(axis=1) * CHANNELS
    return np.asarray(len(sizes) + np.concatenate([[0], np.cumsum(lengths)]), np.int64)


def _in_memory(total: int, images: int) -> mmap.mmap:
    free = free_memory()
    if free is not None and total > free - RAM_RESERVE:
        raise UserError(
            f"data.cache=ram: {images} decoded images take {total / GIB:.1f} GiB, {free / GIB:.1f} GiB are free and "
            f"{RAM_RESERVE / GIB:.0f} GiB of them are left alone; data.cache=disk keeps them in a file"
        )
    return mmap.mmap(-1, total)  # anonymous and shared: a forked process sees what another one writes


def _in_file(total: int, paths: Sequence[Path], sizes: NDArray[np.integer], folder: Path) -> mmap.mmap:
    path = folder / f"{_key(paths, sizes)}.pixels"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        present = path.stat().st_size if path.exists() else 0
        free = shutil.disk_usage(folder).free
        if present < total and total > free - DISK_RESERVE:
            raise UserError(
                f"data.cache=disk: {len(sizes)} decoded images take {total / GIB:.1f} GiB, {free / GIB:.1f} GiB are "
                f"free in {folder} and {DISK_RESERVE / GIB:.0f} GiB of them are left alone; XDG_CACHE_HOME=FOLDER "
                "names another disk, data.cache=none does without"
            )
        with path.open("a+b") as file:  # made by whichever run comes first, never cut by the second
            if present < total:
                _reserve(file.fileno(), total)
            return mmap.mmap(file.fileno(), total)
    except OSError as error:
        raise UserError(
            f"data.cache=disk: {path}: cannot hold {total / GIB:.1f} GiB: {error.strerror or error}; "
            "XDG_CACHE_HOME=FOLDER names another disk, data.cache=none does without"
        ) from None


def _reserve(file: int, total: int) -> None:
    """Let a file be `total` bytes long and its blocks be there: a disk that fills up later would end the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, total)
    else:
        os.ftruncate(file, total)


def _key(paths: Sequence[Path], sizes: NDArray[np.integer]) -> str:
    """Of the images as they are on this machine: names with folders, bytes, times of change, and sides."""
    digest = hashlib.sha256(f"pixels {FORMAT} {len(paths)}".encode())
    digest.update(np.ascontiguousarray(sizes, "<i4").tobytes())
    for path in paths:
        try:
            status = path.stat()
            changed = f"|{status.st_size}|{status.st_mtime_ns}|"
        except OSError:  # named when it is read
            changed = "|"
        digest.update(os.fsencode(path.absolute()) + changed.encode())
    return digest.hexdigest()[:32]


def _number(path: str, word: str = "", unit: int = 1) -> int | None:
    """The number behind a word in one of the system's files, in bytes; None where there is no such file or number."""
    try:
        lines: list[Any] = Path(path).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith(word):
            digits = line[len(word) :].split()
            return int(digits[0]) * unit if digits and digits[0].isdigit() else None
    return None
