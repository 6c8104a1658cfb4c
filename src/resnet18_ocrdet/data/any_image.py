"""What programs hold images in, as RGB: paths, the bytes of files, Pillow images, arrays of other kinds."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageOps
from numpy.typing import NDArray

from ..runtime.messages import one_line
from ..structures import Image
from .image_guard import PILLOW_FAULTS
from .image_io import decode_image
from .pages import page_count, read_page
from .pdf import MARK, MARK_WITHIN
from .rgb import as_rgb

SHOWN = 60  # characters of a text that is not a path
LONG = 255  # characters: the name of a file has no more, a path may
URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
BYTES = Path("the bytes")  # their name in messages
SWAPPED = [2, 1, 0, 3]  # RGBA from BGRA, and back


def as_image(source: Any) -> Image:
    """(H, W, 3) uint8 RGB of a path, the bytes of an image file, a Pillow image, or an array.

    Arrays are (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA: uint8, uint16 up to 65535, bool, or floats in 0..1.
    Transparency and EXIF orientation are treated as in files. Of several pages the first is read; for a path
    with a warning. Raises ValueError for another object or array, and UserError for a file that is not an image."""
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, bytes | bytearray | memoryview):
        if not len(source):
            raise ValueError("an image of 0 bytes")
        if MARK in bytes(source[:MARK_WITHIN]):
            raise ValueError(
                "the bytes of a PDF: write them to a file, whose pages resnet18_ocrdet.data.pages.read_page reads"
            )
        return decode_image(BYTES, bytes(source))
    if isinstance(source, PIL.Image.Image):
        return _from_pillow(source)
    if isinstance(source, str):
        _refuse_text(source)
    if isinstance(source, str | os.PathLike):
        if (pages := page_count(source)) > 1:
            warnings.warn(
                f"{source}: the first of {pages} pages; resnet18_ocrdet.data.pages.read_page reads the others",
                stacklevel=4,
            )
        return read_page(source)
    raise ValueError(
        f"an image is a path, the bytes of a file, a Pillow image or a NumPy array, got {type(source).__name__}"
    )


def _from_array(array: NDArray[Any]) -> Image:
    kind = f"{array.shape} {array.dtype}"
    if array.ndim not in (2, 3) or array.shape[2:] not in ((), (1,), (3,), (4,)) or not array.size:
        raise ValueError(f"an image is (height, width), or (height, width, 1, 3 or 4): RGB or RGBA; got {kind}")
    if array.dtype.kind == "f":
        low, high = float(array.min()), float(array.max())
        if not (low >= 0.0 and high <= 1.0):  # also NaN
            raise ValueError(f"an image of floats has values in 0..1, got {low:g} to {high:g}; convert 0..255 to uint8")
        array = (array * 255).round().astype(np.uint8)
    elif array.dtype == np.bool_:
        array = array.astype(np.uint8) * np.uint8(255)
    elif array.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"an image is of uint8, uint16, bool, or floats in 0..1, got {kind}")
    if array.shape[2:] == (3,) and array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.shape[2:] == (1,):
        array = array[..., 0]
    return as_rgb(np.ascontiguousarray(array if array.ndim == 2 else array[..., SWAPPED[: array.shape[2]]]))


def _from_pillow(image: PIL.Image.Image) -> Image:
    try:
        image.load()  # an opened file may be read only here
        image = PIL.ImageOps.exif_transpose(image)
    except PILLOW_FAULTS as error:
        raise ValueError(f"Pillow cannot read the image: {one_line(str(error), 200)}") from None
    if image.mode.startswith("I;16"):
        return _from_array(np.asarray(image, np.uint16))
    if image.mode in ("I", "F"):
        raise ValueError(f"a Pillow image of mode {image.mode} has no defined white: convert it to L or RGB")
    has_alpha = image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info
    return _from_array(np.asarray(image.convert("RGBA" if has_alpha else "RGB")))


def _refuse_text(text: str) -> None:
    """Raises ValueError for texts that people give instead of a path."""
    shown = one_line(text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text)} characters)")
    if URL.match(text):
        raise ValueError(f"{shown}: a URL is not read; download it and give its bytes")
    if text.startswith("data:") or "\0" in text or (len(text) > LONG and not _exists(text)):
        raise ValueError(f"{shown}: not the path of a file; of base64 text give base64.b64decode(text)")


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except OSError:  # a name longer than a file system has
        return False
