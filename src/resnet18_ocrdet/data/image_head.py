"""What the first bytes of an image file tell, without decoding it."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import NamedTuple

import PIL.Image
import PIL.TiffImagePlugin

from resnet18_ocrdet.data.image_io import EXIF_ORIENTATION, PILLOW_FAULTS, QUARTER_TURNS, SHOWN_BYTES, read_image
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.wording import sides

MAX_PIXELS = 178_956_970  # 0.5 GB decoded, nine times a large photo; from here on Pillow takes a file for a bomb
TAIL_BYTES = 4096  # of a JPEG or PNG in which its end marker is looked for first
_ENDS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND"}  # by Pillow's name of the format
_HEAD_IS_ENOUGH = ("JPEG", "MPO", "PNG", "WEBP", "TIFF")  # formats in which a missing end shows without decoding
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257  # tags (TIFF 6.0, section 3)
_TIFF_DATA = ((273, 279), (324, 325))  # tags of where the strips, or tiles, begin and of their bytes (sections 8, 15)
_NO_RANGE = ("F", "I")  # Pillow's modes of 32 bits a channel, which only decoding tells from 16


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
    """Read size and orientation from the head of a file; decode it where the head does not show whether it is whole.

    Raises ImageFault for a file that is absent, empty, no image, cut short, or larger than MAX_PIXELS."""
    _check_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow, on damaged EXIF, of which nothing is lost, and on large images
            with PIL.Image.open(path) as image:
                height, width = _stored_size(image)
                orientation = _orientation(image)
                kind, mode = str(image.format), image.mode
                whole = not isinstance(image, PIL.TiffImagePlugin.TiffImageFile) or _has_strips(image, path)
    except PIL.Image.DecompressionBombError as error:
        raise ImageFault("IM064", f"{path}: {error}") from None
    except PILLOW_FAULTS:
        return _decoded(path)
    if height * width > MAX_PIXELS:
        raise ImageFault("IM064", f"{path}: {sides(height, width)}; at most {MAX_PIXELS} px are read")
    if kind not in _HEAD_IS_ENOUGH or mode in _NO_RANGE or not whole or not _ends(path, kind):
        _decoded(path, kind)
    if orientation in QUARTER_TURNS:
        height, width = width, height
    return ImageHead(height, width, orientation)


def _stored_size(image: PIL.Image.Image) -> tuple[int, int]:
    """Height and width before EXIF turns them; of a TIFF Pillow gives those after."""
    if isinstance(image, PIL.TiffImagePlugin.TiffImageFile):
        return int(image.tag_v2[_TIFF_HEIGHT]), int(image.tag_v2[_TIFF_WIDTH])
    return image.height, image.width


def _has_strips(image: PIL.TiffImagePlugin.TiffImageFile, path: Path) -> bool:
    """Whether all pixels that the head of a TIFF announces lie within the file; they may come behind the head."""
    size = path.stat().st_size
    for starts, lengths in _TIFF_DATA:
        places = zip(image.tag_v2.get(starts, ()), image.tag_v2.get(lengths, ()), strict=False)
        if ends := [int(start) + int(length) for start, length in places]:
            return max(ends) <= size
    return False


def _orientation(image: PIL.Image.Image) -> int:
    """How `read_image` turns the stored pixels, 1..8."""
    orientation = image.getexif().get(EXIF_ORIENTATION, 1)
    return int(orientation) if orientation in range(1, 9) else 1


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


def _decoded(path: Path, kind: str = "") -> ImageHead:
    """Decode a file to be sure of it. kind: the format that its head shows, if it is known. Raises ImageFault."""
    try:
        height, width = read_image(path).shape[:2]
    except UserError as error:
        told = str(error)
        if kind and ": not an image" in told:
            told = f"{path}: a {kind} file that cannot be decoded: damaged, cut short, or of a kind that is not read"
        code = "IM060" if ": pixels are" in told else "IM052" if "damaged" in told or "decoded" in told else "IM053"
        raise ImageFault(code, told) from None
    return ImageHead(height, width, 1)


def _ends(path: Path, kind: str) -> bool:
    """Whether the end marker of a format is there, near the end of the file, where it should be; True without one."""
    marker = _ENDS.get(kind, b"")
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL_BYTES))
        return marker in file.read()
