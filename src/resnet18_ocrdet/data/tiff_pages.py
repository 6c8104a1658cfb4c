"""The pages of a TIFF, found without decoding: TIFF 6.0, section 2, and BigTIFF.

Each page has a directory of tags, which ends with the offset of the next one. Reduced copies and masks are not pages.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from .image_guard import ImageFault

STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the last two are BigTIFF
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8}  # bytes, by type of value
UNSIGNED = {3: "H", 4: "I", 16: "Q"}  # `struct` codes, by type of value

NEW_SUBFILE, OLD_SUBFILE = 254, 255  # tags
REDUCED, MASK = 1, 4  # bits of NEW_SUBFILE
OLD_REDUCED = 2  # a value of OLD_SUBFILE
DATA = ((273, 279), (324, 325))  # tags of the offsets and sizes of strips, or of tiles
MAX_TAG = 0x8000  # what follows is private, and not needed to decode
POINTERS = (330, *range(512, 522))  # to other directories, and to the parts of a JPEG of TIFF 6.0, which is not read


class Tag(NamedTuple):
    """An entry of a directory."""

    kind: int  # type of its values
    number: int  # of values
    field: bytes  # the values, or their offset


Directory = dict[int, Tag]


class TiffPages:
    """The pages of an open TIFF."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        """path: named in messages."""
        self.path, self.file = path, file
        self.size = file.seek(0, os.SEEK_END)
        file.seek(0)
        head = file.read(16)
        self.order = "<" if head.startswith(b"II") else ">"
        is_big = b"+" in head[:4]
        self.wide, self.number, self.inline = ("Q", "Q", 8) if is_big else ("I", "H", 4)  # codes, bytes of a field
        self.head = head[:8] if is_big else head[:4]  # what precedes the offset of the first directory
        (self.start,) = self._unpack(self.wide, head[len(self.head) :][: self.inline]) or [0]

    def pages(self) -> Iterator[Directory | None]:
        """The directory of each page. The last one is None if the chain leaves the file: it may have had more."""
        empty = True
        for each in self.directories():
            if each is None or self._is_page(each):
                empty = False
                yield each
        if empty:  # a thumbnail alone
            yield from list(self.directories())[:1]

    def alone(self, page: Directory | None) -> bytes:
        """A file that holds this page only. Raises ImageFault if parts of it lie outside the file."""
        if page is None:
            raise self._fault("the directory of a page lies outside the file")
        kept = {key: tag for key, tag in page.items() if key < MAX_TAG and key not in POINTERS and tag.kind in SIZES}
        if sum(SIZES[tag.kind] * tag.number for tag in kept.values()) > self.size:
            raise self._fault("the tags of a page are larger than the file")
        values = {key: self._values(tag) for key, tag in kept.items()}
        body, base = bytearray(), len(self.head) + self.inline + self._directory_size(len(kept))

        def place(data: bytes) -> int:
            body.extend(data + bytes(len(data) % 2))
            return base + len(body) - len(data) - len(data) % 2

        for starts, lengths in DATA:
            if starts in kept and lengths in kept:
                parts = [self._numbers(kept[key], values[key]) for key in (starts, lengths)]
                if len(parts[0]) != len(parts[1]) or sum(parts[1]) > self.size:  # overlapping parts would have no end
                    raise self._fault("the parts of a page are larger than the file")
                moved = [place(self._read(*part)) for part in zip(*parts, strict=True)]
                kept[starts] = Tag(16 if self.inline == 8 else 4, len(moved), b"")
                values[starts] = b"".join(self._pack(self.wide, start) for start in moved)
        entries = []
        for key in sorted(kept):
            value = values[key] if len(values[key]) <= self.inline else self._pack(self.wide, place(values[key]))
            entry = self._pack(f"HH{self.wide}", key, kept[key].kind, kept[key].number)
            entries.append(entry + value.ljust(self.inline, b"\0"))
        first = self._pack(self.wide, len(self.head) + self.inline)
        directory = [self._pack(self.number, len(entries)), *entries, bytes(self.inline)]
        return b"".join([self.head, first, *directory, body])

    def directories(self) -> Iterator[Directory | None]:
        """Every directory, of pages or not; see `pages`."""
        offset, total, seen = self.start, 0, set[int]()
        while offset and offset not in seen:
            seen.add(offset)
            self.file.seek(min(offset, self.size))
            length = self._unpack(self.number, self.file.read(struct.calcsize(self.number))) or [self.size]
            total += (size := self._directory_size(length[0]) - struct.calcsize(self.number))
            if total > self.size or len(data := self.file.read(size)) < size:  # many that overlap would take long
                yield None
                return
            entries = struct.iter_unpack(f"{self.order}HH{self.wide}{self.inline}s", data[: -self.inline])
            yield {key: Tag(kind, number, field) for key, kind, number, field in entries}
            (offset,) = self._unpack(self.wide, data[-self.inline :])

    def _directory_size(self, entries: int) -> int:
        return struct.calcsize(self.number) + entries * (4 + 2 * self.inline) + self.inline

    def _is_page(self, directory: Directory) -> bool:
        new, old = (
            (self._numbers(tag, tag.field) or [0])[0] if (tag := directory.get(key)) else 0
            for key in (NEW_SUBFILE, OLD_SUBFILE)
        )
        return not new & (REDUCED | MASK) and old != OLD_REDUCED

    def _values(self, tag: Tag) -> bytes:
        size = SIZES[tag.kind] * tag.number
        return tag.field[:size] if size <= self.inline else self._read(self._unpack(self.wide, tag.field)[0], size)

    def _read(self, offset: int, size: int) -> bytes:
        if offset + size > self.size:
            raise self._fault("a page lies partly outside the file")
        self.file.seek(offset)
        return self.file.read(size)

    def _numbers(self, tag: Tag, data: bytes) -> list[int]:
        return self._unpack(UNSIGNED[tag.kind], data) if tag.kind in UNSIGNED else []

    def _pack(self, codes: str, *numbers: int) -> bytes:
        return struct.pack(self.order + codes, *numbers)

    def _unpack(self, code: str, data: bytes) -> list[int]:
        """As many numbers as the bytes hold."""
        size = struct.calcsize(code)
        return [number for (number,) in struct.iter_unpack(self.order + code, data[: len(data) // size * size])]

    def _fault(self, detail: str) -> ImageFault:
        return ImageFault(f"{self.path}: a damaged or truncated TIFF file ({detail})", "IM052")
