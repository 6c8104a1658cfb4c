"""Image files before a decoder sees them: how large they are, and whether they hold what they announce.

A few bytes can announce gigabytes, for which some decoders take the memory before they look for the bytes. The limit
of pixels is Pillow's own, for all decoders and the whole process: it refuses above twice `PIL.Image.MAX_IMAGE_PIXELS`,
179 megapixels as it is set; None is no limit.
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

MAX_SIDE = 2**20  # px; OpenCV opens no image wider or higher (CV_IO_MAX_IMAGE_WIDTH)
KINDS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF", "JPEG2000", "PPM")  # Pillow's names of what OpenCV decodes

# What Pillow's readers raise for damaged files, found by changing bytes at random; a bomb is its word for too large.
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
_QUIET = threading.Lock()  # Python's filters of warnings are those of all threads


class ImageFault(UserError):  # noqa: N818 - the image is at fault
    """An image that cannot be used, with the code of its finding."""

    def __init__(self, message: str, code: str = "IM055") -> None:
        """One argument must be enough: so a loader process hands it on."""
        super().__init__(message)
        self.code = code


@contextmanager
def opened(path: Path, file: BinaryIO) -> Iterator[PIL.Image.Image]:
    """Open an image with Pillow, which reads its head only, without the warnings that damaged and large ones give.

    Raises ImageFault for one that is too large, or announces more than it has; one of PILLOW_FAULTS for what Pillow
    does not know, which OpenCV may know all the same."""
    _check_chunks(path, file)
    with _QUIET, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with PIL.Image.open(file, formats=KINDS) as image:
                check_size(path, image.height, image.width)
                yield image
        except PIL.Image.DecompressionBombError as error:  # before the size is told
            found = _PIXELS.search(str(error))
            raise _too_many(path, int(found[0]) if found else 0) from None


def check_size(path: Path, height: int, width: int) -> None:
    """Raise ImageFault, IM064, for an image of more pixels than are read, or longer than OpenCV opens."""
    most = PIL.Image.MAX_IMAGE_PIXELS
    if most is not None and height * width > 2 * most:
        raise _too_many(path, height * width, f"{sides(height, width)}, ")
    if max(height, width) > MAX_SIDE:
        raise ImageFault(f"{path}: {sides(height, width)}; at most {MAX_SIDE} px to a side", "IM064")


def _too_many(path: Path, pixels: int, seen: str = "") -> ImageFault:
    most = 2 * (PIL.Image.MAX_IMAGE_PIXELS or 0) / 1e6
    return ImageFault(f"{path}: {seen}{pixels / 1e6:.4g} megapixels; at most {most:.4g} (max_megapixels)", "IM064")


def _check_chunks(path: Path, file: BinaryIO) -> None:
    """Raise ImageFault where a PNG is too large, or a chunk of it is longer than the file (PNG 1.2, section 3.2).

    libpng takes the memory for it, up to 4 GB, before it reads."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(24)
    place = len(_PNG) if head.startswith(_PNG) else size
    if len(head) == 24 and place < size:  # Pillow gives up where a chunk of no consequence is damaged
        check_size(path, int.from_bytes(head[20:24], "big"), int.from_bytes(head[16:20], "big"))
    while place < size:
        file.seek(place)
        head = file.read(8)
        place += 12 + int.from_bytes(head[:4], "big")
        if place > size:
            behind = f"a chunk ends {count(place - size, 'byte')} past the end of the file"
            raise ImageFault(f"{path}: a PNG file that is damaged or cut short ({behind})", "IM052")
        if head[4:] == b"IEND":
            break
    file.seek(0)
