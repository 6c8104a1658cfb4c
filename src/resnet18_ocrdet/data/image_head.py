"""What the first bytes of an image file tell, without decoding it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, NamedTuple

import PIL.Image
import PIL.TiffImagePlugin

from resnet18_ocrdet.data.image_guard import PILLOW_FAULTS, ImageFault, opened
from resnet18_ocrdet.data.image_io import QUARTER_TURNS, orientation_of, read_image, unopened
from resnet18_ocrdet.runtime.regular_file import open_regular

TAIL_BYTES = 4096  # of a JPEG or PNG in which its end marker is looked for first
_ENDS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND"}  # by Pillow's name of the format
_HEAD_IS_ENOUGH = ("JPEG", "MPO", "PNG", "WEBP", "TIFF")  # formats in which a missing end shows without decoding
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257  # tags (TIFF 6.0, section 3)
_TIFF_DATA = ((273, 279), (324, 325))  # tags of where the strips, or tiles, begin and of their bytes (sections 8, 15)
_NO_RANGE = ("F", "I")  # Pillow's modes of 32 bits a channel, which only decoding tells from 16


class ImageHead(NamedTuple):
    """Size and orientation of an image."""

    height: int  # px, of the upright image, as `read_image` gives it
    width: int
    orientation: int  # EXIF, 1..8; 1 where there is none


def look_at(path: Path) -> ImageHead:
    """Read size and orientation from the head of a file; decode it where the head does not show whether it is whole.

    Raises ImageFault for a file that is absent, empty, no image, cut short, or larger than `check_size` allows."""
    try:
        with open_regular(path) as file:
            if not os.fstat(file.fileno()).st_size:
                raise ImageFault(f"{path}: the file is empty (0 bytes)", "IM051")
            head, kind = _read_head(path, file)
    except OSError as error:
        raise unopened(path, error) from None
    if head is None:
        return _decoded(path, kind)
    if head.orientation in QUARTER_TURNS:
        return ImageHead(head.width, head.height, head.orientation)
    return head


def _read_head(path: Path, file: BinaryIO) -> tuple[ImageHead | None, str]:
    """Size as it is stored, with the orientation, and the format; no size where only decoding tells. Raises ImageFault.

    The orientation is lost with it: what is decoded lies as it is seen."""
    kind = ""
    try:
        with opened(path, file) as image:
            kind, (height, width) = str(image.format), _stored_size(image)
            orientation = orientation_of(image)
            whole = not isinstance(image, PIL.TiffImagePlugin.TiffImageFile) or _has_strips(image, file)
            sure = kind in _HEAD_IS_ENOUGH and image.mode not in _NO_RANGE and whole
    except PILLOW_FAULTS:
        return None, ""
    return (ImageHead(height, width, orientation) if sure and _ends(file, kind) else None), kind


def _stored_size(image: PIL.Image.Image) -> tuple[int, int]:
    """Height and width before EXIF turns them; of a TIFF Pillow gives those after."""
    if isinstance(image, PIL.TiffImagePlugin.TiffImageFile):
        return int(image.tag_v2[_TIFF_HEIGHT]), int(image.tag_v2[_TIFF_WIDTH])
    return image.height, image.width


def _has_strips(image: PIL.TiffImagePlugin.TiffImageFile, file: BinaryIO) -> bool:
    """Whether all pixels that the head of a TIFF announces lie within the file; they may come behind the head."""
    size = os.fstat(file.fileno()).st_size
    for starts, lengths in _TIFF_DATA:
        places = zip(image.tag_v2.get(starts, ()), image.tag_v2.get(lengths, ()), strict=False)
        if ends := [int(start) + int(length) for start, length in places]:
            return max(ends) <= size
    return False


def _decoded(path: Path, kind: str) -> ImageHead:
    """Decode a file to be sure of it. kind: the format that its head shows, "" if none. Raises ImageFault."""
    try:
        height, width = read_image(path).shape[:2]
    except ImageFault as fault:
        if fault.code != "IM053" or not kind:
            raise
        told = f"{path}: a {kind} file that cannot be decoded: damaged, cut short, or of a kind that is not read"
        raise ImageFault(told, "IM052") from None
    return ImageHead(height, width, 1)


def _ends(file: BinaryIO, kind: str) -> bool:
    """Whether the end marker of a format is there, near the end of the file, where it should be; True without one."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - TAIL_BYTES))
    return _ENDS.get(kind, b"") in file.read()
