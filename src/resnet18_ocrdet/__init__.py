"""ResNet-18 DBNet text detection: train, evaluate, detect. Importing this does nothing; `Detector` imports torch for
checkpoints, not for exported files.

`UserError` is what `Detector` raises for a file that cannot be used, and its import if OpenCV does not load."""

from typing import TYPE_CHECKING, Any

from .errors import UserError as UserError

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .api import Detector as Detector


def __getattr__(name: str) -> Any:
    """`resnet18_ocrdet.Detector`, imported on first use, so that commands start fast."""
    if name == "Detector":
        from .runtime.opencv import require_opencv

        require_opencv()
        from .api import Detector

        return Detector
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
