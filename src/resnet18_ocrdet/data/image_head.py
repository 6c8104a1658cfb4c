"""What the first bytes of an image file tell, without decoding it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import PIL.Image

from resnet18_ocrdet.data.image_io import EXIF_ORIENTATION, QUARTER_TURNS, SHOWN_BYTES, has_jpeg_end, read_image
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.wording import count

MAX_PIXELS = 200_000_000  # 0.6 GB decoded; ten times a large photo
TAIL_BYTES = 4096  # of a JPEG in which its end marker is looked for first
_JPEG_END = b"\xff\xd9"


class ImageFault(UserError):  # noqa: N818 - the image is at fault
    """An image that cannot be used, with the code of its finding."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ImageHead(NamedTuple):
    """Size and orientation of an image."""

    height: int  # px, of the upright image, as `read_image` gives it
    width: int
    orientation: int  # EXIF, 1..8; 1 where there is none


def look_at(path: Path) -> ImageHead:
    """Read size and orientation from the head of a file; for kinds that Pillow does not know, decode it.

    Raises ImageFault for a file that is absent, empty, no image, cut short, or larger than MAX_PIXELS."""
    _check_file(path)
    try:
        with PIL.Image.open(path) as image:
            width, height = image.size
            orientation = image.getexif().get(EXIF_ORIENTATION, 1)
            is_jpeg = image.format in ("JPEG", "MPO")
    except PIL.Image.DecompressionBombError as error:
        raise ImageFault("IM064", f"{path}: {error}") from None
    except (OSError, ValueError, SyntaxError):
        return _decoded(path)
    if height * width > MAX_PIXELS:
        raise ImageFault("IM064", f"{path}: {height}x{width} px, at most {MAX_PIXELS} are read")
    if is_jpeg and not _ends(path):
        raise ImageFault("IM052", f"{path}: a JPEG file that is cut short ({count(path.stat().st_size, 'byte')})")
    if orientation not in range(1, 9):
        orientation = 1
    if orientation in QUARTER_TURNS:
        height, width = width, height
    return ImageHead(height, width, orientation)


def _check_file(path: Path) -> None:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            file.read(SHOWN_BYTES)
    except OSError as error:
        if path.is_symlink() and not path.exists():
            raise ImageFault("FS077", f"{path}: a link to {path.readlink()}, which does not exist") from None
        raise ImageFault("IM055", f"{path}: cannot be read: {error.strerror or error}") from None
    if size == 0:
        raise ImageFault("IM051", f"{path}: the file is empty (0 bytes)")


def _decoded(path: Path) -> ImageHead:
    try:
        height, width = read_image(path).shape[:2]
    except UserError as error:
        told = str(error)
        code = "IM060" if ": pixels are" in told else "IM052" if "damaged" in told or "decoded" in told else "IM053"
        raise ImageFault(code, told) from None
    return ImageHead(height, width, 1)


def _ends(path: Path) -> bool:
    """Whether the end marker of a JPEG is there: near the end, where it should be, or anywhere behind the head."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL_BYTES))
        if _JPEG_END in file.read():
            return True
    return has_jpeg_end(path.read_bytes())
