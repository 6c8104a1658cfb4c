"""Finding image files and reading them as RGB, whatever their name, suffix, depth or channel count.

Legend: H W pixels. Files are told apart by their content; a suffix only says what is listed.
"""

from __future__ import annotations

import io
import os
import re
import struct
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.structures import Image
from resnet18_ocrdet.wording import count

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".jp2", ".ppm"})
# in lower case; all of them decoded by OpenCV's wheels on every platform
UNREAD_SUFFIXES = frozenset(  # of pictures that people keep among images
    {".heic", ".heif", ".avif", ".jxl", ".pdf", ".svg", ".psd", ".dng", ".nef", ".cr2", ".hdr", ".exr"}
)
MAX_NAMED = 10  # files that one message names
SHOWN_BYTES = 16  # of a file that is no image; enough to recognise "<html" or a zip

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

EXIF_ORIENTATION = 0x0112
QUARTER_TURNS = (5, 6, 7, 8)  # orientations whose rows are the picture's columns (EXIF 2.32, table 6)

_JPEG = b"\xff\xd8\xff"
_REDUCED = {  # OpenCV's names end in GRAYSCALE: the bits say by how much, the order of colours is given apart
    1: 0,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}
_EXIF_APART = (b"\x89PNG", b"RIFF")  # PNG and WebP, which OpenCV does not turn by itself when it keeps transparency
_KNOWN_STARTS = {  # first bytes of the formats that a damaged file is told by
    _JPEG: "JPEG",
    b"\x89PNG": "PNG",
    b"BM": "BMP",
    b"RIFF": "WebP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"GIF8": "GIF",
}
TOO_LARGE = "more than 2^30 pixels, or 2^20 to a side, which OpenCV does not open"


def read_image(path: Path, reduce: int = 1) -> Image:
    """Read one image as (H, W, 3) uint8 RGB.

    Grey becomes three equal channels, transparency is laid on white, 16 bits are scaled by their range (65535 to 255),
    of an animation the first frame is taken. The EXIF orientation is applied.
    reduce: 2, 4 or 8 decodes a JPEG at this part of its sides, rounded up, which is cheaper: each pixel stands for a
    square of reduce×reduce. Other formats come whole, and so do JPEGs that are turned and do not divide evenly (there
    the squares would not begin at the first pixel).
    Raises UserError, with the file's name, for what cannot be opened, is empty, no image, or cut short."""
    data = _read_bytes(path)
    is_jpeg = data[:3].tobytes() == _JPEG  # always 8 bits and opaque: decoded to RGB in one go
    try:
        if is_jpeg:
            flags = _REDUCED[1 if reduce > 1 and _divides_badly(data, reduce) else reduce] | cv2.IMREAD_COLOR_RGB
            pixels: NDArray[Any] | None = cv2.imdecode(data, flags)
        else:
            pixels = _decode_any(data)
    except cv2.error as error:
        reason = TOO_LARGE if "CV_IO_MAX_IMAGE" in str(error) else f"cannot be decoded: {' '.join(str(error).split())}"
        raise UserError(f"{path}: {reason}") from None
    if pixels is None or (is_jpeg and not has_jpeg_end(data.tobytes())):
        raise UserError(f"{path}: {_what_is_wrong(data)}")
    if pixels.dtype not in (np.uint8, np.uint16):
        raise UserError(f"{path}: pixels are {pixels.dtype}, only 8 and 16 bits have a range that says what white is")
    return np.asarray(pixels, np.uint8) if is_jpeg else _to_rgb(_to_uint8(pixels))


def _divides_badly(data: NDArray[np.uint8], reduce: int) -> bool:
    """Whether the reduced pixels of a turned JPEG would not begin at the upright image's first one."""
    raw = data.tobytes()
    try:
        with PIL.Image.open(io.BytesIO(raw)) as image:
            return any(side % reduce for side in image.size) and _orientation(raw) != 1
    except PILLOW_FAULTS:
        return True


def list_images(folder: Path, suffixes: Collection[str] = IMAGE_SUFFIXES) -> list[Path]:
    """Find the image files below a folder, sub-folders included, in natural order: 2.jpg before 10.jpg.

    Names that begin with a dot, Thumbs.db and all else without one of the suffixes are left out, also folders named
    like images. A link that leads nowhere is listed, so that reading it names it instead of losing it. Linked
    folders are followed, each folder once. Raises UserError when a folder cannot be listed."""
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()  # (device, inode) of the folders walked: links may form loops
    waiting = [folder]
    while waiting:
        current = waiting.pop()
        try:
            status = current.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(current) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    if entry.name.startswith("."):
                        continue
                    if _is_folder(entry):  # links come last: a folder is listed under its own name if it has one here
                        waiting.insert(0 if entry.is_symlink() else len(waiting), Path(entry.path))
                    elif has_image_suffix(entry.name, suffixes) and (entry.is_symlink() or entry.is_file()):
                        found.append(Path(entry.path))
        except OSError as error:
            raise UserError(f"{current}: cannot be listed as a folder: {error.strerror or error}") from None
    return sorted(found, key=lambda path: natural_key(path.relative_to(folder).as_posix()))


