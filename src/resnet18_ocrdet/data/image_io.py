"""Find image files and read them as RGB, for any name, suffix, bit depth and channel count.

Legend: H W pixels. The format is detected from the content; the suffix only decides what is listed.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from ..errors import UserError
from ..runtime.messages import count
from ..runtime.regular_file import open_regular
from ..structures import Image
from .file_names import is_broken_link, is_folder_entry
from .image_guard import (
    END,
    JPEG,
    PILLOW_FAULTS,
    ImageFault,
    JpegHeader,
    check_size,
    opened,
    parse_jpeg,
    scan_count,
    still_png,
)
from .rgb import as_rgb

T = TypeVar("T")

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".jp2", ".ppm"})
# in lower case; OpenCV's wheels decode all of them on every platform
UNREAD_SUFFIXES = frozenset(  # of image files that are not read
    {".heic", ".heif", ".avif", ".jxl", ".pdf", ".svg", ".psd", ".dng", ".nef", ".cr2", ".hdr", ".exr"}
)
MAX_NAMED = 10  # files named in one message
MAX_SCANS = 100  # of a JPEG; progressive ones have about ten
SHOWN_BYTES = 16  # of a file that is not an image; enough to recognise "<html" or a zip

EXIF_ORIENTATION = 0x0112
QUARTER_TURNS = (5, 6, 7, 8)  # orientations that exchange height and width (EXIF 2.32, table 6)
MIRRORED_X, MIRRORED_Y = (2, 3, 6, 7), (3, 4, 7, 8)  # that mirror left and right, or top and bottom, after that

_REDUCED = {  # OpenCV's names end in GRAYSCALE, but the flags only set the reduction; the colours are a separate flag
    1: 0,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}
_EXIF_IGNORED = (b"\x89PNG", b"RIFF")  # PNG, WebP: OpenCV ignores EXIF if it keeps transparency
_NEW_IN_OPENCV = (b"GIF8", b"RIFF")  # OpenCV before 4.12 reads no GIF, before 4.11 no WebP with several frames
_KNOWN_STARTS = {  # first bytes, to name the format of a damaged file
    "JPEG": (JPEG,),
    "PNG": (b"\x89PNG",),
    "BMP": (b"BM",),
    "WebP": (b"RIFF",),
    "TIFF": (b"II*\0", b"MM\0*"),
    "GIF": (b"GIF8",),
    "JPEG 2000": (b"\0\0\0\x0cjP", b"\xff\x4f\xff\x51"),
    "PPM": (b"P3", b"P6"),
}


def read_image(path: Path, reduce: int = 1) -> Image:
    """Read one image as (H, W, 3) uint8 RGB.

    Grey becomes three equal channels, transparency is laid on white, or on black or grey where white would hide the
    content (`data/rgb.py`), 16 bits are scaled to 8 (65535 to 255), of several pages or frames the first is read
    (`data/pages.py` reads the others). The EXIF orientation is applied.
    reduce: 2, 4 or 8 decodes a JPEG with its sides divided by it, rounded up, which is cheaper: each pixel covers
    reduce×reduce pixels. Other formats are returned at full size, as are rotated JPEGs whose sides are not divisible
    (their squares would not start at the first pixel).
    Raises ImageFault, with the file's name, if it cannot be opened, is empty, not an image, too large, or truncated."""
    with open_image(path) as file:
        return decode_image(path, file.read(), reduce)


def decode_image(path: Path, raw: bytes, reduce: int = 1) -> Image:
    """As `read_image`, from the bytes of a file; path: named in messages."""
    is_jpeg = raw.startswith(JPEG)  # always 8 bits and opaque: decoded to RGB directly
    header = parse_jpeg(raw) if is_jpeg else JpegHeader(None, 0)
    size = header.size or _from_header(path, raw, lambda image: (image.height, image.width), None)
    if size is not None:
        check_size(path, *size)
    if is_jpeg and (scans := scan_count(raw, header, MAX_SCANS)) > MAX_SCANS:
        raise ImageFault(f"{path}: a JPEG with {scans} scans; at most {MAX_SCANS} are decoded", "IM052")
    is_even = size is not None and not any(side % reduce for side in size)
    if is_jpeg and not is_even and (size is None or _from_header(path, raw, orientation_of, 1) != 1):
        reduce = 1  # the reduced pixels of a rotated image would not start at the first one of the upright image
    data = np.frombuffer(still_png(raw), np.uint8)
    try:
        if is_jpeg:
            pixels: NDArray[Any] | None = _decode_jpeg(data, _REDUCED[reduce])
        else:
            pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)  # with bit depth and transparency: BGR(A)
            if pixels is None and raw.startswith(_NEW_IN_OPENCV) and not cv2.haveImageWriter("a.gif"):
                pixels = _from_header(path, raw, _bgra, None)
            if pixels is not None and raw.startswith(_EXIF_IGNORED) and (b"eXIf" in raw or b"EXIF" in raw):
                pixels = rotate_upright(pixels, _from_header(path, raw, orientation_of, 1))
    except cv2.error as error:
        raise _fault_of_opencv(path, error) from None
    except MemoryError:
        raise ImageFault(f"{path}: larger than the free memory", "IM064") from None
    # without the end marker OpenCV invents the missing rows; a thumbnail in the header has an end marker too
    if pixels is None or (is_jpeg and raw.rfind(END) < header.end):
        raise _undecoded(path, raw)
    check_size(path, *pixels.shape[:2])  # OpenCV may find another size than the header
    if pixels.dtype not in (np.uint8, np.uint16):
        raise ImageFault(f"{path}: pixels are {pixels.dtype}; only 8 and 16 bits have a defined white", "IM060")
    return np.asarray(pixels, np.uint8) if is_jpeg else as_rgb(pixels)


