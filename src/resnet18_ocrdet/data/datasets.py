"""Data sets: random crops for training, whole images for evaluation.

Legend: H W pixels, K regions.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from ..structures import Image, Picture, Resize, ResizeTransform, Sample, Source
from .letterbox import NO_LIMIT, letterbox
from .region_clipping import regions_in_image
from .targets import TargetMaker, TargetPlanes


class DatasetItem(NamedTuple):
    """One image as input of the network, with its targets and what is needed to score it."""

    image: Image
    planes: TargetPlanes
    transform: ResizeTransform
    original: Sample  # polygons to score against; without its image, which is not sent between processes
    number: int  # index of the image in its source


class Transform(Protocol):
    """Random view of an image at a fixed size."""

    def __call__(self, picture: Picture, height: int, width: int, rng: np.random.Generator) -> Sample:
        """Return a sample of exactly height×width."""


class TrainDataset:
    """Augmented crops of one size. The key is (epoch, index): results do not depend on the number of workers."""

    def __init__(
        self,
        source: Source,
        augment: Transform,
        make_targets: TargetMaker,
        height: int,
        width: int,
        seed: int,
        first: int = 0,
    ) -> None:
        """first: index of the first image, where several sets are mixed (mixing.py)."""
        self.source, self.augment, self.make_targets = source, augment, make_targets
        self.height, self.width, self.seed, self.first = height, width, seed, first

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, key: tuple[int, int]) -> DatasetItem:
        epoch, index = key
        rng = np.random.default_rng([self.seed, epoch, index])
        sample = self.augment(self.source.open(index - self.first), self.height, self.width, rng)
        planes = self.make_targets(sample.polygons, sample.ignore, self.height, self.width)
        return DatasetItem(
            sample.image, planes, ResizeTransform(self.height, self.width, 1.0, 1.0), _without_image(sample), index
        )


class EvalDataset:
    """Whole images, letterboxed, as in detection."""

    def __init__(
        self,
        source: Source,
        make_targets: TargetMaker,
        height: int,
        width: int,
        resize: Resize,
        max_scale: float = NO_LIMIT,
    ) -> None:
        """height, width, resize, max_scale: as of `letterbox`."""
        self.source, self.make_targets = source, make_targets
        self.shape = height, width, resize, max_scale

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> DatasetItem:
        sample = self.source.load(index)
        canvas, transform = letterbox(sample.image, *self.shape)
        inside, ignore = regions_in_image(sample.polygons, sample.ignore, (sample.height, sample.width))
        polygons = [transform.to_canvas(polygon) for polygon in inside]
        planes = self.make_targets(polygons, ignore, *canvas.shape[:2])
        return DatasetItem(canvas, planes, transform, _without_image(sample), index)


def _without_image(sample: Sample) -> Sample:
    return Sample(sample.name, np.empty((0, 0, 3), np.uint8), sample.polygons, sample.ignore)
