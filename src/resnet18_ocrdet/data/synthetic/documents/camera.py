"""From a sheet to the image: clean as on a screen, scanned, or photographed on a desk; with its words."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ....geometry.polygon import clip_to_image
from ....structures import Image, Polygon
from ...geometric import shift
from ...photometric import blur, compress, draw_noise, draw_shading
from ..background import crop_photo, draw_background, paint_background
from ..region import Region
from ..render import MIN_PIECE_PX2, MIN_VISIBLE
from ..warp import placement_matrix
from .sheet import Sheet, Written
from .wear import crumple

View = Literal["clean", "scan", "photo"]

SCAN_ANGLE = 2.5  # largest, degrees
PHOTO_ANGLE = 20.0  # largest, degrees
WAVY_SHARE = 0.3  # of photographs show a sheet that is not flat
WAVE_LENGTH = (0.7, 2.0)  # in widths of the sheet
WAVE_STEEPNESS = (0.02, 0.12)  # largest slope of a line of text: 7°
WAVE_PIECES = 12  # of an outline in a length of the wave: it is then off by less than 0.001 of that length
READABLE = 0.999  # of `Written.ease`: 1 but for rounding
MAP_STEP = 16  # px between the points at which a wavy sheet is computed
STRAIGHT_SHARE = 0.5  # of photographs are held nearly straight
BLUR_PER_EM = 0.05  # standard deviation; text of 12 px stays readable with 0.6 px
GREY_SHARE = 0.5  # of scans
HARDEST, WHITE = 1.5, 225  # gain of contrast of a grey scan, which keeps this level
JPEG_SHARE = 0.35
FRINGE_SHARE = 0.2  # of clean views are drawn with subpixels
CLEAN_JPEG_SHARE = 0.2


class Wave(NamedTuple):
    """A sheet that does not lie flat: y changes by height · sin(2π · x / length + phase)."""

    height: float  # px
    length: float  # px
    phase: float

    def rise(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Change of y at x, px."""
        return np.asarray(self.height * np.sin(2 * np.pi / self.length * x + self.phase))


class Pose(NamedTuple):
    """How the camera sees the sheet."""

    view: View
    matrix: NDArray[np.float64]  # (3, 3) sheet px -> image px, after the wave
    is_moved: bool  # the matrix is not the identity
    wave: Wave | None = None


def draw_pose(rng: np.random.Generator, view: View, sheet: tuple[int, int], image: tuple[int, int]) -> Pose:
    """A pose. sheet, image: height and width, px; without a tilt the sheet is at least as large as the image."""
    (height, width), (tall, wide) = sheet, image
    if view == "clean" or (view == "scan" and rng.random() < 0.5):
        left, top = (int(rng.integers(max(room, 0) + 1)) for room in (width - wide, height - tall))
        return Pose(view, shift(-left, -top), sheet != image)
    middle = (wide / 2, tall / 2)
    if view == "scan":
        angle = float(rng.uniform(-SCAN_ANGLE, SCAN_ANGLE))
        return Pose(view, placement_matrix((width, height), 1.0, middle, angle), True)
    angle = float(rng.normal(0.0, 2.5) if rng.random() < STRAIGHT_SHARE else rng.uniform(-PHOTO_ANGLE, PHOTO_ANGLE))
    shear, across, down = (rng.uniform(-1, 1, 3) * (0.08, 0.16, 0.2)).tolist()
    room = np.array([wide - width, tall - height])  # the sheet moves within the image, or the image on the sheet
    x, y = (np.array(middle) + rng.uniform(-0.5, 0.5, 2) * room).tolist()
    matrix = placement_matrix((width, height), 1.0, (x, y), angle, (shear, across, down))
    if rng.random() >= WAVY_SHARE:
        return Pose(view, matrix, True)
    length = width * float(rng.uniform(*WAVE_LENGTH))
    wave = Wave(length * float(rng.uniform(*WAVE_STEEPNESS)) / (2 * np.pi), length, float(rng.uniform(0, 2 * np.pi)))
    return Pose(view, matrix, True, wave)


