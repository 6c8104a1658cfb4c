"""Images through the network: while it computes, the next images are read and the last results written."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import NamedTuple, TypeAlias

import cv2

from ..data.pages import PageReader
from ..data.rgb import is_blank
from ..errors import UserError
from ..inference.postprocess import Decoded
from ..inference.predictor import Predictor, Prepared
from ..runtime.machine import ran_out
from ..structures import Detection, Image
from .files import Item, numbered
from .recognition import TextReader
from .records import ImageRecord

READERS = 2  # threads that read images
AHEAD = 2  # images read in advance, in addition to a batch: large ones fill the memory
FAULTS = (UserError, MemoryError, RuntimeError, cv2.error)  # caused by an image, or by too little memory for it

Write = Callable[[Item, Image, list[Detection]], None]
Finish = Callable[["Ready", Callable[[], Decoded], float], "Outcome"]


class Ready(NamedTuple):
    """An image that was read."""

    item: Item
    status: os.stat_result
    prepared: Prepared
    seconds: float
    blank: bool
    dpi: float | None  # of a page of a PDF


class Done(NamedTuple):
    """The detections of an image."""

    item: Item
    record: ImageRecord  # its seconds: reading, a share of the network's batch, decoding, texts; no waiting
    is_large: bool  # see `Prepared`


class Failed(NamedTuple):
    """Why an image has no detections."""

    item: Item
    error: str


Outcome: TypeAlias = Done | Failed


def detect_all(
    predictor: Predictor,
    items: Iterable[Item],
    write: Write,
    batch_size: int = 1,
    dpi: int | None = None,
    read: TextReader | None = None,
) -> Iterator[Outcome]:
    """Detect on every image, in order. A failure affects its own image only.

    write: called with each image and its regions, in another thread. batch_size: the most images of one canvas size
    that go through the network together. dpi: of the pages of a PDF, see `PageReader`. read: reads the regions, in the
    thread that writes. Images are kept in memory only while they are processed."""
    reader = PageReader(dpi)
    finish = partial(_finish, write=write, read=read)
    with closing(reader), ThreadPoolExecutor(READERS, "read") as readers, ThreadPoolExecutor(1, "write") as writer:
        waiting: deque[Future[list[Outcome]]] = deque()
        for batch in _batches(_read_ahead(readers, reader, predictor, items, AHEAD + batch_size), batch_size):
            waiting.append(_run(predictor, batch, finish, writer))
            if len(waiting) > 1:
                yield from waiting.popleft().result()
        for future in waiting:
            yield from future.result()


def _read_ahead(
    readers: ThreadPoolExecutor, reader: PageReader, predictor: Predictor, items: Iterable[Item], ahead: int
) -> Iterator[Ready | Failed]:
    """Each image in order, at most `ahead` of them in advance."""
    reading: deque[Future[Ready | Failed]] = deque()
    for item in items:
        reading.append(readers.submit(_read, reader, predictor, item))
        if len(reading) > ahead:
            yield reading.popleft().result()
    while reading:
        yield reading.popleft().result()


def _read(reader: PageReader, predictor: Predictor, item: Item) -> Ready | Failed:
    if item.fault:
        return Failed(item, item.fault)
    began = time.perf_counter()
    try:
        status = item.path.stat()
        image, dpi = reader.read(item.path, item.page or 1)
        prepared = predictor.prepare(image)
    except OSError as error:
        return Failed(item, f"{item.path}: cannot be read ({error.strerror})")
    except FAULTS as error:
        return _failed(item, error)
    return Ready(item, status, prepared, time.perf_counter() - began, is_blank(image), dpi)


def _batches(images: Iterator[Ready | Failed], size: int) -> Iterator[list[Ready] | Failed]:
    """Consecutive images of one canvas size together, a large image alone; a failure in its place."""
    batch: list[Ready] = []
    for each in images:
        if batch and (len(batch) == size or isinstance(each, Failed) or not batch[0].prepared.fits_with(each.prepared)):
            yield batch
            batch = []
        if isinstance(each, Failed):
            yield each
        else:
            batch.append(each)
    if batch:
        yield batch


def _run(
    predictor: Predictor, batch: list[Ready] | Failed, finish: Finish, writer: ThreadPoolExecutor
) -> Future[list[Outcome]]:
    """The network in this thread, decoding, reading texts and writing in the writer's thread."""
    if isinstance(batch, Failed):
        return writer.submit(lambda: [batch])
    began = time.perf_counter()
    try:
        decoders = predictor.detect([each.prepared for each in batch])
    except FAULTS as error:  # for example one huge image
        if len(batch) == 1:
            item = batch[0].item
            failed = _failed(item, UserError(f"{item.path}: {error}") if isinstance(error, UserError) else error)
            return writer.submit(lambda: [failed])
        outcomes = [done for each in batch for done in _run(predictor, [each], finish, writer).result()]
        return writer.submit(lambda: outcomes)
    share = (time.perf_counter() - began) / len(batch)
    return writer.submit(lambda: [finish(ready, decode, share) for ready, decode in zip(batch, decoders, strict=True)])


def _finish(
    ready: Ready, decode: Callable[[], Decoded], share: float, write: Write, read: TextReader | None = None
) -> Outcome:
    """share: of the seconds of the network."""
    item, prepared, began = ready.item, ready.prepared, time.perf_counter()
    try:
        found = decode()
        if read is not None:
            found = found._replace(detections=read(prepared.image, found.detections))
        seconds = ready.seconds + share + time.perf_counter() - began
        write(item, prepared.image, found.detections)
        record = ImageRecord.of(
            item.relative, prepared.image, found, seconds, ready.status, ready.blank, ready.dpi, read is not None
        )
        return Done(item, record, prepared.is_large)
    except FAULTS as error:
        return _failed(item, error)


def _failed(item: Item, error: Exception) -> Failed:
    """Raises `error` if it is not about the image or its size."""
    if isinstance(error, UserError):
        path = str(item.path)
        return Failed(item, str(error).replace(path, path if item.page is None else numbered(path, item.page), 1))
    if isinstance(error, cv2.error):
        return Failed(item, f"{item.path}: {' '.join(str(error).split())}")
    if not ran_out(error):
        raise error
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return Failed(item, f"{item.path}: not enough memory ({reason})")
