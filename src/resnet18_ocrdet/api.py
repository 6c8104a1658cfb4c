"""The detector for programs that embed it: `from resnet18_ocrdet import Detector`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from .config.library import train_keys
from .config.spec import Key, declared_key
from .config.values import convert
from .data.image_io import read_image
from .inference.loading import load_model
from .inference.predictor import open_predictor
from .model.bundled import BUNDLED, weights_path
from .model.contract import Contract
from .structures import Detection, Image

RUNTIME = declared_key("runtime", "[auto|onnxruntime|openvino]", "auto")


class Detector:
    """A trained text detector, called with an image.

    It holds no state between calls: any number of threads may call one at the same time. An exported file is run
    without importing torch."""

    def __init__(
        self,
        checkpoint: str | PathLike[str] = BUNDLED,
        *,
        device: str = "auto",
        precision: str = "auto",
        runtime: str = "auto",
        input_size: tuple[int, int] | None = None,
        tiling: bool = True,
        **decode: Any,
    ) -> None:
        """checkpoint: of a run (.pt), exported (.onnx), or "bundled". device, precision, runtime: as of
        ocrdet-detect.

        input_size: height and width, multiples of 32; None: as recorded in the checkpoint, as are the keys that
        `decode` leaves out (bin_thresh, box_thresh, unclip_ratio, max_candidates, shape, unclip, resize). tiling: also
        use tiles of images that would be shrunk to less than half.
        Warns if the precision is much slower than fp32 on this device. Raises UserError for a checkpoint or device that
        cannot be used, ValueError for an invalid setting."""
        keys = train_keys()  # the rules of the command line
        device, precision = _converted(keys["device"], device), _converted(keys["precision"], precision)
        known = [name.removeprefix("decode.") for name in keys if name.startswith("decode.")]
        if unknown := sorted(set(decode) - set(known)):
            raise ValueError(f"{', '.join(unknown)}: not a setting; use {', '.join(known)}")
        changed = {name: _converted(keys[f"decode.{name}"], value) for name, value in decode.items()}
        if input_size is not None:
            if not isinstance(input_size, Sequence) or len(input_size) != 2:
                raise ValueError(f"input_size={input_size}: height and width are needed")
            sides = [keys[f"input_size.{name}"] for name in ("height", "width")]
            changed |= {key.name: _converted(key, side) for key, side in zip(sides, input_size, strict=True)}
        path = weights_path(str(checkpoint))
        model = load_model(path, _converted(RUNTIME, runtime))
        if runtime not in ("auto", model.runtime):
            raise ValueError(f"runtime={runtime!r}: runs exported networks only, and {path} is a checkpoint")
        self.contract = Contract.from_dict(model.content["contract"] | changed)
        self._predictor, self.precision = open_predictor(model, self.contract, device, precision, tiling)
        if (note := self._predictor.network.note) is not None:
            warnings.warn(note, stacklevel=2)

    def __call__(self, image: Image | str | PathLike[str]) -> list[Detection]:
        """image: (H, W, 3) uint8 RGB, any size, or the path of an image file. Returns regions in its pixels.

        A region has a `polygon`, (V, 2) float32, a quad clockwise from its top-left, and a `score`, 0..1.
        Warns if there are more than `max_candidates`. Raises ValueError for another array, UserError for a file that is
        not an image."""
        if isinstance(image, str | PathLike):
            image = read_image(Path(image))
        if not isinstance(image, np.ndarray):
            raise ValueError(f"an image is a NumPy array or a path, got {type(image).__name__}")
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise ValueError(f"an image is (height, width, 3) uint8 RGB, got {image.shape} {image.dtype}")
        found, stages, _ = self._predictor.trace(image)
        if stages.surplus:
            warnings.warn(
                f"{stages.surplus} regions left out: more than max_candidates={self.contract.max_candidates}",
                stacklevel=2,
            )
        return found


def _converted(key: Key, value: Any) -> Any:
    """In its type. Raises ValueError for what the command would refuse."""
    try:
        return convert(value, key)
    except ValueError as error:
        raise ValueError(f"{key.name}={value!r}: {error}") from None
