"""OpenCV, whose import fails on systems without a graphics library."""

from __future__ import annotations

from ..errors import UserError


def require_opencv() -> None:
    """Import OpenCV. Raises UserError, with the remedies, if it does not load."""
    try:
        import cv2  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"OpenCV does not load ({error}); on Debian or Ubuntu: apt install libgl1 libglib2.0-0; or without them: "
            f"pip uninstall opencv-python, then pip install --force-reinstall --no-deps opencv-python-headless"
        ) from None
