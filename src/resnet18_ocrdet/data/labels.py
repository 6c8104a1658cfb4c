"""Labelled images in files as a `Source`.

Legend: N images, R regions of all images together, P vertices of all regions together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..structures import Image, LazyPicture, Sample
from .cache import CacheKind, PixelCache, make_cache
from .file_names import file_chunks
from .ignore_causes import IgnoreCauses
from .image_header import read_header
from .image_io import read_image
from .record import LabelRecord

UNKNOWN_SIZE = (0, 0)


class LabelledImages:
    """Images in files with their labels in memory: a `Source`.

    All labels are in a few flat arrays: worker processes share them with their parent, while the reference counts of
    Python objects would make them copy the memory."""

    def __init__(
        self, records: Sequence[LabelRecord], cache: CacheKind = "none", causes: IgnoreCauses | None = None
    ) -> None:
        """Pack the records, in their order.

        cache: where to keep decoded pixels, see `data.cache`; unless "none", sizes missing in the records are read from
        the images. causes: why regions of the data set are don't-care. Raises UserError if there is not enough
        space."""
        self.causes = causes or IgnoreCauses()
        polygons = [polygon for record in records for polygon in record.polygons]
        self._image_paths = _PackedTexts([str(record.image_path) for record in records])
        self._label_paths = _PackedTexts([str(record.label_path or "") for record in records])
        self._texts = _PackedTexts([text for record in records for text in record.texts])
        self._first_region = _starts([len(record.polygons) for record in records])  # (N + 1,)
        self._first_vertex = _starts([len(polygon) for polygon in polygons])  # (R + 1,)
        self._vertices = np.concatenate([np.zeros((0, 2), np.float32), *polygons], dtype=np.float32)  # (P, 2)
        self._ignore = np.concatenate([np.zeros(0, bool), *(record.ignore for record in records)])  # (R,)
        self._vertices.flags.writeable = self._ignore.flags.writeable = False
        self._sizes = np.array([record.size or UNKNOWN_SIZE for record in records], np.int32).reshape(-1, 2)  # (N, 2)
        self._kind: CacheKind = cache if len(records) else "none"
        self._cache = self._make_cache()

    def __len__(self) -> int:
        """Count the images."""
        return len(self._first_region) - 1

    def open(self, index: int) -> LazyPicture:
        """Return the labels of image `index` and its size, read from the image header if the record has none."""
        record = self.record(index)
        path = record.image_path
        height, width = record.size or read_header(path)[:2]

        def pixels(reduce: int) -> Image:
            image = self._pixels(index, path, reduce)
            if image.shape[:2] not in ((height, width), (-(-height // reduce), -(-width // reduce))):
                raise UserError(
                    f"{path}: {image.shape[1]}x{image.shape[0]} px are in the file, {width}x{height} were "
                    "expected: the file was changed during the run, or its header is wrong"
                )
            return image

        return LazyPicture(path.name, height, width, record.polygons, record.ignore, pixels)

    def load(self, index: int) -> Sample:
        """Read image `index`. Raises UserError, with the file's name, if it cannot be read."""
        record = self.record(index)
        image = self._pixels(index, record.image_path, 1)
        return Sample(record.image_path.name, image, record.polygons, record.ignore)

    def _pixels(self, index: int, path: Path, reduce: int) -> Image:
        """Pixels of image `index`: full size from the cache, or from the file, reduced if that is cheaper."""
        if self._cache is None:
            return read_image(path, reduce)
        return self._cache.get(index, lambda: read_image(path))

    def _make_cache(self) -> PixelCache | None:
        if self._kind == "none":
            return None
        paths = [Path(self._image_paths[index]) for index in range(len(self))]
        for index in np.flatnonzero((self._sizes == UNKNOWN_SIZE).all(axis=1)).tolist():
            self._sizes[index] = read_header(paths[index])[:2]
        return make_cache(self._kind, paths, self._sizes)

    def __getstate__(self) -> dict[str, Any]:
        """For processes that are not forked: they cannot share memory, only the cache file."""
        return {**self.__dict__, "_cache": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._cache = self._make_cache() if self._kind == "disk" else None

    def record(self, index: int) -> LabelRecord:
        """Return the labels of image `index`; arrays are read-only. Raises IndexError."""
        if not 0 <= index < len(self):
            raise IndexError(f"image {index} of {len(self)}")
        first, last = self._first_region[index : index + 2].tolist()
        ends = self._first_vertex[first : last + 1].tolist()
        label_path = self._label_paths[index]
        height, width = self._sizes[index].tolist()
        return LabelRecord(
            image_path=Path(self._image_paths[index]),
            label_path=Path(label_path) if label_path else None,
            polygons=tuple(self._vertices[start:stop] for start, stop in pairwise(ends)),
            ignore=self._ignore[first:last],
            texts=tuple(self._texts[region] for region in range(first, last)),
            size=(height, width) if (height, width) != UNKNOWN_SIZE else None,
        )

    def fingerprint(self) -> Iterator[bytes]:
        """Yield, in the order of the images: each image's file name and size in bytes, and all labels.

        Labels: region counts, vertex counts, vertices, don't-care flags and texts. Not included: folders, pixels, and
        the names of the label files."""
        yield b"labelled images"
        yield from file_chunks(Path(self._image_paths[index]) for index in range(len(self)))
        yield self._first_region.astype("<i8").tobytes()
        yield self._first_vertex.astype("<i8").tobytes()
        yield self._vertices.astype("<f4").tobytes()
        yield self._ignore.tobytes()
        yield self._texts.first.astype("<i8").tobytes()
        yield self._texts.data

    @property
    def records(self) -> list[LabelRecord]:
        """The labels of all images, unpacked at each call."""
        return [self.record(index) for index in range(len(self))]


class _PackedTexts:
    """Strings in one block of bytes; file names may be invalid UTF-8."""

    def __init__(self, texts: Sequence[str]) -> None:
        encoded = [text.encode("utf-8", "surrogateescape") for text in texts]
        self.data = b"".join(encoded)
        self.first = _starts([len(text) for text in encoded])

    def __getitem__(self, index: int) -> str:
        return self.data[self.first[index] : self.first[index + 1]].decode("utf-8", "surrogateescape")


def _starts(lengths: Sequence[int]) -> NDArray[np.int64]:
    """Start of each packed item, and the end of the last one: (len + 1,)."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)
