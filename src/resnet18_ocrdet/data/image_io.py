"""Finding image files and reading them as RGB, whatever their name, suffix, depth or channel count.

Legend: H W pixels. Files are told apart by their content; a suffix only says what is listed.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from resnet18_ocrdet.data.file_names import leads_nowhere
from resnet18_ocrdet.data.image_guard import PILLOW_FAULTS, ImageFault, check_size, opened
from resnet18_ocrdet.data.jpeg_head import END, JPEG, JpegHead, jpeg_head, scan_count
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.runtime.messages import count
from resnet18_ocrdet.runtime.regular_file import open_regular
from resnet18_ocrdet.structures import Image

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".jp2", ".ppm"})
# in lower case; all of them decoded by OpenCV's wheels on every platform
UNREAD_SUFFIXES = frozenset(  # of pictures that people keep among images
    {".heic", ".heif", ".avif", ".jxl", ".pdf", ".svg", ".psd", ".dng", ".nef", ".cr2", ".hdr", ".exr"}
)
MAX_NAMED = 10  # files that one message names
STRIP_PIXELS = 2**20  # of a large image that are turned to RGB at once
MOST_SCANS = 100  # of a JPEG; progressive ones have about ten
SHOWN_BYTES = 16  # of a file that is no image; enough to recognise "<html" or a zip

EXIF_ORIENTATION = 0x0112
QUARTER_TURNS = (5, 6, 7, 8)  # orientations whose rows are the picture's columns (EXIF 2.32, table 6)

_REDUCED = {  # OpenCV's names end in GRAYSCALE: the bits say by how much, the order of colours is given apart
    1: 0,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}
_EXIF_APART = (b"\x89PNG", b"RIFF")  # PNG and WebP, which OpenCV does not turn by itself when it keeps transparency
_KNOWN_STARTS = {  # first bytes of the formats that a damaged file is told by
    JPEG: "JPEG",
    b"\x89PNG": "PNG",
    b"BM": "BMP",
    b"RIFF": "WebP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"GIF8": "GIF",
    b"\0\0\0\x0cjP": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"P3": "PPM",
    b"P6": "PPM",
}


def read_image(path: Path, reduce: int = 1) -> Image:
    """Read one image as (H, W, 3) uint8 RGB.

    Grey becomes three equal channels, transparency is laid on white, 16 bits are scaled by their range (65535 to 255),
    of an animation the first frame is taken. The EXIF orientation is applied.
    reduce: 2, 4 or 8 decodes a JPEG at this part of its sides, rounded up, which is cheaper: each pixel stands for a
    square of reduce×reduce. Other formats come whole, and so do JPEGs that are turned and do not divide evenly (there
    the squares would not begin at the first pixel).
    Raises ImageFault, with the file's name, for what cannot be opened, is empty, no image, too large, or cut short."""
    raw = _read_bytes(path)
    is_jpeg = raw.startswith(JPEG)  # always 8 bits and opaque: decoded to RGB in one go
    head = jpeg_head(raw) if is_jpeg else JpegHead(None, 0)
    size = head.size or _stored_size(path, raw)
    if size is not None:
        check_size(path, *size)
    if is_jpeg and (scans := scan_count(raw, head, MOST_SCANS)) > MOST_SCANS:
        raise ImageFault(f"{path}: a JPEG of {scans} scans; at most {MOST_SCANS} are decoded", "IM052")
    badly = is_jpeg and reduce > 1 and _divides_badly(raw, size, reduce)
    data = np.frombuffer(raw, np.uint8)
    try:
        if is_jpeg:
            flags = _REDUCED[1 if badly else reduce] | cv2.IMREAD_COLOR_RGB
            pixels: NDArray[Any] | None = cv2.imdecode(data, flags)
        else:
            pixels = _decode_any(raw, data)
    except cv2.error as error:
        raise _fault_of_opencv(path, error) from None
    except MemoryError:
        raise ImageFault(f"{path}: larger than the memory that is free", "IM064") from None
    # without its end OpenCV makes up the rows that are missing; a thumbnail in the head has an end of its own
    if pixels is None or (is_jpeg and raw.rfind(END) < head.end):
        raise _undecoded(path, raw)
    check_size(path, *pixels.shape[:2])  # OpenCV may see another size than the head showed
    if pixels.dtype not in (np.uint8, np.uint16):
        why = "only 8 and 16 bits have a range that says what white is"
        raise ImageFault(f"{path}: pixels are {pixels.dtype}, {why}", "IM060")
    return np.asarray(pixels, np.uint8) if is_jpeg else _as_rgb(pixels)


def _stored_size(path: Path, raw: bytes) -> tuple[int, int] | None:
    """Sides of the stored pixels by the head; None where only OpenCV may know them. Raises ImageFault."""
    try:
        with opened(path, io.BytesIO(raw)) as image:
            return image.height, image.width
    except PILLOW_FAULTS:
        return None


