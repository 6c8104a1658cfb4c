"""Size and orientation from the header of an image file, without decoding it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, NamedTuple

import PIL.TiffImagePlugin

from .image_guard import PILLOW_FAULTS, ImageFault, opened
from .image_io import QUARTER_TURNS, open_image, orientation_of, read_image

TAIL_BYTES = 4096  # at the end of a JPEG or PNG, in which the end marker is searched
_ENDS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND"}  # by Pillow's name of the format
_HEADER_IS_ENOUGH = ("JPEG", "MPO", "PNG", "WEBP", "TIFF")  # truncation is detected without decoding
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257  # tags (TIFF 6.0, section 3)
_TIFF_DATA = ((273, 279), (324, 325))  # tags of the offsets and sizes of strips, or tiles (sections 8, 15)
_UNCLEAR_DEPTH = ("F", "I")  # Pillow's modes for 32 bits per channel; they may be 16 bits


class ImageHeader(NamedTuple):
    """Size and orientation of an image."""

    height: int  # px, of the upright image, as `read_image` gives it
    width: int
    orientation: int  # EXIF, 1..8; 1 if there is none


def read_header(path: Path) -> ImageHeader:
    """Read size and orientation from the header; decode the file if the header does not show whether it is complete.

    Raises ImageFault for a file that is missing, empty, not an image, truncated, or larger than `check_size` allows."""
    with open_image(path) as file:
        header, kind = _parse_header(path, file)
    if header is not None:
        turned = header.orientation in QUARTER_TURNS
        return ImageHeader(header.width, header.height, header.orientation) if turned else header
    try:
        height, width = read_image(path).shape[:2]
        return ImageHeader(height, width, orientation=1)
    except ImageFault as fault:
        if fault.code != "IM053" or not kind:
            raise
        message = f"{path}: a {kind} file that cannot be decoded: damaged, truncated, or of an unsupported kind"
        raise ImageFault(message, "IM052") from None


def _parse_header(path: Path, file: BinaryIO) -> tuple[ImageHeader | None, str]:
    """Stored size with the orientation, and the format; None instead of the size if the file must be decoded.

    Raises ImageFault."""
    kind = ""
    try:
        with opened(path, file) as image:
            kind, height, width = str(image.format), image.height, image.width
            whole = True
            if isinstance(image, PIL.TiffImagePlugin.TiffImageFile):  # Pillow's size is that of the upright image
                height, width = int(image.tag_v2[_TIFF_HEIGHT]), int(image.tag_v2[_TIFF_WIDTH])
                whole = _has_strips(image, file)
            orientation = orientation_of(image)
            is_deep = kind != "PNG" and image.mode in _UNCLEAR_DEPTH  # "I" is Pillow 10's mode for 16 bits of a PNG
            sure = kind in _HEADER_IS_ENOUGH and not is_deep and whole
    except PILLOW_FAULTS:
        return None, ""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - TAIL_BYTES))
    ends = _ENDS.get(kind, b"") in file.read()
    return (ImageHeader(height, width, orientation) if sure and ends else None), kind


def _has_strips(image: PIL.TiffImagePlugin.TiffImageFile, file: BinaryIO) -> bool:
    """Whether all pixel data of a TIFF lies within the file."""
    size = os.fstat(file.fileno()).st_size
    for starts, lengths in _TIFF_DATA:
        places = zip(image.tag_v2.get(starts, ()), image.tag_v2.get(lengths, ()), strict=False)
        if ends := [int(start) + int(length) for start, length in places]:
            return max(ends) <= size
    return False
