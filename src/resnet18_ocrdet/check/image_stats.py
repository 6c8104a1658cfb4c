"""Pixel statistics: each image is decoded once, and everything that needs its pixels is measured then."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from ..data.error_policy import RecordsBySplit
from ..data.image_guard import ImageFault
from ..data.image_io import read_image
from ..data.pages import page_count
from ..data.record import LabelRecord
from ..geometry.polygon import is_polygon
from ..runtime.machine import available_cores
from .curvature import is_curved
from .sharpness import Grey, GreyLevels, TextQuality, grey_levels, grey_of, scaled_down, text_quality

THUMB_SIDE = 32  # px
MAX_REGIONS = 60  # measured per image, evenly chosen: a page of text has hundreds
MAX_THREADS = 8
CONSTANT_RANGE = 6  # levels: JPEG noise on a uniform area


class ImageStats(NamedTuple):
    """Statistics of the pixels of one image."""

    fault: tuple[str, str] | None  # code and detail if it cannot be decoded: then everything else is empty
    height: int = 0  # px
    width: int = 0
    grey: GreyLevels | None = None
    constant: bool = False  # all pixels have the same color
    texts: tuple[TextQuality, ...] = ()  # of care regions that are large enough, at most MAX_REGIONS
    curved: tuple[int, ...] = ()  # indices of care regions with four corners and curved text
    digest: bytes = b""  # SHA-256 of size and pixels
    thumb: bytes = b""  # THUMB_SIDE² grey levels, row by row
    pages: int = 1  # images in the file


def measure_images(
    parts: RecordsBySplit, advance: Callable[[], None] = lambda: None, threads: int | None = None
) -> dict[str, list[ImageStats]]:
    """Measure every image, several at a time; the results of each split are in the order of its records.

    advance: called after each image, in the thread of the caller. threads: None for one per core."""
    found: dict[str, list[ImageStats]] = {split: [] for split in parts}
    pool = ThreadPoolExecutor(threads or min(MAX_THREADS, available_cores()), thread_name_prefix="measure")
    try:
        stats = pool.map(measure_image, [record for records in parts.values() for record in records])
        for split, records in parts.items():
            for _ in records:
                found[split].append(next(stats))
                advance()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)  # if the caller stops
    return found


def measure_image(record: LabelRecord) -> ImageStats:
    """Decode and measure one image; never raises for a bad file."""
    try:
        image = read_image(record.image_path)
    except ImageFault as fault:
        return ImageStats((fault.code, str(fault).removeprefix(f"{record.image_path}: ")))
    grey = grey_of(image)
    small = scaled_down(grey)
    constant = np.ptp(grey) <= CONSTANT_RANGE and np.ptp(image[::4, ::4], axis=(0, 1)).max() <= CONSTANT_RANGE
    care = care_regions(record)
    if len(care) > MAX_REGIONS:
        care = [care[place] for place in np.linspace(0, len(care) - 1, MAX_REGIONS).astype(int)]
    quads = [region for region in care if len(record.polygons[region]) == 4]
    texts = [text_quality(grey, record.polygons[region]) for region in care]
    digest = hashlib.sha256(np.array(image.shape, "<i8").tobytes())
    digest.update(np.ascontiguousarray(image).data)
    return ImageStats(
        fault=None,
        height=image.shape[0],
        width=image.shape[1],
        grey=grey_levels(small),
        constant=bool(constant),
        texts=tuple(text for text in texts if text is not None),
        curved=tuple(region for region in quads if is_curved(grey, record.polygons[region])),
        digest=digest.digest(),
        thumb=thumbnail(small),
        pages=pages_of(record.image_path),
    )


def thumbnail(grey: Grey) -> bytes:
    """See `ImageStats.thumb`."""
    return np.asarray(cv2.resize(grey, (THUMB_SIDE, THUMB_SIDE), interpolation=cv2.INTER_AREA), np.uint8).tobytes()


def care_regions(record: LabelRecord) -> list[int]:
    """The regions of an image that are not don't-care and have a valid outline."""
    return [r for r, polygon in enumerate(record.polygons) if not record.ignore[r] and is_polygon(polygon)]


def pages_of(path: Path) -> int:
    """Number of images in a file; 1 if that is unknown."""
    try:
        return page_count(path)
    except ImageFault:
        return 1
