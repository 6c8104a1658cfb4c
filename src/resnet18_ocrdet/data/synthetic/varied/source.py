"""Varied scenes as a `Source`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ....structures import Image, LazyPicture
from ...file_names import file_chunks
from ..corpus import read_corpus
from ..documents.compose import draw_document
from ..documents.typefaces import find_typefaces
from ..files import PHOTO_SUFFIXES, find_files
from ..fonts import find_fonts
from ..numbered import NumberedScenes
from ..region import Region
from .compose import draw_scene


class VariedScenes(NumberedScenes):
    """Varied scenes, some of them documents; see `NumberedScenes`.

    They depend on the share of documents and on the three folders too."""

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
        super().__init__(count, height, width, seed, first)
        self._documents = documents
        self._fonts, self._corpus = find_fonts(fonts), read_corpus(texts)
        self._typefaces = find_typefaces(fonts) if documents else None
        self._photos = find_files(backgrounds, PHOTO_SUFFIXES, "backgrounds")

    def draw(self, index: int) -> tuple[Image, list[Region]]:
        """Render scene `index`, 0 <= index < len(self): (height, width, 3) RGB, and its regions."""
        rng = self._generator(index)
        if rng.random() < self._documents and self._typefaces is not None:
            return draw_document(rng, self._height, self._width, self._typefaces, self._corpus, self._photos)
        return draw_scene(rng, self._height, self._width, self._fonts, self._corpus, self._photos)

    def open(self, index: int) -> LazyPicture:
        """Scene `index`, rendered at once, because only then is it known which text is legible; never reduced."""
        image, regions = self.draw(index)
        ignore = np.array([region.ignore for region in regions], np.bool_)
        polygons = tuple(region.polygon for region in regions)
        return LazyPicture(self._name(index), self._height, self._width, polygons, ignore, lambda reduce: image)

    def fingerprint(self) -> Iterator[bytes]:
        """Yield what the scenes depend on: seed, numbers, size and share; names and sizes in bytes of all files.

        Not the code: in another version, the same chunks may mean other scenes."""
        numbers = f"{self._count} from {self._first}, {self._height}x{self._width}, seed {self._seed}"
        yield f"varied scenes {numbers}, documents {self._documents}".encode()
        for files in (self._fonts.files, self._photos, self._corpus.files):
            yield f"{len(files)} files".encode()
            yield from file_chunks(files)