def _decode_jpeg(data: NDArray[np.uint8], reduced: int) -> NDArray[Any] | None:
    """A JPEG as (H, W, 3) RGB; None if it cannot be decoded. OpenCV before 4.11 has only BGR, which is reordered."""
    if hasattr(cv2, "IMREAD_COLOR_RGB"):
        return cv2.imdecode(data, reduced | cv2.IMREAD_COLOR_RGB)
    pixels = cv2.imdecode(data, reduced | cv2.IMREAD_COLOR)
    return None if pixels is None else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, pixels)


def _from_header(path: Path, raw: bytes, read: Callable[[PIL.Image.Image], T], otherwise: T) -> T:
    """What `read` finds in the header with Pillow; `otherwise` if Pillow cannot read it. Raises ImageFault."""
    try:
        with opened(path, io.BytesIO(raw)) as image:
            return read(image)
    except PILLOW_FAULTS:
        return otherwise


def _bgra(image: PIL.Image.Image) -> NDArray[Any]:
    return np.asarray(image.convert("RGBA"))[..., [2, 1, 0, 3]]


def list_images(folder: Path, suffixes: Collection[str] = IMAGE_SUFFIXES) -> list[Path]:
    """Find the image files below a folder, sub-folders included, in natural order: 2.jpg before 10.jpg.

    Hidden files, files without one of the suffixes and folders named like images are skipped. Broken links are listed,
    so that reading them reports them. Linked folders are followed, each folder is read once. Raises UserError if a
    folder cannot be listed."""
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()  # (device, inode) of the folders walked: links may form loops
    queue = [folder]
    while queue:
        current = queue.pop()
        try:
            status = current.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(current) as entries:
                visible = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda e: e.name)
            for entry in visible:
                if is_folder_entry(entry):  # links last: a folder below `folder` is listed under its own path
                    queue.insert(0 if entry.is_symlink() else len(queue), Path(entry.path))
                elif has_image_suffix(entry.name, suffixes) and (entry.is_symlink() or entry.is_file()):
                    found.append(Path(entry.path))
        except OSError as error:
            raise UserError(f"{current}: cannot be listed as a folder: {error.strerror or error}") from None
    return sorted(found, key=lambda path: natural_key(path.relative_to(folder).as_posix()))


def has_image_suffix(name: str, suffixes: Collection[str] = IMAGE_SUFFIXES) -> bool:
    """Whether a file name has an image suffix, in upper or lower case."""
    return os.path.splitext(name)[1].lower() in suffixes  # noqa: PTH122  Path is 5 times slower on long lists


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Sort key that compares digits as numbers and ignores case."""
    pieces = re.split(r"([0-9]+)", name)  # text at even places, digits at odd ones
    return [int(piece) if place % 2 else piece.casefold() for place, piece in enumerate(pieces)], name


@contextmanager
def open_image(path: Path) -> Iterator[BufferedReader]:
    """Open an image file with Python: OpenCV cannot open some names. Raises ImageFault, also while it is read."""
    try:
        with open_regular(path) as file:
            if not os.fstat(file.fileno()).st_size:
                raise ImageFault(f"{path}: the file is empty (0 bytes)", "IM051")
            yield file
    except OSError as error:
        if is_broken_link(path):
            raise ImageFault(f"{path}: a link to {path.readlink()}, which does not exist", "FS077") from None
        raise ImageFault(f"{path}: cannot be read: {error.strerror or error}", "IM055") from None
    except MemoryError:
        raise ImageFault(f"{path}: the file is larger than the free memory", "IM064") from None


def orientation_of(image: PIL.Image.Image) -> int:
    """EXIF orientation of an image opened with Pillow, 1..8; 1 if there is none."""
    found = image.getexif().get(EXIF_ORIENTATION, 1)
    return int(found) if found in range(1, 9) else 1


def rotate_upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Apply EXIF orientation 1..8 to (H, W) or (H, W, C) pixels (EXIF 2.32, table 6)."""
    if orientation in QUARTER_TURNS:
        pixels = pixels.swapaxes(0, 1)
    if orientation in MIRRORED_X:
        pixels = pixels[:, ::-1]
    if orientation in MIRRORED_Y:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _fault_of_opencv(path: Path, error: cv2.error) -> ImageFault:
    """An OpenCV error in one line."""
    message = " ".join(str(error).split())
    if "CV_IO_MAX_IMAGE" in message:
        return ImageFault(f"{path}: too many pixels for OpenCV: {message}", "IM064")
    return ImageFault(f"{path}: cannot be decoded: {message}", "IM052")


def _undecoded(path: Path, raw: bytes) -> ImageFault:
    """Describe a file that could not be decoded."""
    kind = next((kind for kind, starts in _KNOWN_STARTS.items() if raw.startswith(starts)), None)
    if kind is None:
        return ImageFault(f"{path}: not an image (starts with {raw[:SHOWN_BYTES]!r})", "IM053")
    return ImageFault(f"{path}: a damaged or truncated {kind} file ({count(len(raw), 'byte')})", "IM052")
