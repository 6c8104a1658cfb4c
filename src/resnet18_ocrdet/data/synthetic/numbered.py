"""Scenes that are numbered: what the plain and the varied ones share as a `Source`."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from ...errors import UserError
from ...structures import LazyPicture, Sample

MIN_SIDE = 64  # px


class NumberedScenes(ABC):
    """`count` scenes of height × width px, numbered from `first`; a scene depends on seed, number and size.

    The order of loading and the process do not matter. Two sources with the same seed and disjoint numbers have no
    common scenes, as for training and validation."""

    def __init__(self, count: int, height: int, width: int, seed: int, first: int) -> None:
        """Raises UserError for a side below 64 px."""
        if min(height, width) < MIN_SIDE:
            size = f"got data.height={height}, data.width={width}"
            raise UserError(f"a scene needs at least {MIN_SIDE} × {MIN_SIDE} px, {size}")
        self._count, self._height, self._width = count, height, width
        self._seed, self._first = seed, first

    def __len__(self) -> int:
        """Count the scenes."""
        return self._count

    def _generator(self, index: int) -> np.random.Generator:
        """The random numbers of scene `index`, 0 <= index < len(self). Raises IndexError."""
        if not 0 <= index < self._count:
            raise IndexError(f"scene {index} of {self._count}")
        return np.random.default_rng([self._seed, self._first + index, self._height, self._width])

    def _name(self, index: int) -> str:
        return f"synthetic_{self._first + index:07d}"

    @abstractmethod
    def open(self, index: int) -> LazyPicture:
        """Scene `index`, 0 <= index < len(self), with its labels."""

    def load(self, index: int) -> Sample:
        """Render scene `index`, 0 <= index < len(self)."""
        picture = self.open(index)
        return Sample(picture.name, picture.pixels(), picture.polygons, picture.ignore)
