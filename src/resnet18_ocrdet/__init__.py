"""ResNet-18 DBNet text detection: train, evaluate, detect. Importing this does nothing; `Detector` loads torch.

`UserError` is what `Detector` raises for a file that cannot be used."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .embedded import Detector as Detector
    from .errors import UserError as UserError


def __getattr__(name: str) -> Any:
    """`resnet18_ocrdet.Detector`, imported when somebody asks for it: a command answers before torch is loaded."""
    if name == "Detector":
        from .embedded import Detector

        return Detector
    if name == "UserError":
        from .errors import UserError

        return UserError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
