"""Drawing: regions on an image, heat maps, grids of images.

Legend: H W pixels. Images are RGB uint8.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry.polygon import offsets, text_sizes
from ..structures import Image, Polygon

FOUND = (0, 200, 0)
LABEL = (255, 160, 0)
DONT_CARE = (150, 150, 150)
HEIGHT_OF_LINE = 16  # px of text for each px of its outline
VISIBLE_PX = 3  # a line of large text in any image
MAX_LINE_SHARE = 1 / 500  # of the longer side of the image, for the thickest lines
MAX_JPEG_SIDE = 65_500  # the format's limit
JPEG_SUFFIXES = (".jpg", ".jpeg")


def outline(
    image: Image, polygons: Iterable[Polygon], color: tuple[int, int, int] = FOUND, thickness: int = 0
) -> Image:
    """Draw closed outlines on a copy.

    thickness: px, with the outline in the middle of the line; 0: by the height of the text in each outline, with the
    line around the outline, so that no letter is covered."""
    drawn = image.copy()
    if thickness:
        corners = [np.rint(polygon).astype(np.int32) for polygon in polygons]
        cv2.polylines(drawn, corners, True, color, thickness, cv2.LINE_AA)
        return drawn
    for corner_points, width in _around(list(polygons), *image.shape[:2]):
        cv2.polylines(drawn, [corner_points], True, color, width, cv2.LINE_AA)
    return drawn


def _around(polygons: Sequence[Polygon], height: int, width: int) -> Iterator[tuple[NDArray[np.int32], int]]:
    """A line around each polygon, within the image where the polygon is, and its thickness in px."""
    most = max(VISIBLE_PX, round(max(height, width) * MAX_LINE_SHARE))
    lines = np.rint(text_sizes(polygons)[0] / HEIGHT_OF_LINE).clip(1, most) if polygons else np.zeros(0)
    # OpenCV draws (line + 1) // 2 px on each side of the middle, none for a line of 1, and blurs one more
    grown = offsets(polygons, (lines + 1) // 2 + 1 + (lines > 1))
    for polygon, line, around in zip(polygons, lines.astype(int).tolist(), grown, strict=True):
        low = np.minimum(0, np.floor(polygon.min(axis=0)))
        high = np.maximum((width - 1, height - 1), np.ceil(polygon.max(axis=0)))
        points = around if len(around) else np.rint(polygon)  # without an area, nothing can be put around it
        yield np.clip(points, low, high).astype(np.int32), line


def labels(image: Image, polygons: Sequence[Polygon], ignore: NDArray[np.bool_]) -> Image:
    """Draw labels; don't-care regions have another color."""
    care = [polygon for polygon, skip in zip(polygons, ignore, strict=True) if not skip]
    rest = [polygon for polygon, skip in zip(polygons, ignore, strict=True) if skip]
    return outline(outline(image, rest, DONT_CARE), care, LABEL)


def heat(plane: NDArray[np.floating]) -> Image:
    """(H, W) values 0..1 as a color map (H, W, 3)."""
    levels = np.clip(plane * 255.0, 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB), np.uint8)


def grid(rows: Sequence[Image], max_width: int = 1600) -> Image:
    """Stack rows, pad narrower ones, and scale down to max_width px."""
    width = max(image.shape[1] for image in rows)
    padded = [np.pad(image, ((0, 4), (0, width - image.shape[1]), (0, 0))) for image in rows]
    return fit_width(np.concatenate(padded), max_width)


def fit_width(image: Image, max_width: int) -> Image:
    """Scale down to max_width px, keeping the aspect ratio; a narrower image is returned unchanged."""
    height, width = image.shape[:2]
    if width <= max_width:
        return image
    size = (max_width, max(1, round(height * max_width / width)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def write(path: Path, image: Image, quality: int = 90) -> None:
    """Encode by the suffix of the path and write; any file name works. See `encode`. Raises OSError."""
    path.write_bytes(encode(path.suffix, image, quality))


def encode(suffix: str, image: Image, quality: int = 90) -> bytes:
    """Encode as ".jpg" or another suffix. Images larger than `MAX_JPEG_SIDE` are scaled down.

    quality: 0..100, of a JPEG."""
    largest = max(image.shape[:2])
    if largest > MAX_JPEG_SIDE:
        size = [max(1, side * MAX_JPEG_SIDE // largest) for side in image.shape[1::-1]]
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if suffix in JPEG_SUFFIXES else []  # OpenCV 5 warns of others
    ok, encoded = cv2.imencode(suffix, image[:, :, ::-1], options)
    assert ok, f"OpenCV cannot encode {suffix}"
    return encoded.tobytes()
