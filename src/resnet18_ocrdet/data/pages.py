"""The pages of an image file: of a TIFF or PDF, and the frames of a GIF, WebP or PNG. Found by content, not by suffix.

They are counted without decoding and read one by one. Two pictures in a JPEG (a photo and its depth map) are one page.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import PIL.Image

from ..runtime.regular_file import open_regular
from ..structures import Image
from .image_guard import KINDS, PILLOW_FAULTS, ImageFault, check_size, opened, without_warnings
from .image_io import IMAGE_SUFFIXES, decode_image, open_image, read_image
from .pdf import MARK, MARK_WITHIN, PdfFile
from .rgb import as_rgb
from .tiff_pages import STARTS, TiffPages

PAGE_SUFFIXES = IMAGE_SUFFIXES | {".pdf"}  # of files that `PageReader` reads
MAX_PAGES = 100_000  # of a file
FRAME_COPIES = 4  # of a frame, which Pillow keeps
_PNG, _PNG_START, _PNG_ANIMATION = b"\x89PNG", 8, b"acTL"
_WEBP_ANIMATED = 0x02  # flag of a VP8X chunk


class Page(NamedTuple):
    """A page that was read."""

    image: Image
    dpi: float | None  # resolution at which a PDF was rendered


def page_count(path: str | os.PathLike[str]) -> int:
    """Number of pages of a file, at least 1; not more than its directories and blocks are read.

    A TIFF that ends before its last directory has one page more than can be read: reading it says so. Raises ImageFault
    for a file that cannot be opened, for a PDF that has no readable page, and above MAX_PAGES."""
    path = Path(path)
    with open_image(path) as file:
        kind = _kind_of(file)
        if kind == "pdf":
            document = PdfFile(path, open_regular(path))
            pages = document.pages
            document.close()
        elif kind == "tiff":
            pages = max(1, sum(1 for _ in islice(TiffPages(path, file).pages(), MAX_PAGES + 1)))
        else:
            pages = _frame_count(path, file) if kind == "frames" else 1
    if pages > MAX_PAGES:
        raise ImageFault(f"{path}: {pages} pages; at most {MAX_PAGES} are read", "IM052")
    return pages


def read_page(path: str | os.PathLike[str], page: int = 1, dpi: int | None = None) -> Image:
    """Read one page, from 1 on, as (H, W, 3) uint8 RGB; as `read_image` for a file of one page.

    dpi: of a PDF; None chooses it by the height of the text. Raises ImageFault as `read_image` does, and for a page
    that the file does not have."""
    reader = PageReader(dpi)
    try:
        return reader.read(Path(path), page).image
    finally:
        reader.close()


class PageReader:
    """Reads the pages of many files; any thread may call it.

    The last PDF or animation stays open, so that reading its pages in order takes one pass."""

    def __init__(self, dpi: int | None = None) -> None:
        """dpi: as of `read_page`."""
        self.dpi = dpi
        self._lock = threading.Lock()
        self._key: tuple[object, ...] = ()  # which file is open, and in which state
        self._pdf: PdfFile | None = None
        self._frames: PIL.Image.Image | None = None

    def read(self, path: Path, page: int = 1) -> Page:
        """Read one page. Raises ImageFault, see `read_page`."""
        if page < 1:
            raise _missing(path, page)
        with open_image(path) as file:
            kind = _kind_of(file)
            if kind == "tiff":
                return Page(_read_tiff(path, file, page), None)
            if kind == "pdf":
                with self._lock:
                    return Page(*self._read_pdf(path, page))
            if kind == "frames" and page > 1:
                with self._lock:
                    return Page(self._read_frame(path, page), None)
        if page > 1:
            raise _missing(path, page)
        return Page(read_image(path), None)

    def close(self) -> None:
        """Close the open file."""
        self._key = ()
        if self._pdf is not None:
            self._pdf.close()
            self._pdf = None
        if self._frames is not None:
            self._frames.close()
            self._frames = None

    def _read_pdf(self, path: Path, page: int) -> tuple[Image, float]:
        if self._pdf is None or self._key != _key_of(path):
            self.close()
            self._pdf = PdfFile(path, open_regular(path))
            self._key = _key_of(path)
        if page > self._pdf.pages:
            raise _missing(path, page)
        return self._pdf.render(page, self.dpi)

    def _read_frame(self, path: Path, page: int) -> Image:
        """A frame of an animation, as it is shown."""
        try:
            if self._frames is None or self._key != _key_of(path):
                self.close()
                with open_regular(path) as file, opened(path, file):
                    pass  # checks its size
                with without_warnings():
                    self._frames = PIL.Image.open(open_regular(path), formats=KINDS)
                self._key = _key_of(path)
            with without_warnings():
                before = self._frames.tell()
                for index in range(before if before < page else 0, page):  # each is laid on those before
                    self._frames.seek(index)
                    check_size(path, self._frames.height, self._frames.width, FRAME_COPIES)
                rgba = np.asarray(self._frames.convert("RGBA"))
        except (*PILLOW_FAULTS, MemoryError) as error:
            self.close()
            detail = " ".join(str(error).split()) or type(error).__name__
            raise ImageFault(f"{path}: frame {page} cannot be decoded: {detail}", "IM052") from None
        return as_rgb(rgba[..., [2, 1, 0, 3]])


def _kind_of(file: BinaryIO) -> str:
    """ "pdf", "tiff", "frames" for what may be an animation, "" for other files."""
    head = file.read(MARK_WITHIN)
    if head.startswith(STARTS):
        return "tiff"
    if head.startswith(b"GIF8") or (head[8:16] == b"WEBPVP8X" and head[20:21] and head[20] & _WEBP_ANIMATED):
        return "frames"
    if head.startswith(_PNG):
        return "frames" if _is_animated_png(file) else ""
    return "pdf" if MARK in head else ""


def _is_animated_png(file: BinaryIO) -> bool:
    """Whether an acTL chunk precedes the pixels (PNG 3rd edition, section 11.3.6)."""
    offset, head = _PNG_START, b""
    while head[4:] != b"IDAT" and file.seek(offset) and len(head := file.read(8)) == 8:
        if head[4:] == _PNG_ANIMATION:
            return True
        offset += 12 + int.from_bytes(head[:4], "big")
    return False


def _frame_count(path: Path, file: BinaryIO) -> int:
    with suppress(*PILLOW_FAULTS), opened(path, file) as image:
        return int(getattr(image, "n_frames", 1))
    return 1


def _read_tiff(path: Path, file: BufferedReader, page: int) -> Image:
    pages = TiffPages(path, file)
    first = list(islice(pages.pages(), page + 1))
    if page == 1 and len(first) <= 1 and first == list(islice(pages.directories(), 1)):  # as for other files
        file.seek(0)
        return decode_image(path, file.read())
    if page > len(first):
        raise _missing(path, page)
    return decode_image(path, pages.alone(first[page - 1]))


def _key_of(path: Path) -> tuple[object, ...]:
    status = path.stat()
    return path, status.st_ino, status.st_size, status.st_mtime_ns


def _missing(path: Path, page: int) -> ImageFault:
    return ImageFault(f"{path}: has no page {page}", "IM052")
