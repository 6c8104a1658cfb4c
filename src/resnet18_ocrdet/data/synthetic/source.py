"""The renderer as a source of samples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from resnet18_ocrdet.data.fingerprint import file_chunks
from resnet18_ocrdet.data.synthetic.background import find_photos
from resnet18_ocrdet.data.synthetic.compose import plan_scene
from resnet18_ocrdet.data.synthetic.render import label_scene, render_scene
from resnet18_ocrdet.data.synthetic.scene import Scene
from resnet18_ocrdet.data.synthetic.typeface import LATIN_FACES, load_typefaces
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.structures import Image, LazyPicture, Sample


class SyntheticScenes:
    """`count` scenes of height × width px, numbered from `first`.

    A scene depends on (seed, number, height, width) and on the two folders, on nothing else: neither on the order in
    which scenes are loaded nor on the process that loads them. Two sources with the same seed and ranges of numbers
    that do not meet share no scene; that is how a held-out set is made."""

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
        """fonts: folder of font files, used besides the built-in faces. backgrounds: folder of photos to draw on."""
        if min(height, width) < 64:
            raise UserError(f"a scene needs at least 64 × 64 px, got height {height}, width {width}")
        self._count, self._height, self._width = count, height, width
        self._seed, self._first = seed, first
        self._faces = LATIN_FACES + (load_typefaces(Path(fonts)) if fonts is not None else ())
        self._photos = find_photos(Path(backgrounds)) if backgrounds is not None else ()

    def __len__(self) -> int:
        """Count the scenes."""
        return self._count

    def plan(self, index: int) -> Scene:
        """What scene `index` will hold, without drawing it."""
        return plan_scene(self._rng(index), self._height, self._width, self._faces)

    def open(self, index: int) -> LazyPicture:
        """Plan scene `index`, 0 <= index < len(self); it is drawn when its pixels are asked for, never reduced."""
        scene = self.plan(index)
        regions = label_scene(scene)
        ignore = np.array([region.ignore for region in regions], np.bool_)
        polygons = tuple(region.polygon for region in regions)
        name = f"synthetic_{self._first + index:07d}"
        return LazyPicture(name, scene.height, scene.width, polygons, ignore, lambda reduce: self._render(scene))

    def load(self, index: int) -> Sample:
        """Draw scene `index`, 0 <= index < len(self)."""
        picture = self.open(index)
        return Sample(picture.name, picture.pixels(), picture.polygons, picture.ignore)

    def _render(self, scene: Scene) -> Image:
        photo = self._photos[scene.background.seed % len(self._photos)] if self._photos else None
        return render_scene(scene, photo)

    def fingerprint(self) -> Iterator[bytes]:
        """Give what the scenes depend on: seed, numbers and size; names and sizes in bytes of font files and photos.

        The code that draws them is not in it: of another version, the same chunks may mean other scenes."""
        fonts = self._faces[len(LATIN_FACES) :]
        yield f"scenes {self._count} from {self._first}, {self._height}x{self._width}, seed {self._seed}".encode()
        yield f"{len(fonts)} fonts, {len(self._photos)} backgrounds".encode()
        yield from file_chunks(Path(face.source) for face in fonts)
        yield from file_chunks(self._photos)

    def _rng(self, index: int) -> np.random.Generator:
        if not 0 <= index < self._count:
            raise IndexError(f"scene {index} of {self._count}")
        return np.random.default_rng([self._seed, self._first + index, self._height, self._width])
