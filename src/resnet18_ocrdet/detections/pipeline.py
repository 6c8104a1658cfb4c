"""Images through the network: while it computes, the next ones are read and the last ones decoded and written.

Legend: H W canvas pixels.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, TypeAlias

import cv2

from ..data.image_io import read_image
from ..errors import UserError
from ..inference.postprocess import ProbMap
from ..inference.predictor import Predictor
from ..inference.tiling import SHRINK
from ..runtime.memory import ran_out
from ..structures import Detection, Image, ResizeTransform
from .item import Item
from .records import stamp

READERS = 2  # threads that read images
AHEAD = 2  # images read before they are asked for, beside a batch: large ones fill the memory
FAULTS = (UserError, MemoryError, RuntimeError, cv2.error)  # of an image, or of too little memory for it

Write = Callable[[Item, Image, list[Detection]], None]


class Ready(NamedTuple):
    """An image as the network takes it."""

    item: Item
    stamp: dict[str, int]  # of the file that was read
    image: Image
    canvas: Image
    placement: ResizeTransform
    seconds: float
    scale: float  # of the canvas, see `Predictor.scale`


class Done(NamedTuple):
    """What was found in an image."""

    item: Item
    height: int
    width: int
    detections: list[Detection]
    seconds: float  # of reading, its share of the network's batch, decoding; not of waiting
    stamp: dict[str, int]  # of the file that was read, see `records.stamp`
    scale: float  # at which the network saw the image as a whole


class Failed(NamedTuple):
    """Why there is nothing of an image."""

    item: Item
    error: str


Outcome: TypeAlias = Done | Failed


def detect_all(detector: Predictor, items: Sequence[Item], write: Write, batch_size: int = 1) -> Iterator[Outcome]:
    """Detect on every image, in order. One that fails is told and costs itself only.

    write: called with each image and its regions, in another thread. batch_size: images of one canvas size that go
    through the network together, at most. Images are held only while they are worked on."""
    with ThreadPoolExecutor(READERS, "read") as readers, ThreadPoolExecutor(1, "write") as writer:
        waiting: deque[Future[list[Outcome]]] = deque()
        for batch in _batches(_read_ahead(readers, detector, items, AHEAD + batch_size), batch_size):
            waiting.append(_through(detector, batch, write, writer))
            if len(waiting) > 1:
                yield from waiting.popleft().result()
        for future in waiting:
            yield from future.result()


def _read_ahead(
    readers: ThreadPoolExecutor, detector: Predictor, items: Sequence[Item], ahead: int
) -> Iterator[Ready | Failed]:
    """Each image, ready, in order; never more than `ahead` of them before they are asked for."""
    reading: deque[Future[Ready | Failed]] = deque()
    for item in items:
        reading.append(readers.submit(_read, detector, item))
        if len(reading) > ahead:
            yield reading.popleft().result()
    while reading:
        yield reading.popleft().result()


def _read(detector: Predictor, item: Item) -> Ready | Failed:
    began = time.perf_counter()
    try:
        read = stamp(item.path)
        image = read_image(item.path)
        canvas, placement = detector.prepare(image)
        scale = detector.scale(image)
    except OSError as error:
        return _failed(item, UserError(f"{item.path}: cannot be read ({error.strerror})"))
    except FAULTS as error:
        return _failed(item, error)
    return Ready(item, read, image, canvas, placement, time.perf_counter() - began, scale)


def _batches(images: Iterator[Ready | Failed], size: int) -> Iterator[list[Ready] | Failed]:
    """Neighbours of one canvas size together; what failed by itself, in its place."""
    batch: list[Ready] = []
    for each in images:
        fits = isinstance(each, Ready) and (not batch or _alike(batch[0], each))
        if batch and (len(batch) == size or not fits):
            yield batch
            batch = []
        if isinstance(each, Failed):
            yield each
        else:
            batch.append(each)
    if batch:
        yield batch


def _alike(one: Ready, other: Ready) -> bool:
    """Whether both can be in one batch; a large image has its own."""
    return one.canvas.shape == other.canvas.shape and min(one.scale, other.scale) >= SHRINK


def _through(
    detector: Predictor, batch: list[Ready] | Failed, write: Write, writer: ThreadPoolExecutor
) -> Future[list[Outcome]]:
    """The network, here; the rest in the writer's thread."""
    if isinstance(batch, Failed):
        return _kept([batch])
    began = time.perf_counter()
    large = batch[0].scale < SHRINK and detector.tiling
    found: list[list[Detection]] = []
    prob_maps: list[ProbMap] = []
    try:
        if large:
            found = [detector(batch[0].image)]
        else:
            prob_maps = detector.maps([each.canvas for each in batch])
    except FAULTS as error:  # one huge image must not end a folder
        if len(batch) == 1:
            item = batch[0].item
            told = UserError(f"{item.path}: {error}") if isinstance(error, UserError) else error  # of the network
            return _kept([_failed(item, told)])
        return _kept([done for each in batch for done in _through(detector, [each], write, writer).result()])
    share = (time.perf_counter() - began) / len(batch)

    def finish() -> list[Outcome]:
        done: list[Outcome] = []
        for number, ready in enumerate(batch):
            started = time.perf_counter()
            try:
                detections = found[number] if large else detector.decode(prob_maps[number], ready.placement)
                seconds = ready.seconds + share + time.perf_counter() - started
                write(ready.item, ready.image, detections)
                height, width = ready.image.shape[:2]
                done.append(Done(ready.item, height, width, detections, seconds, ready.stamp, ready.scale))
            except FAULTS as error:
                done.append(_failed(ready.item, error))
        return done

    return writer.submit(finish)


def _kept(done: list[Outcome]) -> Future[list[Outcome]]:
    future: Future[list[Outcome]] = Future()
    future.set_result(done)
    return future


def _failed(item: Item, error: Exception) -> Failed:
    """Raises what is no fault of the image or of its size."""
    if isinstance(error, UserError):
        return Failed(item, str(error))
    if isinstance(error, cv2.error):
        return Failed(item, f"{item.path}: {' '.join(str(error).split())}")
    if not ran_out(error):
        raise error
    told = (str(error) or type(error).__name__).splitlines()[0]
    return Failed(item, f"{item.path}: not enough memory ({told})")
