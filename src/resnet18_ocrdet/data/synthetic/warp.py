"""From a block's canvas to the image: bending and homographies.

Coordinates as in OpenCV: (0, 0) is the centre of the first pixel, so pixel i covers i - 0.5 .. i + 0.5.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ...geometry.polygon import transform
from ..geometric import shift


class Bend(NamedTuple):
    """A canvas bent along a circle."""

    radius: float  # of the canvas's middle row, canvas px
    upwards: bool  # the middle of the line is its highest point


def bent_size(flat_size: tuple[int, int], bend: Bend) -> tuple[int, int]:
    """Width and height of the bounding box of a bent canvas, px."""
    width, height = flat_size
    half_angle = width / bend.radius / 2
    outer, inner = bend.radius + height / 2, bend.radius - height / 2
    return math.ceil(2 * outer * math.sin(half_angle)), math.ceil(outer - inner * math.cos(half_angle))


def bend_points(points: NDArray[np.float64], flat_size: tuple[int, int], bend: Bend) -> NDArray[np.float64]:
    """Bend (V, 2) points of the flat canvas; the result is in the frame of `bent_size`."""
    width, height = flat_size
    side = 1.0 if bend.upwards else -1.0
    angle = (points[:, 0] - width / 2) / bend.radius
    distance = bend.radius - side * (points[:, 1] - height / 2)
    new_width, new_height = bent_size(flat_size, bend)
    x = distance * np.sin(angle) + new_width / 2
    rise = bend.radius + height / 2 - distance * np.cos(angle)  # below the top of an upward arch
    return np.stack([x, rise if bend.upwards else new_height - rise], axis=1)


def bend_mask(mask: NDArray[np.uint8], bend: Bend) -> NDArray[np.uint8]:
    """Bend a flat (h, w) mask; returns a mask of `bent_size`."""
    height, width = mask.shape
    new_width, new_height = bent_size((width, height), bend)
    x = np.arange(new_width) - new_width / 2
    rise = np.arange(new_height)[:, None] if bend.upwards else new_height - np.arange(new_height)[:, None]
    down = bend.radius + height / 2 - rise
    side = 1.0 if bend.upwards else -1.0
    from_x = bend.radius * np.arctan2(x, down) + width / 2
    from_y = side * (bend.radius - np.hypot(x, down)) + height / 2
    return _sample(mask, from_x, from_y)


def warp_mask(mask: NDArray[np.uint8], matrix: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Warp a mask with a (3, 3) matrix into an image of `size` (width, height).

    In numpy: cv2.warpPerspective differs by a grey level between CPUs, which JPEG compression can make 5."""
    back = np.linalg.inv(matrix)
    back = (back / back[2, 2]).astype(np.float32)
    x, y = np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32)[:, None]
    depth = back[2, 0] * x + (back[2, 1] * y + back[2, 2])
    from_x = (back[0, 0] * x + (back[0, 1] * y + back[0, 2])) / depth
    from_y = (back[1, 0] * x + (back[1, 1] * y + back[1, 2])) / depth
    return _sample(mask, from_x, from_y)


def _sample(mask: NDArray[np.uint8], from_x: NDArray[np.floating], from_y: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Bilinear sampling in fixed point, zero outside."""
    whole, fraction = cv2.convertMaps(from_x.astype(np.float32), from_y.astype(np.float32), cv2.CV_16SC2)
    return np.asarray(cv2.remap(mask, whole, fraction, cv2.INTER_LINEAR), np.uint8)


def placement_matrix(
    size: tuple[float, float],
    scale: float,
    centre: tuple[float, float],
    angle: float,
    view: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> NDArray[np.float64]:
    """(3, 3) matrix from a canvas of `size` (width, height) to the image.

    scale: image px per canvas px at the centre. centre: position of the canvas centre, image px. angle: degrees,
    clockwise on screen. view: change of x per y, and relative change of scale over the width and over the height."""
    (width, height), (shear, across, down) = size, view
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    lean = np.array([[1, shear, 0], [0, 1, 0], [across / width, down / height, 1]], np.float64)
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1 / scale]], np.float64)
    return shift(*centre) @ turn @ lean @ shift(-width / 2, -height / 2)


def canvas_quad(size: tuple[float, float], matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """The (4, 2) corners of a canvas in the image, px."""
    width, height = size
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64) - 0.5
    return transform(corners.astype(np.float32), matrix)
