"""A picture with exact truth, and the folder of such pictures that every part of the set is.

Coordinates are those of the package: (0, 0) is the centre of the top-left pixel, so the ink of one pixel reaches from
-0.5 to 0.5.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from resnet18_ocrdet.data.formats.write_icdar import regions_to_densify, write_icdar_text
from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.structures import Image, Polygon


class Word(NamedTuple):
    """One region."""

    polygon: Polygon  # (V, 2), px
    text: str
    ignore: bool = False  # don't-care


class Page(NamedTuple):
    """A picture with its regions."""

    image: Image
    words: tuple[Word, ...]


class Tally(NamedTuple):
    """What a folder holds."""

    images: int
    words: int  # without don't-care ones
    ignored: int
    sha256: str  # of all pixels and label lines, in order


def write_pages(folder: Path, pages: Iterable[Page]) -> Tally:
    """Write `images/001.png` … and `gts/gt_001.txt` …, the layout of ICDAR 2015's lines that data=custom reads.

    Pixels are hashed as decoded, so that another PNG encoder does not change the result. Raises OSError."""
    for name in ("images", "gts"):
        (folder / name).mkdir(parents=True)
    records, digest = [], hashlib.sha256()
    for number, page in enumerate(pages, 1):
        path = folder / "images" / f"{number:03d}.png"
        cv2.imwrite(str(path), page.image[:, :, ::-1])
        digest.update(repr(page.image.shape).encode() + page.image.tobytes())
        records.append(_record(path, folder / "gts" / f"gt_{number:03d}.txt", page))
    dense = regions_to_densify(records)
    quads = all(len(polygon) == 4 for record in records for polygon in record.polygons)
    for record, own in zip(records, dense, strict=True):
        assert record.label_path is not None
        write_icdar_text(record.label_path, record, own, quads)
        digest.update(record.label_path.read_bytes())
    ignored = sum(int(record.ignore.sum()) for record in records)
    total = sum(len(record.polygons) for record in records)
    return Tally(len(records), total - ignored, ignored, digest.hexdigest())


def _record(path: Path, label_path: Path, page: Page) -> LabelRecord:
    """Rounded to 1/4 px: more digits would be of no use and differ between processors."""
    polygons = tuple(np.asarray(np.rint(word.polygon * 4) / 4, np.float32) for word in page.words)
    ignore: NDArray[np.bool_] = np.array([word.ignore for word in page.words], bool)
    return LabelRecord(path, label_path, polygons, ignore, tuple(word.text for word in page.words))
