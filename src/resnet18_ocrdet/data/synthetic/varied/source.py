"""Varied scenes as a `Source`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ....errors import UserError
from ....structures import Image, LazyPicture, Sample
from ...file_names import file_chunks
from ..corpus import read_corpus
from ..documents.compose import draw_document
from ..documents.typefaces import find_typefaces
from ..files import PHOTO_SUFFIXES, find_files
from ..fonts import find_fonts
from ..region import Region
from .compose import draw_scene


class VariedScenes:
    """`count` scenes of height × width px, numbered from `first`, some of them documents.

    A scene depends only on (seed, number, height, width), the share of documents and the three folders, not on the
    order of loading or the process."""

    def __init__(
        self,
        count: int,
        height: int,
        width: int,
        seed: int,
        first: int = 0,
        fonts: Path | None = None,
        backgrounds: Path | None = None,
        texts: Path | None = None,
        documents: float = 0.0,
    ) -> None:
        """fonts, backgrounds, texts: folders of font files, photos and .txt files; None: built-in ones.
        documents: share of scenes, 0..1."""
        if min(height, width) < 64:
            raise UserError(f"a scene needs at least 64 × 64 px, got height {height}, width {width}")
        self._count, self._height, self._width = count, height, width
        self._seed, self._first, self._documents = seed, first, documents
        self._fonts, self._corpus = find_fonts(fonts), read_corpus(texts)
        self._typefaces = find_typefaces(fonts) if documents else None
        self._photos = find_files(backgrounds, PHOTO_SUFFIXES, "backgrounds")

    def __len__(self) -> int:
        """Count the scenes."""
        return self._count

    def draw(self, index: int) -> tuple[Image, list[Region]]:
        """Render scene `index`, 0 <= index < len(self): (height, width, 3) RGB, and its regions."""
        if not 0 <= index < self._count:
            raise IndexError(f"scene {index} of {self._count}")
        rng = np.random.default_rng([self._seed, self._first + index, self._height, self._width])
        if rng.random() < self._documents and self._typefaces is not None:
            return draw_document(rng, self._height, self._width, self._typefaces, self._corpus, self._photos)
        return draw_scene(rng, self._height, self._width, self._fonts, self._corpus, self._photos)

    def open(self, index: int) -> LazyPicture:
        """Scene `index`, rendered at once, because only then is it known which text is legible; never reduced."""
        image, regions = self.draw(index)
        ignore = np.array([region.ignore for region in regions], np.bool_)
        polygons = tuple(region.polygon for region in regions)
        name = f"synthetic_{self._first + index:07d}"
        return LazyPicture(name, self._height, self._width, polygons, ignore, lambda reduce: image)

    def load(self, index: int) -> Sample:
        """Render scene `index`, 0 <= index < len(self)."""
        picture = self.open(index)
        return Sample(picture.name, picture.pixels(), picture.polygons, picture.ignore)

    def fingerprint(self) -> Iterator[bytes]:
        """Yield what the scenes depend on: seed, numbers, size and share; names and sizes in bytes of all files.

        Not the code: in another version, the same chunks may mean other scenes."""
        numbers = f"{self._count} from {self._first}, {self._height}x{self._width}, seed {self._seed}"
        yield f"varied scenes {numbers}, documents {self._documents}".encode()
        for files in (self._fonts.files, self._photos, self._corpus.files):
            yield f"{len(files)} files".encode()
            yield from file_chunks(files)