def take(
    rng: np.random.Generator, sheet: Sheet, pose: Pose, size: tuple[int, int], unit: int, photos: tuple[Path, ...]
) -> Image:
    """The image of a sheet, height × width px. unit: size of the text, px per em; it limits the blur."""
    height, width = size
    image = sheet.image
    if pose.view == "photo":
        image = crumple(rng, image) if rng.random() < 0.35 else image
        ground = draw_background(rng)
        path = photos[ground.seed % len(photos)] if photos else None
        desk = paint_background(ground, height, width) if path is None else crop_photo(ground, path, height, width)
        lay(image, pose, desk)
        image = draw_shading(float(rng.uniform(0.2, 1.0)), rng)(desk)
    elif pose.is_moved:
        edge = image[0, 0].tolist()
        warped = cv2.warpPerspective(
            image,
            pose.matrix,
            (width, height),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=edge,
        )
        image = np.asarray(warped, np.uint8)
    return _degrade(rng, image, pose.view, unit)


def lay(image: Image, pose: Pose, desk: Image) -> None:
    """Draw the sheet onto the desk."""
    height, width = desk.shape[:2]
    if pose.wave is None:
        cv2.warpPerspective(image, pose.matrix, (width, height), desk, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)
        return
    rows, columns = -(-height // MAP_STEP) + 2, -(-width // MAP_STEP) + 2  # one more on each side
    y, x = (np.mgrid[:rows, :columns] - 0.5) * MAP_STEP - 0.5
    points = np.asarray(cv2.perspectiveTransform(np.stack([x, y], 2), np.linalg.inv(pose.matrix)), np.float64)
    points[..., 1] -= pose.wave.rise(points[..., 0])
    fine = cv2.resize(points.astype(np.float32), (columns * MAP_STEP, rows * MAP_STEP), interpolation=cv2.INTER_LINEAR)
    part = fine[MAP_STEP : MAP_STEP + height, MAP_STEP : MAP_STEP + width]
    across, down = cv2.split(part)
    cv2.remap(image, across, down, cv2.INTER_LINEAR, desk, cv2.BORDER_TRANSPARENT)


def _degrade(rng: np.random.Generator, image: Image, view: View, unit: int) -> Image:
    """Lens, sensor and file."""
    switches = rng.random(5)
    if view == "clean" and switches[4] < FRINGE_SHARE:
        image = fringe(image)
    if view != "clean":
        if view == "scan" and switches[0] < GREY_SHARE:
            gain = float(rng.uniform(1.0, HARDEST))
            grey = cv2.convertScaleAbs(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), alpha=gain, beta=WHITE * (1 - gain))
            image = np.asarray(cv2.merge([grey] * 3), np.uint8)
        if switches[1] < 0.5:
            image = blur(image, float(rng.uniform(0.3, max(0.5, BLUR_PER_EM * unit))))
        if switches[2] < 0.6:
            image = draw_noise(0.6, rng)(image)
    if switches[3] < (CLEAN_JPEG_SHARE if view == "clean" else JPEG_SHARE):
        image = compress(image, int(rng.integers(35, 92)))
    return image


def fringe(image: Image) -> Image:
    """Colour fringes of text that is drawn with the red, green and blue parts of a screen's pixels, a third apart."""
    red, green, blue = cv2.split(image)
    for channel, side in ((red, 1), (blue, -1)):
        cv2.filter2D(channel, -1, np.array([[1 - side, 4, 1 + side]], np.float32) / 6, channel)
    return np.asarray(cv2.merge([red, green, blue]), np.uint8)


