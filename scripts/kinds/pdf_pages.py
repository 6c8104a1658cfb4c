"""Pages of PDF files, rendered by poppler, with the words of their text layer as truth."""

from __future__ import annotations

import gzip
import html
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import cv2
import numpy as np

from resnet18_ocrdet.data.image_io import read_image
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.structures import Image

from .ink import tighten
from .packages import Document, find_file, run
from .page import Page, Word
from .words import Box, is_scored, join_pieces

DPI = (100, 120, 150, 200)
MIN_WORDS = 40  # of a page: title pages and empty ones are left out
MAX_STRAY = 0.02  # of a page's ink, outside all boxes: figures and text that the text layer lacks
MAX_LOST = 0.005  # of the words without ink: white text, or a text layer of another page
STRAY_CONTRAST = 64  # of 255: lighter is shading
MARGIN = 3  # px around a box: the edges of letters
RULE = 8  # length / thickness: of a line, which is no text

_PAGE = re.compile(r'<page width="([\d.]+)" height="([\d.]+)">')
_WORD = re.compile(r'<word xMin="([-\d.]+)" yMin="([-\d.]+)" xMax="([-\d.]+)" yMax="([-\d.]+)">(.*?)</word>')


def read_layer(bbox: str) -> tuple[float, float, list[Box]]:
    """Width, height and words of one page from `pdftotext -bbox`, in points, pieces of one word joined.

    Raises UserError if it is not the output of one page."""
    sizes = _PAGE.findall(bbox)
    if len(sizes) != 1:
        raise UserError(f"pdftotext -bbox: {len(sizes)} pages instead of one")
    boxes = [Box(*map(float, corners), html.unescape(text)) for *corners, text in _WORD.findall(bbox)]
    return float(sizes[0][0]), float(sizes[0][1]), join_pieces(boxes)


def matched_page(image: Image, boxes: Sequence[Box]) -> Page | None:
    """The page with a box around the ink of every word, or None if the text layer does not fit the picture.

    boxes: in px, from the left upper corner of the picture."""
    fitted = [(box, tighten(image, box)) for box in boxes if box.text.strip()]
    lost = [box for box, polygon in fitted if polygon is None and is_scored(box.text)]
    if len(boxes) < MIN_WORDS or len(lost) > MAX_LOST * len(boxes) or stray_ink(image, boxes) > MAX_STRAY:
        return None
    words = [Word(polygon, box.text, not is_scored(box.text)) for box, polygon in fitted if polygon is not None]
    return Page(image, tuple(words))


def stray_ink(image: Image, boxes: Sequence[Box]) -> float:
    """Share of a page's ink, rules aside, that lies outside all boxes."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.int16)
    paper = int(np.bincount(grey.ravel(), minlength=256).argmax())
    ink = (np.abs(grey - paper) > STRAY_CONTRAST).astype(np.uint8)
    total = int(ink.sum())
    for left, top, right, bottom, _ in boxes:
        rows = slice(max(int(top) - MARGIN, 0), int(bottom) + MARGIN + 1)
        ink[rows, max(int(left) - MARGIN, 0) : int(right) + MARGIN + 1] = 0
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    width, height, area = (stats[1:, column] for column in (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_AREA))
    rules = np.maximum(width, height) > RULE * np.maximum(area / np.maximum(width, height), 1)
    return float(area[~rules].sum() / max(total, 1))


def render(path: Path, number: int, dpi: int) -> tuple[Image, list[Box]]:
    """A page of a PDF file, from 1, and its words in px."""
    with tempfile.TemporaryDirectory() as folder:
        only = ("-f", str(number), "-l", str(number))
        run("pdftoppm", "-png", "-r", str(dpi), "-singlefile", *only, path, Path(folder) / "page")
        image = read_image(Path(folder) / "page.png")
    width, height, boxes = read_layer(run("pdftotext", "-bbox", *only, path, "-"))
    x, y = image.shape[1] / width, image.shape[0] / height
    return image, [Box(box.left * x, box.top * y, box.right * x, box.bottom * y, box.text) for box in boxes]


def has_its_fonts(path: Path, number: int) -> bool:
    """Whether all fonts of a page are in the file; others would be replaced or missing, depending on the machine."""
    rows = run("pdffonts", "-f", str(number), "-l", str(number), path).splitlines()[2:]
    return all(row.split()[-5] == "yes" for row in rows)  # columns from the right: emb sub uni object ID


def pages_of(document: Document, cache: Path) -> Iterator[Page]:
    """The asked number of pages, drawn from the whole document; the same ones every time.

    Raises UserError if too few pages fit their text layer."""
    with tempfile.TemporaryDirectory() as folder:
        path = plain_file(find_file(cache / document.package, document.path), Path(folder))
        (total,) = re.findall(r"^Pages:\s+(\d+)$", run("pdfinfo", path), re.MULTILINE)
        rng, found = Random(document.package), 0
        for number in rng.sample(range(1, int(total) + 1), int(total)):
            dpi = rng.choice(DPI)
            page = matched_page(*render(path, number, dpi)) if has_its_fonts(path, number) else None
            if page is not None:
                found += 1
                yield page
            if found == document.pages:
                return
    raise UserError(f"{document.path} of {document.package}: {found} of {document.pages} pages fit their text layer")


def plain_file(path: Path, folder: Path) -> Path:
    """The file itself, or what a .gz of it holds, in `folder`."""
    if path.suffix != ".gz":
        return path
    plain = folder / path.stem
    plain.write_bytes(gzip.decompress(path.read_bytes()))
    return plain


def text_of(document: Document, cache: Path) -> str:
    """All text of a document."""
    with tempfile.TemporaryDirectory() as folder:
        path = plain_file(find_file(cache / document.package, document.path), Path(folder))
        return run("pdftotext", "-enc", "UTF-8", path, "-")
