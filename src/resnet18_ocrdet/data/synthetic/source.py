"""Synthetic scenes as a `Source`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...errors import UserError
from ...structures import LazyPicture, Sample
from ..file_names import file_chunks
from .compose import Scene, draw_scene
from .files import PHOTO_SUFFIXES, find_files
from .glyphs import FONT_SUFFIXES, LATIN_FACES, check_font
from .render import label_scene, render_scene


class SyntheticScenes:
    """`count` scenes of height × width px, numbered from `first`.

    A scene depends only on (seed, number, height, width) and the two folders, not on the order of loading or the
    process. Two sources with the same seed and disjoint numbers have no common scenes, as for training and
    validation."""

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
        if min(height, width) < 64:
            raise UserError(f"a scene needs at least 64 × 64 px, got height {height}, width {width}")
        self._count, self._height, self._width = count, height, width
        self._seed, self._first = seed, first
        self._fonts = find_files(fonts, FONT_SUFFIXES, "fonts")
        for path in self._fonts:
            check_font(path)
        self._photos = find_files(backgrounds, PHOTO_SUFFIXES, "backgrounds")

    def __len__(self) -> int:
        """Count the scenes."""
        return self._count

    def scene(self, index: int) -> Scene:
        """Content of scene `index`, not rendered."""
        if not 0 <= index < self._count:
            raise IndexError(f"scene {index} of {self._count}")
        rng = np.random.default_rng([self._seed, self._first + index, self._height, self._width])
        return draw_scene(rng, self._height, self._width, LATIN_FACES + tuple(map(str, self._fonts)))

    def open(self, index: int) -> LazyPicture:
        """Labels of scene `index`, 0 <= index < len(self); rendered when its pixels are requested, never reduced."""
        scene = self.scene(index)
        regions = label_scene(scene)
        ignore = np.array([region.ignore for region in regions], np.bool_)
        polygons = tuple(region.polygon for region in regions)
        name = f"synthetic_{self._first + index:07d}"
        photo = self._photos[scene.background.seed % len(self._photos)] if self._photos else None
        return LazyPicture(name, scene.height, scene.width, polygons, ignore, lambda reduce: render_scene(scene, photo))

    def load(self, index: int) -> Sample:
        """Render scene `index`, 0 <= index < len(self)."""
        picture = self.open(index)
        return Sample(picture.name, picture.pixels(), picture.polygons, picture.ignore)

    def fingerprint(self) -> Iterator[bytes]:
        """Yield what the scenes depend on: seed, numbers and size; names and sizes in bytes of font files and photos.

        Not the code: in another version, the same chunks may mean other scenes."""
        yield f"scenes {self._count} from {self._first}, {self._height}x{self._width}, seed {self._seed}".encode()
        yield f"{len(self._fonts)} fonts, {len(self._photos)} backgrounds".encode()
        yield from file_chunks((*self._fonts, *self._photos))