def locate(words: list[Written], pose: Pose, size: tuple[int, int], kind: str) -> list[Region]:
    """The words that are at least partly in the image, as regions; don't-care if they are too small in it to be read.

    On a wavy sheet the outline of a long word has points along it."""
    if not words:
        return []
    height, width = size
    points, pieces = _outlines(words, pose)
    low, high = points.min(axis=(1, 2)), points.max(axis=(1, 2))
    inside = (low >= 0).all(axis=1) & (high <= (width - 1, height - 1)).all(axis=1)
    outside = (high <= 0).any(axis=1) | (low >= (width - 1, height - 1)).any(axis=1)
    angles = np.degrees(np.arctan2(*(points[:, 0, -1] - points[:, 0, 0]).T[::-1])).tolist()
    small = np.array([word.ease for word in words]) * _shrinkage(words, points) < READABLE
    regions, upright = [], pose.wave is None and np.array_equal(pose.matrix[:, :2], np.eye(3)[:, :2])
    rows = zip(words, points, pieces.tolist(), angles, small.tolist(), inside.tolist(), outside.tolist(), strict=True)
    for word, (above, below), count, angle, ignore, is_inside, is_outside in rows:
        if is_outside:
            continue
        outline = np.concatenate([above[: count + 1], below[count::-1]])
        if not is_inside:
            cut = _cut(outline, height, width, upright)
            visible = 0.0 if cut is None else cv2.contourArea(cut)
            if cut is None or visible < MIN_PIECE_PX2:
                continue
            ignore |= visible < MIN_VISIBLE * cv2.contourArea(outline)
            outline = cut
        regions.append(Region(outline, ignore, word.text, float(word.height), kind, angle=angle))
    return regions


def _outlines(words: list[Written], pose: Pose) -> tuple[NDArray[np.float32], NDArray[np.int_]]:
    """Points along the top and the bottom of words: (N, 2, P, 2) image px, and (N,) the number of pieces between them.

    The points after the last piece repeat the end."""
    boxes = np.array([word.box for word in words], np.float64) - 0.5  # pixel i covers i - 0.5 .. i + 0.5
    left, top, right, bottom = boxes.T
    pieces = np.ones(len(words), int)
    if pose.wave is not None:
        pieces = np.ceil((right - left) * WAVE_PIECES / pose.wave.length).astype(int)
    share = np.minimum(np.arange(pieces.max() + 1) / pieces[:, None], 1.0)
    x = left[:, None] + share * (right - left)[:, None]
    rise = 0.0 if pose.wave is None else pose.wave.rise(x)
    sides = [np.stack([x, y[:, None] + rise + 0 * x], 2) for y in (top, bottom)]
    points = np.stack(sides, 1)
    if pose.is_moved:
        points = cv2.perspectiveTransform(points.reshape(-1, 1, 2), pose.matrix).reshape(points.shape)
    return points.astype(np.float32), pieces


def _shrinkage(words: list[Written], points: NDArray[np.float32]) -> NDArray[np.float64]:
    """(N,) size across the reading direction in the image, over that on the sheet."""
    corners = points[:, :, [0, -1]].astype(np.float64)  # (N, top or bottom, left or right, 2)
    one, other = (corners[:, 1, side] - corners[:, 0, 1 - side] for side in (1, 0))  # diagonals
    area = np.abs(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]) / 2
    across, along = (np.linalg.norm(np.diff(corners, axis=axis), axis=-1).mean(axis=(1, 2)) for axis in (1, 2))
    down = np.array([word.down for word in words])
    sizes = np.array([word.box.width if word.down else word.box.height for word in words])
    return np.asarray(area / np.maximum(np.where(down, across, along), 1e-6) / sizes)


def _cut(outline: Polygon, height: int, width: int, upright: bool) -> Polygon | None:
    """The part of an outline in the image; of an upright box at a hundredth of the time."""
    if upright:
        return np.clip(outline, 0, np.array([width - 1, height - 1], np.float32))
    return next(iter(clip_to_image(outline, height, width)), None)
