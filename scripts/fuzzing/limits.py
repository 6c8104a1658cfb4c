"""The limits that the commands set for their process. Import it before OpenCV, which reads one at import."""

from __future__ import annotations

import logging
import os

MAX_PIXELS = 179 * 10**6  # of an image, the default of max_megapixels
os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(MAX_PIXELS)


def set_up() -> None:
    """Set the other limits."""
    import cv2
    import PIL.Image
    import torch

    PIL.Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
