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
from typing import BinaryIO

import PIL.Image

from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.runtime.messages import count, sides

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

_PNG = b"\x89PNG\r\n\x1a\n"
_PIXELS = re.compile(r"[0-9]+")
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
    with _QUIET, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with PIL.Image.open(file, formats=KINDS) as image:
                check_size(path, image.height, image.width)
                yield image
        except PIL.Image.DecompressionBombError as error:  # raised before the size is known
            found = _PIXELS.search(str(error))
            raise _too_many(path, int(found[0]) if found else 0) from None


def check_size(path: Path, height: int, width: int) -> None:
    """Raise ImageFault, IM064, for an image with too many pixels, or a side that OpenCV does not open."""
    most = PIL.Image.MAX_IMAGE_PIXELS
    if most is not None and height * width > 2 * most:
        raise _too_many(path, height * width, f"{sides(height, width)}, ")
    if max(height, width) > MAX_SIDE:
        raise ImageFault(f"{path}: {sides(height, width)}; at most {MAX_SIDE} px per side", "IM064")


def _too_many(path: Path, pixels: int, seen: str = "") -> ImageFault:
    most = 2 * (PIL.Image.MAX_IMAGE_PIXELS or 0) / 1e6
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
