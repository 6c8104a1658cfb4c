"""Geometric augmentation: a 3×3 matrix from image pixels to view pixels, drawn before the pixels are read."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from ..geometry.polygon import transform
from ..structures import Image, Picture, Polygon, Resize
from .letterbox import letterbox, scale_to
from .region_clipping import MIN_DEPTH, Matrix, in_front
from .targets import shorter_side

REDUCTIONS = (8, 4, 2)  # at which a JPEG can be decoded
ROUNDING = 1e-6  # error of a scale
MARGIN_PX = 16  # round the visible part of an image: more than resizing and warping read beside it
MIN_CORNER = 0.05  # cross product at each corner of a tilted frame, as a share of its area: it stays convex


class Moves(NamedTuple):
    """How an image may be moved at random."""

    scales: tuple[float, float] = (1.0, 1.0)  # smallest and largest zoom
    rotate: float = 0.0  # largest angle, degrees
    flip: float = 0.0  # probability
    perspective: float = 0.0  # largest shift of a corner, as a share of the side
    quarter_turns: float = 0.0  # probability of 90 degrees more, either way


class Aim(NamedTuple):
    """Where crops are placed."""

    text: float = 0.8  # share of crops on a region; the others may show no text
    small: float = 0.0  # share of those on one of the smaller half of the regions


class GeometricTransform(NamedTuple):
    """Geometry of one view."""

    matrix: Matrix  # 3×3, pixels of the whole image -> pixels of the view
    reduce: int  # factor by which the image may be reduced when it is decoded: 1, 2, 4 or 8
    fitted: tuple[int, int] | None = None  # height and width of the unwarped whole image in the view; None: warp it

    def render(self, picture: Picture, height: int, width: int) -> Image:
        """Read the pixels and warp them once: (height, width, 3)."""
        image = picture.pixels(self.reduce)
        if self.fitted is None:
            is_reduced = self.reduce > 1 and image.shape[:2] != (picture.height, picture.width)
            return warp(
                image, self.matrix @ scaling(self.reduce, self.reduce) if is_reduced else self.matrix, height, width
            )
        canvas = np.zeros((height, width, 3), np.uint8)
        resized, _ = letterbox(image, *self.fitted, "stretch", stride=1)
        canvas[: resized.shape[0], : resized.shape[1]] = resized
        return canvas


def fit_whole(size: tuple[int, int], view: tuple[int, int], resize: Resize) -> GeometricTransform:
    """The whole image at the top left of the view. size, view: height and width; resize: "stretch", or "fit" to pad."""
    h, w = size
    scale_y, scale_x = scale_to(*size, *view, resize)
    fit_h, fit_w = max(1, round(h * scale_y)), max(1, round(w * scale_x))
    matrix = scaling(fit_w / w, fit_h / h)
    reduce = reduction(matrix, size, view)
    if any(side % reduce for side in size):
        reduce = 1  # the last pixels would cover less than the others, and the image would not fit exactly
    return GeometricTransform(matrix, reduce, (fit_h, fit_w))


def whole_matrix(
    size: tuple[int, int], moves: Moves, view: tuple[int, int], resize: Resize, rng: np.random.Generator
) -> Matrix:
    """Rotate, mirror, zoom and tilt an image so that all of it lies at a random position in the view.

    At zoom 1 the image fills the view; if a transform exceeds it, it is scaled down. resize: "stretch" or "fit"."""
    matrix = draw_matrix(size, scale_to(*size, *view, resize), moves, rng)
    corners = transform(_frame(size), matrix)
    extent_x, extent_y = np.maximum(np.ptp(corners, axis=0), 1e-6).tolist()
    shrink = min(1.0, (view[1] - 1) / extent_x, (view[0] - 1) / extent_y)
    return _place(_frame(size), np.diag([shrink, shrink, 1.0]) @ matrix, view, rng)


def draw_matrix(size: tuple[int, int], fit: tuple[float, float], moves: Moves, rng: np.random.Generator) -> Matrix:
    """Rotate, mirror, zoom and tilt about the image's centre, which moves to (0, 0).

    size: height and width; fit: view pixels per image pixel at zoom 1, vertical and horizontal."""
    h, w = size
    fit_y, fit_x = fit
    zoom = float(np.exp(rng.uniform(*np.log(moves.scales))))
    angle = np.deg2rad(rng.uniform(-moves.rotate, moves.rotate))
    mirror = -1.0 if rng.random() < moves.flip else 1.0
    if moves.quarter_turns and (drawn := rng.random()) < moves.quarter_turns:
        angle += np.pi / 2 if drawn < moves.quarter_turns / 2 else -np.pi / 2
    cos, sin = zoom * np.cos(angle), zoom * np.sin(angle)
    about = np.array([[cos * mirror, -sin, 0], [sin * mirror, cos, 0], [0, 0, 1.0]])
    centre = np.array([[fit_x, 0, -fit_x * (w - 1) / 2], [0, fit_y, -fit_y * (h - 1) / 2], [0, 0, 1.0]])
    if moves.perspective:  # tilt before rotating: the rotated corners are not those of the frame
        centre = _tilt(w * fit_x, h * fit_y, moves.perspective, rng) @ centre
    return np.asarray(about @ centre)


def draw_shift(picture: Picture, matrix: Matrix, view: tuple[int, int], aim: Aim, rng: np.random.Generator) -> Matrix:
    """Place the view on a region that is not don't-care, as often as `aim` says, else anywhere."""
    size = (picture.height, picture.width)
    outline, care = _frame(size), np.flatnonzero(~picture.ignore)
    if len(care) and rng.random() < aim.text:
        if aim.small and rng.random() < aim.small:
            heights = np.array([shorter_side(picture.polygons[index]) for index in care])
            care = care[heights <= np.median(heights)]
        outline = in_front(picture.polygons[int(rng.choice(care))], matrix, size)
    return _place(outline, matrix, view, rng)


