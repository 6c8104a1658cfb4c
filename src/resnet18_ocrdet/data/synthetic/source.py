"""Synthetic scenes as a `Source`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...structures import LazyPicture
from ..file_names import file_chunks
from .compose import Scene, draw_scene
from .files import PHOTO_SUFFIXES, find_files
from .glyphs import FONT_SUFFIXES, LATIN_FACES, check_font
from .numbered import NumberedScenes
from .render import label_scene, render_scene


class SyntheticScenes(NumberedScenes):
    """Scenes in built-in faces, on drawn backgrounds; see `NumberedScenes`. They depend on the two folders too."""

    def __init__(
        self,
        count: int,
        height: int,
        width: int,
        seed: int,
        first: int = 0,
        fonts: Path | None = None,
        backgrounds: Path | None = None,
    ) -> None:
        """fonts: folder of font files, in addition to the built-in faces. backgrounds: folder of photos."""
        super().__init__(count, height, width, seed, first)
        self._fonts = find_files(fonts, FONT_SUFFIXES, "fonts")
        for path in self._fonts:
            check_font(path)
        self._photos = find_files(backgrounds, PHOTO_SUFFIXES, "backgrounds")

    def scene(self, index: int) -> Scene:
        """Content of scene `index`, not rendered."""
        return draw_scene(self._generator(index), self._height, self._width, LATIN_FACES + tuple(map(str, self._fonts)))

    def open(self, index: int) -> LazyPicture:
        """Labels of scene `index`, 0 <= index < len(self); rendered when its pixels are requested, never reduced."""
        scene = self.scene(index)
        regions = label_scene(scene)
        ignore = np.array([region.ignore for region in regions], np.bool_)
        polygons = tuple(region.polygon for region in regions)
        photo = self._photos[scene.background.seed % len(self._photos)] if self._photos else None
        name, size = self._name(index), (scene.height, scene.width)
        return LazyPicture(name, *size, polygons, ignore, lambda reduce: render_scene(scene, photo))

    def fingerprint(self) -> Iterator[bytes]:
        """Yield what the scenes depend on: seed, numbers and size; names and sizes in bytes of font files and photos.

        Not the code: in another version, the same chunks may mean other scenes."""
        yield f"scenes {self._count} from {self._first}, {self._height}x{self._width}, seed {self._seed}".encode()
        yield f"{len(self._fonts)} fonts, {len(self._photos)} backgrounds".encode()
        yield from file_chunks((*self._fonts, *self._photos))
