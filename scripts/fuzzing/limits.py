"""The limits that the commands set for their process. Imported before OpenCV, which reads one when it is loaded."""

from __future__ import annotations

import logging
import os

MAX_PIXELS = 179 * 10**6  # of an image; max_megapixels by default
os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(MAX_PIXELS)


def set_up() -> None:
    """All else that they set."""
    import cv2
    import PIL.Image
    import torch

    PIL.Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
