"""Random views of a labelled image: the geometry is drawn first, then applied as one warp.

Legend: H W pixels, K regions, V vertices.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry import area, clip_to_image, transform
from ..structures import Image, Polygon, Sample
from .letterbox import Resize, letterbox, scale_to

AIM_AT_TEXT = 0.8  # share of crops that are placed round a region; the rest may show none
MIN_VISIBLE = 0.3  # a region of which less is left in the crop is don't-care: a stroke is no word


@dataclass(frozen=True)
class Augment:
    """Flip, rotation, scale, perspective, crop and colour, as plain numbers; zeros leave the image alone.

    flip: probability of a mirror image. rotate: largest angle in degrees, either way.
    scale_min, scale_max: zoom, log-uniform; 1 is the scale at which the image would be evaluated.
    perspective: largest shift of a corner as a fraction of the side. color: largest relative change of
    brightness, contrast and each channel. blur: probability of a slight Gaussian blur.
    crop: False shows the whole image, letterboxed, instead of a window of it.
    resize: how images will be scaled when they are evaluated (letterbox.py)."""

    flip: float = 0.5
    rotate: float = 10.0
    scale_min: float = 0.5
    scale_max: float = 3.0
    perspective: float = 0.0
    color: float = 0.25
    blur: float = 0.0
    crop: bool = True
    resize: Resize = "keep"

    def __call__(self, sample: Sample, height: int, width: int, rng: np.random.Generator) -> Sample:
        """Returns a sample of exactly height×width; regions outside it are gone, cut ones are clipped."""
        if self.crop:
            matrix = self._draw_matrix(sample, height, width, rng)
            image = _warp(sample.image, matrix, height, width)
        else:
            image, matrix = _fit(sample.image, height, width, self.resize)
        if self.color:
            image = change_color(image, self.color, rng)
        if self.blur and rng.random() < self.blur:
            image = np.asarray(cv2.GaussianBlur(image, (3, 3), 0), np.uint8)
        polygons, ignore = _move_regions(sample, matrix, height, width)
        return Sample(sample.name, image, polygons, ignore)

    def _draw_matrix(self, sample: Sample, height: int, width: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """3×3, original pixels -> crop pixels."""
        h, w = sample.image.shape[:2]
        zoom = float(np.exp(rng.uniform(np.log(self.scale_min), np.log(self.scale_max))))
        fit_y, fit_x = scale_to(h, w, height, width, self.resize)
        angle = np.deg2rad(rng.uniform(-self.rotate, self.rotate))
        mirror = -1.0 if rng.random() < self.flip else 1.0
        cos, sin = zoom * np.cos(angle), zoom * np.sin(angle)
        about = np.array([[cos * mirror, -sin, 0], [sin * mirror, cos, 0], [0, 0, 1.0]])
        centre = np.array([[fit_x, 0, -fit_x * (w - 1) / 2], [0, fit_y, -fit_y * (h - 1) / 2], [0, 0, 1.0]])
        matrix = about @ centre
        if self.perspective:
            matrix = _tilt(w * fit_x * zoom, h * fit_y * zoom, self.perspective, rng) @ matrix
        shift = np.eye(3)
        shift[:2, 2] = self._draw_shift(sample, matrix, height, width, rng)
        return np.asarray(shift @ matrix)

    def _draw_shift(
        self, sample: Sample, matrix: NDArray[np.float64], height: int, width: int, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Where the window lies: round one region most of the time, else anywhere on the image."""
        h, w = sample.image.shape[:2]
        care = np.flatnonzero(~sample.ignore)
        size = np.array([width, height], np.float64)
        if len(care) and rng.random() < AIM_AT_TEXT:
            region = transform(sample.polygons[int(rng.choice(care))], matrix)
            low, high = region.min(axis=0), region.max(axis=0)
            room = np.maximum(size - 1 - (high - low), 0.0)
            return np.asarray(rng.uniform(0.0, 1.0, 2) * room - low)
        frame = transform(np.array([[0, 0], [w - 1, 0], [w - 1, h - 1], [0, h - 1]], np.float32), matrix)
        low, high = frame.min(axis=0), frame.max(axis=0)
        slack = high - low - (size - 1)
        return np.asarray(-(low + rng.uniform(0.0, 1.0, 2) * slack))