def list_existing_images(folder: Path) -> list[Path]:
    """Find images as `list_images` does. Raises UserError also for none at all, and for links that lead nowhere."""
    images = list_images(folder)
    if not images:
        raise UserError(f"{folder}: 0 images found (looked for .jpg, .png and other image suffixes)")
    broken = [image.name for image in images if not image.is_file()]
    if broken:
        named = ", ".join(broken[:MAX_NAMED])
        raise UserError(f"{folder}: {len(broken)} of {count(len(images), 'image')} linked to nowhere: {named}")
    return images


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether a folder's entry is a folder, or a link to one; not a link to itself, which `is_dir` stumbles over."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def has_image_suffix(name: str, suffixes: Collection[str] = IMAGE_SUFFIXES) -> bool:
    """Whether a file name ends like an image, in upper or lower case."""
    return os.path.splitext(name)[1].lower() in suffixes  # noqa: PTH122  Path is 5 times slower on long lists


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Sort key that compares runs of digits as numbers and letters without case."""
    pieces = re.split(r"([0-9]+)", name)  # text at even places, digits at odd ones
    return [int(piece) if place % 2 else piece.casefold() for place, piece in enumerate(pieces)], name


def _read_bytes(path: Path) -> NDArray[np.uint8]:
    """Read a whole file, by Python's file system calls: OpenCV's own fail on some names. Raises UserError."""
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        if path.is_symlink() and not path.exists():
            raise UserError(f"{path}: a link to {path.readlink()}, which does not exist") from None
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    if not len(data):
        raise UserError(f"{path}: the file is empty (0 bytes)")
    return data


def _decode_any(data: NDArray[np.uint8]) -> NDArray[Any] | None:
    """Decode with depth and transparency kept. Returns (H, W) or (H, W, 3 or 4) in BGR(A) order, None if impossible."""
    pixels: NDArray[Any] | None = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)  # which does not turn the image
    raw = data.tobytes()
    if pixels is None or not raw.startswith(_EXIF_APART) or (b"eXIf" not in raw and b"EXIF" not in raw):
        return pixels
    return turned(pixels, _orientation(raw))


def _orientation(raw: bytes) -> int:
    """EXIF orientation of an image file's content, 1..8; 1 where there is none."""
    try:
        with warnings.catch_warnings(), PIL.Image.open(io.BytesIO(raw)) as image:
            warnings.simplefilter("ignore")  # of Pillow, on damaged EXIF
            found = image.getexif().get(EXIF_ORIENTATION, 1)
    except PILLOW_FAULTS:
        return 1
    return found if found in range(1, 9) else 1


def turned(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Stored pixels (H, W) or (H, W, C) as EXIF orientation 1..8 wants them to be seen (EXIF 2.32, table 6)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def has_jpeg_end(data: bytes) -> bool:
    """Whether the end marker of a JPEG is there; without it OpenCV 4 and zeros at the end can make up the missing rows.

    The marker is searched behind the header: a thumbnail in the header has one of its own (ITU T.81, annex B.1)."""
    start = 2
    while data[start : start + 1] == b"\xff" and data[start + 1 : start + 2] != b"\xda":  # until "start of scan"
        is_fill = data[start + 1 : start + 2] == b"\xff"  # any number of these may stand before a marker
        start += 1 if is_fill else 2 + int.from_bytes(data[start + 2 : start + 4], "big")
    return data.rfind(b"\xff\xd9") >= start  # from the end, where it should be


def _to_uint8(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Scale 16 bits to 8, rounding: 65535 becomes 255."""
    if pixels.dtype == np.uint8:
        return pixels
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _to_rgb(pixels: NDArray[np.uint8]) -> Image:
    """Make (H, W, 3) RGB of grey, BGR or BGRA. An alpha plane of zeros only is an unused one, as BMP writers leave."""
    if pixels.ndim == 2:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), np.uint8)
    rgb = np.asarray(cv2.cvtColor(pixels[..., :3], cv2.COLOR_BGR2RGB), np.uint8)
    if pixels.shape[2] == 3 or not pixels[..., 3].any():
        return rgb
    alpha = pixels[..., 3:].astype(np.uint16)
    return ((rgb * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)  # at most 255 * 255 + 127: fits


def _what_is_wrong(data: NDArray[np.uint8]) -> str:
    """Word what is known of a file that was not decoded."""
    start = data[:SHOWN_BYTES].tobytes()
    for magic, kind in _KNOWN_STARTS.items():
        if start.startswith(magic):
            return f"a {kind} file that is damaged or cut short ({count(len(data), 'byte')})"
    return f"not an image (starts with {start!r})"
