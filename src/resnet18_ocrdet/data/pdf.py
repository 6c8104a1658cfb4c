"""Pages of a PDF as images, rendered by PDFium (pypdfium2, the extra `pdf`).

One thread at a time may call PDFium, also for different files.
"""

from __future__ import annotations

import ctypes
import math
import threading
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from ..structures import Image
from .image_guard import MAX_SIDE, ImageFault, check_size

MARK = b"%PDF-"
MARK_WITHIN = 1024  # bytes from the start, as readers of PDF accept it
POINTS = 72  # per inch
TEXT_HEIGHT = 40  # px of a font's size, at which usual text is rendered; the bundled weights find it at half that, too
SCAN_DPI = 300  # of pages without text objects: pictures of a scanner
MIN_DPI, MAX_DPI = 96, 400  # where the text decides
QUARTER = 4  # of the characters, a quarter may be smaller than the text that decides
MAX_CHARACTERS = 2000  # of a page that are measured, evenly chosen

_LOCK = threading.Lock()


class PdfFile:
    """An open PDF. Any thread may call it."""

    def __init__(self, path: Path, file: BufferedReader) -> None:
        """path: named in messages. file: read on demand, and closed with this object.

        Raises ImageFault without pypdfium2, and for a file that is encrypted, damaged, or has no page."""
        try:
            import pypdfium2
            import pypdfium2.raw
        except ImportError:
            raise ImageFault(f"{path}: a PDF needs pypdfium2: pip install 'resnet18-ocrdet[pdf]'", "IM071") from None
        self.path, self._file, self._raw = path, file, pypdfium2.raw
        with _LOCK:
            try:
                self._document = pypdfium2.PdfDocument(file)
                self._document.init_forms()  # their fields are text, too
                self.pages = len(self._document)
            except pypdfium2.PdfiumError as error:
                file.seek(0)  # the error may be that of an earlier file if this one has no pages
                locked = "password" in str(error) and b"/Encrypt" in file.read()
                file.close()
                why = "encrypted, needs a password" if locked else "damaged, or without pages"
                raise ImageFault(f"{path}: a PDF file: {why}", "IM052") from None

    def render(self, page: int, dpi: int | None) -> tuple[Image, float]:
        """A page, from 1 on, as (H, W, 3) uint8 RGB on white, and its resolution in dots per inch.

        dpi: None chooses it by the height of the text. Raises ImageFault for a damaged page, and for one that has too
        many pixels at `dpi`."""
        with _LOCK:
            try:
                opened = self._document[page - 1]
            except Exception:  # PdfiumError
                raise ImageFault(f"{self.path}: page {page} of the PDF is damaged", "IM052") from None
            try:
                width, height = opened.get_size()  # points
                if not (0 < width < math.inf and 0 < height < math.inf):
                    raise ImageFault(f"{self.path}: page {page} of the PDF has no area", "IM052")
                chosen = dpi or min(self._dpi_of(opened), most_dpi(height, width))
                scale = chosen / POINTS
                check_size(self.path, math.ceil(height * scale), math.ceil(width * scale))
                bitmap = opened.render(scale=scale, rev_byteorder=True)
                image = np.array(bitmap.to_numpy()[..., :3])
                bitmap.close()
            finally:
                opened.close()
        return image, chosen

    def close(self) -> None:
        """Close the file."""
        with _LOCK:
            self._document.close()
        self._file.close()

    def _dpi_of(self, page: Any) -> float:
        """Dots per inch at which most text of a page is at least TEXT_HEIGHT high."""
        heights = self._heights(page)
        if not heights:
            return SCAN_DPI
        usual = heights[len(heights) // QUARTER]
        return min(max(POINTS * TEXT_HEIGHT / usual, MIN_DPI), MAX_DPI)

    def _heights(self, page: Any) -> list[float]:
        """Font sizes of characters as they appear on the page, in points, ascending."""
        raw, found = self._raw, []
        text = page.get_textpage()
        try:
            number, matrix = text.count_chars(), raw.FS_MATRIX()
            for place in range(0, number, max(1, number // MAX_CHARACTERS)):
                if raw.FPDFText_GetMatrix(text, place, ctypes.byref(matrix)):
                    height = raw.FPDFText_GetFontSize(text, place) * math.hypot(matrix.c, matrix.d)
                    found += [height] if 0 < height < math.inf else []
        finally:
            text.close()
        return sorted(found)


def most_dpi(height: float, width: float) -> float:
    """The resolution at which a page, in points, has as many pixels as an image may have."""
    most = PIL.Image.MAX_IMAGE_PIXELS
    by_area = math.inf if most is None else math.sqrt(2 * most / (height * width))
    scale = min(by_area, MAX_SIDE / max(height, width))
    return POINTS * scale * 0.999  # sides are rounded up
