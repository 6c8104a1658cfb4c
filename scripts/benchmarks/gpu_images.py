"""Training images of bench_gpu.py: real photos, or scenes rendered to JPEGs once for all its parts."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from gpu_rows import Options
from made_images import SMALL, random_quads, record_of, write_photo
from resnet18_ocrdet.data.cache import CacheKind
from resnet18_ocrdet.data.labels import LabelledImages
from resnet18_ocrdet.data.load_annotations import read_data
from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.runtime.machine import available_cores
from resnet18_ocrdet.structures import LazyPicture, Sample

PHOTOS = 800  # of ICDAR2015's training half, the first ones: later ones are for decisions and reports
SCENES = 128  # rendered where there are no photos


class Cycled:
    """A `Source` that repeats its images until there are `count`."""

    def __init__(self, source: LabelledImages, count: int) -> None:
        self._source, self._count = source, count

    def __len__(self) -> int:
        return self._count

    def open(self, index: int) -> LazyPicture:
        """Image `index`."""
        return self._source.open(index % len(self._source))

    def load(self, index: int) -> Sample:
        """Image `index`, decoded."""
        return self._source.load(index % len(self._source))

    def fingerprint(self) -> Iterator[bytes]:
        """Of the images without repeats."""
        return self._source.fingerprint()


def training_images(options: Options, kept: CacheKind = "none") -> tuple[LabelledImages, str]:
    """Photos of OCRDET_ICDAR2015, or rendered scenes as JPEGs if it is not set; and what they are."""
    root = os.environ.get("OCRDET_ICDAR2015")
    if root and not options.tiny:
        records = _photos(Path(root))
        return LabelledImages(records, kept), f"{len(records)} photos"
    folder = options.path.with_name("scenes")
    if not (folder / "labels.json").is_file():
        _render(folder, *((4, 128, 192) if options.tiny else (SCENES, 720, 1280)))
    found = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    records = [_record(folder / name, quads) for name, quads in found["images"].items()]
    return LabelledImages(records, kept), f"{len(records)} {found['kind']}"


@cache
def _photos(root: Path) -> list[LabelRecord]:
    return read_data(root).splits["train"][:PHOTOS]


def _record(path: Path, quads: list[list[list[float]]]) -> LabelRecord:
    height, width = cv2.imread(str(path)).shape[:2]
    return record_of(path, [np.array(quad, np.float32) for quad in quads], (height, width))


def _render(folder: Path, count: int, height: int, width: int) -> None:
    """Write scenes as JPEGs, and their labels. OpenCV before 5 has no fonts: rotated quads on noise instead."""
    folder.mkdir()
    fonts = hasattr(cv2, "FontFace")
    kind = "rendered scenes" if fonts else "images of noise with 20 quads each (this OpenCV has no fonts)"
    draw = partial(_scene if fonts else _quads, folder, count, height, width)
    with ProcessPoolExecutor(available_cores(), get_context("fork")) as pool:
        images = dict(pool.map(draw, range(count)))
    text = json.dumps({"kind": kind, "images": images})
    (folder / "labels.json").write_text(text, encoding="utf-8")


def _scene(folder: Path, count: int, height: int, width: int, index: int) -> tuple[str, Any]:
    cv2.setNumThreads(1)
    sample = SyntheticScenes(count, height, width, seed=0).load(index)
    name = f"{index:04d}.jpg"
    cv2.imwrite(str(folder / name), sample.image[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, 85))
    return name, [polygon.tolist() for polygon in sample.polygons]


def _quads(folder: Path, count: int, height: int, width: int, index: int) -> tuple[str, Any]:
    cv2.setNumThreads(1)
    rng = np.random.default_rng(index)
    quads = random_quads(height, width, 20, SMALL, rng)
    write_photo(folder / f"{index:04d}.jpg", height, width, quads, rng)
    return f"{index:04d}.jpg", [quad.tolist() for quad in quads]
