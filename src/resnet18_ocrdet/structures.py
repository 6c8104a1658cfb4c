"""Records of data that all parts of the package exchange: small and frozen, with their shapes.

Legend: N images in a batch, H W pixels, K regions of one image, V vertices of one polygon.
Coordinates are (x, y) in pixels; (0, 0) is the centre of the top-left pixel, as in OpenCV.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # numpy-only users of these records do not import torch
    import torch
    from torch import Tensor

Polygon: TypeAlias = NDArray[np.float32]
"""(V, 2) float32, V >= 3: vertices of one region in pixels, in order around the outline."""

Image: TypeAlias = NDArray[np.uint8]
"""(H, W, 3) uint8, RGB, 0..255."""

Resize: TypeAlias = Literal["keep", "short_side", "stretch", "fit"]
"""How an image is resized for the network, see `data.letterbox`."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One image with its labels, before it becomes tensors."""

    name: str  # file name without folder, or "synthetic_000012"
    image: Image
    polygons: tuple[Polygon, ...]  # K of them
    ignore: NDArray[np.bool_]  # (K,): don't-care regions, neither trained on nor scored

    @property
    def height(self) -> int:
        """Pixels of the image."""
        return int(self.image.shape[0])

    @property
    def width(self) -> int:
        """Pixels of the image."""
        return int(self.image.shape[1])

    def pixels(self, reduce: int = 1) -> Image:
        """The whole image, whatever `reduce`: a sample is a `Picture` that was read."""
        return self.image


class LazyPicture(NamedTuple):
    """A labelled image whose pixels are read on demand."""

    name: str  # as `Sample.name`
    height: int  # px, of the upright image
    width: int
    polygons: tuple[Polygon, ...]  # K, in pixels of the whole image
    ignore: NDArray[np.bool_]  # (K,)
    read: Callable[[int], Image]  # what `pixels` calls

    def pixels(self, reduce: int = 1) -> Image:
        """Read or render the image, read-only.

        reduce: n = 1, 2, 4 or 8. If that is cheaper, the sides are divided by n, rounded up: each pixel covers n×n, the
        first one those from (0, 0). Otherwise the whole image is returned."""
        return self.read(reduce)


Picture: TypeAlias = Sample | LazyPicture
"""A labelled image, read or not yet."""


class Source(Protocol):
    """A set of labelled images: a folder, a list file, the renderer."""

    def __len__(self) -> int:
        """Number of images."""

    def open(self, index: int) -> Picture:
        """Labels and size of image `index`, 0 <= index < len(self); pixels are read on demand."""

    def load(self, index: int) -> Sample:
        """Read or render image `index`; the same index gives the same sample."""

    def fingerprint(self) -> Iterable[bytes]:
        """Chunks of bytes that identify images and labels, not their folder, without decoding an image.

        The same in every process and on every machine; different if an image or a label differs."""


class Targets(NamedTuple):
    """Targets of the network. Bytes, because four float planes cost more to copy than to convert."""

    prob_map: Tensor  # (N, H, W) uint8, 0 or 1: inside a shrunk region
    prob_mask: Tensor  # (N, H, W) uint8, 0 or 1: 0 where the probability map has no loss
    thresh_map: Tensor  # (N, H, W) uint8, threshold * 255: high on the border of a region
    thresh_mask: Tensor  # (N, H, W) uint8, 0 or 1: 1 inside the grown region, where thresh_map has a loss

    def to(self, device: torch.device) -> Targets:
        """Copy every plane; asynchronous if the memory is pinned."""
        return Targets(*(plane.to(device, non_blocking=True) for plane in self))


