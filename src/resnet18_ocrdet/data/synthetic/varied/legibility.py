"""Whether the text of a varied scene can be read: its contrast, its size in the image, and what the light leaves."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from ....geometry.polygon import area
from ....structures import Polygon
from ..glyphs import INK_LEVEL
from ..region import Region
from .light import Light

RING_PX = 3  # width of the surroundings with which ink is compared
CLUTTER_SHARE = 0.7  # contrast that text needs, in standard deviations of its ground


class Drawn(NamedTuple):
    """A painted region before light and camera."""

    region: Region
    thickness: float  # across the reading direction, image px, in perspective
    clutter: float  # standard deviation of the ground, grey levels


class Painted(NamedTuple):
    """A block in a part of the image."""

    mask: MatLike  # (h, w) coverage 0..255
    before: MatLike  # (h, w) luminance of the ground
    after: MatLike  # (h, w) luminance with the paint
    origin: NDArray[np.int_]  # (x, y) of the part, image px

    def contrast(self, polygon: Polygon) -> tuple[float, float]:
        """The contrast of the ink in a polygon with its surroundings, and the standard deviation of its ground.

        polygon: (V, 2) image px. Both are grey levels. Glow and shadows belong to the surroundings, and what a painter
        leaves open inside the letters makes their contrast smaller."""
        low, high = np.floor(polygon.min(axis=0)).astype(int), np.ceil(polygon.max(axis=0)).astype(int) + 1
        (left, top), (right, bottom) = np.maximum(low - self.origin - RING_PX, 0), high - self.origin + RING_PX
        box = (slice(top, bottom), slice(left, right))
        mask, after = self.mask[box], self.after[box]
        touched, ink = (cv2.threshold(mask, level, 255, cv2.THRESH_BINARY)[1] for level in (0, INK_LEVEL))
        near = cv2.dilate(touched, np.ones((2 * RING_PX + 1, 2 * RING_PX + 1), np.uint8))
        covered = cv2.mean(mask, mask=ink)[0] / 255
        difference = cv2.mean(after, mask=ink)[0] - cv2.mean(after, mask=cv2.subtract(near, touched))[0]
        contrast = abs(difference) / covered if covered else 0.0
        return min(contrast, 255.0), float(cv2.meanStdDev(self.before[box], mask=near)[1][0, 0])


def thickness(outline: Polygon, is_column: bool) -> float:
    """The mean extent of a word across its reading direction: its area over its length, image px.

    outline: (2 n, 2), n points along the top and n back along the bottom. is_column: it is read from top to bottom."""
    steps = len(outline) // 2
    upper, lower = outline[:steps], outline[steps:]
    sides = np.stack([outline[[0, -1]], outline[[steps - 1, steps]]]) if is_column else np.stack([upper, lower])
    length = np.linalg.norm(np.diff(sides, axis=1), axis=2).sum(axis=1).mean()
    return area(outline) / max(float(length), 1e-6)


def judge(drawn: Drawn, light: Light, height: int, width: int) -> Region:
    """The region, don't-care if it cannot be read: too small, too faint, or smeared. height, width: of the image."""
    region, size = drawn.region, drawn.thickness
    x, y = region.polygon.mean(axis=0).tolist()
    contrast = region.contrast * light.left(x / width, y / height)
    too_small = size < 5.5 or (size < 9 and contrast < 45)
    sharpness = min(1.0, 0.05 * size / light.blur) if light.blur else 1.0  # thin strokes lose contrast
    too_faint = contrast * sharpness < max(16.0, 1.3 * light.noise) or region.contrast < CLUTTER_SHARE * drawn.clutter
    smeared = light.blur > 0.11 * size
    return region._replace(ignore=region.ignore or too_small or too_faint or smeared, contrast=contrast)