def _place(aim: Polygon, matrix: Matrix, view: tuple[int, int], rng: np.random.Generator) -> Matrix:
    """Shift the transformed image: the view lies anywhere in an outline, or the outline anywhere in a larger view."""
    moved = transform(aim, matrix)
    room = np.subtract(view[::-1], 1) - np.ptp(moved, axis=0)
    return shift(*(rng.uniform(0.0, 1.0, 2) * room - moved.min(axis=0))) @ matrix


def reduction(matrix: Matrix, size: tuple[int, int], view: tuple[int, int]) -> int:
    """The factor by which an image may be reduced when it is decoded without enlarging any part of the view."""
    scale = largest_scale(matrix, visible_part(matrix, size, view))
    return next((step for step in REDUCTIONS if scale * step <= 1.0 + ROUNDING), 1)


def visible_part(matrix: Matrix, size: tuple[int, int], view: tuple[int, int]) -> tuple[int, int, int, int]:
    """The part of an image that is visible in the view: left, top, right, bottom (exclusive)."""
    h, w = size
    if not matrix[2, :2].any():
        return _visible_part_affine(matrix, size, view)
    back = np.linalg.inv(matrix)
    corners = _frame(view)
    depth = corners @ back[2, :2] + back[2, 2]
    if (depth <= MIN_DEPTH).any():
        return 0, 0, w, h  # a tilted view that reaches the horizon
    seen = transform(corners, np.asarray(back, np.float64))
    low = np.clip(np.floor(seen.min(axis=0)) - MARGIN_PX, 0, (w - 1, h - 1)).astype(int).tolist()
    high = np.clip(np.ceil(seen.max(axis=0)) + MARGIN_PX + 1, 1, (w, h)).astype(int).tolist()
    return low[0], low[1], high[0], high[1]


