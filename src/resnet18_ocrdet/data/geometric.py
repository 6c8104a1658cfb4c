"""Where a view lies: a 3×3 matrix from pixels of the whole image to pixels of the view, drawn before a pixel is read.

Legend: H W pixels, K regions, V vertices.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry.polygon import area, clip_to_image, transform
from ..structures import Image, Polygon

Matrix = NDArray[np.float64]

AIM_AT_TEXT = 0.8  # share of crops that are placed round a region; the rest may show none
MIN_VISIBLE = 0.3  # a region of which less is left in the crop is don't-care: a stroke is no word
REDUCTIONS = (8, 4, 2)  # that a JPEG can be decoded at
LEAST_DEPTH = 0.05  # of the image's centre; a point that comes nearer to the camera, or behind it, has no place
MARGIN_PX = 16  # round the part of an image that a view shows: more than a reduction by area or a warp reads beside it
BORDER_PX = 1.0  # a corner may lie so far beside its image: tools name the column behind the last one
LEAST_TURN = 0.05  # of the frame's area: a tilted frame stays convex at each corner


def draw_matrix(
    size: tuple[int, int],
    fit: tuple[float, float],
    scales: tuple[float, float],
    rotate: float,
    flip: float,
    perspective: float,
    rng: np.random.Generator,
) -> Matrix:
    """Turn, mirror, zoom and tilt about the image's centre, which comes to (0, 0).

    size: height and width; fit: view pixels per image pixel at zoom 1, down and across; scales: least and largest
    zoom; rotate: degrees; flip: a probability; perspective: a share of the side."""
    h, w = size
    fit_y, fit_x = fit
    zoom = float(np.exp(rng.uniform(np.log(scales[0]), np.log(scales[1]))))
    angle = np.deg2rad(rng.uniform(-rotate, rotate))
    mirror = -1.0 if rng.random() < flip else 1.0
    cos, sin = zoom * np.cos(angle), zoom * np.sin(angle)
    about = np.array([[cos * mirror, -sin, 0], [sin * mirror, cos, 0], [0, 0, 1.0]])
    centre = np.array([[fit_x, 0, -fit_x * (w - 1) / 2], [0, fit_y, -fit_y * (h - 1) / 2], [0, 0, 1.0]])
    if perspective:  # of the upright image: its turned corners would lie beside the frame that is tilted
        centre = _tilt(w * fit_x, h * fit_y, perspective, rng) @ centre
    return np.asarray(about @ centre)


def draw_shift(
    size: tuple[int, int],
    matrix: Matrix,
    polygons: tuple[Polygon, ...],
    ignore: NDArray[np.bool_],
    height: int,
    width: int,
    rng: np.random.Generator,
) -> Matrix:
    """Move the view of height×width: round one of the regions that are taught most of the time, else anywhere."""
    window = np.array([width, height], np.float64)
    care = np.flatnonzero(~ignore)
    shift = np.eye(3)
    if len(care) and rng.random() < AIM_AT_TEXT:
        region = transform(_in_front(polygons[int(rng.choice(care))], matrix, size), matrix)
        low, high = region.min(axis=0), region.max(axis=0)
        room = window - 1 - (high - low)  # negative for a region larger than the window: any part of it is shown
        shift[:2, 2] = rng.uniform(0.0, 1.0, 2) * room - low
    else:
        frame = transform(_frame(size), matrix)
        low, high = frame.min(axis=0), frame.max(axis=0)
        slack = high - low - (window - 1)
        shift[:2, 2] = -(low + rng.uniform(0.0, 1.0, 2) * slack)
    return np.asarray(shift @ matrix)


def reduction(matrix: Matrix, size: tuple[int, int], height: int, width: int) -> int:
    """By how much an image may be reduced when it is decoded, so that no part of the view needs to be enlarged."""
    scale = largest_scale(matrix, shown_part(matrix, size, height, width))
    return next((step for step in REDUCTIONS if scale * step <= 1.0), 1)


def shown_part(matrix: Matrix, size: tuple[int, int], height: int, width: int) -> tuple[int, int, int, int]:
    """What of an image the view of height×width can show: left, top, and the first column and row behind."""
    h, w = size
    if not matrix[2, :2].any():
        return _shown_flat(matrix, size, height, width)
    back = np.linalg.inv(matrix)
    corners = _frame((height, width))
    depth = corners @ back[2, :2] + back[2, 2]
    if (depth <= LEAST_DEPTH).any():  # 1 / the depth of what is seen there
        return 0, 0, w, h  # a tilted view reaches the horizon
    seen = transform(corners, np.asarray(back, np.float64))
    low = np.clip(np.floor(seen.min(axis=0)) - MARGIN_PX, 0, (w - 1, h - 1)).astype(int).tolist()
    high = np.clip(np.ceil(seen.max(axis=0)) + MARGIN_PX + 1, 1, (w, h)).astype(int).tolist()
    return low[0], low[1], high[0], high[1]


def _shown_flat(matrix: Matrix, size: tuple[int, int], height: int, width: int) -> tuple[int, int, int, int]:
    """`shown_part` of a view without tilt."""
    (h, w), ((a, b, c), (d, e, f)) = size, matrix[:2].tolist()
    turn = a * e - b * d
    views = [(x - c, y - f) for x in (0, width - 1) for y in (0, height - 1)]
    xs = [(e * x - b * y) / turn for x, y in views]
    ys = [(a * y - d * x) / turn for x, y in views]
    left, top = (int(min(max(min(seen) - MARGIN_PX, 0), side - 1)) for seen, side in ((xs, w), (ys, h)))
    right, bottom = (int(min(max(max(seen) + MARGIN_PX + 2, 1), side)) for seen, side in ((xs, w), (ys, h)))
    return left, top, right, bottom


def largest_scale(matrix: Matrix, part: tuple[int, int, int, int]) -> float:
    """View pixels per image pixel, where a part of the image is seen largest."""
    if not matrix[2, :2].any():
        return float(np.sqrt(abs(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0])))
    left, top, right, bottom = part
    corners = _frame((bottom - top, right - left)) + np.array([left, top], np.float32)
    depth = np.abs(corners @ matrix[2, :2] + matrix[2, 2]).min()
    return float(np.sqrt(abs(np.linalg.det(matrix)) / max(depth, LEAST_DEPTH) ** 3))


def from_reduced(reduce: int) -> Matrix:
    """Pixels of an image decoded at 1 / `reduce` of its sides -> pixels of the whole one."""
    middle = (reduce - 1) / 2
    return np.array([[reduce, 0, middle], [0, reduce, middle], [0, 0, 1.0]])


def warp(image: Image, matrix: Matrix, height: int, width: int) -> Image:
    """One warp. Below half size the image is first reduced by area, or thin strokes alias away.

    Only the part that the view shows is touched. It is warped with a fourth channel: OpenCV takes half the time for
    four (measured, 5.0), and the pixels are the same."""
    part = left, top, right, bottom = shown_part(matrix, (image.shape[0], image.shape[1]), height, width)
    scale = largest_scale(matrix, part)
    image, matrix = image[top:bottom, left:right], matrix @ _moved(left, top)
    h, w = image.shape[:2]
    if scale < 0.5:
        small = (max(1, round(w * 2 * scale)), max(1, round(h * 2 * scale)))
        back = np.diag([w / small[0], h / small[1], 1.0])
        back[:2, 2] = (np.diag(back)[:2] - 1) / 2  # pixel centres
        image, matrix = np.asarray(cv2.resize(image, small, interpolation=cv2.INTER_AREA)), matrix @ back
    four = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)
    if matrix[2, :2].any():
        four = cv2.warpPerspective(four, matrix, (width, height), flags=cv2.INTER_LINEAR)
    else:
        four = cv2.warpAffine(four, matrix[:2], (width, height), flags=cv2.INTER_LINEAR)
    return np.asarray(cv2.cvtColor(four, cv2.COLOR_RGBA2RGB), np.uint8)


def _moved(left: int, top: int) -> Matrix:
    return np.array([[1.0, 0, left], [0, 1.0, top], [0, 0, 1.0]])


def regions_in_image(
    polygons: tuple[Polygon, ...], ignore: NDArray[np.bool_], size: tuple[int, int]
) -> tuple[tuple[Polygon, ...], NDArray[np.bool_]]:
    """The regions cut at the border of their image of `size`, height and width, masked where little is left.

    Beside the image there is only padding, which must not be taught as text."""
    h, w = size
    last = np.array([w - 1, h - 1], np.float32) + BORDER_PX
    outside = [bool((polygon < -BORDER_PX).any() or (polygon > last).any()) for polygon in polygons]
    if not any(outside):
        return polygons, ignore
    kept: list[Polygon] = []
    masked: list[bool] = []
    for polygon, dont_care, is_outside in zip(polygons, ignore.tolist(), outside, strict=True):
        pieces = clip_to_image(polygon, h, w) if is_outside else [polygon]
        visible = sum(map(area, pieces)) / max(area(polygon), 1e-6) if is_outside else 1.0
        kept += pieces
        masked += [dont_care or visible < MIN_VISIBLE] * len(pieces)
    return tuple(kept), np.array(masked, np.bool_)


def move_regions(
    polygons: tuple[Polygon, ...],
    ignore: NDArray[np.bool_],
    matrix: Matrix,
    size: tuple[int, int],
    height: int,
    width: int,
) -> tuple[tuple[Polygon, ...], NDArray[np.bool_]]:
    """The regions in the view, clipped to it: every one of which something is visible, masked where that is little."""
    if not polygons:
        return (), np.zeros(0, np.bool_)
    seen = [_in_front(polygon, matrix, size) for polygon in polygons]
    starts = np.cumsum([0, *map(len, seen)]).tolist()
    points = transform(np.concatenate(seen), matrix)
    lows, highs = np.minimum.reduceat(points, starts[:-1]), np.maximum.reduceat(points, starts[:-1])
    last = np.array([width - 1, height - 1], np.float32)
    near = np.flatnonzero(~np.any((highs < 0) | (lows > last), axis=1))
    whole = np.all((lows >= 0) & (highs <= last), axis=1)
    moved: list[Polygon] = []
    masked: list[bool] = []
    for region in near.tolist():
        polygon, dont_care = points[starts[region] : starts[region + 1]], bool(ignore[region])
        if whole[region]:
            moved.append(polygon.copy())
            masked.append(dont_care)
            continue
        pieces = clip_to_image(polygon, height, width)
        visible = sum(map(area, pieces)) / max(area(polygon), 1e-6) if pieces else 0.0
        moved += pieces
        masked += [dont_care or visible < MIN_VISIBLE] * len(pieces)
    return tuple(moved), np.array(masked, np.bool_)


def _in_front(polygon: Polygon, matrix: Matrix, size: tuple[int, int]) -> Polygon:
    """The region as it is, or its part in the image where a tilt would bring it beside or behind the camera."""
    if not matrix[2, :2].any():
        return polygon
    depth = polygon @ matrix[2, :2] + matrix[2, 2]
    if (depth > LEAST_DEPTH).all():
        return polygon
    pieces = clip_to_image(polygon, *size)
    return pieces[0] if pieces else polygon.clip(0, np.array([size[1] - 1, size[0] - 1], np.float32))


def _frame(size: tuple[int, int]) -> Polygon:
    h, w = size
    return np.array([[0, 0], [w - 1, 0], [w - 1, h - 1], [0, h - 1]], np.float32)


def _tilt(w: float, h: float, strength: float, rng: np.random.Generator) -> Matrix:
    """A perspective that moves the corners of a centred w×h frame by up to `strength` of its sides, never over."""
    corners = np.array([[-w, -h], [w, -h], [w, h], [-w, h]], np.float32) / 2
    shift = (rng.uniform(-strength, strength, (4, 2)) * (w, h)).astype(np.float32)
    while not (_turns(corners + shift) > LEAST_TURN * w * h).all():
        shift /= 2
    return np.asarray(cv2.getPerspectiveTransform(corners, corners + shift), np.float64)


def _turns(quad: NDArray[np.floating]) -> NDArray[np.floating]:
    """(4,) cross products of the sides that meet at each corner, px²: all positive in a convex quad like the frame."""
    before, after = quad - np.roll(quad, 1, axis=0), np.roll(quad, -1, axis=0) - quad
    return np.asarray(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0])
