"""Random views of labelled images. Geometry is drawn before the pixels are read, which are then warped once."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from ..structures import Picture, Resize, Sample
from .geometric import Aim, GeometricTransform, Moves, draw_matrix, draw_shift, fit_whole, reduction, whole_matrix
from .letterbox import scale_to
from .photometric import (
    Change,
    Stage,
    change,
    draw_blur,
    draw_color,
    draw_jpeg,
    draw_noise,
    draw_shading,
)
from .region_clipping import move_regions, regions_in_image


@dataclass(frozen=True)
class Augment:
    """Flip, rotation, zoom, perspective, crop and photometric changes; zeros (and zoom 1) leave the image unchanged.

    flip: probability of mirroring. rotate: largest angle in degrees, in both directions.
    scale_min, scale_max: zoom, log-uniform; 1 is the scale of the evaluation.
    perspective: largest shift of a corner as a fraction of the side. quarter_turns: probability of 90 degrees more.
    aim_at_text: share of crops that are placed on a region that is not don't-care. aim_at_small: share of those that
    are placed on one of the smaller half of the image's regions.
    photometric: strength of all photometric changes, 0..1. color: largest relative change of brightness, contrast and
    each channel. The others from blur on: probabilities.
    crop: True for a random window of the transformed image. False for the whole transformed image, padded: zoom 1 then
    fills the canvas, and larger zooms are limited to it.
    resize: how images are scaled in the evaluation (letterbox.py). evaluated_at: height and width of the evaluation;
    None: those of the view."""

    flip: float = 0.5
    rotate: float = 10.0
    scale_min: float = 0.5
    scale_max: float = 3.0
    perspective: float = 0.0
    photometric: float = 1.0
    # in the order in which they are drawn: add new ones last, so that the draws of the others stay the same
    color: float = change(draw_color, Stage.COLOR, 0.25, always=True)
    blur: float = change(draw_blur, Stage.LENS)
    noise: float = change(draw_noise, Stage.SENSOR)
    jpeg: float = change(draw_jpeg, Stage.FILE)
    shading: float = change(draw_shading, Stage.LIGHT)
    crop: bool = True
    quarter_turns: float = 0.0
    aim_at_text: float = Aim().text
    aim_at_small: float = Aim().small
    resize: Resize = "keep"
    evaluated_at: tuple[int, int] | None = None

    def __call__(self, picture: Picture, height: int, width: int, rng: np.random.Generator) -> Sample:
        """Return a sample of exactly height×width; regions outside it are dropped, cut ones are clipped."""
        transform = self.draw_transform(picture, height, width, rng)
        image = transform.render(picture, height, width)
        for apply in self.draw_changes(rng):
            image = apply(image)
        size = (picture.height, picture.width)
        polygons, ignore = regions_in_image(picture.polygons, picture.ignore, size)
        return Sample(picture.name, image, *move_regions(polygons, ignore, transform.matrix, size, (height, width)))

    def draw_transform(self, picture: Picture, height: int, width: int, rng: np.random.Generator) -> GeometricTransform:
        """Draw the geometry of a view of height×width from the image's size and labels."""
        size, view = (picture.height, picture.width), (height, width)
        fill: Resize = "stretch" if self.resize == "stretch" else "fit"
        scales = (self.scale_min, self.scale_max)
        moves = Moves(scales, self.rotate, self.flip, self.perspective, self.quarter_turns)
        if self.crop:
            fit = scale_to(*size, *(self.evaluated_at or view), self.resize)
            aim = Aim(self.aim_at_text, self.aim_at_small)
            matrix = draw_shift(picture, draw_matrix(size, fit, moves, rng), view, aim, rng)
        elif moves != Moves():
            matrix = whole_matrix(size, moves, view, fill, rng)
        else:
            return fit_whole(size, view, fill)
        return GeometricTransform(matrix, reduction(matrix, size, view))

    def draw_changes(self, rng: np.random.Generator) -> list[Change]:
        """Draw the photometric changes, in the order in which they are applied.

        No random number is drawn for a change whose key is 0."""
        drawn: list[tuple[Stage, Change]] = []
        for name, draw, stage, always in _CHANGES:
            share = getattr(self, name) * self.photometric
            if share > 0 and (always or rng.random() < share):
                drawn.append((stage, draw(share if always else self.photometric, rng)))
        return [apply for _, apply in sorted(drawn, key=lambda pair: pair[0])]


_CHANGES = [(key.name, *key.metadata["change"]) for key in fields(Augment) if key.metadata]