class ResizeTransform(NamedTuple):
    """How an image was scaled into the top-left corner of a padded canvas.

    Pixel centres have whole coordinates in both, so x on the canvas is (x + 0.5) * scale_x - 0.5."""

    height: int  # original size, pixels
    width: int
    scale_y: float  # canvas pixels per original pixel
    scale_x: float

    def to_canvas(self, polygon: Polygon) -> Polygon:
        """(V, 2) original pixels -> canvas pixels."""
        scale = np.array([self.scale_x, self.scale_y], np.float32)
        return (polygon + np.float32(0.5)) * scale - np.float32(0.5)

    def to_original(self, polygon: Polygon) -> Polygon:
        """(..., 2) canvas pixels -> original pixels, also beyond the image."""
        scale = np.array([self.scale_x, self.scale_y], np.float32)
        return (polygon + np.float32(0.5)) / scale - np.float32(0.5)

    def clip(self, polygon: Polygon) -> Polygon:
        """Move vertices (..., 2) that are beyond the original image to its border."""
        return polygon.clip(0, np.array([self.width - 1, self.height - 1], np.float32))


class Batch(NamedTuple):
    """N images of one size with their targets, and what scoring them needs."""

    image: Tensor  # (N, 3, H, W) uint8, RGB; normalized by the network, on its device
    targets: Targets
    names: tuple[str, ...]  # N
    transforms: tuple[ResizeTransform, ...]  # N: from the original image to `image`
    polygons: tuple[tuple[Polygon, ...], ...]  # N of K, px before `transforms`: of the original image, or of the crop
    ignore: tuple[NDArray[np.bool_], ...]  # N of (K,)
    indices: tuple[int, ...]  # N: in their source

    def pinned(self) -> Batch:
        """A copy in pinned memory, for asynchronous copies to a GPU."""
        targets = Targets(*(plane.pin_memory() for plane in self.targets))
        return self._replace(image=self.image.pin_memory(), targets=targets)


class Maps(NamedTuple):
    """Output of the network before the sigmoid: logits keep their precision in bf16."""

    prob_logits: Tensor  # (N, 1, H, W)
    thresh_logits: Tensor | None  # (N, 1, H, W); None at inference, which does not use it

    @property
    def prob_map(self) -> Tensor:
        """(N, 1, H, W) float32, 0..1."""
        return self.prob_logits.float().sigmoid()


class LossParts(NamedTuple):
    """The loss and its unweighted terms, scalars in float32."""

    total: Tensor  # weighted sum, differentiable
    prob: Tensor  # cross-entropy of the probability map
    thresh: Tensor  # L1 of the threshold map
    binary: Tensor  # Dice of the approximate binary map


class _Region(NamedTuple):
    polygon: Polygon  # original image pixels
    score: float  # mean probability inside, 0..1; NaN if unknown


class Recognition(NamedTuple):
    """What a recogniser read in a region: a text, or the reason why there is none."""

    text: str | None = None  # not empty
    confidence: float | None = None  # 0..1, as the recogniser says; None without a text
    reason: str = ""  # of None


class Detection(_Region):
    """One detected region. It unpacks as `polygon, score`, and has a `quad`, a `text` and a `confidence` as well."""

    _quad: Polygon | None = None
    recognition: Recognition | None = None  # None: it was not read

    def __new__(
        cls, polygon: Polygon, score: float, quad: Polygon | None = None, recognition: Recognition | None = None
    ) -> Detection:
        """quad: see the property; may be left out if the polygon is it."""
        region = super().__new__(cls, polygon, score)
        region._quad, region.recognition = quad, recognition
        return region

    @property
    def quad(self) -> Polygon:
        """(4, 2) float32, original image pixels: the corners of the text, clockwise from its top-left.

        Raises ValueError if none was given and the polygon has not four vertices."""
        if self._quad is not None:
            return self._quad
        if len(self.polygon) != 4:
            raise ValueError(f"a region of {len(self.polygon)} vertices without its quad")
        return self.polygon

    @property
    def text(self) -> str | None:
        """What was read; None if nothing was, see `recognition.reason`, or if regions are not read."""
        return self.recognition and self.recognition.text

    @property
    def confidence(self) -> float | None:
        """Of the text, 0..1; None without a text."""
        return self.recognition and self.recognition.confidence

    def with_recognition(self, recognition: Recognition) -> Detection:
        """A copy with it."""
        return Detection(self.polygon, self.score, self._quad, recognition)


class TextLine(NamedTuple):
    """Regions of an image that follow each other on one line."""

    regions: tuple[int, ...]  # their indices, as they are read
    quad: Polygon  # (4, 2), the smallest rectangle around them, clockwise from the top-left of the text
