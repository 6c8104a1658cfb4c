"""What `checkpoint=` may name besides the checkpoint of a run."""

from __future__ import annotations

from pathlib import Path

EXPORTED = ".onnx"  # the suffix of a network that ocrdet-export wrote
BUNDLED = "bundled"  # what checkpoint=… and init.weights=… call it; a file of that name is ./bundled
BUNDLED_PATH = Path(__file__).parent.with_name("weights") / "dbnet_resnet18.pt"


def weights_path(named: str) -> Path:
    """The file that `checkpoint` or `init.weights` names."""
    return BUNDLED_PATH if named == BUNDLED else Path(named)
