"""Decoded pixels of a set of images, kept for the next epoch and shared by all loader processes.

The first process that needs an image decodes it and writes it to the cache; a flag byte says that it is complete. Two
processes that do so at once write the same bytes. Legend: N images, H W pixels.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..structures import Image

CacheKind = Literal["none", "ram", "disk"]

CHANNELS = 3
RAM_RESERVE = 2 << 30  # bytes left for the network, its batches and other programs
DISK_RESERVE = 1 << 30  # bytes left on the disk, also for checkpoints
GIB = 1 << 30
FORMAT = 1  # of the file; part of its name

_in_ram: WeakSet[PixelCache] = WeakSet()  # memory is mapped now but taken when images are decoded


class PixelCache:
    """Space for N images of known sizes. Create it before the loader processes are forked: they inherit the memory."""

    def __init__(self, sizes: NDArray[np.integer], memory: mmap.mmap) -> None:
        """sizes: (N, 2), height and width; memory: reserved by `make_cache`, zeros where nothing is written."""
        self._sizes = sizes
        self._first = _offsets(sizes)
        self._bytes = np.frombuffer(memory, np.uint8)
        self._filled = self._bytes[: len(sizes)]

    def get(self, index: int, decode: Callable[[], Image]) -> Image:
        """Image `index`, (H, W, 3), read-only; `decode` is called if it is not in the cache yet.

        An image whose size differs from the given one is returned without caching it."""
        height, width = (int(side) for side in self._sizes[index])
        view = self._bytes[self._first[index] : self._first[index + 1]].reshape(height, width, CHANNELS)
        if not self._filled[index]:
            image = decode()
            if image.shape != view.shape:
                return image
            view[:] = image
            self._filled[index] = 1  # last: all pixels are written when another process sees it
        view.flags.writeable = False
        return view


def make_cache(kind: CacheKind, paths: Sequence[Path], sizes: NDArray[np.integer]) -> PixelCache:
    """Reserve space for the images, in memory ("ram") or in a file in `cache_folder()` ("disk").

    sizes: (N, 2), height and width in px. The file's name depends on the names, sizes and times of the image files: the
    next run finds it again, changed images get a new one. Raises UserError if there is not enough space. In memory, all
    caches of this process count, and those of the other processes of the run on this machine, which are assumed to be
    the same."""
    total = int(_offsets(sizes)[-1])
    if kind == "ram":
        cache = PixelCache(sizes, _in_memory(total, len(sizes)))
        _in_ram.add(cache)
        return cache
    return PixelCache(sizes, _in_file(total, paths, sizes, cache_folder()))


def cache_folder() -> Path:
    """Folder of the disk cache: resnet18-ocrdet in $XDG_CACHE_HOME or ~/.cache. Raises UserError if neither exists."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "resnet18-ocrdet"
    except RuntimeError:  # HOME is not set, and the user database has no entry
        raise UserError("data.cache=disk: the home folder is unknown; set XDG_CACHE_HOME=FOLDER") from None


def free_memory() -> int | None:
    """Bytes that this process can still allocate, within the limit of its container; None if unknown."""
    free: list[int] = []
    if (kib := _number("/proc/meminfo", "MemAvailable:")) is not None:
        free.append(1024 * kib)
    limit, used = _number("/sys/fs/cgroup/memory.max"), _number("/sys/fs/cgroup/memory.current")
    if limit is not None and used is not None:
        freed_on_demand = _number("/sys/fs/cgroup/memory.stat", "inactive_file") or 0
        free.append(limit - used + freed_on_demand)
    return min(free, default=None)


def _offsets(sizes: NDArray[np.integer]) -> NDArray[np.int64]:
    """Offset of each image, and the end of the last one, (N + 1,); the N flag bytes come first."""
    lengths = sizes.astype(np.int64).prod(axis=1) * CHANNELS
    return np.asarray(len(sizes) + np.concatenate([[0], np.cumsum(lengths)]), np.int64)


def _in_memory(total: int, images: int) -> mmap.mmap:
    free, processes = free_memory(), _local_processes()
    others = sum(int(np.diff(cache._first)[cache._filled == 0].sum()) for cache in _in_ram)  # not decoded yet
    needed = processes * (total + others)
    if free is not None and needed > free - RAM_RESERVE:
        with_others = f", {others / GIB:.1f} GiB the other splits" if others else ""
        each = f", in each of {processes} processes" if processes > 1 else ""
        raise UserError(
            f"data.cache=ram: {images} decoded images take {total / GIB:.1f} GiB{with_others}{each}: "
            f"{needed / GIB:.1f} GiB in total. {free / GIB:.1f} GiB are free, of which {RAM_RESERVE / GIB:.0f} GiB are "
            "reserved; data.cache=disk keeps images in a file"
        )
    return mmap.mmap(-1, total)  # anonymous and shared: forked processes see each other's writes


def _local_processes() -> int:
    """Processes of this run on this machine, as torchrun sets it."""
    value = os.environ.get("LOCAL_WORLD_SIZE", "")
    return max(int(value), 1) if value.isdigit() else 1


def _in_file(total: int, paths: Sequence[Path], sizes: NDArray[np.integer], folder: Path) -> mmap.mmap:
    path = folder / f"{_key(paths, sizes)}.pixels"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        present = path.stat().st_size if path.exists() else 0
        free = shutil.disk_usage(folder).free
        if present < total and total > free - DISK_RESERVE:
            raise UserError(
                f"data.cache=disk: {len(sizes)} decoded images take {total / GIB:.1f} GiB, {free / GIB:.1f} GiB are "
                f"free in {folder}, of which {DISK_RESERVE / GIB:.0f} GiB are reserved; set XDG_CACHE_HOME=FOLDER to "
                "use another disk, or data.cache=none"
            )
        with path.open("a+b") as file:  # created by the first run, never truncated by another
            if present < total and hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, total)  # writing to a mapped file on a full disk ends the process
            elif present < total:
                os.ftruncate(file.fileno(), total)
            return mmap.mmap(file.fileno(), total)
    except OSError as error:
        raise UserError(
            f"data.cache=disk: {path}: cannot hold {total / GIB:.1f} GiB: {error.strerror or error}; "
            "set XDG_CACHE_HOME=FOLDER to use another disk, or data.cache=none"
        ) from None


def _key(paths: Sequence[Path], sizes: NDArray[np.integer]) -> str:
    """Hash of the image files on this machine: paths, sizes in bytes, modification times, heights and widths."""
    digest = hashlib.sha256(f"pixels {FORMAT} {len(paths)}".encode())
    digest.update(np.ascontiguousarray(sizes, "<i4").tobytes())
    for path in paths:
        try:
            status = path.stat()
            changed = f"|{status.st_size}|{status.st_mtime_ns}|"
        except OSError:  # reported when it is read
            changed = "|"
        digest.update(os.fsencode(path.absolute()) + changed.encode())
    return digest.hexdigest()[:32]


def _number(path: str, word: str = "") -> int | None:
    """The number at the start of a line of a system file, after a word if given; None without such a file or number."""
    try:
        text = Path(path).read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    found = re.search(rf"^{word}\s*([0-9]+)", text, re.MULTILINE)
    return int(found[1]) if found else None