def _visible_part_affine(matrix: Matrix, size: tuple[int, int], view: tuple[int, int]) -> tuple[int, int, int, int]:
    """`visible_part` of a view without tilt."""
    (h, w), ((a, b, c), (d, e, f)) = size, matrix[:2].tolist()
    turn = a * e - b * d
    views = [(x - c, y - f) for x in (0, view[1] - 1) for y in (0, view[0] - 1)]
    xs = [(e * x - b * y) / turn for x, y in views]
    ys = [(a * y - d * x) / turn for x, y in views]
    left, top = (int(min(max(min(seen) - MARGIN_PX, 0), side - 1)) for seen, side in ((xs, w), (ys, h)))
    right, bottom = (int(min(max(max(seen) + MARGIN_PX + 2, 1), side)) for seen, side in ((xs, w), (ys, h)))
    return left, top, right, bottom


def largest_scale(matrix: Matrix, part: tuple[int, int, int, int]) -> float:
    """View pixels per image pixel, where a part of the image is magnified most.

    Without tilt, in the direction that is magnified most; with tilt, the mean of both directions."""
    if not matrix[2, :2].any():
        (a, b), (c, d) = matrix[:2, :2].tolist()
        squares, area = (a * a + b * b + c * c + d * d) / 2, a * d - b * c
        return float(np.sqrt(squares + np.sqrt(max(squares * squares - area * area, 0.0))))  # largest singular value
    left, top, right, bottom = part
    corners = _frame((bottom - top, right - left)) + np.array([left, top], np.float32)
    depth = np.abs(corners @ matrix[2, :2] + matrix[2, 2]).min()
    return float(np.sqrt(abs(np.linalg.det(matrix)) / max(depth, MIN_DEPTH) ** 3))


def scaling(x: float, y: float) -> Matrix:
    """3×3 matrix that enlarges an image x and y times; pixel centres have whole coordinates before and after."""
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1.0]])


def warp(image: Image, matrix: Matrix, height: int, width: int) -> Image:
    """Warp an image to height×width. Below half size it is first reduced by area, so that thin strokes do not alias.

    Only the visible part is warped, with a fourth channel: that halves the time in OpenCV (measured, 5.0) and gives
    the same pixels."""
    part = left, top, right, bottom = visible_part(matrix, (image.shape[0], image.shape[1]), (height, width))
    scale = largest_scale(matrix, part)
    image, matrix = image[top:bottom, left:right], matrix @ shift(left, top)
    h, w = image.shape[:2]
    if scale < 0.5:
        small = (max(1, round(w * 2 * scale)), max(1, round(h * 2 * scale)))
        image = np.asarray(cv2.resize(image, small, interpolation=cv2.INTER_AREA))
        matrix = matrix @ scaling(w / small[0], h / small[1])
    four = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)
    if matrix[2, :2].any():
        four = cv2.warpPerspective(four, matrix, (width, height), flags=cv2.INTER_LINEAR)
    else:
        four = cv2.warpAffine(four, matrix[:2], (width, height), flags=cv2.INTER_LINEAR)
    return np.asarray(cv2.cvtColor(four, cv2.COLOR_RGBA2RGB), np.uint8)


def shift(x: float, y: float) -> Matrix:
    """3×3 matrix that moves by (x, y)."""
    return np.array([[1.0, 0, x], [0, 1.0, y], [0, 0, 1.0]])


def _frame(size: tuple[int, int]) -> Polygon:
    h, w = size
    return np.array([[0, 0], [w - 1, 0], [w - 1, h - 1], [0, h - 1]], np.float32)


def _tilt(w: float, h: float, strength: float, rng: np.random.Generator) -> Matrix:
    """A perspective that moves the corners of a centred w×h frame by up to `strength` of its sides; it stays convex."""
    corners = np.array([[-w, -h], [w, -h], [w, h], [-w, h]], np.float32) / 2
    shift = (rng.uniform(-strength, strength, (4, 2)) * (w, h)).astype(np.float32)
    while True:
        quad = corners + shift
        before, after = quad - np.roll(quad, 1, axis=0), np.roll(quad, -1, axis=0) - quad
        turns = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]  # at each corner; positive in a convex quad
        if (turns > MIN_CORNER * w * h).all():
            return np.asarray(cv2.getPerspectiveTransform(corners, quad), np.float64)
        shift /= 2
