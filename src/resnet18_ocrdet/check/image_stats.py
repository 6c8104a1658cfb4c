"""Pixel statistics: each image is decoded once, and everything that needs its pixels is measured then."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from ..data.image_guard import PILLOW_FAULTS, ImageFault, opened
from ..data.image_io import read_image
from ..data.record import LabelRecord
from ..runtime.regular_file import open_regular
from ..structures import Image
from .curvature import is_curved
from .sharpness import Grey, GreyLevels, TextQuality, grey_levels, grey_of, is_polygon, scaled_down, text_quality

THUMB_SIDE = 32  # px
MAX_REGIONS = 60  # measured per image, evenly chosen: a page of text has hundreds
MAX_THREADS = 8
CONSTANT_RANGE = 6  # levels: JPEG noise on a uniform area
QUEUED = 4  # images per thread

_PAGED = (b"GIF8", b"RIFF", b"II*\0", b"MM\0*", b"\x89PNG")  # signatures of formats that may hold several images


class Fault(NamedTuple):
    """Why an image cannot be decoded."""

    code: str  # of findings.CODES
    detail: str


class ImageStats(NamedTuple):
    """Statistics of the pixels of one image."""

    fault: Fault | None  # if set, everything else is empty
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
    parts: Mapping[str, Sequence[LabelRecord]], advance: Callable[[], None] = lambda: None, threads: int | None = None
) -> dict[str, list[ImageStats]]:
    """Measure every image, several at a time; the results of each split are in the order of its records.

    advance: called after each image, in the thread of the caller. threads: None for one per core."""
    records = [record for inside in parts.values() for record in inside]
    stats = _in_order(records, threads or min(MAX_THREADS, _cores()))
    found: dict[str, list[ImageStats]] = {}
    for split, inside in parts.items():
        found[split] = []
        for _ in inside:
            found[split].append(next(stats))
            advance()
    return found


def measure_image(record: LabelRecord) -> ImageStats:
    """Decode and measure one image; never raises for a bad file."""
    try:
        image = read_image(record.image_path)
    except ImageFault as fault:
        return ImageStats(Fault(fault.code, str(fault).removeprefix(f"{record.image_path}: ")))
    grey = grey_of(image)
    small = scaled_down(grey)
    lowest, highest = np.array(cv2.minMaxLoc(grey)[:2])
    constant = highest - lowest <= CONSTANT_RANGE and int(np.ptp(image[::4, ::4], axis=(0, 1)).max()) <= CONSTANT_RANGE
    care = np.flatnonzero(~record.ignore & np.array([is_polygon(polygon) for polygon in record.polygons], bool))
    if len(care) > MAX_REGIONS:
        care = care[np.linspace(0, len(care) - 1, MAX_REGIONS).astype(int)]
    texts = [text_quality(grey, record.polygons[region]) for region in care]
    thumb = cv2.resize(small, (THUMB_SIDE, THUMB_SIDE), interpolation=cv2.INTER_AREA)
    return ImageStats(
        fault=None,
        height=image.shape[0],
        width=image.shape[1],
        grey=grey_levels(small),
        constant=bool(constant),
        texts=tuple(text for text in texts if text is not None),
        curved=tuple(int(region) for region in care if _has_curved_text(grey, record, int(region))),
        digest=_digest(image),
        thumb=np.asarray(thumb, np.uint8).tobytes(),
        pages=pages_of(record.image_path),
    )


def pages_of(path: Path) -> int:
    """Number of images in a file; 1 if that is unknown."""
    try:
        with open_regular(path) as file:
            if not file.read(4).startswith(_PAGED):
                return 1
            with opened(path, file) as image:
                return int(getattr(image, "n_frames", 1))
    except (*PILLOW_FAULTS, ImageFault):
        return 1


def _digest(image: Image) -> bytes:
    """SHA-256 of size and pixels."""
    digest = hashlib.sha256(np.array(image.shape, "<i8").tobytes())
    digest.update(np.ascontiguousarray(image).data)
    return digest.digest()


def _has_curved_text(grey: Grey, record: LabelRecord, region: int) -> bool:
    return len(record.polygons[region]) == 4 and is_curved(grey, record.polygons[region])


def _in_order(records: Sequence[LabelRecord], threads: int) -> Iterator[ImageStats]:
    """Results in the order of the records; queued images are cancelled when the caller stops."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix="measure")
    waiting: list[Future[ImageStats]] = []
    try:
        for record in records:
            waiting.append(pool.submit(measure_image, record))
            if len(waiting) >= threads * QUEUED:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
