"""Check image files before they are decoded: their size, and whether they contain what their header announces.

A few bytes can announce gigabytes, which some decoders allocate before reading the data. The pixel limit for all
decoders and the whole process is Pillow's: twice `PIL.Image.MAX_IMAGE_PIXELS`, 179 megapixels by default; None: no
limit.
"""

from __future__ import annotations

import os
import re
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import PIL.Image

from ..errors import UserError
from ..runtime.messages import count, sides

MAX_SIDE = 2**20  # px; the largest side that OpenCV opens (CV_IO_MAX_IMAGE_WIDTH)
KINDS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF", "JPEG2000", "PPM")  # formats that OpenCV decodes

# Raised by Pillow for damaged files, found by changing bytes at random; a "bomb" is an image that is too large.
PILLOW_FAULTS = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    struct.error,
    PIL.Image.DecompressionBombError,
)

# markers of a JPEG (ITU T.81, annex B); parsed here ten times faster than by Pillow
JPEG = b"\xff\xd8\xff"  # the first bytes
END = b"\xff\xd9"
SCAN = b"\xff\xda"

_FRAMES = [marker for marker in range(0xC0, 0xD0) if marker not in (0xC4, 0xC8, 0xCC)]
_FILL = 0xFF  # any number of these may precede a marker
_BARE = (0x00, 0x01, *range(0xD0, 0xDA))  # markers without a segment
_MARKER = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd8]")  # between entropy-coded data, in which 0xFF is followed by 0

_PNG = b"\x89PNG\r\n\x1a\n"
_ANIMATION = (b"acTL", b"fcTL", b"fdAT")  # chunks
_QUIET = threading.Lock()  # warning filters are shared by all threads


class ImageFault(UserError):  # noqa: N818 - a fault of the image
    """An image that cannot be used, with the code of its finding."""

    def __init__(self, message: str, code: str = "IM055") -> None:
        """Must work with one argument: loader processes re-raise it so."""
        super().__init__(message)
        self.code = code


@contextmanager
def opened(path: Path, file: BinaryIO) -> Iterator[PIL.Image.Image]:
    """Open an image with Pillow, which reads only the header, without warnings about damaged and large images.

    Raises ImageFault for an image that is too large or announces more data than it has; one of PILLOW_FAULTS for files
    that Pillow cannot open, which OpenCV may still decode."""
    _check_chunks(path, file)
    with without_warnings():
        try:
            with PIL.Image.open(file, formats=KINDS) as image:
                check_size(path, image.height, image.width)
                yield image
        except PIL.Image.DecompressionBombError as error:  # raised before the size is known
            found = re.search(r"[0-9]+", str(error))
            raise _too_many(path, int(found[0]) if found else 0) from None


@contextmanager
def without_warnings() -> Iterator[None]:
    """Pillow warns of what it can read all the same. One thread at a time; may not be nested."""
    with _QUIET, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def check_size(path: Path, height: int, width: int, copies: int = 1) -> None:
    """Raise ImageFault, IM064, for an image with too many pixels, or a side that OpenCV does not open.

    copies: of the pixels that decoding keeps; the limit is divided by it."""
    most = PIL.Image.MAX_IMAGE_PIXELS
    if most is not None and height * width * copies > 2 * most:
        raise _too_many(path, height * width, f"{sides(height, width)}, ", copies)
    if max(height, width) > MAX_SIDE:
        raise ImageFault(f"{path}: {sides(height, width)}; at most {MAX_SIDE} px per side", "IM064")


def _too_many(path: Path, pixels: int, seen: str = "", copies: int = 1) -> ImageFault:
    most = 2 * (PIL.Image.MAX_IMAGE_PIXELS or 0) / copies / 1e6
    return ImageFault(f"{path}: {seen}{pixels / 1e6:.4g} megapixels; at most {most:.4g} (max_megapixels)", "IM064")


def _check_chunks(path: Path, file: BinaryIO) -> None:
    """Raise ImageFault if a PNG is too large, or one of its chunks is longer than the file (PNG 1.2, section 3.2).

    libpng allocates the memory for it, up to 4 GB, before reading."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(24)
    offset = len(_PNG) if head.startswith(_PNG) else size
    if len(head) == 24 and offset < size:  # here, because Pillow fails on a damaged ancillary chunk
        check_size(path, int.from_bytes(head[20:24], "big"), int.from_bytes(head[16:20], "big"))
    while offset < size:
        file.seek(offset)
        head = file.read(8)
        offset += 12 + int.from_bytes(head[:4], "big")
        if offset > size:
            detail = f"a chunk ends {count(offset - size, 'byte')} past the end of the file"
            raise ImageFault(f"{path}: a damaged or truncated PNG file ({detail})", "IM052")
        if head[4:] == b"IEND":
            break
    file.seek(0)


def still_png(raw: bytes) -> bytes:
    """A PNG without its animation: OpenCV 5 crashes on a damaged one (PNG 3rd edition, section 11.3.6)."""
    if not raw.startswith(_PNG) or not any(kind in raw for kind in _ANIMATION):
        return raw
    parts, offset = [_PNG], len(_PNG)
    while offset < len(raw):
        end = offset + 12 + int.from_bytes(raw[offset : offset + 4], "big")
        parts += [] if raw[offset + 4 : offset + 8] in _ANIMATION else [raw[offset:end]]
        offset = end
    return b"".join(parts)


class JpegHeader(NamedTuple):
    """What precedes the first scan."""

    size: tuple[int, int] | None  # stored height and width; None if the markers are not reliable
    end: int  # offset of the first scan, if there is one


def parse_jpeg(raw: bytes) -> JpegHeader:
    """Parse the markers up to the first scan, or up to the first invalid byte."""
    start, size = 2, None
    while start + 1 < len(raw) and raw[start] == 0xFF and raw[start + 1] not in (*_BARE, SCAN[1]):
        marker = raw[start + 1]
        if marker in _FRAMES:
            size = int.from_bytes(raw[start + 5 : start + 7], "big"), int.from_bytes(raw[start + 7 : start + 9], "big")
        start += 1 if marker == _FILL else _segment(raw, start)
    return JpegHeader(size if raw.startswith(SCAN, start) else None, start)


def scan_count(raw: bytes, header: JpegHeader, enough: int) -> int:
    """Number of scans of a JPEG: each may take as long to decode as the first, but needs only ten bytes in the file.

    enough: up to this number, a quick upper bound is returned."""
    if (most := raw.count(SCAN)) <= enough or header.size is None:
        return most
    scans, offset = 0, header.end
    while (found := _MARKER.search(raw, offset)) and found[0] != END:  # other data may follow the end marker
        scans += found[0] == SCAN
        offset = found.start() + _segment(raw, found.start())
    return scans


def _segment(raw: bytes, start: int) -> int:
    """Bytes of a marker and its segment."""
    return 2 + int.from_bytes(raw[start + 2 : start + 4], "big")