def change_color(image: Image, strength: float, rng: np.random.Generator) -> Image:
    """Scale contrast, brightness and each channel by up to `strength`, as one look-up table per channel."""
    contrast, *gains = 1.0 + rng.uniform(-strength, strength, 4)
    brightness = 255.0 * rng.uniform(-strength, strength) / 2
    levels = np.arange(256, dtype=np.float64)
    table = ((levels - 128) * contrast + 128 + brightness)[:, None] * np.array(gains)
    return np.asarray(cv2.LUT(image, np.clip(np.rint(table), 0, 255).astype(np.uint8)[:, None, :]), np.uint8)


def _warp(image: Image, matrix: NDArray[np.float64], height: int, width: int) -> Image:
    """One perspective warp. Below half size the image is first reduced by area, or thin strokes alias away."""
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    if scale < 0.5:
        h, w = image.shape[:2]
        small = (max(1, round(w * 2 * scale)), max(1, round(h * 2 * scale)))
        back = np.diag([w / small[0], h / small[1], 1.0])
        back[:2, 2] = (np.diag(back)[:2] - 1) / 2  # pixel centres
        image, matrix = np.asarray(cv2.resize(image, small, interpolation=cv2.INTER_AREA)), matrix @ back
    return np.asarray(cv2.warpPerspective(image, matrix, (width, height), flags=cv2.INTER_LINEAR), np.uint8)


def _fit(image: Image, height: int, width: int, resize: Resize) -> tuple[Image, NDArray[np.float64]]:
    """The whole image inside height×width, padded unless stretched; and the matrix that does it.

    Of an image that is not as square as the canvas this is less than the scale of an evaluation: all of it must fit."""
    h, w = image.shape[:2]
    scale = min(height / h, width / w)
    fit_h, fit_w = (height, width) if resize == "stretch" else (max(1, round(h * scale)), max(1, round(w * scale)))
    fitted, placement = letterbox(image, fit_h, fit_w, "stretch", stride=1)
    canvas = np.zeros((height, width, 3), np.uint8)
    canvas[: fitted.shape[0], : fitted.shape[1]] = fitted
    scale_x, scale_y = placement.scale_x, placement.scale_y
    matrix = np.array([[scale_x, 0, (scale_x - 1) / 2], [0, scale_y, (scale_y - 1) / 2], [0, 0, 1.0]])
    return canvas, matrix


def _tilt(w: float, h: float, strength: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """A perspective that moves the corners of a centred w×h frame by up to `strength` of its sides."""
    corners = np.array([[-w, -h], [w, -h], [w, h], [-w, h]], np.float32) / 2
    moved = corners + (rng.uniform(-strength, strength, (4, 2)) * (w, h)).astype(np.float32)
    return np.asarray(cv2.getPerspectiveTransform(corners, moved), np.float64)


def _move_regions(
    sample: Sample, matrix: NDArray[np.float64], height: int, width: int
) -> tuple[tuple[Polygon, ...], NDArray[np.bool_]]:
    polygons: list[Polygon] = []
    ignore: list[bool] = []
    for polygon, dont_care in zip(sample.polygons, sample.ignore, strict=True):
        moved = transform(polygon, matrix)
        pieces = clip_to_image(moved, height, width)
        if not pieces:
            continue
        visible = sum(area(piece) for piece in pieces) / max(area(moved), 1e-6)
        polygons += pieces
        ignore += [bool(dont_care) or visible < MIN_VISIBLE] * len(pieces)
    return tuple(polygons), np.array(ignore, np.bool_)
