"""One look at every image: it is decoded once, and everything that needs its pixels is measured then."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from resnet18_ocrdet.check.curved import is_curved
from resnet18_ocrdet.check.measure import Grey, TextTone, Tone, drawable, grey_of, reduced, text_tone, tone
from resnet18_ocrdet.data.image_guard import PILLOW_FAULTS, ImageFault, opened
from resnet18_ocrdet.data.image_io import read_image
from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.runtime.regular_file import open_regular
from resnet18_ocrdet.structures import Image

THUMB_SIDE = 32  # px
MOST_REGIONS = 60  # of one image that are measured, spread over it: a page of text has hundreds
MOST_THREADS = 8
CONSTANT_REACH = 6  # levels: the ripple that JPEG leaves on a plain area
WAITING = 4  # images ahead, per thread: results are small, decoded images are not

_PAGED = (b"GIF8", b"RIFF", b"II*\0", b"MM\0*", b"\x89PNG")  # formats that may hold several pictures


class Fault(NamedTuple):
    """Why an image has no pixels."""

    code: str  # of findings.CODES
    detail: str


class Look(NamedTuple):
    """What the pixels of one image say."""

    fault: Fault | None  # all that follows is empty where there is one
    height: int = 0  # px
    width: int = 0
    tone: Tone | None = None
    constant: bool = False  # all pixels of one colour
    texts: tuple[TextTone, ...] = ()  # of the care regions that are large enough, at most MOST_REGIONS
    curved: tuple[int, ...] = ()  # numbers of the care regions of four corners whose text bends
    digest: bytes = b""  # SHA-256 of size and pixels
    thumb: bytes = b""  # THUMB_SIDE² grey levels, row by row
    pages: int = 1  # pictures in the file


def look_at_all(
    parts: Mapping[str, Sequence[LabelRecord]], advance: Callable[[], None] = lambda: None, threads: int | None = None
) -> dict[str, list[Look]]:
    """Look at every image, several at a time; the looks of each part are in the order of its records.

    advance: called after each image, in the thread of the caller. threads: None for as many as there are cores."""
    records = [record for part in parts.values() for record in part]
    looks = _in_order(records, threads or min(MOST_THREADS, _cores()))
    found: dict[str, list[Look]] = {}
    for part, inside in parts.items():
        found[part] = []
        for _ in inside:
            found[part].append(next(looks))
            advance()
    return found


def look_at(record: LabelRecord) -> Look:
    """Decode one image and measure it; never raises for a bad file."""
    try:
        image = read_image(record.image_path)
    except ImageFault as fault:
        return Look(Fault(fault.code, str(fault).removeprefix(f"{record.image_path}: ")))
    grey = grey_of(image)
    small = reduced(grey)
    lowest, highest = np.array(cv2.minMaxLoc(grey)[:2])
    constant = highest - lowest <= CONSTANT_REACH and int(np.ptp(image[::4, ::4], axis=(0, 1)).max()) <= CONSTANT_REACH
    care = np.flatnonzero(~record.ignore & np.array([drawable(polygon) for polygon in record.polygons], bool))
    if len(care) > MOST_REGIONS:
        care = care[np.linspace(0, len(care) - 1, MOST_REGIONS).astype(int)]
    texts = [text_tone(grey, record.polygons[region]) for region in care]
    thumb = cv2.resize(small, (THUMB_SIDE, THUMB_SIDE), interpolation=cv2.INTER_AREA)
    return Look(
        fault=None,
        height=image.shape[0],
        width=image.shape[1],
        tone=tone(small),
        constant=bool(constant),
        texts=tuple(text for text in texts if text is not None),
        curved=tuple(int(region) for region in care if _bends(grey, record, int(region))),
        digest=_digest(image),
        thumb=np.asarray(thumb, np.uint8).tobytes(),
        pages=pages_of(record.image_path),
    )


def pages_of(path: Path) -> int:
    """How many pictures a file holds, by its head; 1 where that cannot be told."""
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


def _bends(grey: Grey, record: LabelRecord, region: int) -> bool:
    return len(record.polygons[region]) == 4 and is_curved(grey, record.polygons[region])


def _in_order(records: Sequence[LabelRecord], threads: int) -> Iterator[Look]:
    """Looks in the order of the records; what waits is given up when the caller stops."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix="look")
    waiting: list[Future[Look]] = []
    try:
        for record in records:
            waiting.append(pool.submit(look_at, record))
            if len(waiting) >= threads * WAITING:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
