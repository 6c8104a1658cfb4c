"""The detector for programs that embed it: `from resnet18_ocrdet import Detector`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from os import PathLike
from typing import Any, overload

import numpy as np

from .config.library import command_keys, train_keys
from .config.spec import Key
from .config.values import PAIR, convert
from .data.any_image import as_image
from .detections.recognition import open_reader
from .inference.listing import Listing
from .inference.loading import load_model
from .inference.predictor import open_predictor
from .model.bundled import BUNDLED, weights_path
from .model.contract import Contract
from .structures import Detection, Image


class Detector:
    """A trained text detector, called with an image.

    It holds no state between calls: any number of threads may call one at the same time. It may be opened before a
    fork and called after it, but not on a GPU or with ONNX Runtime. An exported file is run without importing torch."""

    def __init__(
        self,
        checkpoint: str | PathLike[str] = BUNDLED,
        *,
        device: str = "auto",
        precision: str = "auto",
        runtime: str = "auto",
        threads: int | None = None,
        input_size: tuple[int, int] | str | None = None,
        tiling: bool | str = True,
        scales: str = "auto",
        orientation: str = "auto",
        order: str = "reading",
        read: bool | str = False,
        **decode: Any,
    ) -> None:
        """checkpoint: of a run (.pt), exported (.onnx), or "bundled". device, precision, runtime, scales, orientation,
        order, read: as of ocrdet-detect. threads: of the CPU, for the network; torch has one number for the process.

        input_size: height and width, multiples of 32, or "736x1280"; None: as recorded in the checkpoint, as are the
        keys that `decode` leaves out (bin_thresh, box_thresh, unclip_ratio, max_candidates, shape, unclip, resize,
        max_scale). tiling: also use tiles of images that would be shrunk to less than half; or "auto" or "off".
        Warns if the precision is much slower than fp32 on this device. Raises UserError for a checkpoint, device or
        recogniser that cannot be used, ValueError for an invalid setting."""
        own, keys = command_keys("detect"), train_keys()  # the rules of the command line
        read, threads = _converted(own["read"], read), _converted(own["threads"], threads)
        device, precision = _converted(own["device"], device), _converted(own["precision"], precision)
        known = [name.removeprefix("decode.") for name in keys if name.startswith("decode.")]
        if unknown := sorted(set(decode) - set(known)):
            raise ValueError(f"{', '.join(unknown)}: not a setting; use {', '.join(known)}")
        changed = {name: _converted(keys[f"decode.{name}"], value) for name, value in decode.items()}
        changed = {name: value for name, value in changed.items() if value is not None}  # as recorded
        if isinstance(input_size, str) and (pair := PAIR.fullmatch(input_size)):
            input_size = (int(pair[1]), int(pair[2]))
        if input_size is not None:
            if isinstance(input_size, str) or not isinstance(input_size, Sequence | np.ndarray) or len(input_size) != 2:
                raise ValueError(
                    f"input_size={input_size!r}: height and width are needed, as (736, 1280) or '736x1280'"
                )
            sides = [keys[f"input_size.{name}"] for name in ("height", "width")]
            changed |= {key.name: _converted(key, side) for key, side in zip(sides, input_size, strict=True)}
        path = weights_path(str(checkpoint))
        model = load_model(path, _converted(own["runtime"], runtime), threads)
        if runtime not in ("auto", model.runtime):
            raise ValueError(f"runtime={runtime!r}: runs exported networks only, and {path} is a checkpoint")
        self._read = open_reader(read, threads)
        self.contract = Contract.from_dict(model.content["contract"] | changed)
        self._predictor, self.precision = open_predictor(
            model,
            self.contract,
            device,
            precision,
            tiling=tiling if isinstance(tiling, bool) else _converted(own["tiling"], tiling) == "auto",
            listing=Listing(_converted(own["order"], order)),
            scales=_converted(own["scales"], scales),
            turning=_converted(own["orientation"], orientation) == "auto",
        )
        if (note := self._predictor.network.note) is not None:
            warnings.warn(note, stacklevel=2)

    @overload
    def __call__(self, image: list[Any] | tuple[Any, ...]) -> list[list[Detection]]: ...

    @overload
    def __call__(self, image: Any) -> list[Detection]: ...

    def __call__(self, image: Any) -> list[Detection] | list[list[Detection]]:
        """image: (H, W, 3) uint8 RGB of any size, or what `data.any_image.as_image` takes: a path, the bytes of a file,
        a Pillow image, another array. Or a list of images; on a GPU those of one size go through it together.

        Returns the regions in pixels of the image, in the order of reading; of a list, one list for each image. A
        region unpacks as `polygon, score` and has a `quad`; with `read` it has a `text` and its `confidence`, 0..1, or
        None and the reason in `recognition.reason`. Warns if there are more than `max_candidates`. Raises ValueError
        for what is not an image, UserError for a file that cannot be decoded."""
        if not isinstance(image, list | tuple):
            return self._detect([as_image(image)])[0]
        return self._detect([as_image(each) for each in image])

    def _detect(self, images: list[Image]) -> list[list[Detection]]:
        found = self._predictor.trace_all(images)
        surplus = sum(each.stages.surplus for each in found)
        if surplus:
            warnings.warn(
                f"{surplus} regions left out: more than max_candidates={self.contract.max_candidates} in an image",
                stacklevel=3,
            )
        detections = [each.detections for each in found]
        return detections if self._read is None else list(map(self._read, images, detections))


def _converted(key: Key, value: Any) -> Any:
    """In its type. Raises ValueError for what the command would refuse."""
    try:
        return convert(value, key)
    except ValueError as error:
        raise ValueError(f"{key.name}={value!r}: {error}") from None
