"""Texts of the regions that were found, read by a recogniser of another program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from ..errors import UserError
from ..runtime.messages import one_line
from ..structures import Detection, Image, Polygon, Recognition
from .recognisers import CHOICES, Recognise, open_recogniser
from .upright import upright

MARGIN = 0.1  # of the height of a region, added on each side: regions end where letters do
HEIGHT = 48  # px of a crop, as RapidOCR's network takes it
MIN_SIDE = 4  # px of a region; no letter can be told in less
MAX_RATIO = 100  # of the sides of a region: a line of 200 letters. Memory grows with it
STANDS = 1.5  # times as high as wide: perhaps text turned on its side


class Crop(NamedTuple):
    """A region as the recogniser gets it; one that stands has several."""

    region: int
    pixels: Image


class TextReader:
    """Reads the regions of an image. Any number of threads may call one at the same time."""

    def __init__(self, recognise: Recognise) -> None:
        self._recognise = recognise

    def __call__(self, image: Image, detections: Sequence[Detection]) -> list[Detection]:
        """The same regions, each with its `Recognition`.

        A vertical region is read as it is and rotated by 90° each way, and the most confident text is taken. Raises
        UserError if the recogniser can read nothing at all."""
        crops, recognised = list[Crop](), list[Recognition]()
        for region, detection in enumerate(detections):
            cut = upright(image, _grown(detection.quad))
            low, high = sorted(cut.shape[:2])
            if low < MIN_SIDE:
                recognised.append(Recognition(reason=f"less than {MIN_SIDE} px high"))
            elif high > MAX_RATIO * low:
                recognised.append(Recognition(reason=f"more than {MAX_RATIO} times as long as high"))
            else:
                recognised.append(Recognition(reason="no letters recognised"))
                crops += [Crop(region, _scaled(turned)) for turned in _turns(cut)]
        for crop, found in zip(crops, self._read([crop.pixels for crop in crops]), strict=True):
            recognised[crop.region] = _better(recognised[crop.region], found)
        return [each.with_recognition(result) for each, result in zip(detections, recognised, strict=True)]

    def _read(self, crops: Sequence[Image]) -> list[Recognition]:
        """A crop that makes the recogniser fail is read alone, so that it does not affect the others."""
        if not crops:
            return []
        try:
            return [_recognition(text, confidence) for text, confidence in self._recognise(crops)]
        except UserError:
            raise
        except Exception as error:  # each library has its own types
            if len(crops) > 1:
                middle = len(crops) // 2
                return self._read(crops[:middle]) + self._read(crops[middle:])
            return [Recognition(reason=one_line(str(error)) or type(error).__name__)]


def open_reader(read: str | bool, threads: int | None = None) -> TextReader | None:
    """read: as the key `read`. None if nothing is to be read. threads: see `open_recogniser`, which may raise."""
    name = reader_name(read)
    return TextReader(open_recogniser(name, threads)) if name else None


def reader_name(read: str | bool) -> str:
    """ "rapidocr", "tesseract", or "" if nothing is to be read."""
    word = str(read).lower()
    return CHOICES.get(word, word)


def _grown(quad: Polygon) -> Polygon:
    """The quad with the margin around it, also beyond the image."""
    across, down = quad[1] - quad[0], quad[3] - quad[0]
    width, height = (max(float(np.hypot(*side)), 1.0) for side in (across, down))
    margin = MARGIN * min(width, height)
    across, down = across / width * margin, down / height * margin
    around = np.array([-across - down, across - down, across + down, down - across])
    return np.asarray(quad + around, np.float32)


def _turns(cut: Image) -> list[Image]:
    if cut.shape[0] < STANDS * cut.shape[1]:
        return [cut]
    return [cut, np.rot90(cut), np.rot90(cut, -1)]


def _scaled(cut: Image) -> Image:
    width = max(round(cut.shape[1] * HEIGHT / cut.shape[0]), 1)
    how = cv2.INTER_AREA if cut.shape[0] > HEIGHT else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(cut, (width, HEIGHT), interpolation=how), np.uint8)


def _recognition(text: str, confidence: float) -> Recognition:
    """Spaces of every kind, line breaks too, become one space."""
    text = " ".join(text.split())
    return Recognition(text, min(max(confidence, 0.0), 1.0)) if text else Recognition(reason="no letters recognised")


def _better(one: Recognition, other: Recognition) -> Recognition:
    """The more confident text, else the later reason."""
    if one.confidence is None or (other.confidence is not None and other.confidence > one.confidence):
        return other
    return one