def _divides_badly(raw: bytes, size: tuple[int, int] | None, reduce: int) -> bool:
    """Whether the reduced pixels of a turned JPEG would not begin at the upright image's first one."""
    return size is None or (any(side % reduce for side in size) and _orientation(raw) != 1)


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
    broken = [image.name for image in images if leads_nowhere(image)]
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


def _read_bytes(path: Path) -> bytes:
    """Read a whole file, by Python's file system calls: OpenCV's own fail on some names. Raises ImageFault."""
    try:
        with open_regular(path) as file:
            raw = file.read()
    except OSError as error:
        raise unopened(path, error) from None
    except MemoryError:
        raise ImageFault(f"{path}: the file is larger than the memory that is free", "IM064") from None
    if not raw:
        raise ImageFault(f"{path}: the file is empty (0 bytes)", "IM051")
    return raw


def unopened(path: Path, error: OSError) -> ImageFault:
    """Say why a file could not be opened."""
    if leads_nowhere(path):
        return ImageFault(f"{path}: a link to {path.readlink()}, which does not exist", "FS077")
    return ImageFault(f"{path}: cannot be read: {error.strerror or error}", "IM055")


def _decode_any(raw: bytes, data: NDArray[np.uint8]) -> NDArray[Any] | None:
    """Decode with depth and transparency kept. Returns (H, W) or (H, W, 3 or 4) in BGR(A) order, None if impossible."""
    pixels: NDArray[Any] | None = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)  # which does not turn the image
    if pixels is None or not raw.startswith(_EXIF_APART) or (b"eXIf" not in raw and b"EXIF" not in raw):
        return pixels
    return turned(pixels, _orientation(raw))


def _orientation(raw: bytes) -> int:
    """EXIF orientation of an image file's content, 1..8; 1 where there is none."""
    try:
        with opened(Path(), io.BytesIO(raw)) as image:
            return orientation_of(image)
    except PILLOW_FAULTS:
        return 1


def orientation_of(image: PIL.Image.Image) -> int:
    """EXIF orientation of an image that Pillow has opened, 1..8; 1 where there is none."""
    found = image.getexif().get(EXIF_ORIENTATION, 1)
    return int(found) if found in range(1, 9) else 1


def turned(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Stored pixels (H, W) or (H, W, C) as EXIF orientation 1..8 wants them to be seen (EXIF 2.32, table 6)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _as_rgb(pixels: NDArray[Any]) -> Image:
    """Make (H, W, 3) RGB of (H, W) or (H, W, 3 or 4), 8 or 16 bits, strip by strip: on the way a pixel takes 60 bytes.

    An alpha plane of zeros only is an unused one, as BMP writers leave."""
    height, width = pixels.shape[:2]
    if pixels.shape[2:] == (4,) and not _to_uint8(pixels[..., 3].max(keepdims=True)).any():
        pixels = pixels[..., :3]
    rgb = np.empty((height, width, 3), np.uint8)
    rows = max(1, STRIP_PIXELS // width)
    for top in range(0, height, rows):
        rgb[top : top + rows] = _to_rgb(_to_uint8(pixels[top : top + rows]))
    return rgb


def _to_uint8(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Scale 16 bits to 8, rounding: 65535 becomes 255."""
    if pixels.dtype == np.uint8:
        return pixels
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _to_rgb(pixels: NDArray[np.uint8]) -> Image:
    """Make (H, W, 3) RGB of grey, BGR or BGRA, laid on white."""
    if pixels.ndim == 2:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), np.uint8)
    rgb = np.asarray(cv2.cvtColor(pixels[..., :3], cv2.COLOR_BGR2RGB), np.uint8)
    if pixels.shape[2] == 3:
        return rgb
    alpha = pixels[..., 3:].astype(np.uint16)
    return ((rgb * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)  # at most 255 * 255 + 127: fits


def _fault_of_opencv(path: Path, error: cv2.error) -> ImageFault:
    """What OpenCV raised, in one line."""
    told = " ".join(str(error).split())
    if "CV_IO_MAX_IMAGE" in told:
        return ImageFault(f"{path}: too many pixels for OpenCV: {told}", "IM064")
    return ImageFault(f"{path}: cannot be decoded: {told}", "IM052")


def _undecoded(path: Path, raw: bytes) -> ImageFault:
    """Word what is known of a file that was not decoded."""
    for magic, kind in _KNOWN_STARTS.items():
        if raw.startswith(magic):
            size = count(len(raw), "byte")
            return ImageFault(f"{path}: a {kind} file that is damaged or cut short ({size})", "IM052")
    return ImageFault(f"{path}: not an image (starts with {raw[:SHOWN_BYTES]!r})", "IM053")
