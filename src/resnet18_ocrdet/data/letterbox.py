"""Resize and pad an image to a size that the network accepts: for validation, evaluation and detection."""

from __future__ import annotations

import cv2
import numpy as np

from ..structures import Image, Resize, ResizeTransform

EXACT: tuple[Resize, ...] = ("fit", "stretch")  # the canvas is always exactly height×width
NO_LIMIT = 100.0  # of `max_scale`
MAX_ASPECT = 16  # above it, scaling the shorter side would need too much memory


def letterbox(
    image: Image, height: int, width: int, resize: Resize, max_scale: float = NO_LIMIT, stride: int = 32
) -> tuple[Image, ResizeTransform]:
    """Scale an image of any size for a network trained at height×width, and pad it with black on the right and below.

    resize: "keep": the area of height×width at the image's aspect ratio. "short_side": the shorter side becomes
    min(height, width), limited so that the longer is at most MAX_ASPECT times that. "stretch": exactly height×width.
    "fit": the largest image of its aspect ratio that fits into height×width, on a canvas of that size.
    max_scale: an image is not enlarged more than this; "stretch" ignores it.
    Returns the canvas, whose sides are multiples of `stride`, and the position of the image on it."""
    original_height, original_width = image.shape[:2]
    scale_y, scale_x = scale_to(original_height, original_width, height, width, resize, max_scale)
    scaled_height = max(1, round(original_height * scale_y))
    scaled_width = max(1, round(original_width * scale_x))
    for (w, h), how in (  # shrink by area to avoid aliasing, then enlarge linearly: INTER_AREA would shift it
        ((min(scaled_width, original_width), min(scaled_height, original_height)), cv2.INTER_AREA),
        ((scaled_width, scaled_height), cv2.INTER_LINEAR),
    ):
        if (h, w) != image.shape[:2]:
            image = np.asarray(cv2.resize(image, (w, h), interpolation=how), np.uint8)
    filled = (height, width) if resize == "fit" else (scaled_height, scaled_width)
    canvas = np.zeros((*(-(-side // stride) * stride for side in filled), 3), np.uint8)  # rounded up
    canvas[:scaled_height, :scaled_width] = image
    transform = ResizeTransform(
        original_height, original_width, scaled_height / original_height, scaled_width / original_width
    )
    return canvas, transform


def scale_to(
    h: int, w: int, height: int, width: int, resize: Resize, max_scale: float = NO_LIMIT
) -> tuple[float, float]:
    """Canvas pixels per pixel of an h×w image, vertical and horizontal; see `letterbox`."""
    if resize == "stretch":
        return height / h, width / w
    if resize == "short_side":
        short, long = sorted((h, w))
        scale = min(height, width) / max(short, long / MAX_ASPECT)
    elif resize == "fit":
        scale = min(height / h, width / w)
    else:
        scale = float(np.sqrt(height * width / (h * w)))
    return min(scale, max_scale), min(scale, max_scale)
