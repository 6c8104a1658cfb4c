"""Random views of a labelled image: all is drawn first, from its size and labels; then the pixels are read and warped
once, as bytes.

Legend: H W pixels, K regions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..structures import Image, Picture, Resize, Sample
from .geometric import Matrix, draw_matrix, draw_shift, from_reduced, move_regions, reduction, regions_in_image, warp
from .letterbox import letterbox, scale_to
from .photometric import Look, Photometric, apply_look


class Plan(NamedTuple):
    """One view, before a pixel is read."""

    matrix: Matrix  # 3×3, pixels of the whole image -> pixels of the view
    reduce: int  # of the sides, that the image may be decoded at: 1, 2, 4 or 8
    fitted: tuple[int, int] | None  # height and width of the whole image in the view; None for a crop
    look: Look


@dataclass(frozen=True)
class Augment:
    """Flip, rotation, scale, perspective, crop and looks, as plain numbers; zeros leave the image alone.

    flip: probability of a mirror image. rotate: largest angle in degrees, either way.
    scale_min, scale_max: zoom, log-uniform; 1 is the scale at which the image would be evaluated.
    perspective: largest shift of a corner as a fraction of the side.
    photometric: strength of all looks together, 0 for none. color: largest relative change of brightness, contrast
    and each channel. blur, noise, jpeg, shading: probabilities, see photometric.py.
    crop: False shows the whole image, letterboxed, instead of a window of it.
    resize: how images will be scaled when they are evaluated (letterbox.py).
    evaluated_at: height and width of that, which say what zoom 1 is; None: those of the view."""

    flip: float = 0.5
    rotate: float = 10.0
    scale_min: float = 0.5
    scale_max: float = 3.0
    perspective: float = 0.0
    photometric: float = 1.0
    color: float = 0.25
    blur: float = 0.0
    noise: float = 0.0
    jpeg: float = 0.0
    shading: float = 0.0
    crop: bool = True
    resize: Resize = "keep"
    evaluated_at: tuple[int, int] | None = None

    def __call__(self, picture: Picture, height: int, width: int, rng: np.random.Generator) -> Sample:
        """Returns a sample of exactly height×width; regions outside it are gone, cut ones are clipped."""
        plan = self.plan(picture, height, width, rng)
        image = apply_look(self.render(picture, plan, height, width), plan.look)
        size = (picture.height, picture.width)
        polygons, ignore = regions_in_image(picture.polygons, picture.ignore, size)
        return Sample(picture.name, image, *move_regions(polygons, ignore, plan.matrix, size, height, width))

    def plan(self, picture: Picture, height: int, width: int, rng: np.random.Generator) -> Plan:
        """Draw a view of height×width from the image's size and labels."""
        size, fitted = (picture.height, picture.width), None
        if self.crop:
            fit = scale_to(*size, *(self.evaluated_at or (height, width)), self.resize)
            scales = (self.scale_min, self.scale_max)
            matrix = draw_matrix(size, fit, scales, self.rotate, self.flip, self.perspective, rng)
            matrix = draw_shift(size, matrix, picture.polygons, picture.ignore, height, width, rng)
        else:
            fitted, matrix = _fit(size, height, width, self.resize)
        reduce = reduction(matrix, size, height, width)
        if fitted and any(side % reduce for side in size):
            reduce = 1  # the last pixels would stand for less than the others, and the image would not quite fit
        looks = Photometric(self.color, self.blur, self.noise, self.jpeg, self.shading, self.photometric)
        return Plan(matrix, reduce, fitted, looks.draw(rng))

    def render(self, picture: Picture, plan: Plan, height: int, width: int) -> Image:
        """Read the pixels and warp them, once."""
        image = picture.pixels(plan.reduce)
        reduced = plan.reduce > 1 and image.shape[:2] != (picture.height, picture.width)
        if plan.fitted is None:
            return warp(image, plan.matrix @ from_reduced(plan.reduce) if reduced else plan.matrix, height, width)
        canvas = np.zeros((height, width, 3), np.uint8)
        shown, _ = letterbox(image, *plan.fitted, "stretch", stride=1)
        canvas[: shown.shape[0], : shown.shape[1]] = shown
        return canvas


def _fit(size: tuple[int, int], height: int, width: int, resize: Resize) -> tuple[tuple[int, int], Matrix]:
    """Height and width of the whole image inside height×width, padded unless stretched; and the matrix that does it.

    Of an image that is not as square as the canvas this is less than the scale of an evaluation: all of it must fit."""
    h, w = size
    scale = min(height / h, width / w)
    fit_h, fit_w = (height, width) if resize == "stretch" else (max(1, round(h * scale)), max(1, round(w * scale)))
    scale_y, scale_x = fit_h / h, fit_w / w
    return (fit_h, fit_w), np.array([[scale_x, 0, (scale_x - 1) / 2], [0, scale_y, (scale_y - 1) / 2], [0, 0, 1.0]])
